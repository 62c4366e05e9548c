//! The controller: TCP listeners for processes, and REST for everybody else.
//!
//! [`Controller::start`] opens the three listeners; [`Controller::run`] serves until it is told
//! to end. What processes shall have is kept on disk, if a folder is named ([`Config::state`]).

#![forbid(unsafe_code)]

mod change;
mod config;
pub mod confine;
mod cpu;
mod events;
mod listener;
mod look;
mod metrics;
mod original;
mod peer;
mod rest;
mod server;
mod state;
mod table;
mod tls;
mod watcher;

pub use config::{Config, Limits};
pub use protocol::token::{Token, TokenError};
pub use server::{Controller, Doors, StartError};
pub use state::{JournalContents, StateError, read_journal};
pub use tls::{TlsError, TlsFiles};
