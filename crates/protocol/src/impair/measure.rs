//! Times, shares and rates, as users write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A length of time, in nanoseconds. Written with its unit: `250ns`, `10us`, `1.5ms`, `2s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(u64);

/// A share of packets, in billionths. Written in percent: `0.1%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u32);

/// Bits in a second, 1 kbit/s to 400 Gbit/s. Written with its unit: `1Mbit/s`; `/s` may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(u64);

const TIMES: [(&str, u64); 4] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];
const RATES: [(&str, u64); 4] = [
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
];
/// Billionths in a percent.
const PERCENT: u64 = 10_000_000;
const SLOWEST: u64 = 1_000;
const FASTEST: u64 = 400_000_000_000;

/// `1.5` times `unit`, exactly; `None` if it is no such number, does not come out even, or is too large.
fn times(number: &str, unit: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || number.ends_with('.') {
        return None;
    }
    let mut value = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut unit = unit;
    for digit in part.trim_end_matches('0').bytes() {
        if !unit.is_multiple_of(10) {
            return None;
        }
        unit /= 10;
        value = value.checked_add(u64::from(digit - b'0') * unit)?;
    }
    Some(value)
}

/// Number and unit of a text.
fn split(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    text.split_at(at.unwrap_or(text.len()))
}

/// The largest unit of which `value` is a multiple.
fn in_units(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let fits = |(_, size): &&(&str, u64)| value.is_multiple_of(*size);
    match units.iter().rev().find(fits) {
        Some((unit, size)) => write!(f, "{}{unit}", value / size),
        None => write!(f, "{value}"),
    }
}

impl Time {
    /// So many nanoseconds.
    pub const fn nanos(n: u64) -> Self {
        Time(n)
    }

    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Time(n * 1_000_000_000)
    }

    /// In nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let unit = if unit == "µs" { "us" } else { unit };
        let size = TIMES.iter().find(|(name, _)| *name == unit);
        size.and_then(|(_, size)| times(number, *size))
            .map(Time)
            .ok_or_else(|| {
                "write a number with ns, us, ms or s behind it, such as 1.5ms, in whole nanoseconds"
                    .to_owned()
            })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of nothing every unit is one.
        if self.0 == 0 {
            return f.write_str("0ms");
        }
        in_units(f, self.0, &TIMES)
    }
}

impl Share {
    /// So many billionths, at most all of them.
    pub const fn billionths(n: u32) -> Self {
        Share(if n > 1_000_000_000 { 1_000_000_000 } else { n })
    }

    /// In billionths.
    pub const fn as_billionths(self) -> u32 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = text.strip_suffix('%').and_then(|n| times(n, PERCENT));
        value
            .filter(|value| *value <= 100 * PERCENT)
            .and_then(|value| u32::try_from(value).ok())
            .map(Share)
            .ok_or_else(|| {
                "write 0% to 100%, such as 0.1%, with at most seven digits behind the point"
                    .to_owned()
            })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u64::from(self.0);
        let part = format!("{:07}", value % PERCENT);
        match part.trim_end_matches('0') {
            "" => write!(f, "{}%", value / PERCENT),
            part => write!(f, "{}.{part}%", value / PERCENT),
        }
    }
}

impl Rate {
    /// Bits in a second.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let unit = unit.strip_suffix("/s").unwrap_or(unit);
        let size = RATES
            .iter()
            .find(|(name, _)| name.strip_suffix("/s") == Some(unit));
        size.and_then(|(_, size)| times(number, *size))
            .filter(|bits| (SLOWEST..=FASTEST).contains(bits))
            .map(Rate)
            .ok_or_else(|| {
                "write 1kbit/s to 400Gbit/s: a number with bit/s, kbit/s, Mbit/s or Gbit/s behind it"
                    .to_owned()
            })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_units(f, self.0, &RATES)
    }
}

macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl TryFrom<String> for $kind {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse().map_err(|reason| format!("'{}': {reason}", crate::quotable(&text)))
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> String {
                value.to_string()
            }
        }
    )*};
}

as_text!(Time, Share, Rate);
