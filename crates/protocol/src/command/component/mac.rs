//! Addresses in a classifier's table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ComponentError;
use crate::quotable;

/// Destination address by which a classifier chooses; written `02:00:00:00:00:0a` or `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClassifierMac {
    /// Whatever no other entry names.
    Default,
    /// This address.
    Address([u8; 6]),
}

impl FromStr for ClassifierMac {
    type Err = ComponentError;

    /// Reads `default`, or an address in any of the usual forms (`02:00:00:00:00:0a`, `02-00-…`,
    /// `0200.0000.000a`, `02000000000a`), of which only the first is safe to send on.
    fn from_str(text: &str) -> Result<Self, ComponentError> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let wrong = || ComponentError::Mac(quotable(text));
        let groups: Vec<&str> = match text.len() {
            17 if text.contains(':') => text.split(':').collect(),
            17 => text.split('-').collect(),
            14 => text.split('.').collect(),
            12 => vec![text],
            _ => return Err(wrong()),
        };
        let width = match groups.len() {
            6 => 2,
            3 => 4,
            1 => 12,
            _ => return Err(wrong()),
        };
        if groups.iter().any(|group| group.len() != width) {
            return Err(wrong());
        }
        let digits = groups.concat();
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u64::from_str_radix(&digits, 16).map_err(|_| wrong())?;
        let [_, _, address @ ..] = number.to_be_bytes();
        match address {
            [0, 0, 0, 0, 0, 1] => Err(ComponentError::ReservedMac),
            address => Ok(Self::Address(address)),
        }
    }
}

impl fmt::Display for ClassifierMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Address([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
        }
    }
}

impl Serialize for ClassifierMac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClassifierMac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
