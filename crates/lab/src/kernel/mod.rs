//! What is asked of the kernel.

mod contained;
pub mod dpdk;
pub mod impair;
pub mod namespace;
pub mod process;
pub mod queues;
pub mod route;
pub mod settings;
