//! What is wrong with a capture file, and where.

use std::io;
use std::path::PathBuf;

use crate::MAX_PACKET;

/// A file that cannot be read (on).
#[derive(Debug, thiserror::Error)]
#[error("{}, byte {offset}: {fault}", path.display())]
pub struct Error {
    /// Which file.
    pub path: PathBuf,
    /// Where the part begins that is wrong, in bytes from the start of the file.
    pub offset: u64,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a capture file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be opened or read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It has no bytes at all.
    #[error("the file is empty: not even a capture file without packets")]
    Empty,
    /// It is something else.
    #[error("not a pcap or pcapng file: it begins with {0:02x?}{hint}", hint = hint(*.0))]
    Magic([u8; 4]),
    /// A version of the format that is not read.
    #[error("{format} version {major}.{minor} is not read, only {known}")]
    Version {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// The file's.
        major: u16,
        /// The file's.
        minor: u16,
        /// What is read.
        known: &'static str,
    },
    /// Packets that are not Ethernet frames.
    #[error("link type {0} is not read, only Ethernet (1)")]
    LinkType(u32),
    /// Frames that carry their check sequence.
    #[error("the frames carry their FCS, which a port must not send: remove it (editcap -C)")]
    Fcs,
    /// The file ends in the middle of something.
    #[error("the file is cut off: {what} needs {needed} more bytes, {present} are there")]
    Truncated {
        /// In the middle of what.
        what: &'static str,
        /// Bytes needed from `offset` on.
        needed: usize,
        /// Bytes there.
        present: usize,
    },
    /// A packet longer than any that is read.
    #[error("a packet of {0} bytes: at most {MAX_PACKET} are read")]
    PacketTooLong(u64),
    /// A length that contradicts another one.
    #[error("{what} has a length of {length}, which cannot be")]
    Length {
        /// What has it.
        what: &'static str,
        /// The length.
        length: u64,
    },
    /// A packet of an interface that was not described.
    #[error("a packet of interface {interface}, but the section has described only {described}")]
    Interface {
        /// The packet's.
        interface: u32,
        /// How many there are.
        described: usize,
    },
    /// More interfaces than are kept.
    #[error("a section with more than {0} interfaces")]
    TooManyInterfaces(usize),
    /// A section that does not say in which byte order it is.
    #[error("a section header without a byte-order magic")]
    ByteOrder,
    /// An earlier call failed: what follows cannot be found.
    #[error("reading stopped here because of an earlier error")]
    Stopped,
}

/// What the file may be instead.
fn hint(magic: [u8; 4]) -> &'static str {
    match magic {
        [0x1f, 0x8b, ..] => " (gzip: unpack it first)",
        [0x28, 0xb5, 0x2f, 0xfd] => " (zstd: unpack it first)",
        [0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1] => {
            " (a modified pcap: rewrite it with editcap -F pcap)"
        }
        _ => "",
    }
}
