//! Which packets of a burst fulfil a filter.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use dpdk::Burst;
use dpdk::vlan::{C_TAG, S_TAG};
use protocol::filter::{Filter, MacMatch, Prefix, VlanMatch};

use crate::area::{DropReason, PatchBlock};
use crate::line::Stage;
use crate::port::Context;

/// Bytes of a packet that are looked at.
const HEAD: usize = 128;
/// Bytes up to and with the EtherType.
const HEADER: usize = 14;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Bits of a number that count, and what they have to be.
struct Bits<N>(N, N);

impl Bits<u64> {
    fn mac(mac: MacMatch) -> Self {
        let number = |[a, b, c, d, e, f]: [u8; 6]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Bits(number(mac.mask), number(mac.address))
    }
}

/// An address with its leading bits that count.
enum Address {
    V4(Bits<u32>),
    V6(Bits<u128>),
}

impl Address {
    fn new(prefix: Prefix) -> Self {
        let bits = u32::from(prefix.bits);
        match prefix.address {
            IpAddr::V4(a) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                Address::V4(Bits(mask, a.to_bits()))
            }
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                Address::V6(Bits(mask, a.to_bits()))
            }
        }
    }

    /// Whether the address at `at` is one of these.
    fn is(&self, packet: &[u8], at: usize) -> Option<bool> {
        Some(match self {
            Address::V4(Bits(mask, want)) => u32::from_be_bytes(bytes(packet, at)?) & mask == *want,
            Address::V6(Bits(mask, want)) => {
                u128::from_be_bytes(bytes(packet, at)?) & mask == *want
            }
        })
    }

    fn version(&self) -> u8 {
        match self {
            Address::V4(_) => 4,
            Address::V6(_) => 6,
        }
    }
}

/// A filter made ready for packets.
pub struct Matcher {
    dst: Option<Bits<u64>>,
    src: Option<Bits<u64>>,
    vlan: Option<VlanMatch>,
    /// Of the outermost type.
    outer: Option<u16>,
    /// Of the type behind all tags.
    inner: Option<u16>,
    ip: Option<Ip>,
}

/// What is asked of IP.
struct Ip {
    src: Option<Address>,
    dst: Option<Address>,
    proto: Option<u8>,
    /// Ports as the packet has them: source, destination.
    ports: Option<[RangeInclusive<u16>; 2]>,
}

impl Matcher {
    /// Makes `filter` ready.
    pub fn new(filter: &Filter) -> Self {
        let of_tag = |e: &u16| matches!(*e, C_TAG | S_TAG);
        let all = || 0..=u16::MAX;
        let ports = match (filter.sport(), filter.dport()) {
            (None, None) => None,
            (src, dst) => Some([src.unwrap_or_else(all), dst.unwrap_or_else(all)]),
        };
        let ip = Ip {
            src: filter.ip_src().map(Address::new),
            dst: filter.ip_dst().map(Address::new),
            proto: filter.proto(),
            ports,
        };
        let asks = ip.src.is_some() || ip.dst.is_some() || ip.proto.is_some() || ip.ports.is_some();
        Matcher {
            dst: filter.dst().map(Bits::mac),
            src: filter.src().map(Bits::mac),
            vlan: filter.vlan(),
            outer: filter.ethertype().filter(of_tag),
            inner: filter.ethertype().filter(|e| !of_tag(e)),
            ip: asks.then_some(ip),
        }
    }

    /// The packets of `burst` that fulfil the filter: bit `i` is packet `i`.
    pub fn select(&self, burst: &Burst) -> u64 {
        let chained = burst.segments() as usize != burst.len();
        let mut room = [0; HEAD];
        let mut which = 0;
        for i in 0..burst.len() {
            let Some(first) = burst.packet(i) else { break };
            let matches = if chained && first.len() < HEAD {
                // The headers may go on in the next segment.
                let len = burst.copy_packet(i, &mut room).unwrap_or(0);
                self.matches(&room[..len.min(HEAD)])
            } else {
                self.matches(&first[..first.len().min(HEAD)])
            };
            which |= u64::from(matches) << i;
        }
        which
    }

    /// Whether a packet that begins with these bytes fulfils the filter. What is cut off in front of what the filter asks
    /// for does not.
    pub fn matches(&self, packet: &[u8]) -> bool {
        self.look(packet).unwrap_or(false)
    }

    /// `None` if the packet ends too early.
    fn look(&self, packet: &[u8]) -> Option<bool> {
        let outer = number(packet, HEADER - 2)?;
        let mac = |want: &Option<Bits<u64>>, at| match want {
            Some(Bits(mask, want)) => mac_at(packet, at).map(|a| a & mask == *want),
            None => Some(true),
        };
        if !mac(&self.dst, 0)? || !mac(&self.src, 6)? {
            return Some(false);
        }
        if self.outer.is_some_and(|want| want != outer) {
            return Some(false);
        }
        let vlan = match self.vlan {
            None => true,
            Some(VlanMatch::None) => outer != C_TAG,
            // The tag is there as a whole.
            Some(VlanMatch::Any) => outer == C_TAG && packet.len() >= HEADER + 4,
            Some(VlanMatch::Id(id)) => {
                outer == C_TAG
                    && packet.len() >= HEADER + 4
                    && number(packet, HEADER)? & 0xfff == id
            }
        };
        if !vlan {
            return Some(false);
        }
        if self.inner.is_none() && self.ip.is_none() {
            return Some(true);
        }
        let (mut kind, mut at) = (outer, HEADER);
        while matches!(kind, C_TAG | S_TAG) {
            kind = number(packet, at + 2)?;
            at += 4;
        }
        if self.inner.is_some_and(|want| want != kind) {
            return Some(false);
        }
        match &self.ip {
            None => Some(true),
            Some(ip) => ip.look(kind, &packet[at..]),
        }
    }
}

impl Ip {
    fn look(&self, kind: u16, packet: &[u8]) -> Option<bool> {
        let (version, src, dst) = match kind {
            IPV4 => (4, 12, 16),
            IPV6 => (6, 8, 24),
            _ => return Some(false),
        };
        if packet.first()? >> 4 != version {
            return Some(false);
        }
        for (want, at) in [(&self.src, src), (&self.dst, dst)] {
            if let Some(want) = want
                && (want.version() != version || !want.is(packet, at)?)
            {
                return Some(false);
            }
        }
        if self.proto.is_none() && self.ports.is_none() {
            return Some(true);
        }
        let (proto, at) = match version {
            4 => payload_of_v4(packet)?,
            _ => payload_of_v6(packet)?,
        };
        if self.proto.is_some_and(|want| want != proto) {
            return Some(false);
        }
        let Some([src, dst]) = &self.ports else {
            return Some(true);
        };
        // TCP, UDP and SCTP begin with the ports.
        let at = at.filter(|_| matches!(proto, 6 | 17 | 132))?;
        Some(src.contains(&number(packet, at)?) && dst.contains(&number(packet, at + 2)?))
    }
}

/// Protocol of an IPv4 packet (RFC 791), and where it begins; a later fragment does not have its begin.
fn payload_of_v4(packet: &[u8]) -> Option<(u8, Option<usize>)> {
    let header = usize::from(packet.first()? & 15) * 4;
    let begins = number(packet, 6)? & 0x1fff == 0 && header >= 20;
    Some((*packet.get(9)?, begins.then_some(header)))
}

/// The same of an IPv6 packet (RFC 8200), behind its extension headers.
fn payload_of_v6(packet: &[u8]) -> Option<(u8, Option<usize>)> {
    let (mut next, mut at) = (*packet.get(6)?, 40);
    loop {
        let len = || packet.get(at + 1).map(|n| usize::from(*n));
        let step = match next {
            // Hop-by-hop options, routing, destination options, mobility, host identity, shim6.
            0 | 43 | 60 | 135 | 139 | 140 => (len()? + 1) * 8,
            // Authentication (RFC 4302).
            51 => (len()? + 2) * 4,
            44 => {
                if number(packet, at + 2)? & 0xfff8 != 0 {
                    return Some((*packet.get(at)?, None));
                }
                8
            }
            _ => return Some((next, Some(at))),
        };
        next = *packet.get(at)?;
        at += step;
    }
}

#[inline(always)]
fn bytes<const N: usize>(packet: &[u8], at: usize) -> Option<[u8; N]> {
    packet.get(at..at + N)?.try_into().ok()
}

#[inline(always)]
fn number(packet: &[u8], at: usize) -> Option<u16> {
    bytes(packet, at).map(u16::from_be_bytes)
}

#[inline(always)]
fn mac_at(packet: &[u8], at: usize) -> Option<u64> {
    let [a, b, c, d, e, f] = bytes(packet, at)?;
    Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

/// Lets only what fulfils the filter through; the rest is dropped as [`DropReason::Filtered`].
impl Stage for Matcher {
    fn run(&self, cx: &mut Context, burst: &mut Burst, counters: &PatchBlock) {
        let which = self.select(burst);
        let others = burst.retain(which, &mut cx.cache);
        if others > 0 {
            counters.drop_of(DropReason::Filtered, others as u64);
        }
    }
}
