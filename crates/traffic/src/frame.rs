//! Test frames: Ethernet II, an optional VLAN tag, IPv4, UDP, and in the payload 14 bytes of
//! ours, so that the shortest frame has room for them even with a tag:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | a magic number |
//! | 6 | the sequence number within the flow, big-endian |
//! | 6 | when it was made, in nanoseconds of the generator's clock, modulo 2⁴⁸, big-endian |
//!
//! The rest is a pattern. The flow is in the MAC and IP addresses and the UDP source port, the
//! size in the IP and UDP lengths, and all of it is under a true UDP checksum, so that a kernel
//! takes the frame too.

use std::ops::Range;

/// The shortest frame, in bytes without FCS.
pub const MIN_SIZE: usize = 60;
/// The longest frame, in bytes without FCS.
pub const MAX_SIZE: usize = 9600;
/// Sequence numbers and times count modulo this.
pub const MODULUS: u64 = 1 << 48;

const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const PROTOCOL_UDP: u8 = 17;
/// All our frames go to this port, and nobody else's should.
pub(crate) const PORT: u16 = 0x5350;
const MAGIC: u16 = 0x9e5b;
/// For benchmarks only, by RFC 2544: sources are in the lower half, destinations in the upper.
const NETWORKS: [u16; 2] = [198 << 8 | 18, 198 << 8 | 19];

pub(crate) const ETHERNET: usize = 14;
pub(crate) const TAG: usize = 4;
const IP: usize = 20;
const UDP: usize = 8;

/// Why there cannot be such a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Too short or too long.
    #[error("a frame of {0} bytes: {MIN_SIZE} to {MAX_SIZE} are possible (without FCS)")]
    Size(usize),
    /// Not a VLAN.
    #[error("VLAN {0}: 0 to 4094 are possible")]
    Vlan(u16),
    /// No room for what has to be in it.
    #[error(
        "a frame of {size} bytes: its headers ({} bytes) and the mark by which it is accounted for ({mark}) need at least {least}",
        least - mark
    )]
    Headers {
        /// Bytes of the frame.
        size: usize,
        /// The least there can be.
        least: usize,
        /// Bytes of the mark.
        mark: usize,
    },
    /// The room that was given is too small.
    #[error("a frame of {size} bytes does not fit into {room}")]
    Room {
        /// Bytes of the frame.
        size: usize,
        /// Bytes there are.
        room: usize,
    },
}

/// What the frames of a flow look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSpec {
    /// The flow's number.
    pub flow: u16,
    /// Bytes of a frame without FCS, [`MIN_SIZE`] to [`MAX_SIZE`].
    pub size: usize,
    /// The VLAN that its tag names, 0 to 4094; `None`: no tag.
    pub vlan: Option<u16>,
    /// The Ethernet source.
    pub source_mac: [u8; 6],
    /// The Ethernet destination.
    pub destination_mac: [u8; 6],
}

impl FrameSpec {
    /// Untagged frames of this flow and size, with addresses made of the flow's number.
    #[must_use]
    pub fn new(flow: u16, size: usize) -> Self {
        let [high, low] = flow.to_be_bytes();
        Self {
            flow,
            size,
            vlan: None,
            // Locally administered, unicast.
            source_mac: [0x02, 0x53, 0x50, 0, high, low],
            destination_mac: [0x02, 0x53, 0x50, 1, high, low],
        }
    }

    /// The same, tagged.
    #[must_use]
    pub fn in_vlan(self, vlan: u16) -> Self {
        Self {
            vlan: Some(vlan),
            ..self
        }
    }
}

/// A flow's frame with everything in place but what differs from frame to frame.
#[derive(Clone, Debug)]
pub struct Template {
    flow: u16,
    bytes: Box<[u8]>,
    /// Where the UDP checksum is.
    checksum: usize,
    /// Where the sequence number is; the time follows it.
    sequence: usize,
    /// The sum under the checksum of all that does not differ.
    sum: u64,
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which frame of its flow it is, below [`MODULUS`].
    pub sequence: u64,
    /// When it was made, modulo [`MODULUS`] nanoseconds.
    pub time_ns: u64,
}

impl Template {
    /// Builds the frame.
    ///
    /// # Errors
    /// [`FrameError::Size`], [`FrameError::Vlan`].
    pub fn new(spec: &FrameSpec) -> Result<Self, FrameError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&spec.size) {
            return Err(FrameError::Size(spec.size));
        }
        let mut bytes = Vec::with_capacity(spec.size);
        bytes.extend(spec.destination_mac);
        bytes.extend(spec.source_mac);
        match spec.vlan {
            Some(vlan @ 0..=4094) => push(&mut bytes, &[ETHERTYPE_VLAN, vlan]),
            Some(vlan) => return Err(FrameError::Vlan(vlan)),
            None => {}
        }
        push(&mut bytes, &[ETHERTYPE_IPV4]);
        let ip = bytes.len();
        let ip_length = (spec.size - ip) as u16;
        let udp_length = ip_length - IP as u16;
        // Version and header length, total length, no identification, "don't fragment", TTL 64.
        push(
            &mut bytes,
            &[
                0x4500,
                ip_length,
                0,
                0x4000,
                64 << 8 | u16::from(PROTOCOL_UDP),
                0,
            ],
        );
        push(
            &mut bytes,
            &[NETWORKS[0], spec.flow, NETWORKS[1], spec.flow],
        );
        let ip_checksum = !fold(sum(&bytes[ip..]));
        bytes[ip + 10..ip + 12].copy_from_slice(&ip_checksum.to_be_bytes());
        let udp = bytes.len();
        push(
            &mut bytes,
            &[0xc000 | spec.flow, PORT, udp_length, 0, MAGIC],
        );
        let sequence = bytes.len();
        bytes.resize(sequence + 12, 0);
        while bytes.len() < spec.size {
            bytes.push((bytes.len() as u8).wrapping_mul(37) ^ spec.flow as u8);
        }
        // The pseudo header: addresses, protocol, length.
        let pseudo = sum(&bytes[ip + 12..udp]) + u64::from(PROTOCOL_UDP) + u64::from(udp_length);
        let sum = pseudo + sum(&bytes[udp..]);
        let bytes = bytes.into_boxed_slice();
        Ok(Self {
            flow: spec.flow,
            bytes,
            checksum: udp + 6,
            sequence,
            sum,
        })
    }

    /// The flow's number.
    #[must_use]
    pub fn flow(&self) -> u16 {
        self.flow
    }

    /// Bytes of a frame, without FCS.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Writes a frame to the beginning of `room` and gives its size.
    ///
    /// # Errors
    /// [`FrameError::Room`]; then nothing is written.
    pub fn write_into(&self, room: &mut [u8], stamp: Stamp) -> Result<usize, FrameError> {
        let size = self.bytes.len();
        let length = room.len();
        let frame = room
            .get_mut(..size)
            .ok_or(FrameError::Room { size, room: length })?;
        frame.copy_from_slice(&self.bytes);
        let stamp = stamp.to_bytes();
        frame[self.stamp()].copy_from_slice(&stamp);
        frame[self.checksum..self.checksum + 2].copy_from_slice(&self.checksum_with(&stamp));
        Ok(size)
    }

    /// Reads a frame's stamp; `None` if any bit of the frame is not as it was written.
    #[must_use]
    pub fn read(&self, frame: &[u8]) -> Option<Stamp> {
        if frame.len() != self.bytes.len() {
            return None;
        }
        let after = self.checksum + 2;
        let unchanged = [
            0..self.checksum,
            after..self.sequence,
            self.stamp().end..frame.len(),
        ];
        if unchanged
            .into_iter()
            .any(|part| frame[part.clone()] != self.bytes[part])
        {
            return None;
        }
        let stamp = frame[self.stamp()].first_chunk::<12>()?;
        let matches = frame[self.checksum..after] == self.checksum_with(stamp);
        matches.then(|| Stamp::of_bytes(stamp))
    }

    fn stamp(&self) -> Range<usize> {
        self.sequence..self.sequence + 12
    }

    /// The UDP checksum of the frame with this stamp.
    fn checksum_with(&self, stamp: &[u8; 12]) -> [u8; 2] {
        // 0 would mean "none"; its other form in one's complement stands for it.
        match !fold(self.sum + sum(stamp)) {
            0 => [0xff; 2],
            checksum => checksum.to_be_bytes(),
        }
    }
}

impl Stamp {
    pub(crate) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..6].copy_from_slice(&self.sequence.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&self.time_ns.to_be_bytes()[2..]);
        bytes
    }

    pub(crate) fn of_bytes(bytes: &[u8; 12]) -> Self {
        let number = |part: &[u8]| part.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        Self {
            sequence: number(&bytes[..6]),
            time_ns: number(&bytes[6..]),
        }
    }
}

/// The flow that a frame claims to be of; `None` if it is not one of our frames.
#[must_use]
pub fn flow_of(frame: &[u8]) -> Option<u16> {
    let word = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    let tagged = word(12)? == ETHERTYPE_VLAN;
    let ip = if tagged { ETHERNET + TAG } else { ETHERNET };
    let ours = word(ip - 2)? == ETHERTYPE_IPV4
        && *frame.get(ip + 9)? == PROTOCOL_UDP
        && word(ip + IP + 2)? == PORT
        && word(ip + IP + UDP)? == MAGIC;
    if ours { word(ip + 18) } else { None }
}

fn push(bytes: &mut Vec<u8>, words: &[u16]) {
    for word in words {
        bytes.extend(word.to_be_bytes());
    }
}

/// The sum of 16-bit words; a last odd byte is the upper half of one (RFC 1071).
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(2);
    let odd = words
        .remainder()
        .first()
        .map_or(0, |&byte| u64::from(byte) << 8);
    odd + words
        .map(|word| u64::from(u16::from_be_bytes([word[0], word[1]])))
        .sum::<u64>()
}

/// Adds the carries until they fit into 16 bits.
pub(crate) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn specs() -> impl Strategy<Value = FrameSpec> {
        (
            any::<u16>(),
            MIN_SIZE..=MAX_SIZE,
            prop::option::of(0..=4094u16),
        )
            .prop_map(|(flow, size, vlan)| FrameSpec {
                vlan,
                ..FrameSpec::new(flow, size)
            })
    }

    fn made(spec: &FrameSpec, stamp: Stamp) -> Vec<u8> {
        let mut room = vec![0xee; spec.size];
        Template::new(spec)
            .unwrap()
            .write_into(&mut room, stamp)
            .unwrap();
        room
    }

    #[test]
    fn the_shortest_frame_byte_by_byte() {
        let stamp = Stamp {
            sequence: 0x0102_0304_0506,
            time_ns: 0xff_1112_1314_1516,
        };
        let frame = made(&FrameSpec::new(0x0a0b, 60).in_vlan(5), stamp);
        let expected = [
            &[
                0x02, 0x53, 0x50, 1, 0x0a, 0x0b, 0x02, 0x53, 0x50, 0, 0x0a, 0x0b,
            ][..],
            &[0x81, 0, 0, 5, 8, 0],
            &[0x45, 0, 0, 42, 0, 0, 0x40, 0, 64, 17],
            &frame[28..30],
            &[198, 18, 0x0a, 0x0b, 198, 19, 0x0a, 0x0b],
            &[0xca, 0x0b, 0x53, 0x50, 0, 22],
            &frame[44..46],
            &[
                0x9e, 0x5b, 1, 2, 3, 4, 5, 6, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
            ],
        ];
        assert_eq!(frame, expected.concat());
    }

    #[test]
    fn impossible_frames_are_refused() {
        for size in [0, 59, 9601, usize::MAX] {
            let refused = Template::new(&FrameSpec::new(1, size)).unwrap_err();
            assert_eq!(refused, FrameError::Size(size));
        }
        assert!(Template::new(&FrameSpec::new(1, 60).in_vlan(4095)).is_err());
    }

    proptest! {
        #[test]
        fn a_stamp_survives(spec in specs(), sequence in 0..MODULUS, time_ns in 0..MODULUS) {
            let stamp = Stamp { sequence, time_ns };
            let frame = made(&spec, stamp);
            prop_assert_eq!(Template::new(&spec).unwrap().read(&frame), Some(stamp));
            prop_assert_eq!(flow_of(&frame), Some(spec.flow));
        }

        /// Summed up with its checksum, a sound header gives 0xffff (RFC 1071).
        #[test]
        fn checksums_are_true(spec in specs(), sequence in 0..MODULUS, time_ns in 0..MODULUS) {
            let frame = made(&spec, Stamp { sequence, time_ns });
            let ip = if spec.vlan.is_some() { 18 } else { 14 };
            prop_assert_eq!(fold(sum(&frame[ip..ip + 20])), 0xffff);
            let length = (frame.len() - ip - 20) as u64;
            let udp = sum(&frame[ip + 12..ip + 20]) + 17 + length + sum(&frame[ip + 20..]);
            prop_assert_eq!(fold(udp), 0xffff);
            prop_assert_ne!(&frame[ip + 26..ip + 28], &[0, 0]);
        }

        #[test]
        fn every_damaged_bit_shows(
            spec in specs(), sequence in 0..MODULUS, time_ns in 0..MODULUS,
            place in any::<prop::sample::Index>(), bit in 0..8,
        ) {
            let mut frame = made(&spec, Stamp { sequence, time_ns });
            let template = Template::new(&spec).unwrap();
            frame[place.index(spec.size)] ^= 1u8 << bit;
            prop_assert_eq!(template.read(&frame), None);
        }

        #[test]
        fn cut_and_grown_frames_show(spec in specs(), length in 0..9700usize) {
            let mut frame = made(&spec, Stamp { sequence: 1, time_ns: 2 });
            frame.resize(length, 0);
            let read = Template::new(&spec).unwrap().read(&frame);
            prop_assert_eq!(read.is_some(), length == spec.size);
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = flow_of(&noise);
            prop_assert_eq!(Template::new(&FrameSpec::new(1, 60)).unwrap().read(&noise), None);
        }
    }
}
