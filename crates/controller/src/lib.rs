//! The controller: TCP listeners for processes, and REST for everybody else.
//!
//! [`Controller::start`] opens the three listeners; [`Controller::run`] serves until it is told
//! to end. Nothing is kept on disk: the table of connected processes is all there is.

#![forbid(unsafe_code)]

mod change;
mod config;
mod cpu;
mod listener;
mod original;
mod peer;
mod rest;
mod server;
mod table;

pub use config::{Config, Limits};
pub use server::{Controller, StartError};
