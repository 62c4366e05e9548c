//! DPDK applications in containers, beside and on a panel: what is typed becomes a plan, a plan becomes a command line of
//! docker or a request to its API.
//!
//! Applications are files ([`app`]), their options and those of all of them too ([`options`]). [`plan`] puts together what
//! is to be started, [`checks`] says what cannot work, [`command`] prints it, [`engine`] does it. [`build`] makes images, [`layout`] finds CPUs.

#![forbid(unsafe_code)]

pub mod app;
pub mod build;
pub mod check;
pub mod checks;
pub mod command;
pub mod cpus;
pub mod engine;
pub mod error;
pub mod host;
pub mod layout;
pub mod options;
pub mod pktgen;
pub mod plan;
pub mod uid;

pub use error::{Error, Result};
