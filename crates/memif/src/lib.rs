//! memif, server's side (protocol version 2.0): packets through memory that the client shares.
//!
//! The client connects to a UNIX socket, hands over memory and says where in it the two rings lie, one for
//! each direction. From then on packets are copied from and to that memory without any system call, but for
//! the bell of a client that wants to be woken. Client and server have agreed on nothing but the layout:
//! whatever the client writes there is checked before it is used.
//!
//! [`Memif`] is the socket with a thread of its own; [`Link`] is what a worker sees of it.

#![forbid(unsafe_code)]

mod link;
mod message;
mod ring;
mod server;

pub use link::Link;
pub use ring::{LONGEST, Packet, Receiver, Sender};
pub use server::Memif;
