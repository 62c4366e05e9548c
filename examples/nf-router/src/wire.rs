//! Headers of Ethernet, IPv6 and ICMPv6, as far as a router reads and writes them (RFC 2464, 8200, 4443).

use std::net::Ipv6Addr;

use crate::counters::Reason;

/// Bytes of Ethernet's header.
pub const ETHERNET: usize = 14;
/// Bytes of Ethernet's and IPv6's headers together.
pub const HEADERS: usize = ETHERNET + 40;
/// Least MTU of a link with IPv6, in bytes.
pub const LEAST_MTU: usize = 1280;

/// Number of ICMPv6 among the headers behind IPv6's.
pub const ICMPV6: u8 = 58;
/// Number of TCP.
pub const TCP: u8 = 6;
/// Number of UDP.
pub const UDP: u8 = 17;

const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const HOP_LIMIT: usize = ETHERNET + 7;
const SOURCE: usize = ETHERNET + 8;
const DESTINATION: usize = ETHERNET + 24;
/// Type, code and checksum of ICMPv6.
const ICMP_HEAD: usize = 4;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// What the header of IPv6 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// Which header comes next.
    pub next: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Where the packet ends in the frame, in bytes from the frame's beginning: at most the frame's length, at least [`HEADERS`].
    pub end: usize,
}

/// Reads the headers of a frame.
///
/// # Errors
/// It has none of IPv6, or is shorter than they say.
pub fn parse(frame: &[u8]) -> Result<Header, Reason> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET).ok_or(Reason::Malformed)?;
    if ethernet[12..] != ETHERTYPE_IPV6 {
        return Err(Reason::NotIpv6);
    }
    let (header, payload) = packet.split_at_checked(40).ok_or(Reason::Malformed)?;
    if header[0] >> 4 != 6 {
        return Err(Reason::Malformed);
    }
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if length > payload.len() {
        return Err(Reason::Truncated);
    }
    Ok(Header {
        source: address(&header[8..24]),
        destination: address(&header[24..]),
        next: header[6],
        hop_limit: header[7],
        end: HEADERS + length,
    })
}

/// The address in the first 16 bytes; what is missing is zero.
pub fn address(bytes: &[u8]) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    octets.into()
}

/// Whether a frame is for a group of stations.
pub fn is_for_group(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 1 == 1)
}

/// Writes the Ethernet addresses of a frame that [`parse`] has read.
pub fn direct(frame: &mut [u8], to: Mac, from: Mac) {
    frame[..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
}

/// Takes one off the hop limit, which is not 0, of a frame that [`parse`] has read.
pub fn take_hop(frame: &mut [u8]) {
    frame[HOP_LIMIT] -= 1;
}

/// The checksum of an ICMPv6 message between two addresses (RFC 8200, 8.1). With the right one in its place already it is 0.
pub fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u64 {
        let word = |pair: &[u8]| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| (*b).into());
        bytes.chunks(2).map(word).sum()
    };
    let mut sum = words(&source.octets()) + words(&destination.octets());
    sum += message.len() as u64 + u64::from(ICMPV6) + words(message);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Writes addresses, hop limit and checksum of a frame that [`parse`] has read, or that [`message`] makes: one with a message of ICMPv6,
/// which ends with the frame.
pub fn seal(frame: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8) {
    frame[HOP_LIMIT] = hop_limit;
    frame[SOURCE..DESTINATION].copy_from_slice(&source.octets());
    frame[DESTINATION..HEADERS].copy_from_slice(&destination.octets());
    if let Some(message) = frame.get_mut(HEADERS..).filter(|m| m.len() >= ICMP_HEAD) {
        message[2..ICMP_HEAD].fill(0);
        let sum = checksum(source, destination, message);
        message[2..ICMP_HEAD].copy_from_slice(&sum.to_be_bytes());
    }
}

/// A frame with a message of ICMPv6: its type and code, and the parts of what follows its checksum, together less than 64 kB. Ethernet
/// addresses are still to be written.
pub fn message(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    kind: [u8; 2],
    body: &[&[u8]],
) -> Vec<u8> {
    let mut frame = vec![0; HEADERS];
    frame[12..ETHERNET].copy_from_slice(&ETHERTYPE_IPV6);
    frame[ETHERNET] = 6 << 4;
    frame[ETHERNET + 6] = ICMPV6;
    frame.extend(kind);
    frame.extend([0; 2]);
    body.iter().for_each(|part| frame.extend(*part));
    let length = (frame.len() - HEADERS) as u16;
    frame[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&length.to_be_bytes());
    seal(&mut frame, source, destination, hop_limit);
    frame
}
