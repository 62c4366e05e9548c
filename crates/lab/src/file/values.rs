//! Values with a form of their own: addresses, times, rates, shares.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Gives a type that is read by `FromStr` and written by `Display` its place in files and in the schema.
macro_rules! text {
    ($type:ty, $pattern:expr, $example:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern, "examples": [$example]})
            }
        }
    };
}

/// An address of an interface with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub IpNet);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let net: IpNet = text.parse().map_err(|_| match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => format!("'{text}' lacks the length of its prefix: {text}/24"),
            Ok(IpAddr::V6(_)) => format!("'{text}' lacks the length of its prefix: {text}/64"),
            Err(_) => format!(
                "'{text}' is no address with a prefix, such as 10.0.0.1/24 or 2001:db8::1/64"
            ),
        })?;
        let address = net.addr();
        if address.is_unspecified() || address.is_multicast() {
            return Err(format!("'{text}' is no address that a host can have"));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text!(Address, "^[0-9a-fA-F.:]+/[0-9]+$", "10.0.0.1/24");

/// An address of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gateway(pub IpAddr);

impl FromStr for Gateway {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!("'{text}' is no address of a gateway, such as 10.0.0.254 or 2001:db8::1")
        })
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text!(Gateway, "^[0-9a-fA-F.:]+$", "10.0.0.254");

/// Where a route leads: a network, or `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// What no other route is for, of the gateway's family.
    Default,
    /// A network.
    Network(IpNet),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let net: IpNet = text.parse().map_err(|_| {
            format!("'{text}' is no network, such as 10.1.0.0/16, and not 'default'")
        })?;
        if net.trunc() != net {
            return Err(format!(
                "'{text}' has bits beyond its prefix: {} is the network",
                net.trunc()
            ));
        }
        Ok(Self::Network(net))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Network(net) => net.fmt(f),
        }
    }
}

text!(
    Destination,
    "^(default|[0-9a-fA-F.:]+/[0-9]+)$",
    "10.1.0.0/16"
);

/// An Ethernet address of one device: not one of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no Ethernet address, such as 02:00:00:00:00:01");
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        if bytes[0] & 1 != 0 || bytes == [0; 6] {
            return Err(format!(
                "'{text}' is no address of a device: its first byte is even, such as 02"
            ));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

text!(
    Mac,
    "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$",
    "02:00:00:00:00:01"
);

/// A time: `100ms`, `1.5s`, `50us`, `2min`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// Longest time that means anything here.
const LONGEST: f64 = 86_400.0;

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) =
            number(text).ok_or_else(|| format!("'{text}' is no time, such as 100ms"))?;
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "" => return Err(format!("'{text}' lacks its unit: {text}ms or {text}s")),
            _ => {
                return Err(format!(
                    "'{text}' is no time: units are ns, us, ms, s and min"
                ));
            }
        };
        let seconds = number * scale;
        if seconds > LONGEST {
            return Err(format!("'{text}' is more than a day"));
        }
        Ok(Self(Duration::from_nanos((seconds * 1e9).round() as u64)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match nanos {
            0 => f.write_str("0s"),
            _ if nanos.is_multiple_of(1_000_000_000) => write!(f, "{}s", nanos / 1_000_000_000),
            _ if nanos.is_multiple_of(1_000_000) => write!(f, "{}ms", nanos / 1_000_000),
            _ if nanos.is_multiple_of(1_000) => write!(f, "{}us", nanos / 1_000),
            _ => write!(f, "{nanos}ns"),
        }
    }
}

text!(Time, "^[0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|min)$", "100ms");

/// A rate in bits a second: `1Mbit/s`, `1Mbit`, `64kbit/s`, `10Gbit/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// More than any link has, and far from where numbers end.
const FASTEST: f64 = 1e15;

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) =
            number(text).ok_or_else(|| format!("'{text}' is no rate, such as 1Mbit/s"))?;
        let scale = match unit.strip_suffix("/s").unwrap_or(unit) {
            "bit" => 1.0,
            "kbit" | "Kbit" => 1e3,
            "Mbit" | "mbit" => 1e6,
            "Gbit" | "gbit" => 1e9,
            "" => return Err(format!("'{text}' lacks its unit: {text}Mbit/s")),
            _ => {
                return Err(format!(
                    "'{text}' is no rate: units are bit/s, kbit/s, Mbit/s and Gbit/s"
                ));
            }
        };
        let bits = number * scale;
        if !(8.0..=FASTEST).contains(&bits) {
            return Err(format!(
                "'{text}' is no rate that a link can have: 8bit/s or more"
            ));
        }
        Ok(Self(bits.round() as u64))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        match bits {
            _ if bits.is_multiple_of(1_000_000_000) => write!(f, "{}Gbit/s", bits / 1_000_000_000),
            _ if bits.is_multiple_of(1_000_000) => write!(f, "{}Mbit/s", bits / 1_000_000),
            _ if bits.is_multiple_of(1_000) => write!(f, "{}kbit/s", bits / 1_000),
            _ => write!(f, "{bits}bit/s"),
        }
    }
}

text!(
    Rate,
    "^[0-9]+(\\.[0-9]+)?(bit|[kKmMgG]bit)(/s)?$",
    "1Mbit/s"
);

/// A share of packets: `0.1%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(
    /// From 0 to 100.
    pub f64,
);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) =
            number(text).ok_or_else(|| format!("'{text}' is no share of packets, such as 0.1%"))?;
        if unit != "%" {
            return Err(format!(
                "'{text}' is no share of packets: {number}% is meant?"
            ));
        }
        if number > 100.0 {
            return Err(format!("'{text}' is more than 100%"));
        }
        Ok(Self(number))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

text!(Share, "^[0-9]+(\\.[0-9]+)? ?%$", "0.1%");

/// A command line, as a shell takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell(pub String);

impl FromStr for Shell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("a command is not to be empty".into()),
            _ if text.contains('\0') => Err("a command has no NUL in it".into()),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text!(Shell, "[^ ]", "iperf3 -s");

/// A number of at most 15 digits and a point, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    if end > 16 {
        return None;
    }
    let value: f64 = text[..end].parse().ok()?;
    Some((value, text[end..].trim_start()))
}

#[cfg(test)]
mod tests;
