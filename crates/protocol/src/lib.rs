//! The language of the wire: port names, commands, replies, framing and the types of REST.
//!
//! Pure: no DPDK, no sockets. Text becomes a type here, once; nobody else splits strings.

#![forbid(unsafe_code)]

pub mod detail;
