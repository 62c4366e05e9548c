//! Telling a process from its predecessor under the same name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A random number that a process draws at its start; written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Draws a new one.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub fn new() -> sys::Result<Self> {
        sys::proc::random_u64().map(Self)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Incarnation {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is not 16 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not an incarnation: 16 hexadecimal digits")]
pub struct NotAnIncarnation(String);

impl FromStr for Incarnation {
    type Err = NotAnIncarnation;

    fn from_str(text: &str) -> Result<Self, NotAnIncarnation> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| NotAnIncarnation(text.chars().take(40).collect()))
    }
}

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let one = Incarnation::from(0x9f3c);
        assert_eq!(one.to_string(), "0000000000009f3c");
        assert_eq!(serde_json::to_string(&one).unwrap(), "\"0000000000009f3c\"");
        assert_eq!("0000000000009F3C".parse::<Incarnation>().unwrap(), one);
        for bad in [
            "",
            "9f3c",
            "+00000000009f3c0",
            "000000000000000g",
            "00000000000000000",
        ] {
            assert!(bad.parse::<Incarnation>().is_err(), "{bad}");
        }
        assert_ne!(Incarnation::new().unwrap(), Incarnation::new().unwrap());
    }
}
