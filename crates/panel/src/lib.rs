//! The data plane: ports, patches, workers and their counters.
//!
//! The control thread owns a [`Board`]: it opens ports, claims their ends, and publishes to each worker
//! an immutable [`worker::Table`] of its patches. A [`Worker`] borrows its table for one round
//! and holds nothing else, so a change on one patch costs the others nothing.

#![forbid(unsafe_code)]

pub mod area;
pub mod bell;
pub mod board;
pub mod cables;
pub mod classifier;
pub mod code;
mod doze;
pub mod filter;
pub mod impair;
mod kept;
pub mod latency;
pub mod line;
pub mod memif;
pub mod mirror;
mod moves;
pub mod pcap;
pub mod port;
pub mod probes;
pub mod published;
pub mod rack;
pub mod sink;
mod sync;
mod tally;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod vlan;
mod wiring;
pub mod worker;

pub use area::{Area, DropReason, Totals};
pub use board::{Board, BoardError};
pub use classifier::{Classifier, EntryError, EntryView, Rule};
pub use code::{PortCode, PortKind};
pub use mirror::{CopyMode, MirrorOptions};
pub use port::Port;
pub use wiring::Function;
pub use worker::{Poll, Worker};
