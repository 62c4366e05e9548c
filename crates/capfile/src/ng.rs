//! pcapng: sections of blocks, each with its length before and after it.

use std::io::Read;

use crate::error::{Error, Fault};
use crate::reader::{NANOS, PacketRef};
use crate::source::{Order, Source};
use crate::{ETHERNET, MAX_PACKET};

pub(crate) const SECTION: u32 = 0x0a0d_0d0a;
pub(crate) const INTERFACE: u32 = 1;
/// The predecessor of the enhanced packet block; still found in old files.
const PACKET: u32 = 2;
const SIMPLE: u32 = 3;
pub(crate) const ENHANCED: u32 = 6;

pub(crate) const BYTE_ORDER: u32 = 0x1a2b_3c4d;

pub(crate) const OPTION_END: u16 = 0;
pub(crate) const OPTION_TSRESOL: u16 = 9;
const OPTION_FCSLEN: u16 = 13;
const OPTION_TSOFFSET: u16 = 14;

/// More than any machine has; keeps a hostile file from filling the memory.
const MAX_INTERFACES: usize = 4096;

/// Type and length, before the body; the length again, after it.
const HEAD: u64 = 8;
const TAIL: u64 = 4;

pub(crate) struct Ng {
    order: Order,
    interfaces: Vec<Interface>,
    /// The block that the last packet was in: the rest of it is read when the packet is done with.
    open: Option<Block>,
}

struct Interface {
    snaplen: u32,
    /// Timestamp units in a second; `None` if they are too short to make a nanosecond.
    resolution: Option<u128>,
    /// Seconds to add to every timestamp.
    offset: i64,
}

struct Block {
    at: u64,
    order: Order,
    kind: u32,
    total: u32,
    /// Bytes of the body that have not been read.
    left: u64,
}

impl Block {
    /// Counts bytes of the body that are about to be read.
    fn consume<R: Read>(
        &mut self,
        length: u64,
        what: &'static str,
        source: &Source<R>,
    ) -> Result<(), Error> {
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(source.error(Fault::Length { what, length })),
        }
    }

    fn array<const N: usize>(
        &mut self,
        what: &'static str,
        source: &mut Source<impl Read>,
    ) -> Result<[u8; N], Error> {
        if self.left < N as u64 {
            let fault = Fault::Length {
                what,
                length: self.total.into(),
            };
            return Err(source.error_at(self.at, fault));
        }
        self.left -= N as u64;
        source.array(what)
    }
}

impl Ng {
    /// Tells by the first four bytes whether this is such a file.
    pub(crate) fn recognise(magic: [u8; 4]) -> bool {
        // The same in both byte orders.
        u32::from_be_bytes(magic) == SECTION
    }

    /// Reads up to the first interface, so that a link type that is not read shows at once.
    pub(crate) fn begin(source: &mut Source<impl Read>) -> Result<Self, Error> {
        let mut ng = Self {
            order: Order::Little,
            interfaces: Vec::new(),
            open: None,
        };
        while ng.interfaces.is_empty() && !source.at_end()? {
            let block = ng.block(source)?;
            if ng.describes(block, source)? {
                continue;
            }
            // A packet before any interface: the same error as later.
            if let Some(block) = ng.open.take() {
                return Err(ng.unknown_interface(0, block.at, source));
            }
        }
        Ok(ng)
    }

    pub(crate) fn next<'a>(
        &mut self,
        source: &'a mut Source<impl Read>,
    ) -> Result<Option<PacketRef<'a>>, Error> {
        if let Some(block) = self.open.take() {
            end(block, source)?;
        }
        loop {
            if source.at_end()? {
                return Ok(None);
            }
            let block = self.block(source)?;
            if self.describes(block, source)? {
                continue;
            }
            if let Some(block) = self.open.take() {
                return self.packet(block, source).map(Some);
            }
        }
    }

    /// Reads the head of a block; of a section's header also the byte order.
    fn block(&mut self, source: &mut Source<impl Read>) -> Result<Block, Error> {
        let at = source.offset();
        let head: [u8; 8] = source.array("a block's head")?;
        let [kind_as_is, _] = self.order.u32s::<2>(&head);
        let kind = if head[..4] == SECTION.to_be_bytes() {
            SECTION
        } else {
            kind_as_is
        };
        if kind == SECTION {
            let mut magic = [0; 4];
            magic.copy_from_slice(source.peek(4, "a section's header")?);
            self.order = [Order::Little, Order::Big]
                .into_iter()
                .find(|order| order.u32(magic) == BYTE_ORDER)
                .ok_or_else(|| source.error(Fault::ByteOrder))?;
        }
        let [_, total] = self.order.u32s::<2>(&head);
        match u64::from(total).checked_sub(HEAD + TAIL) {
            Some(left) if total % 4 == 0 => Ok(Block {
                order: self.order,
                at,
                kind,
                total,
                left,
            }),
            _ => {
                let fault = Fault::Length {
                    what: "a block",
                    length: total.into(),
                };
                Err(source.error_at(at + 4, fault))
            }
        }
    }

    /// Takes in a block that is not a packet and gives `true`; keeps one that is in `open`.
    fn describes(
        &mut self,
        mut block: Block,
        source: &mut Source<impl Read>,
    ) -> Result<bool, Error> {
        match block.kind {
            PACKET | SIMPLE | ENHANCED => {
                self.open = Some(block);
                return Ok(false);
            }
            SECTION => self.section(&mut block, source)?,
            INTERFACE => self.interface(&mut block, source)?,
            _ => {}
        }
        end(block, source)?;
        Ok(true)
    }

    fn section(&mut self, block: &mut Block, source: &mut Source<impl Read>) -> Result<(), Error> {
        let fixed: [u8; 16] = block.array("a section's header", source)?;
        let major = self.order.u16([fixed[4], fixed[5]]);
        let minor = self.order.u16([fixed[6], fixed[7]]);
        // 1.2 is 1.0, as the specification says.
        if major != 1 || !matches!(minor, 0 | 2) {
            let fault = Fault::Version {
                format: "pcapng",
                major,
                minor,
                known: "1.0",
            };
            return Err(source.error_at(block.at + HEAD + 4, fault));
        }
        self.interfaces.clear();
        Ok(())
    }

    fn interface(
        &mut self,
        block: &mut Block,
        source: &mut Source<impl Read>,
    ) -> Result<(), Error> {
        let fixed: [u8; 8] = block.array("an interface's description", source)?;
        let link = self.order.u16([fixed[0], fixed[1]]);
        if link != ETHERNET {
            return Err(source.error_at(block.at + HEAD, Fault::LinkType(link.into())));
        }
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(source.error_at(block.at, Fault::TooManyInterfaces(MAX_INTERFACES)));
        }
        let [snaplen] = self.order.u32s(&fixed[4..]);
        let mut interface = Interface {
            snaplen,
            resolution: Some(1_000_000),
            offset: 0,
        };
        while block.left >= 4 {
            let head: [u8; 4] = block.array("an option", source)?;
            let code = self.order.u16([head[0], head[1]]);
            let length = self.order.u16([head[2], head[3]]);
            let padded = u64::from(length).next_multiple_of(4);
            if code == OPTION_END {
                break;
            }
            block.consume(padded, "an option", source)?;
            match (code, length) {
                (OPTION_TSRESOL, 1) => {
                    let [value, ..] = source.array::<4>("an option")?;
                    interface.resolution = resolution(value);
                }
                (OPTION_FCSLEN, 1) => {
                    let at = source.offset();
                    if source.array::<4>("an option")?[0] != 0 {
                        return Err(source.error_at(at, Fault::Fcs));
                    }
                }
                (OPTION_TSOFFSET, 8) => {
                    let bytes = source.array::<8>("an option")?;
                    interface.offset = match self.order {
                        Order::Little => i64::from_le_bytes(bytes),
                        Order::Big => i64::from_be_bytes(bytes),
                    };
                }
                _ => source.skip(padded, "an option")?,
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn packet<'a>(
        &mut self,
        mut block: Block,
        source: &'a mut Source<impl Read>,
    ) -> Result<PacketRef<'a>, Error> {
        const WHAT: &str = "a packet's block";
        let (number, time, captured, original) = if block.kind == SIMPLE {
            let fixed: [u8; 4] = block.array(WHAT, source)?;
            let original = self.order.u32(fixed);
            let snaplen = self
                .interfaces
                .first()
                .map_or(0, |interface| interface.snaplen);
            let limit = if snaplen == 0 { u32::MAX } else { snaplen };
            (0, None, original.min(limit), original)
        } else {
            let fixed: [u8; 20] = block.array(WHAT, source)?;
            let [number, high, low, captured, original] = self.order.u32s(&fixed);
            let number = match block.kind {
                PACKET => self.order.u16([fixed[0], fixed[1]]).into(),
                _ => number,
            };
            (
                number,
                Some(u64::from(high) << 32 | u64::from(low)),
                captured,
                original,
            )
        };
        let Some(interface) = self.interfaces.get(number as usize) else {
            return Err(self.unknown_interface(number, block.at, source));
        };
        if captured as usize > MAX_PACKET {
            return Err(source.error_at(block.at, Fault::PacketTooLong(captured.into())));
        }
        let timestamp_ns = time.map(|time| interface.nanoseconds(time));
        block.consume(u64::from(captured).next_multiple_of(4), "a packet", source)?;
        let padded = (captured as usize).next_multiple_of(4);
        self.open = Some(block);
        let data = &source.take(padded, "a packet")?[..captured as usize];
        let original_len = original.max(captured);
        Ok(PacketRef {
            data,
            original_len,
            timestamp_ns,
            interface: number,
        })
    }

    fn unknown_interface(&self, interface: u32, at: u64, source: &Source<impl Read>) -> Error {
        source.error_at(
            at,
            Fault::Interface {
                interface,
                described: self.interfaces.len(),
            },
        )
    }
}

impl Interface {
    /// Nanoseconds since 1970; what does not fit becomes the nearest that does.
    fn nanoseconds(&self, time: u64) -> u64 {
        let nanos = self
            .resolution
            .map_or(0, |units| u128::from(time) * u128::from(NANOS) / units);
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let offset = i128::from(self.offset) * i128::from(NANOS);
        let sum = nanos.saturating_add(offset);
        u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
    }
}

/// The units in a second that an `if_tsresol` stands for: a power of ten, or of two if its
/// highest bit is set.
fn resolution(value: u8) -> Option<u128> {
    let exponent = u32::from(value & 0x7f);
    let base: u128 = if value & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent)
}

/// Leaves out what was not read of a block, and checks the length after it.
fn end(block: Block, source: &mut Source<impl Read>) -> Result<(), Error> {
    source.skip(block.left, "a block")?;
    let at = source.offset();
    let tail: [u8; 4] = source.array("a block's second length")?;
    match block.order.u32(tail) {
        total if total == block.total => Ok(()),
        total => {
            let fault = Fault::Length {
                what: "a block's second length",
                length: total.into(),
            };
            Err(source.error_at(at, fault))
        }
    }
}
