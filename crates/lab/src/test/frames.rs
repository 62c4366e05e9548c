//! Which parts of a frame are what.

use crate::file::Part;

/// A shorter frame is filled up with zeros on its way (IEEE 802.3: 64 bytes with FCS).
const SHORTEST: usize = 60;

/// Of Ethernet's header, up to its type.
const ADDRESSES: usize = 12;

/// A frame with zeros where nothing is compared, so that equal is what counts as equal.
pub(super) fn compared(frame: &[u8], except: &[Part]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    bytes.resize(bytes.len().max(SHORTEST), 0);
    let layers = Layers::of(&bytes);
    let mut clear = |at: usize, count: usize| {
        if let Some(part) = bytes.get_mut(at..at + count) {
            part.fill(0);
        }
    };
    for part in except {
        match part {
            Part::Mac => clear(0, ADDRESSES),
            Part::HopLimit => match layers.network {
                Some((Network::Ip4, at)) => {
                    clear(at + 8, 1);
                    clear(at + 10, 2);
                }
                Some((Network::Ip6, at)) => clear(at + 7, 1),
                None => {}
            },
            Part::Checksums => {
                if let Some((Network::Ip4, at)) = layers.network {
                    clear(at + 10, 2);
                }
                match layers.transport {
                    Some((TCP, at)) => clear(at + 16, 2),
                    Some((UDP, at)) => clear(at + 6, 2),
                    Some((ICMP | ICMP6, at)) => clear(at + 2, 2),
                    _ => {}
                }
            }
        }
    }
    bytes
}

/// A host says it by itself: ARP, neighbour discovery (RFC 4861) and reports of multicast listeners (RFC 3810, RFC 3376).
pub(super) fn is_housekeeping(frame: &[u8]) -> bool {
    let layers = Layers::of(frame);
    match layers.transport {
        Some((ICMP6, at)) => matches!(frame.get(at), Some(130..=137 | 143)),
        Some((IGMP, _)) => true,
        _ => layers.kind == Some(ARP),
    }
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const IGMP: u8 = 2;
const ICMP6: u8 = 58;
const ARP: u16 = 0x0806;

#[derive(Clone, Copy)]
enum Network {
    Ip4,
    Ip6,
}

/// Where headers begin.
struct Layers {
    /// Type of what is in the frame (IEEE 802), behind tags.
    kind: Option<u16>,
    network: Option<(Network, usize)>,
    /// The protocol's number, and where its header begins; none in a fragment that is not the first.
    transport: Option<(u8, usize)>,
}

impl Layers {
    fn of(frame: &[u8]) -> Self {
        let byte = |at: usize| frame.get(at).copied();
        let word = |at: usize| Some(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
        let mut at = ADDRESSES;
        let mut kind = word(at);
        while let Some(0x8100 | 0x88a8) = kind {
            at += 4;
            kind = word(at);
        }
        at += 2;
        let (network, transport) = match kind {
            Some(0x0800) => (Some((Network::Ip4, at)), {
                let header = byte(at).map(|first| usize::from(first & 15) * 4);
                let first = word(at + 6).is_some_and(|fragment| fragment & 0x1fff == 0);
                let protocol = byte(at + 9).filter(|_| first);
                protocol.zip(header.map(|header| at + header))
            }),
            Some(0x86dd) => (Some((Network::Ip6, at)), beyond_options(frame, at)),
            _ => (None, None),
        };
        Self {
            kind,
            network,
            transport,
        }
    }
}

/// The protocol behind IPv6's header at `at` and its extensions (RFC 8200), and where it begins.
fn beyond_options(frame: &[u8], at: usize) -> Option<(u8, usize)> {
    let (mut next, mut at) = (*frame.get(at + 6)?, at + 40);
    loop {
        let length = usize::from(*frame.get(at + 1)?);
        let header = match next {
            // Hop-by-hop, routing and destination options.
            0 | 43 | 60 => 8 * (length + 1),
            // A fragment, if it is the first one.
            44 => {
                let offset = u16::from_be_bytes([*frame.get(at + 2)?, *frame.get(at + 3)?]);
                if offset >> 3 != 0 {
                    return None;
                }
                8
            }
            _ => return Some((next, at)),
        };
        next = *frame.get(at)?;
        at += header;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UDP in IPv4 or IPv6 with a tag, hop limit and checksums in it.
    fn frame(version: u8, hop_limit: u8, checksum: u8) -> Vec<u8> {
        let mut frame = vec![2; ADDRESSES];
        frame.extend([0x81, 0, 0, 5]);
        match version {
            4 => {
                frame.extend([8, 0, 0x46, 0, 0, 36, 0, 0, 0, 0]);
                frame.extend([
                    hop_limit, UDP, hop_limit, checksum, 10, 0, 0, 1, 10, 0, 0, 2,
                ]);
                frame.extend([1; 4]);
            }
            _ => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 0, hop_limit]);
                frame.extend([3; 32]);
                frame.extend([UDP, 0, 1, 4, 0, 0, 0, 0]);
            }
        }
        frame.extend([0, 1, 0, 2, 0, 12, checksum, checksum, 1, 2, 3, 4]);
        frame
    }

    #[test]
    fn what_is_excepted_makes_no_difference_and_all_else_does() {
        for version in [4, 6] {
            let one = frame(version, 64, 1);
            let other = frame(version, 63, 9);
            let same = |except: &[Part]| compared(&one, except) == compared(&other, except);
            assert!(!same(&[]));
            assert!(!same(&[Part::Checksums, Part::Mac]), "{version}");
            assert!(!same(&[Part::HopLimit, Part::Mac]), "{version}");
            assert!(same(&[Part::HopLimit, Part::Checksums]), "{version}");
            let mut far = one.clone();
            far[0] = 4;
            assert_ne!(compared(&one, &[]), compared(&far, &[]));
            assert_eq!(compared(&one, &[Part::Mac]), compared(&far, &[Part::Mac]));
            let mut data = other;
            *data.last_mut().unwrap() = 0;
            let all = [Part::HopLimit, Part::Checksums, Part::Mac];
            assert_ne!(compared(&one, &all), compared(&data, &all));
        }
    }

    #[test]
    fn a_short_frame_is_the_same_when_it_was_filled_up() {
        let short = [7; 42];
        let mut filled = short.to_vec();
        filled.resize(SHORTEST, 0);
        assert_eq!(compared(&short, &[]), compared(&filled, &[]));
        filled[50] = 1;
        assert_ne!(compared(&short, &[]), compared(&filled, &[]));
    }

    #[test]
    fn headers_that_end_too_early_are_no_headers() {
        for version in [4, 6] {
            let whole = frame(version, 64, 1);
            for length in 0..whole.len() {
                let cut = &whole[..length];
                assert!(!is_housekeeping(cut));
                compared(cut, &[Part::Mac, Part::HopLimit, Part::Checksums]);
            }
        }
    }
}
