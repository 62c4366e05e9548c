//! Rates and times, as they are written on a command line.

use std::str::FromStr;
use std::time::Duration;

/// What a frame takes on a line beside its bytes: FCS, preamble, and the gap to the next one.
pub const LINE_OVERHEAD: usize = 24;

/// How fast to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Packets a second.
    Packets(f64),
    /// Bits a second on the line, with FCS, preamble and gap.
    Bits(f64),
}

impl Rate {
    /// Packets a second, where frames have `mean` bytes (without FCS) on average; at least 1.
    #[must_use]
    pub fn packets(self, mean: f64) -> u64 {
        let packets = match self {
            Self::Packets(packets) => packets,
            Self::Bits(bits) => bits / 8.0 / (mean + LINE_OVERHEAD as f64),
        };
        (packets.round() as u64).max(1)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "'{text}' is not a rate: packets a second (50000, 50kpps, 1.5mpps) or bits a second on the line (100mbit, 10gbit)"
            )
        };
        let (number, unit) = split(text);
        let number = number.ok_or_else(refused)?;
        let (scale, bits) = match unit.to_ascii_lowercase().as_str() {
            "" | "pps" => (1.0, false),
            "k" | "kpps" => (1e3, false),
            "m" | "mpps" => (1e6, false),
            "g" | "gpps" => (1e9, false),
            "bit" | "bps" => (1.0, true),
            "kbit" | "kbps" => (1e3, true),
            "mbit" | "mbps" => (1e6, true),
            "gbit" | "gbps" => (1e9, true),
            _ => return Err(refused()),
        };
        let rate = number * scale;
        if !(1.0..=1e12).contains(&rate) {
            return Err(format!("'{text}': a rate is 1 to 10¹² a second"));
        }
        Ok(match bits {
            true => Self::Bits(rate),
            false => Self::Packets(rate),
        })
    }
}

/// How fast a capture is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was captured.
    Times(f64),
    /// As fast as the port takes it.
    Most,
    /// Evenly.
    Rate(Rate),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = "a factor (1x, 10x, 0.5x), max, or a rate (50kpps, 100mbit)";
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Most);
        }
        if let (Some(factor), "x" | "X") = split(text) {
            return match (1e-6..=1e6).contains(&factor) {
                true => Ok(Self::Times(factor)),
                false => Err(format!("'{text}': a factor is 0.000001x to 1000000x")),
            };
        }
        match text.parse() {
            Ok(rate) => Ok(Self::Rate(rate)),
            Err(_) => Err(format!("'{text}' is not a speed: {words}")),
        }
    }
}

/// Reads a time: seconds (10, 0.5), or with a unit (500ms, 10s, 2m, 1h).
///
/// # Errors
/// It is none, or longer than ten years.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("'{text}' is not a time: seconds (10, 0.5), or 500ms, 10s, 2m, 1h");
    let (number, unit) = split(text);
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(refused()),
    };
    let seconds = number.ok_or_else(refused)? * scale;
    if seconds > 3.2e8 {
        return Err(format!("'{text}' is more than ten years"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| refused())
}

/// A number, and what follows it.
fn split(text: &str) -> (Option<f64>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        for (text, rate) in [
            ("50000", Rate::Packets(50_000.0)),
            ("10mpps", Rate::Packets(1e7)),
            ("1.5Mpps", Rate::Packets(1.5e6)),
            ("20k", Rate::Packets(20_000.0)),
            ("1gbit", Rate::Bits(1e9)),
            ("100mbps", Rate::Bits(1e8)),
        ] {
            assert_eq!(text.parse(), Ok(rate), "{text}");
        }
        for text in [
            "",
            "fast",
            "0",
            "-1",
            "10 mpps",
            "1tbit",
            "0.1pps",
            "1e3",
            "9999999gpps",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn bits_are_those_of_the_line() {
        assert_eq!(Rate::Bits(1e10).packets(60.0), 14_880_952);
        assert_eq!(Rate::Bits(1e9).packets(1514.0), 81_274);
        assert_eq!(Rate::Bits(1.0).packets(60.0), 1);
    }

    #[test]
    fn speeds_and_times() {
        assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("max".parse(), Ok(Speed::Most));
        assert_eq!("5kpps".parse(), Ok(Speed::Rate(Rate::Packets(5000.0))));
        assert!("0x".parse::<Speed>().unwrap_err().contains("factor"));
        assert!("quick".parse::<Speed>().unwrap_err().contains("10x"));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["-1", "", "1d", "1e9", "99999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
