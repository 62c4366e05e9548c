//! Capture files of Ethernet frames: classic pcap and pcapng are read and written.
//!
//! One packet at a time, from and into a buffer of fixed size: neither a long file nor a hostile
//! one takes more memory, and no packet allocates. (The crates that read both formats build a
//! list of options for every packet; that is why this is our own.)
//!
//! Formats: [draft-ietf-opsawg-pcap] and [draft-ietf-opsawg-pcapng].
//!
//! [draft-ietf-opsawg-pcap]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
//! [draft-ietf-opsawg-pcapng]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

#![forbid(unsafe_code)]

pub mod blocks;
mod classic;
mod error;
mod ng;
mod noted;
mod reader;
mod records;
mod source;
mod writer;

pub use error::{Error, Fault};
pub use reader::{Format, PacketRef, Reader};
pub use records::{Interface, Record, Statistics};
pub use writer::{WriteError, Writer};

/// The longest packet that is read, in captured bytes (the longest that tcpdump writes).
pub const MAX_PACKET: usize = 262_144;

/// The link type of Ethernet.
const ETHERNET: u16 = 1;
