//! The one small door to the kernel beside DPDK: affinity, signals, locks that die with their
//! holder, things to wait for, hugepages and a process's own figures.
//!
//! Everything here is a thin, safe face of a kernel interface; nothing here knows what SPP is.

pub mod affinity;
pub mod blocked;
pub mod bpf;
pub mod capabilities;
pub mod cores;
pub mod epoll;
mod error;
pub mod eventfd;
pub mod fifo;
pub mod hugepages;
pub mod init;
pub mod keeper;
pub mod landlock;
pub mod leash;
pub mod lock;
pub mod offload;
mod outside;
pub mod owner;
pub mod packets;
pub mod pci;
pub mod poll;
pub mod proc;
pub mod seccomp;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod talk;
pub mod tap;
pub mod thread;
pub mod withdrawn;

pub use error::Error;

/// What every function here gives back.
pub type Result<T> = std::result::Result<T, Error>;
