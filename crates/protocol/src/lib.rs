//! The language of the wire: port names, commands, replies, framing and the types of REST.
//!
//! Pure: no DPDK, no sockets. Text becomes a type here, once; nobody else splits strings.

#![forbid(unsafe_code)]

pub mod command;
pub mod desired;
pub mod detail;
pub mod event;
pub mod filter;
pub mod flow;
pub mod impair;
pub mod json;
pub mod port;
pub mod probe;
pub mod reply;
pub mod rest;
#[cfg(feature = "openapi")]
mod schema;
pub mod token;
pub mod verdict;
pub mod wire;

pub use command::{CommandError, NfvCommand, PanelCommand, PrimaryCommand, VhostMode};
pub use port::{PortError, PortName};

/// The first part of a text that came from outside, short enough to be quoted in a message.
pub fn quotable(text: &str) -> String {
    const LONGEST: usize = 48;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .collect::<String>()
        .escape_debug()
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
