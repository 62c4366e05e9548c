//! A filter from its text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{Filter, FilterError, Key, MAX_FILTER, MacMatch, Prefix, VlanMatch};
use crate::quotable;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const C_TAG: u16 = 0x8100;
const S_TAG: u16 = 0x88a8;
const ETHERTYPES: [(&str, u16); 3] = [("ipv4", IPV4), ("ipv6", IPV6), ("arp", 0x0806)];

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const PROTOS: [(&str, u8); 5] = [
    ("tcp", TCP),
    ("udp", UDP),
    ("sctp", SCTP),
    ("icmp", 1),
    ("icmp6", 58),
];

/// What a number of a protocol is written as.
pub(super) fn proto_word(number: u8) -> String {
    let known = PROTOS.iter().find(|(_, n)| *n == number);
    known.map_or_else(|| number.to_string(), |(word, _)| (*word).to_owned())
}

fn named<N: Copy>(words: &[(&str, N)], text: &str) -> Option<N> {
    words.iter().find(|(w, _)| *w == text).map(|(_, n)| *n)
}

/// A number in digits alone.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut groups = text.split(':');
    for byte in &mut bytes {
        let group = groups.next()?;
        if group.len() != 2 || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(group, 16).ok()?;
    }
    groups.next().is_none().then_some(bytes)
}

fn mac_match(text: &str) -> Option<MacMatch> {
    if text == "group" {
        return Some(MacMatch::GROUP);
    }
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (mac(address)?, mac(mask)?),
        None => (mac(text)?, [0xff; 6]),
    };
    let mut masked = address;
    masked.iter_mut().zip(mask).for_each(|(a, m)| *a &= m);
    Some(MacMatch {
        address: masked,
        mask,
    })
}

fn vlan(text: &str) -> Option<VlanMatch> {
    match text {
        "none" => Some(VlanMatch::None),
        "any" => Some(VlanMatch::Any),
        _ => digits(text).filter(|id| *id <= 4095).map(VlanMatch::Id),
    }
}

fn ethertype(text: &str) -> Option<u16> {
    if let Some(known) = named(&ETHERTYPES, text) {
        return Some(known);
    }
    let hex = text.strip_prefix("0x")?;
    if hex.is_empty() || hex.len() > 4 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    // Below is the length of an 802.3 frame.
    let number = u16::from_str_radix(hex, 16).ok()?;
    (number >= 0x0600).then_some(number)
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(digits::<u8>(bits)?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(whole);
    if bits > whole {
        return None;
    }
    let address = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    };
    Some(Prefix { address, bits })
}

fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (digits(first)?, digits(last)?),
        None => {
            let port = digits(text)?;
            (port, port)
        }
    };
    (first <= last).then_some(first..=last)
}

/// Puts a value to its key.
fn put<V>(to: &mut Option<V>, key: Key, value: Option<V>, text: &str) -> Result<(), FilterError> {
    if to.is_some() {
        return Err(FilterError::Twice(key));
    }
    let value = value.ok_or_else(|| FilterError::Value(key, quotable(text)))?;
    *to = Some(value);
    Ok(())
}

impl FromStr for Filter {
    type Err = FilterError;

    /// Reads pairs of a key and a value, in any order, between any white space.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_FILTER {
            return Err(FilterError::Long(text.len()));
        }
        let mut filter = Filter::default();
        let mut words = text.split_ascii_whitespace();
        while let Some(word) = words.next() {
            let key = Key::ALL.into_iter().find(|k| k.word() == word);
            let key = key.ok_or_else(|| FilterError::Key(quotable(word)))?;
            let text = words.next().ok_or(FilterError::Missing(key))?;
            match key {
                Key::Src => put(&mut filter.src, key, mac_match(text), text),
                Key::Dst => put(&mut filter.dst, key, mac_match(text), text),
                Key::Vlan => put(&mut filter.vlan, key, vlan(text), text),
                Key::EtherType => put(&mut filter.ethertype, key, ethertype(text), text),
                Key::IpSrc => put(&mut filter.ip_src, key, prefix(text), text),
                Key::IpDst => put(&mut filter.ip_dst, key, prefix(text), text),
                Key::Proto => {
                    let proto = named(&PROTOS, text).or_else(|| digits(text));
                    put(&mut filter.proto, key, proto, text)
                }
                Key::Sport => put(&mut filter.sport, key, ports(text), text),
                Key::Dport => put(&mut filter.dport, key, ports(text), text),
            }?;
        }
        if filter == Filter::default() {
            return Err(FilterError::Empty);
        }
        filter.can_be().map(|()| filter)
    }
}

impl Filter {
    /// Refuses what no packet fulfils.
    fn can_be(&self) -> Result<(), FilterError> {
        let ip = [
            self.ethertype.map(|e| (Key::EtherType, versions(e))),
            self.ip_src.map(|p| (Key::IpSrc, families(&p))),
            self.ip_dst.map(|p| (Key::IpDst, families(&p))),
            self.proto.map(|_| (Key::Proto, [true; 2])),
            self.sport.as_ref().map(|_| (Key::Sport, [true; 2])),
            self.dport.as_ref().map(|_| (Key::Dport, [true; 2])),
        ];
        let ip: Vec<(Key, [bool; 2])> = ip.into_iter().flatten().collect();
        for (i, (one, of)) in ip.iter().enumerate() {
            for (other, with) in &ip[i + 1..] {
                if !(of[0] && with[0] || of[1] && with[1]) {
                    return Err(FilterError::Never(*one, *other));
                }
            }
        }
        match (self.vlan, self.ethertype) {
            (Some(VlanMatch::None), Some(C_TAG))
            | (Some(VlanMatch::Any | VlanMatch::Id(_)), Some(S_TAG)) => {
                return Err(FilterError::Never(Key::Vlan, Key::EtherType));
            }
            _ => {}
        }
        let port = match (&self.sport, &self.dport) {
            (Some(_), _) => Key::Sport,
            (None, Some(_)) => Key::Dport,
            (None, None) => return Ok(()),
        };
        match self.proto {
            None | Some(TCP | UDP | SCTP) => Ok(()),
            Some(_) => Err(FilterError::Never(Key::Proto, port)),
        }
    }
}

/// Whether IPv4 and IPv6 packets are of the type; behind a tag may be both.
fn versions(ethertype: u16) -> [bool; 2] {
    match ethertype {
        C_TAG | S_TAG => [true; 2],
        _ => [ethertype == IPV4, ethertype == IPV6],
    }
}

/// Whether IPv4 and IPv6 have the address.
fn families(prefix: &Prefix) -> [bool; 2] {
    [prefix.address.is_ipv4(), prefix.address.is_ipv6()]
}
