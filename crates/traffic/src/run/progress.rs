//! How a run goes, told while it goes.

use std::fmt;

use serde::Serialize;

use super::age::{Age, Ages};
use super::units::{rate, rates, short, us};

/// What came of a run up to a moment.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    pub(super) at_ns: u64,
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) received: u64,
    pub(super) received_bytes: u64,
    pub(super) missing: Option<u64>,
    pub(super) ages: Ages,
}

/// What happened between two moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Interval {
    /// When it ended, in seconds from the start.
    pub at_seconds: f64,
    /// How long it was.
    pub seconds: f64,
    /// Frames sent.
    pub sent: u64,
    /// Their bytes, without FCS.
    pub sent_bytes: u64,
    /// Different frames received.
    pub received: u64,
    /// Bytes of all that came.
    pub received_bytes: u64,
    /// Frames that are missing before the last that came, from the start on; `None` where that is known at the end only.
    pub missing: Option<u64>,
    /// How old the frames were.
    pub age: Option<Age>,
}

impl Moment {
    /// What happened since an earlier one.
    #[must_use]
    pub fn since(&self, earlier: &Moment) -> Interval {
        Interval {
            at_seconds: self.at_ns as f64 / 1e9,
            seconds: self.at_ns.saturating_sub(earlier.at_ns) as f64 / 1e9,
            sent: self.sent - earlier.sent,
            sent_bytes: self.sent_bytes - earlier.sent_bytes,
            received: self.received - earlier.received,
            received_bytes: self.received_bytes - earlier.received_bytes,
            missing: self.missing,
            age: self.ages.since(&earlier.ages).figures(),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.1} s", self.at_seconds)?;
        write!(
            f,
            "  sent {}",
            rates(self.sent, self.sent_bytes, self.seconds)
        )?;
        write!(
            f,
            "  received {}pps",
            short(rate(self.received, self.seconds))
        )?;
        if let Some(missing) = self.missing {
            write!(f, "  missing so far {missing}")?;
        }
        if let Some(age) = &self.age {
            write!(
                f,
                "  p50 {:.1} us, p99 {:.1} us",
                us(age.p50_ns),
                us(age.p99_ns)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_what_happened_in_it() {
        let mut earlier = Moment {
            at_ns: 1_000_000_000,
            sent: 10,
            received: 8,
            ..Moment::default()
        };
        earlier.ages.add(5000);
        earlier.ages.count();
        let mut later = Moment {
            at_ns: 3_000_000_000,
            sent: 30,
            sent_bytes: 1200,
            received: 28,
            missing: Some(2),
            ..earlier.clone()
        };
        later.ages.add(7000);
        later.ages.count();
        let interval = later.since(&earlier);
        assert_eq!(
            (interval.seconds, interval.sent, interval.received),
            (2.0, 20, 20)
        );
        assert_eq!(interval.age.map(|age| age.mean_ns), Some(7000));
        let line = interval.to_string();
        assert!(
            line.contains("sent 10.0 pps, 6.72 kbit/s") && line.contains("missing so far 2"),
            "{line}"
        );
    }
}
