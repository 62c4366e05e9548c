//! pcapng with several interfaces, block by block: a [`section`], an [`interface`] for each, packets, and [`statistics`] of each
//! interface. Byte order is little-endian; times are nanoseconds. Interfaces are numbered from 0 in the order in which they are
//! described.

use crate::ETHERNET;
use crate::ng::{BYTE_ORDER, ENHANCED, INTERFACE, OPTION_TSRESOL, SECTION};
use crate::records::{Interface, Statistics, block, number, option, time};

const STATISTICS: u32 = 5;

const OPTION_SECTION_PROGRAM: u16 = 4;
const OPTION_NAME: u16 = 2;
const OPTION_FLAGS: u16 = 2;
const OPTION_FILTER: u16 = 11;
const OPTION_START_TIME: u16 = 2;
const OPTION_END_TIME: u16 = 3;
const OPTION_RECEIVED: u16 = 4;
const OPTION_DROPPED: u16 = 5;
const OPTION_ACCEPTED: u16 = 6;

/// The resolution of times: 10 to the power of minus that.
const NANOSECONDS: u8 = 9;

/// Which way a packet went at its interface (`epb_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It arrived.
    In,
    /// It left.
    Out,
}

/// A packet.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Number of its interface.
    pub interface: u32,
    /// When it was there, in nanoseconds from 1970.
    pub timestamp_ns: u64,
    /// How many bytes it had.
    pub original: u32,
    /// What is kept of them.
    pub data: &'a [u8],
    /// Which way it went, if that is known.
    pub direction: Option<Direction>,
}

/// Begins a file, or another part of one; `program` is what captures.
pub fn section(into: &mut Vec<u8>, program: &str) {
    let mut body = Vec::new();
    number(&mut body, BYTE_ORDER);
    number(&mut body, 1); // version 1.0
    body.extend_from_slice(&u64::MAX.to_le_bytes()); // a section of unknown length
    option(&mut body, OPTION_SECTION_PROGRAM, program.as_bytes());
    block(into, SECTION, &body);
}

/// Describes the next interface. Its program is the section's.
pub fn interface(into: &mut Vec<u8>, interface: &Interface<'_>) {
    let mut body = Vec::new();
    number(&mut body, ETHERNET.into());
    number(&mut body, interface.snaplen);
    option(&mut body, OPTION_NAME, interface.name.as_bytes());
    option(&mut body, OPTION_TSRESOL, &[NANOSECONDS]);
    if !interface.filter.is_empty() {
        let text = [b"\0", interface.filter.as_bytes()].concat();
        option(&mut body, OPTION_FILTER, &text);
    }
    block(into, INTERFACE, &body);
}

/// Adds a packet.
pub fn packet(into: &mut Vec<u8>, packet: &Packet<'_>) {
    let mut body = Vec::with_capacity(packet.data.len() + 32);
    let head = [
        packet.interface,
        (packet.timestamp_ns >> 32) as u32,
        packet.timestamp_ns as u32,
        packet.data.len() as u32,
        packet.original,
    ];
    head.into_iter().for_each(|n| number(&mut body, n));
    body.extend_from_slice(packet.data);
    body.resize(body.len().next_multiple_of(4), 0);
    if let Some(direction) = packet.direction {
        let flags: u32 = match direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        option(&mut body, OPTION_FLAGS, &flags.to_le_bytes());
    }
    block(into, ENHANCED, &body);
}

/// Says what became of the packets of an interface.
pub fn statistics(into: &mut Vec<u8>, interface: u32, statistics: &Statistics) {
    let mut body = Vec::new();
    number(&mut body, interface);
    body.extend_from_slice(&time(statistics.end_ns));
    option(&mut body, OPTION_START_TIME, &time(statistics.start_ns));
    option(&mut body, OPTION_END_TIME, &time(statistics.end_ns));
    for (code, count) in [
        (OPTION_RECEIVED, statistics.received),
        (OPTION_DROPPED, statistics.dropped),
        (OPTION_ACCEPTED, statistics.accepted),
    ] {
        option(&mut body, code, &count.to_le_bytes());
    }
    block(into, STATISTICS, &body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;

    #[test]
    fn packets_of_several_interfaces_are_read_back() {
        let mut file = Vec::new();
        section(&mut file, "test");
        for name in ["h1:eth0", "s1:eth1"] {
            let described = Interface {
                name,
                program: "test",
                filter: "icmp",
                snaplen: 128,
            };
            interface(&mut file, &described);
        }
        let ways = [None, Some(Direction::In), Some(Direction::Out)];
        for n in 0..9u8 {
            let data = vec![n; usize::from(n)];
            let one = Packet {
                interface: u32::from(n % 2),
                timestamp_ns: 1_700_000_000_123_456_000 + u64::from(n),
                original: 200 + u32::from(n),
                data: &data,
                direction: ways[usize::from(n % 3)],
            };
            packet(&mut file, &one);
        }
        for number in 0..2 {
            statistics(&mut file, number, &Statistics::default());
        }
        let mut reader = Reader::new(&file[..], "test").unwrap();
        for n in 0..9u8 {
            let packet = reader.next_packet().unwrap().unwrap();
            let at = 1_700_000_000_123_456_000 + u64::from(n);
            assert_eq!(packet.timestamp_ns, Some(at));
            assert_eq!(packet.original_len, 200 + u32::from(n));
            assert_eq!(packet.data, vec![n; usize::from(n)]);
        }
        assert!(reader.next_packet().unwrap().is_none());
    }
}
