//! Names of ports, in every form in which they are written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::quotable;

/// Longest text that is looked at when a port name is parsed, in bytes.
pub const MAX_PORT_TEXT: usize = 64;

/// Name of a port: its kind and its number, for physical ports also the queue.
///
/// Written `vhost:1` or `vhost 1`; a queue as `phy:0nq1`, `phy:0 nq 1` or `phy 0 nq 1`.
/// [`fmt::Display`] gives the form of the wire (`phy:0nq1`), [`PortName::report`] that of
/// status replies (`phy:0 nq 1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortName {
    /// An ethdev of the primary: a NIC or one of its `--vdev`s.
    Phy {
        /// Number of the port.
        port: u16,
        /// Queue; `None` stands for queue 0 of a port that has only one.
        queue: Option<u16>,
    },
    /// A shared-memory ring of the primary.
    Ring(u16),
    /// A vhost-user socket.
    Vhost(u16),
    /// A pair of capture files.
    Pcap(u16),
    /// An endless source and sink.
    Nullpmd(u16),
    /// A tap interface of the kernel.
    Tap(u16),
    /// A shared-memory interface.
    Memif(u16),
}

/// Why a text is no port name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortError {
    /// Nothing was given.
    #[error("a port is missing: write it as type:number, such as vhost:1")]
    Missing,
    /// The text is longer than [`MAX_PORT_TEXT`].
    #[error("'{0}' is too long for a port: write it as type:number, such as vhost:1")]
    TooLong(String),
    /// The type is none of ours.
    #[error("'{0}' has no known port type: use phy, ring, vhost, pcap, nullpmd, tap or memif")]
    Kind(String),
    /// Only the type was given.
    #[error("'{0}' has no number: write it as type:number, such as vhost:1")]
    NoNumber(String),
    /// What follows the type or `nq` is no number.
    #[error("'{0}' is no number of a port or queue: use digits, 0 to 65535")]
    Number(String),
    /// A queue was given for a port that has none.
    #[error("'{0}' names a queue: only phy ports have queues")]
    Queue(String),
    /// Something follows the port.
    #[error("'{0}' follows the port and has no meaning there")]
    Surplus(String),
}

impl PortName {
    /// Reads a port from the first one to four of `words`; gives it and how many it used.
    ///
    /// # Errors
    /// [`PortError`] when the words do not begin with a port.
    pub fn take(words: &[&str]) -> Result<(Self, usize), PortError> {
        let first = *words.first().ok_or(PortError::Missing)?;
        if first.len() > MAX_PORT_TEXT {
            return Err(PortError::TooLong(quotable(first)));
        }
        let (kind, rest, mut used) = match first.split_once(':') {
            Some((kind, rest)) => (kind, rest, 1),
            None => (first, words.get(1).copied().unwrap_or(""), 2),
        };
        // The kind comes first, so that `foo` is called an unknown type and not a missing number.
        let make = Self::maker(kind).ok_or_else(|| PortError::Kind(quotable(first)))?;
        if rest.is_empty() {
            return Err(PortError::NoNumber(quotable(first)));
        }
        let (number, queue) = match rest.split_once("nq") {
            Some((number, queue)) => (number, Some(queue)),
            None if words.get(used) == Some(&"nq") => {
                let queue = words.get(used + 1).copied().unwrap_or("");
                used += 2;
                (rest, Some(queue))
            }
            None => (rest, None),
        };
        let number = parse_number(number)?;
        let name = match (make(number), queue) {
            (Self::Phy { port, .. }, Some(queue)) => Self::Phy {
                port,
                queue: Some(parse_number(queue)?),
            },
            (_, Some(_)) => return Err(PortError::Queue(quotable(first))),
            (name, None) => name,
        };
        Ok((name, used))
    }

    fn maker(kind: &str) -> Option<fn(u16) -> Self> {
        Some(match kind {
            "phy" => |port| Self::Phy { port, queue: None },
            "ring" => Self::Ring,
            "vhost" => Self::Vhost,
            "pcap" => Self::Pcap,
            "nullpmd" => Self::Nullpmd,
            "tap" => Self::Tap,
            "memif" => Self::Memif,
            _ => return None,
        })
    }

    /// The word before the colon.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Phy { .. } => "phy",
            Self::Ring(_) => "ring",
            Self::Vhost(_) => "vhost",
            Self::Pcap(_) => "pcap",
            Self::Nullpmd(_) => "nullpmd",
            Self::Tap(_) => "tap",
            Self::Memif(_) => "memif",
        }
    }

    /// The number after the colon.
    pub fn number(&self) -> u16 {
        match *self {
            Self::Phy { port, .. } => port,
            Self::Ring(n)
            | Self::Vhost(n)
            | Self::Pcap(n)
            | Self::Nullpmd(n)
            | Self::Tap(n)
            | Self::Memif(n) => n,
        }
    }

    /// The queue, where one was named.
    pub fn queue(&self) -> Option<u16> {
        match *self {
            Self::Phy { queue, .. } => queue,
            _ => None,
        }
    }

    /// The form of status replies: `ring:0`, `phy:0 nq 1`.
    pub fn report(&self) -> String {
        match self.queue() {
            Some(queue) => format!("{}:{} nq {queue}", self.kind(), self.number()),
            None => self.to_string(),
        }
    }
}

/// Digits only: what `str::parse` takes beyond them (`+1`) is refused.
fn parse_number(text: &str) -> Result<u16, PortError> {
    let refused = || PortError::Number(quotable(text));
    if text.is_empty() || text.len() > 5 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refused());
    }
    text.parse().map_err(|_| refused())
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.number())?;
        match self.queue() {
            Some(queue) => write!(f, "nq{queue}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PortName {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        if text.len() > MAX_PORT_TEXT {
            return Err(PortError::TooLong(quotable(text)));
        }
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (name, used) = Self::take(&words)?;
        match words.get(used) {
            Some(word) => Err(PortError::Surplus(quotable(word))),
            None => Ok(name),
        }
    }
}

impl Serialize for PortName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any port.
    pub(crate) fn any_port() -> impl Strategy<Value = PortName> {
        prop_oneof![
            (any::<u16>(), any::<Option<u16>>())
                .prop_map(|(port, queue)| PortName::Phy { port, queue }),
            any::<u16>().prop_map(PortName::Ring),
            any::<u16>().prop_map(PortName::Vhost),
            any::<u16>().prop_map(PortName::Pcap),
            any::<u16>().prop_map(PortName::Nullpmd),
            any::<u16>().prop_map(PortName::Tap),
            any::<u16>().prop_map(PortName::Memif),
        ]
    }

    #[test]
    fn all_forms_name_the_same_port() {
        let queue = PortName::Phy {
            port: 0,
            queue: Some(1),
        };
        for text in [
            "phy:0nq1",
            "phy:0 nq 1",
            "phy 0 nq 1",
            "phy 0nq1",
            " phy:0  nq 1 ",
        ] {
            assert_eq!(text.parse(), Ok(queue), "{text}");
        }
        for text in ["vhost:1", "vhost 1", "vhost:01"] {
            assert_eq!(text.parse(), Ok(PortName::Vhost(1)), "{text}");
        }
        assert_eq!(queue.to_string(), "phy:0nq1");
        assert_eq!(queue.report(), "phy:0 nq 1");
    }

    #[test]
    fn what_is_no_port_is_refused_with_the_reason() {
        let cases = [
            ("", PortError::Missing),
            ("foo", PortError::Kind("foo".into())),
            ("foo:1", PortError::Kind("foo:1".into())),
            ("Ring:1", PortError::Kind("Ring:1".into())),
            ("ring", PortError::NoNumber("ring".into())),
            ("ring:", PortError::NoNumber("ring:".into())),
            ("ring: 1", PortError::NoNumber("ring:".into())),
            ("ring:+1", PortError::Number("+1".into())),
            ("ring:-1", PortError::Number("-1".into())),
            ("ring:1_0", PortError::Number("1_0".into())),
            ("ring:٣", PortError::Number("٣".into())),
            ("ring:65536", PortError::Number("65536".into())),
            ("ring:000001", PortError::Number("000001".into())),
            ("ring:1:2", PortError::Number("1:2".into())),
            ("ring:2nq1", PortError::Queue("ring:2nq1".into())),
            ("phy:0nq", PortError::Number("".into())),
            ("phy:0 nq", PortError::Number("".into())),
            ("phy:0nq1nq2", PortError::Number("1nq2".into())),
            ("ring:1 2", PortError::Surplus("2".into())),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<PortName>(), Err(error), "{text}");
        }
        let long = "ring:".to_string() + &"1".repeat(2_000_000);
        let message = long.parse::<PortName>().unwrap_err().to_string();
        assert!(message.len() < 200, "{message}");
    }

    proptest! {
        #[test]
        fn every_form_reads_back(port in any_port()) {
            prop_assert_eq!(port.to_string().parse(), Ok(port));
            prop_assert_eq!(port.report().parse(), Ok(port));
            prop_assert_eq!(port.to_string().replacen(':', " ", 1).parse(), Ok(port));
            let json = serde_json::to_string(&port).unwrap();
            prop_assert_eq!(serde_json::from_str::<PortName>(&json).unwrap(), port);
        }

        #[test]
        fn no_text_does_harm(text in "\\PC{0,80}") {
            if let Ok(port) = text.parse::<PortName>() {
                prop_assert_eq!(port.to_string().parse(), Ok(port));
            }
        }
    }
}
