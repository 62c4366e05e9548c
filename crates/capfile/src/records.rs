//! The parts of a file one by one, for who writes it by himself: what stands first, packets, what
//! stands last. Byte order is little-endian; times are microseconds in pcap, nanoseconds in pcapng.

use crate::blocks;
use crate::classic::{self, RECORD};
use crate::ng::{ENHANCED, OPTION_END};
use crate::reader::{Format, NANOS};

/// Bytes of an enhanced packet block before the packet, and after it and its padding.
const BEFORE: usize = 28;
const AFTER: usize = 4;

/// What a pcapng file says of the interface that its packets come from; a pcap file has room for the
/// snap length only.
#[derive(Debug, Clone)]
pub struct Interface<'a> {
    /// Name of the interface.
    pub name: &'a str,
    /// Name and version of the program that captures.
    pub program: &'a str,
    /// The filter in tcpdump's language; may be empty.
    pub filter: &'a str,
    /// Most bytes kept of a packet.
    pub snaplen: u32,
}

/// What became of the packets of the interface from the start of the capture up to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Start of the capture, in nanoseconds from 1970.
    pub start_ns: u64,
    /// When this was counted, likewise.
    pub end_ns: u64,
    /// Packets received.
    pub received: u64,
    /// Of those, packets that passed the filter.
    pub accepted: u64,
    /// Packets lost because there was no room for them.
    pub dropped: u64,
}

/// The first packet in a sequence of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Bytes that it takes in the file, with all that belongs to it.
    pub length: usize,
    /// When it was received, in nanoseconds from 1970.
    pub timestamp_ns: u64,
    /// Bytes kept of it.
    pub captured: u32,
}

pub(crate) fn number(into: &mut Vec<u8>, value: u32) {
    into.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn time(value: u64) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&((value >> 32) as u32).to_le_bytes());
    bytes[4..].copy_from_slice(&(value as u32).to_le_bytes());
    bytes
}

pub(crate) fn option(into: &mut Vec<u8>, code: u16, value: &[u8]) {
    // A name longer than an option can be is cut.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    into.extend_from_slice(&code.to_le_bytes());
    into.extend_from_slice(&(value.len() as u16).to_le_bytes());
    into.extend_from_slice(value);
    into.resize(into.len().next_multiple_of(4), 0);
}

/// A block around `body`, which is closed by the end of its options.
pub(crate) fn block(into: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let total = (body.len() + 16) as u32;
    number(into, kind);
    number(into, total);
    into.extend_from_slice(body);
    number(into, OPTION_END.into());
    number(into, total);
}

impl Format {
    /// What a file begins with.
    #[must_use]
    pub fn beginning(self, interface: &Interface<'_>) -> Vec<u8> {
        if self == Format::Pcap {
            return classic::file_header(interface.snaplen).to_vec();
        }
        let mut file = Vec::new();
        blocks::section(&mut file, interface.program);
        blocks::interface(&mut file, interface);
        file
    }

    /// Bytes that a packet takes in the file of which `captured` are kept.
    #[must_use]
    #[inline]
    pub fn record_length(self, captured: usize) -> usize {
        match self {
            Format::Pcap => RECORD + captured,
            Format::PcapNg => BEFORE + captured.next_multiple_of(4) + AFTER,
        }
    }

    /// Adds a packet of `original` bytes of which `data` is kept, received at `timestamp_ns` (from 1970).
    #[inline]
    pub fn push(self, into: &mut Vec<u8>, timestamp_ns: u64, original: u32, data: &[u8]) {
        let captured = data.len() as u32;
        if self == Format::Pcap {
            into.extend_from_slice(&classic::record_header(timestamp_ns, captured, original));
            into.extend_from_slice(data);
            return;
        }
        let total = self.record_length(data.len()) as u32;
        let mut head = [0; BEFORE];
        let numbers = [
            ENHANCED,
            total,
            0,
            (timestamp_ns >> 32) as u32,
            timestamp_ns as u32,
            captured,
            original,
        ];
        for (to, number) in head.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        into.extend_from_slice(&head);
        into.extend_from_slice(data);
        let padding = data.len().next_multiple_of(4) - data.len();
        into.extend_from_slice(&[0; 3][..padding]);
        into.extend_from_slice(&total.to_le_bytes());
    }

    /// The first of the packets in `records`, which [`Format::push`] has made; `None` if there is none, or not
    /// the whole of it.
    #[must_use]
    #[inline]
    pub fn first(self, records: &[u8]) -> Option<Record> {
        let at = |offset: usize| {
            let bytes = records.get(offset..offset + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let (timestamp_ns, captured) = match self {
            Format::Pcap => {
                let (seconds, micros) = (u64::from(at(0)?), u64::from(at(4)?));
                (seconds * NANOS + micros * 1000, at(8)?)
            }
            Format::PcapNg => (u64::from(at(12)?) << 32 | u64::from(at(16)?), at(20)?),
        };
        let length = self.record_length(captured as usize);
        (length <= records.len()).then_some(Record {
            length,
            timestamp_ns,
            captured,
        })
    }

    /// What a file ends with.
    #[must_use]
    pub fn ending(self, statistics: &Statistics) -> Vec<u8> {
        let mut file = Vec::new();
        if self == Format::Pcap {
            return file;
        }
        blocks::statistics(&mut file, 0, statistics);
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;

    #[test]
    fn what_is_written_is_read_back() {
        let interface = Interface {
            name: "ring:0",
            program: "test 1",
            filter: "tcp port 80",
            snaplen: 65_535,
        };
        let packets: Vec<(u64, u32, Vec<u8>)> = (0..70u32)
            .map(|i| {
                (
                    1_700_000_000_123_456_000 + u64::from(i) * 1000,
                    2000 + i,
                    vec![i as u8; i as usize],
                )
            })
            .collect();
        for format in [Format::Pcap, Format::PcapNg] {
            let mut file = format.beginning(&interface);
            let head = file.len();
            for (at, original, data) in &packets {
                let before = file.len();
                format.push(&mut file, *at, *original, data);
                assert_eq!(file.len() - before, format.record_length(data.len()));
            }
            let mut rest = &file[head..];
            for (at, _, data) in &packets {
                let first = format.first(rest).unwrap();
                assert_eq!(
                    (first.timestamp_ns, first.captured as usize),
                    (*at, data.len())
                );
                assert_eq!(format.first(&rest[..first.length - 1]), None);
                rest = &rest[first.length..];
            }
            assert_eq!(format.first(rest), None);
            file.extend_from_slice(&format.ending(&Statistics::default()));
            let mut reader = Reader::new(&file[..], "test").unwrap();
            assert_eq!(reader.format(), format);
            for (at, original, data) in &packets {
                let packet = reader.next_packet().unwrap().unwrap();
                assert_eq!(packet.timestamp_ns, Some(*at));
                assert_eq!((packet.original_len, packet.data), (*original, &data[..]));
            }
            assert!(reader.next_packet().unwrap().is_none());
        }
    }
}
