//! Layers and fields that are known, where they are, and how their values are written.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Kind;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Number,
    Mac,
    Ipv4,
    Ipv6,
    TcpFlags,
}

/// Which checksums a field is under, beside that of the header it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    /// None.
    Own,
    /// That of TCP, UDP and ICMPv6, by their pseudo header.
    Pseudo,
}

/// A field: some bits of an even number of bytes at an even place of its header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// Where its bytes begin, from the beginning of the header.
    pub(crate) at: usize,
    /// How many: 2, 4, 6 or 16.
    pub(crate) bytes: usize,
    /// How many bits of those are below it.
    pub(crate) shift: u32,
    pub(crate) least: u128,
    pub(crate) most: u128,
    /// What `random` alone means.
    pub(crate) random: (u128, u128),
    pub(crate) sum: Sum,
}

/// A number of `bits` bits.
const fn bits(name: &'static str, at: usize, bytes: usize, shift: u32, bits: u32) -> Known {
    let most = (1 << bits) - 1;
    Known {
        name,
        form: Form::Number,
        at,
        bytes,
        shift,
        least: 0,
        most,
        random: (0, most),
        sum: Sum::Own,
    }
}

const fn port(name: &'static str, at: usize) -> Known {
    Known {
        random: (1, 0xffff),
        ..bits(name, at, 2, 0, 16)
    }
}

const fn mac(name: &'static str, at: usize) -> Known {
    Known {
        form: Form::Mac,
        // Locally administered, unicast.
        random: (0x0200_0000_0000, 0x02ff_ffff_ffff),
        ..bits(name, at, 6, 0, 48)
    }
}

const fn ipv4(name: &'static str, at: usize) -> Known {
    Known {
        form: Form::Ipv4,
        // Unicast.
        random: (0x0100_0000, 0xdfff_ffff),
        sum: Sum::Pseudo,
        ..bits(name, at, 4, 0, 32)
    }
}

const fn ipv6(name: &'static str, at: usize) -> Known {
    const DOCUMENTATION: u128 = 0x2001_0db8 << 96;
    Known {
        form: Form::Ipv6,
        at,
        bytes: 16,
        most: u128::MAX,
        random: (DOCUMENTATION, DOCUMENTATION | ((1 << 96) - 1)),
        sum: Sum::Pseudo,
        ..bits(name, 0, 0, 0, 1)
    }
}

static ETH: [Known; 3] = [
    mac("dst", 0),
    mac("src", 6),
    // Below that it would be a length.
    Known {
        least: 0x600,
        random: (0x600, 0xffff),
        ..bits("type", 12, 2, 0, 16)
    },
];
static VLAN: [Known; 4] = [
    Known {
        most: 4094,
        random: (1, 4094),
        ..bits("id", 2, 2, 0, 12)
    },
    bits("pcp", 2, 2, 13, 3),
    bits("dei", 2, 2, 12, 1),
    Known {
        least: 0x600,
        random: (0x8100, 0x8100),
        ..bits("tpid", 0, 2, 0, 16)
    },
];
static IPV4: [Known; 7] = [
    ipv4("src", 12),
    ipv4("dst", 16),
    bits("ttl", 8, 2, 8, 8),
    bits("dscp", 0, 2, 2, 6),
    bits("ecn", 0, 2, 0, 2),
    bits("id", 4, 2, 0, 16),
    bits("proto", 8, 2, 0, 8),
];
static IPV6: [Known; 7] = [
    ipv6("src", 8),
    ipv6("dst", 24),
    bits("hops", 6, 2, 0, 8),
    bits("dscp", 0, 2, 6, 6),
    bits("ecn", 0, 2, 4, 2),
    bits("label", 0, 4, 0, 20),
    bits("proto", 6, 2, 8, 8),
];
static UDP: [Known; 2] = [port("sport", 0), port("dport", 2)];
static TCP: [Known; 6] = [
    port("sport", 0),
    port("dport", 2),
    bits("seq", 4, 4, 0, 32),
    bits("ack", 8, 4, 0, 32),
    Known {
        form: Form::TcpFlags,
        ..bits("flags", 12, 2, 0, 8)
    },
    bits("window", 14, 2, 0, 16),
];
static ICMP: [Known; 4] = [
    bits("type", 0, 2, 8, 8),
    bits("code", 0, 2, 0, 8),
    bits("id", 4, 2, 0, 16),
    bits("seq", 6, 2, 0, 16),
];

/// Letters of TCP's flags, from the lowest bit: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR.
const FLAGS: &str = "FSRPAUEC";

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Eth,
        Self::Vlan,
        Self::Ipv4,
        Self::Ipv6,
        Self::Udp,
        Self::Tcp,
        Self::Icmp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Eth => "eth",
            Self::Vlan => "vlan",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Icmp => "icmp",
        }
    }

    pub(crate) fn fields(self) -> &'static [Known] {
        match self {
            Self::Eth => &ETH,
            Self::Vlan => &VLAN,
            Self::Ipv4 => &IPV4,
            Self::Ipv6 => &IPV6,
            Self::Udp => &UDP,
            Self::Tcp => &TCP,
            Self::Icmp => &ICMP,
        }
    }

    /// What may come inside it.
    pub(crate) fn inside(self) -> &'static [Kind] {
        match self {
            Self::Eth | Self::Vlan => &[Self::Vlan, Self::Ipv4, Self::Ipv6],
            Self::Ipv4 | Self::Ipv6 => &[Self::Udp, Self::Tcp, Self::Icmp],
            Self::Udp | Self::Tcp | Self::Icmp => &[],
        }
    }

    /// The field of this layer that says what is inside it, where something is.
    pub(crate) fn says_what_is_inside(self) -> Option<&'static str> {
        match self {
            Self::Eth => Some("type"),
            Self::Ipv4 | Self::Ipv6 => Some("proto"),
            _ => None,
        }
    }
}

impl Known {
    /// Reads one value of this field; the error says what is possible.
    pub(crate) fn read(&self, text: &str) -> Result<u128, String> {
        let value = match self.form {
            Form::Number => number(text),
            Form::Mac => mac_address(text),
            Form::Ipv4 => text.parse::<Ipv4Addr>().ok().map(|a| a.to_bits().into()),
            Form::Ipv6 => text.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits),
            Form::TcpFlags => number(text).or_else(|| flags(text)),
        };
        value
            .filter(|value| (self.least..=self.most).contains(value))
            .ok_or_else(|| format!("'{text}' is not {}", self.wanted()))
    }

    /// What a value of it is.
    fn wanted(&self) -> String {
        match self.form {
            Form::Number => format!("a number from {} to {}", self.least, self.most),
            Form::Mac => "a MAC address such as 52:54:00:00:00:01".to_owned(),
            Form::Ipv4 => "an IPv4 address such as 10.0.0.1".to_owned(),
            Form::Ipv6 => "an IPv6 address such as 2001:db8::1".to_owned(),
            Form::TcpFlags => format!("a number from 0 to 255 or letters of {FLAGS}"),
        }
    }
}

fn number(text: &str) -> Option<u128> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.strip_prefix("0x") {
        Some(hex) if digits(hex) => u128::from_str_radix(hex, 16).ok(),
        None if digits(text) => text.parse().ok(),
        _ => None,
    }
}

fn mac_address(text: &str) -> Option<u128> {
    let mut value = 0;
    let mut count = 0;
    for part in text.split(':') {
        let sound = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        value = value << 8 | u128::from(u8::from_str_radix(part, 16).ok().filter(|_| sound)?);
        count += 1;
    }
    (count == 6).then_some(value)
}

fn flags(text: &str) -> Option<u128> {
    let bit = |c: char| Some(1 << FLAGS.find(c.to_ascii_uppercase())?);
    text.chars().try_fold(0, |flags, c| Some(flags | bit(c)?))
}
