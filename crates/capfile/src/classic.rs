//! Classic pcap: a header of 24 bytes, then records of 16 bytes and a packet.

use std::io::Read;

use crate::error::{Error, Fault};
use crate::reader::{NANOS, PacketRef};
use crate::source::{Order, Source};
use crate::{ETHERNET, MAX_PACKET};

pub(crate) const MICRO: u32 = 0xa1b2_c3d4;
pub(crate) const NANO: u32 = 0xa1b2_3c4d;

/// Bytes before each packet.
pub(crate) const RECORD: usize = 16;

/// The flag in the link type that says how long the FCS of each packet is.
const FCS_PRESENT: u32 = 0x0400_0000;
const FCS_LENGTH: u32 = 0xf000_0000;

/// The header of a file in microseconds; `snaplen` is what it promises as the longest packet.
pub(crate) fn file_header(snaplen: u32) -> [u8; 24] {
    let mut header = [0; 24];
    let numbers = [MICRO, 2 | 4 << 16, 0, 0, snaplen, ETHERNET.into()];
    for (to, number) in header.chunks_exact_mut(4).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    header
}

/// What stands before a packet.
pub(crate) fn record_header(timestamp_ns: u64, captured: u32, original: u32) -> [u8; RECORD] {
    let seconds = u32::try_from(timestamp_ns / NANOS).unwrap_or(u32::MAX);
    let micros = (timestamp_ns % NANOS / 1000) as u32;
    let mut header = [0; RECORD];
    let numbers = [seconds, micros, captured, original];
    for (to, number) in header.chunks_exact_mut(4).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    header
}

pub(crate) struct Classic {
    order: Order,
    /// Nanoseconds in a unit of the timestamps' second part.
    unit: u64,
}

impl Classic {
    /// Tells by the first four bytes whether this is such a file.
    pub(crate) fn recognise(magic: [u8; 4]) -> Option<Self> {
        [Order::Little, Order::Big]
            .into_iter()
            .find_map(|order| match order.u32(magic) {
                MICRO => Some(Self { order, unit: 1000 }),
                NANO => Some(Self { order, unit: 1 }),
                _ => None,
            })
    }

    /// Reads the header.
    pub(crate) fn begin(self, source: &mut Source<impl Read>) -> Result<Self, Error> {
        let header: [u8; 24] = source.array("the pcap header")?;
        let version = self.order.u16([header[4], header[5]]);
        let minor = self.order.u16([header[6], header[7]]);
        if (version, minor) != (2, 4) {
            let fault = Fault::Version {
                format: "pcap",
                major: version,
                minor,
                known: "2.4",
            };
            return Err(source.error_at(4, fault));
        }
        let [link] = self.order.u32s(&header[20..]);
        if link & 0xffff != u32::from(ETHERNET) {
            return Err(source.error_at(20, Fault::LinkType(link & 0xffff)));
        }
        if link & FCS_PRESENT != 0 && link & FCS_LENGTH != 0 {
            return Err(source.error_at(20, Fault::Fcs));
        }
        Ok(self)
    }

    pub(crate) fn next<'a>(
        &mut self,
        source: &'a mut Source<impl Read>,
    ) -> Result<Option<PacketRef<'a>>, Error> {
        if source.at_end()? {
            return Ok(None);
        }
        let at = source.offset();
        let header: [u8; 16] = source.array("a packet's header")?;
        let [seconds, fraction, captured, original] = self.order.u32s(&header);
        if captured as usize > MAX_PACKET {
            return Err(source.error_at(at, Fault::PacketTooLong(captured.into())));
        }
        let data = source.take(captured as usize, "a packet")?;
        let timestamp = u64::from(seconds) * NANOS + u64::from(fraction) * self.unit;
        Ok(Some(PacketRef {
            data,
            original_len: original.max(captured),
            timestamp_ns: Some(timestamp),
            interface: 0,
        }))
    }
}
