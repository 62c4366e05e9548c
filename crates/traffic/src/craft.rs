//! Frames by description: frame `n` of a flow follows from the description, the seed and `n` alone, so that the checker can
//! make it again and compare every bit.

use crate::frame::{
    ETHERNET, FrameError, MAX_SIZE, MIN_SIZE, PORT, PROTOCOL_UDP, Stamp, TAG, fold, sum,
};
use crate::mark::{self, MARK};
use crate::packet::{Kind, Known, Packet, Sum, Value, mix};
use crate::size::Sizes;

const ETHERTYPE_VLAN: u16 = 0x8100;
/// For experiments: no protocol of anybody.
const ETHERTYPE_LOCAL: u16 = 0x88b5;
const PROTOCOL_LOCAL: u8 = 253;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_ICMPV6: u8 = 58;
/// For benchmarks only, by RFC 2544 and RFC 5180.
const IPV4_NETWORKS: [u32; 2] = [0xc612_0000, 0xc613_0000];
const IPV6_NETWORK: u128 = 0x2001_0002 << 96;

/// How much of a frame has to arrive as it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    #[default]
    Frame,
    /// What is behind the headers; those may be changed on the way.
    Payload,
}

/// A field whose value changes from frame to frame; in the template it is 0.
#[derive(Debug, Clone)]
struct Change {
    at: usize,
    bytes: usize,
    shift: u32,
    value: Value,
    seed: u64,
    /// Under the checksum of IPv4's header.
    ip: bool,
    /// Under the checksum inside IP.
    inner: bool,
}

/// What depends on the size of a frame only: the unchanging parts of its checksums.
#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    ip: u64,
    inner: u64,
}

/// IP's header.
#[derive(Debug, Clone, Copy)]
struct Ip {
    at: usize,
    v6: bool,
}

/// The header inside IP, which has a checksum.
#[derive(Debug, Clone, Copy)]
struct Inner {
    at: usize,
    checksum: usize,
    udp: bool,
    pseudo: bool,
}

/// Makes and reads the frames of a flow.
#[derive(Debug, Clone)]
pub struct Craft {
    flow: u16,
    seed: u64,
    sizes: Sizes,
    scope: Scope,
    /// The longest frame, with 0 wherever something differs from frame to frame.
    bytes: Vec<u8>,
    /// Bytes of all headers.
    headers: usize,
    ip: Option<Ip>,
    inner: Option<Inner>,
    changes: Vec<Change>,
    /// From the smallest size on.
    cuts: Vec<Cut>,
    /// The frame that is expected.
    expected: Vec<u8>,
}

/// Bytes of a frame of this description with nothing in it but the mark, and at least what a frame has.
#[must_use]
pub fn least_size(packet: &Packet) -> usize {
    let headers: usize = packet.layers.iter().map(|layer| length(layer.kind)).sum();
    (headers + MARK).max(MIN_SIZE)
}

fn length(kind: Kind) -> usize {
    match kind {
        Kind::Eth => ETHERNET,
        Kind::Vlan => TAG,
        Kind::Ipv4 | Kind::Tcp => 20,
        Kind::Ipv6 => 40,
        Kind::Udp | Kind::Icmp => 8,
    }
}

impl Craft {
    /// Frames of `flow`.
    ///
    /// # Errors
    /// [`FrameError::Size`]; [`FrameError::Headers`]: the smallest size has no room for the headers and the mark.
    pub fn new(
        flow: u16,
        packet: &Packet,
        sizes: &Sizes,
        seed: u64,
        scope: Scope,
    ) -> Result<Self, FrameError> {
        let (smallest, largest) = (sizes.smallest(), sizes.largest());
        if smallest < MIN_SIZE || largest > MAX_SIZE {
            return Err(FrameError::Size(if smallest < MIN_SIZE {
                smallest
            } else {
                largest
            }));
        }
        let least = least_size(packet);
        if smallest < least {
            return Err(FrameError::Headers {
                size: smallest,
                least,
                mark: MARK,
            });
        }
        let mut craft = Self {
            flow,
            seed: mix(seed, u64::from(flow)),
            sizes: sizes.clone(),
            scope,
            bytes: Vec::with_capacity(largest),
            headers: 0,
            ip: None,
            inner: None,
            changes: Vec::new(),
            cuts: Vec::new(),
            expected: vec![0; largest],
        };
        for (place, layer) in packet.layers.iter().enumerate() {
            let inside = packet.layers.get(place + 1).map(|layer| layer.kind);
            craft.push_usual(layer.kind, inside);
        }
        craft.headers = craft.bytes.len();
        craft.set_fields(packet);
        while craft.bytes.len() < largest {
            let byte = (craft.bytes.len() as u8).wrapping_mul(37) ^ flow as u8;
            craft.bytes.push(byte);
        }
        craft.cuts = (smallest..=largest).map(|size| craft.cut(size)).collect();
        Ok(craft)
    }

    /// Adds a header with the usual values, lengths and checksums 0.
    fn push_usual(&mut self, kind: Kind, inside: Option<Kind>) {
        let at = self.bytes.len();
        let flow = self.flow;
        match kind {
            Kind::Eth => {
                let [high, low] = flow.to_be_bytes();
                self.bytes.extend([0x02, 0x53, 0x50, 1, high, low]);
                self.bytes.extend([0x02, 0x53, 0x50, 0, high, low]);
                self.bytes.extend(ethertype(inside).to_be_bytes());
            }
            Kind::Vlan => {
                // The type that was written last is this tag's, and what it said comes behind the tag.
                let tag = at - 2;
                self.bytes[tag..].copy_from_slice(&ETHERTYPE_VLAN.to_be_bytes());
                self.bytes.extend([0, 1]);
                self.bytes.extend(ethertype(inside).to_be_bytes());
            }
            Kind::Ipv4 => {
                self.ip = Some(Ip { at, v6: false });
                let protocol = protocol(inside, false);
                self.bytes
                    .extend([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
                for network in IPV4_NETWORKS {
                    self.bytes.extend((network | u32::from(flow)).to_be_bytes());
                }
            }
            Kind::Ipv6 => {
                self.ip = Some(Ip { at, v6: true });
                self.bytes
                    .extend([0x60, 0, 0, 0, 0, 0, protocol(inside, true), 64]);
                for host in [1u128, 2] {
                    let address = IPV6_NETWORK | host << 64 | u128::from(flow);
                    self.bytes.extend(address.to_be_bytes());
                }
            }
            Kind::Udp => {
                self.inside(at, 6, true, true);
                self.bytes.extend((0xc000 | flow).to_be_bytes());
                self.bytes.extend(PORT.to_be_bytes());
                self.bytes.extend([0; 4]);
            }
            Kind::Tcp => {
                self.inside(at, 16, false, true);
                self.bytes.extend((0xc000 | flow).to_be_bytes());
                self.bytes.extend(PORT.to_be_bytes());
                // An acknowledgement in a stream that nobody knows.
                self.bytes
                    .extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
            }
            Kind::Icmp => {
                let v6 = self.ip.is_some_and(|ip| ip.v6);
                self.inside(at, 2, false, v6);
                self.bytes.extend([if v6 { 128 } else { 8 }, 0, 0, 0]);
                self.bytes.extend(flow.to_be_bytes());
                self.bytes.extend([0, 0]);
            }
        }
    }

    fn inside(&mut self, at: usize, checksum: usize, udp: bool, pseudo: bool) {
        self.inner = Some(Inner {
            at,
            checksum: at + checksum,
            udp,
            pseudo,
        });
    }

    /// Puts the described values in: one that stays into the template, others into the list of changes.
    fn set_fields(&mut self, packet: &Packet) {
        let mut header = 0;
        for (place, layer) in packet.layers.iter().enumerate() {
            for (number, setting) in layer.settings.iter().enumerate() {
                let Placed { at, known, value } =
                    self.placed(layer.kind, header, setting.field, setting.value);
                let mask = (u128::MAX >> known.most.leading_zeros()) << known.shift;
                put(&mut self.bytes[at..at + known.bytes], mask, 0);
                if value.first == value.last {
                    put(
                        &mut self.bytes[at..at + known.bytes],
                        0,
                        value.first << known.shift,
                    );
                    continue;
                }
                let pseudo = self.inner.is_some_and(|inner| inner.pseudo);
                let ip = matches!(layer.kind, Kind::Ipv4);
                self.changes.push(Change {
                    at,
                    bytes: known.bytes,
                    shift: known.shift,
                    value,
                    seed: mix(self.seed, (place * 16 + number) as u64),
                    ip,
                    inner: matches!(layer.kind, Kind::Udp | Kind::Tcp | Kind::Icmp)
                        || (known.sum == Sum::Pseudo && pseudo),
                });
            }
            header += length(layer.kind);
        }
    }

    /// Where a field is in the frame.
    fn placed(&self, kind: Kind, header: usize, known: &'static Known, value: Value) -> Placed {
        let at = match (kind, known.name) {
            // Behind all tags.
            (Kind::Eth, "type") => self.ip.map_or(self.headers, |ip| ip.at) - 2,
            // A tag begins with the type of what is before it.
            (Kind::Vlan, _) => header - 2 + known.at,
            _ => header + known.at,
        };
        Placed { at, known, value }
    }

    /// The sums of a frame of this size, with 0 in place of what changes.
    fn cut(&self, size: usize) -> Cut {
        let mut cut = Cut::default();
        let Some(ip) = self.ip else {
            return cut;
        };
        let length = (size - ip.at) as u64;
        let start = if ip.v6 { ip.at + 40 } else { ip.at + 20 };
        if !ip.v6 {
            cut.ip = sum(&self.bytes[ip.at..start]) + length;
        }
        if let Some(inner) = self.inner {
            let length = (size - start) as u64;
            cut.inner = sum(&self.bytes[inner.at..size - MARK]);
            if inner.pseudo {
                let (addresses, protocol) = if ip.v6 {
                    (ip.at + 8, ip.at + 6)
                } else {
                    (ip.at + 12, ip.at + 9)
                };
                cut.inner +=
                    sum(&self.bytes[addresses..start]) + u64::from(self.bytes[protocol]) + length;
            }
            if inner.udp {
                cut.inner += length;
            }
        }
        cut
    }

    /// The flow's number.
    #[must_use]
    pub fn flow(&self) -> u16 {
        self.flow
    }

    /// Bytes of the longest frame.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of frame `sequence`.
    #[must_use]
    pub fn size_of(&self, sequence: u64) -> usize {
        self.sizes.of(sequence, self.seed)
    }

    /// Bytes of each frame, if all have the same.
    #[must_use]
    pub fn fixed_size(&self) -> Option<usize> {
        self.sizes.fixed()
    }

    /// Writes the frame of this number and time to the beginning of `room` and gives its size.
    ///
    /// # Errors
    /// [`FrameError::Room`]; then nothing is written.
    pub fn write_into(&self, room: &mut [u8], stamp: Stamp) -> Result<usize, FrameError> {
        let size = self.size_of(stamp.sequence);
        let length = room.len();
        let frame = room
            .get_mut(..size)
            .ok_or(FrameError::Room { size, room: length })?;
        let body = size - MARK;
        frame[..body].copy_from_slice(&self.bytes[..body]);
        let mark = mark::write(self.flow, stamp);
        frame[body..].copy_from_slice(&mark);
        let mut sums = self.cuts[size - self.sizes.smallest()];
        for change in &self.changes {
            let value = change.value.of(stamp.sequence, change.seed) << change.shift;
            put(&mut frame[change.at..change.at + change.bytes], 0, value);
            if change.ip || change.inner {
                let words = words(value);
                sums.ip += if change.ip { words } else { 0 };
                sums.inner += if change.inner { words } else { 0 };
            }
        }
        if let Some(ip) = self.ip {
            let (at, length) = if ip.v6 {
                (ip.at + 4, size - ip.at - 40)
            } else {
                (ip.at + 2, size - ip.at)
            };
            word(frame, at, length as u16);
            if !ip.v6 {
                word(frame, ip.at + 10, !fold(sums.ip));
            }
        }
        if let Some(inner) = self.inner {
            if inner.udp {
                word(frame, inner.at + 4, (size - inner.at) as u16);
            }
            let marked = fold(sum(&mark));
            // At an odd place its bytes change places in the words of the sum (RFC 1071).
            let odd = !(body - inner.at).is_multiple_of(2);
            sums.inner += u64::from(if odd { marked.swap_bytes() } else { marked });
            let checksum = match !fold(sums.inner) {
                // For UDP 0 would mean "none".
                0 if inner.udp => 0xffff,
                checksum => checksum,
            };
            word(frame, inner.checksum, checksum);
        }
        Ok(size)
    }

    /// Reads a frame's stamp; `None` if it is not as it was written.
    #[must_use]
    pub fn read(&mut self, frame: &[u8]) -> Option<Stamp> {
        let stamp = mark::read(frame)?;
        let mut expected = std::mem::take(&mut self.expected);
        let size = self.write_into(&mut expected, stamp).unwrap_or(0);
        let as_sent = match self.scope {
            Scope::Frame => frame == &expected[..size],
            // Whatever length its headers have by now.
            Scope::Payload => frame.ends_with(&expected[self.headers.min(size)..size]),
        };
        self.expected = expected;
        as_sent.then_some(stamp)
    }
}

/// A field at its place in the frame.
struct Placed {
    at: usize,
    known: &'static Known,
    value: Value,
}

fn ethertype(inside: Option<Kind>) -> u16 {
    match inside {
        Some(Kind::Ipv4) => 0x0800,
        Some(Kind::Ipv6) => 0x86dd,
        _ => ETHERTYPE_LOCAL,
    }
}

fn protocol(inside: Option<Kind>, v6: bool) -> u8 {
    match inside {
        Some(Kind::Udp) => PROTOCOL_UDP,
        Some(Kind::Tcp) => PROTOCOL_TCP,
        Some(Kind::Icmp) if v6 => PROTOCOL_ICMPV6,
        Some(Kind::Icmp) => PROTOCOL_ICMP,
        _ => PROTOCOL_LOCAL,
    }
}

/// Takes the bits of `clear` out of a big-endian field of at most 16 bytes, and puts those of `set` in.
#[inline]
fn put(field: &mut [u8], clear: u128, set: u128) {
    match field {
        [a, b] => {
            let value = u16::from_be_bytes([*a, *b]) & !(clear as u16) | set as u16;
            [*a, *b] = value.to_be_bytes();
        }
        _ => {
            let (clear, set) = (clear.to_be_bytes(), set.to_be_bytes());
            let skipped = 16 - field.len();
            for (i, byte) in field.iter_mut().enumerate() {
                *byte = *byte & !clear[skipped + i] | set[skipped + i];
            }
        }
    }
}

fn word(frame: &mut [u8], at: usize, value: u16) {
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The sum of a number's 16-bit words.
#[inline]
fn words(value: u128) -> u64 {
    let half = |mut half: u64| {
        let mut sum = 0;
        while half > 0 {
            sum += half & 0xffff;
            half >>= 16;
        }
        sum
    };
    half(value as u64) + half((value >> 64) as u64)
}

#[cfg(test)]
mod tests;
