//! Which packets somebody wants: the filter of a mirror.
//!
//! A filter is a list of pairs of a key and a value, all of which a packet has to fulfil, such as
//! `dst 02:00:00:00:00:01 vlan 100 ip-src 10.0.0.0/8 proto tcp dport 80`. Each key stands at most once:
//!
//! | key | value | fulfilled by |
//! |---|---|---|
//! | `src`, `dst` | MAC address, or address`/`mask, or `group` | that Ethernet address, in the bits of the mask; any group address |
//! | `vlan` | 0 to 4095, `any` or `none` | that VLAN id of an outermost 802.1Q tag (0x8100); any such tag; no such tag |
//! | `ethertype` | `0x0800`, or `ipv4`, `ipv6`, `arp` | that EtherType behind all tags; one of a tag (0x8100, 0x88a8): the outermost type |
//! | `ip-src`, `ip-dst` | IPv4 or IPv6 address, or address`/`length | that address of an IP packet |
//! | `proto` | 0 to 255, or `tcp`, `udp`, `icmp`, `icmp6`, `sctp` | that protocol of an IP packet, for IPv6 behind its extension headers |
//! | `sport`, `dport` | 0 to 65535, or first`-`last | that port of TCP, UDP or SCTP; later fragments have none |

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is no filter, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// Nothing is asked for.
    #[error("a filter names at least one key with a value, such as: proto tcp dport 80")]
    Empty,
    /// A word that is no key.
    #[error("'{0}' is no key of a filter: it has {keys}", keys = Key::list())]
    Key(String),
    /// A key without a value.
    #[error("{0} lacks its value: {want}", want = .0.wants())]
    Missing(Key),
    /// A value that the key does not have.
    #[error("'{1}' is no value of {0}: {want}", want = .0.wants())]
    Value(Key, String),
    /// A key that stands twice.
    #[error("{0} stands twice: a filter takes each key once")]
    Twice(Key),
    /// Two pairs that no packet fulfils together.
    #[error("no packet fulfils {0} and {1} together: leave one of them out")]
    Never(Key, Key),
    /// The text is longer than any filter.
    #[error("a filter of {0} bytes is too long: {MAX_FILTER} are the most")]
    Long(usize),
}

/// Longest text of a filter, in bytes: more than every key with its longest value takes.
pub const MAX_FILTER: usize = 512;

/// A key of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Source MAC address.
    Src,
    /// Destination MAC address.
    Dst,
    /// VLAN.
    Vlan,
    /// EtherType.
    EtherType,
    /// Source IP address.
    IpSrc,
    /// Destination IP address.
    IpDst,
    /// IP protocol.
    Proto,
    /// Source port.
    Sport,
    /// Destination port.
    Dport,
}

impl Key {
    /// All of them, in the order in which a filter is written.
    pub const ALL: [Key; 9] = [
        Key::Src,
        Key::Dst,
        Key::Vlan,
        Key::EtherType,
        Key::IpSrc,
        Key::IpDst,
        Key::Proto,
        Key::Sport,
        Key::Dport,
    ];

    /// The word that stands in a filter.
    pub fn word(self) -> &'static str {
        match self {
            Key::Src => "src",
            Key::Dst => "dst",
            Key::Vlan => "vlan",
            Key::EtherType => "ethertype",
            Key::IpSrc => "ip-src",
            Key::IpDst => "ip-dst",
            Key::Proto => "proto",
            Key::Sport => "sport",
            Key::Dport => "dport",
        }
    }

    fn wants(self) -> &'static str {
        match self {
            Key::Src | Key::Dst => {
                "a MAC address such as 02:00:00:00:00:0a, with a mask behind '/' if need be, or group"
            }
            Key::Vlan => "0 to 4095, any or none",
            Key::EtherType => "0x0600 to 0xffff in hex, or ipv4, ipv6, arp",
            Key::IpSrc | Key::IpDst => {
                "an IPv4 or IPv6 address, with the bits that count behind '/' if need be"
            }
            Key::Proto => "0 to 255, or tcp, udp, icmp, icmp6, sctp",
            Key::Sport | Key::Dport => "0 to 65535, or first-last",
        }
    }

    fn list() -> String {
        Key::ALL.map(Key::word).join(", ")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which MAC addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacMatch {
    /// The address, zero where the mask is.
    pub address: [u8; 6],
    /// The bits that count.
    pub mask: [u8; 6],
}

impl MacMatch {
    /// All group addresses: broadcast and multicast.
    pub const GROUP: Self = MacMatch {
        address: [1, 0, 0, 0, 0, 0],
        mask: [1, 0, 0, 0, 0, 0],
    };
}

/// Which VLANs, by the outermost tag if that is an 802.1Q header (TPID 0x8100).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VlanMatch {
    /// There is no such tag.
    None,
    /// There is one.
    Any,
    /// With this id, 0 to 4095.
    Id(u16),
}

/// Which IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The address, zero behind the bits that count.
    pub address: IpAddr,
    /// Leading bits that count: 0 to 32 or 128.
    pub bits: u8,
}

/// Which packets: those that fulfil all that is there. At least one thing is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    src: Option<MacMatch>,
    dst: Option<MacMatch>,
    vlan: Option<VlanMatch>,
    ethertype: Option<u16>,
    ip_src: Option<Prefix>,
    ip_dst: Option<Prefix>,
    proto: Option<u8>,
    sport: Option<RangeInclusive<u16>>,
    dport: Option<RangeInclusive<u16>>,
}

impl Filter {
    /// Source MAC address.
    pub fn src(&self) -> Option<MacMatch> {
        self.src
    }

    /// Destination MAC address.
    pub fn dst(&self) -> Option<MacMatch> {
        self.dst
    }

    /// VLAN.
    pub fn vlan(&self) -> Option<VlanMatch> {
        self.vlan
    }

    /// EtherType behind the tags; that of a tag: outermost type.
    pub fn ethertype(&self) -> Option<u16> {
        self.ethertype
    }

    /// Source IP address.
    pub fn ip_src(&self) -> Option<Prefix> {
        self.ip_src
    }

    /// Destination IP address.
    pub fn ip_dst(&self) -> Option<Prefix> {
        self.ip_dst
    }

    /// IP protocol.
    pub fn proto(&self) -> Option<u8> {
        self.proto
    }

    /// Source ports.
    pub fn sport(&self) -> Option<RangeInclusive<u16>> {
        self.sport.clone()
    }

    /// Destination ports.
    pub fn dport(&self) -> Option<RangeInclusive<u16>> {
        self.dport.clone()
    }
}

impl fmt::Display for MacMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::GROUP {
            return f.write_str("group");
        }
        write_mac(f, &self.address)?;
        if self.mask == [0xff; 6] {
            return Ok(());
        }
        f.write_str("/")?;
        write_mac(f, &self.mask)
    }
}

fn write_mac(f: &mut fmt::Formatter<'_>, [a, b, c, d, e, g]: &[u8; 6]) -> fmt::Result {
    write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
}

impl fmt::Display for VlanMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VlanMatch::None => f.write_str("none"),
            VlanMatch::Any => f.write_str("any"),
            VlanMatch::Id(id) => write!(f, "{id}"),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        if self.bits == whole {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Display for Filter {
    /// As it is read: keys in the order of [`Key::ALL`], one space between words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |r: &RangeInclusive<u16>| match (r.start(), r.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        let value = |key| match key {
            Key::Src => self.src.map(|m| m.to_string()),
            Key::Dst => self.dst.map(|m| m.to_string()),
            Key::Vlan => self.vlan.map(|v| v.to_string()),
            Key::EtherType => self.ethertype.map(|e| format!("{e:#06x}")),
            Key::IpSrc => self.ip_src.map(|p| p.to_string()),
            Key::IpDst => self.ip_dst.map(|p| p.to_string()),
            Key::Proto => self.proto.map(parse::proto_word),
            Key::Sport => self.sport.as_ref().map(range),
            Key::Dport => self.dport.as_ref().map(range),
        };
        let mut first = true;
        for key in Key::ALL {
            if let Some(value) = value(key) {
                let space = if std::mem::take(&mut first) { "" } else { " " };
                write!(f, "{space}{key} {value}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
