//! Networks emulated on one machine: hosts, switches and routers in network namespaces, links between them, real programs on them,
//! and what is expected of all that.
//!
//! A [`File`] is read and checked, becomes a [`Plan`], and [`build::up`] makes it real. What is up is a [`Running`].
//!
//! Everything of a network hangs on one process, its [keeper](sys::keeper): nothing is in the machine's own network namespace, and
//! when the keeper ends, however that happens, the kernel ends and removes the rest. A container ends then, too, and its engine is told to
//! remove it.

#![forbid(unsafe_code)]

pub mod build;
pub mod builder;
pub mod capture;
mod containers;
pub mod cores;
mod debug;
pub mod differ;
pub mod drops;
pub mod error;
pub mod file;
pub mod graph;
pub mod iperf;
pub mod kernel;
pub mod outside;
mod panels;
pub mod ping;
pub mod plan;
mod programs;
pub mod running;
pub mod save;
pub mod state;
mod switches;
pub mod test;
pub mod trace;
mod user;

pub use build::{Options, up};
pub use builder::Lab;
pub use error::{Error, Result};
pub use file::File;
pub use plan::Plan;
pub use running::{Running, clean};
