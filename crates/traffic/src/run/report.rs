//! What came of a run.

use std::fmt;

use serde::Serialize;

use crate::FlowTotals;

/// How old frames were when they arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Age {
    /// Of how many frames.
    #[serde(skip)]
    frames: u64,
    #[serde(skip)]
    sum_ns: u64,
    /// The youngest, in nanoseconds.
    pub least_ns: u64,
    /// The average.
    pub mean_ns: u64,
    /// The oldest.
    pub most_ns: u64,
}

impl Age {
    pub(super) fn add(&mut self, ns: u64) {
        self.least_ns = if self.frames == 0 {
            ns
        } else {
            self.least_ns.min(ns)
        };
        self.frames += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.mean_ns = self.sum_ns / self.frames;
        self.most_ns = self.most_ns.max(ns);
    }

    /// Of how many frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

/// What came of one flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FlowReport {
    /// The flow.
    pub flow: u16,
    /// Frames sent; `None` if we did not send.
    pub sent: Option<u64>,
    /// Different frames received.
    pub received: u64,
    /// Frames missing.
    pub lost: u64,
    /// Further copies of received frames.
    pub duplicated: u64,
    /// Of the received, those behind a later one.
    pub reordered: u64,
    /// Damaged frames.
    pub bad: u64,
    /// Frames that came so late that nobody knows whether they came before.
    pub unplaced: u64,
}

impl FlowReport {
    pub(super) fn new(flow: u16, sent: Option<u64>, totals: &FlowTotals) -> Self {
        Self {
            flow,
            sent,
            received: totals.received,
            lost: totals.lost,
            duplicated: totals.duplicated,
            reordered: totals.reordered,
            bad: totals.bad,
            unplaced: totals.unplaced,
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Bytes of a frame without FCS.
    pub size: usize,
    /// Frames that the port took.
    pub sent: u64,
    /// Frames that it refused; they were taken back and not sent.
    pub refused: u64,
    /// Different frames received.
    pub received: u64,
    /// Frames missing: of those sent, or, without a sender, of those up to the highest received.
    pub lost: u64,
    /// Further copies of received frames.
    pub duplicated: u64,
    /// Of the received, those behind a later one of their flow.
    pub reordered: u64,
    /// Damaged frames.
    pub bad: u64,
    /// Frames that came so late that nobody knows whether they came before.
    pub unplaced: u64,
    /// Packets that are not of these flows.
    pub foreign: u64,
    /// Frames of these flows came that nobody here sent: another generator is at work.
    pub alien: bool,
    /// Nothing moved for too long while there was more to send or to receive.
    pub stalled: bool,
    /// Seconds from the start to the last frame sent.
    pub sent_seconds: f64,
    /// Seconds from the first to the last frame received.
    pub received_seconds: f64,
    /// How old the frames were when they arrived; only with a sender are the clocks the same.
    pub age: Option<Age>,
    /// Flow by flow.
    pub flows: Vec<FlowReport>,
}

impl Report {
    pub(super) fn add(&mut self, flow: FlowReport) {
        self.received += flow.received;
        self.lost += flow.lost;
        self.duplicated += flow.duplicated;
        self.reordered += flow.reordered;
        self.bad += flow.bad;
        self.unplaced += flow.unplaced;
        self.flows.push(flow);
    }

    /// Whether all went as planned and each frame arrived once, whole and in order; frames may be missing
    /// if `allow_loss` says so.
    #[must_use]
    pub fn is_good(&self, allow_loss: bool) -> bool {
        let faults = self.duplicated + self.reordered + self.bad + self.unplaced;
        faults == 0 && !self.alien && !self.stalled && (allow_loss || self.lost == 0)
    }

    /// As JSON, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and names only: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sent {} frames of {} bytes in {:.3} s: {:.0} a second ({} refused by the port, not sent)",
            self.sent,
            self.size,
            self.sent_seconds,
            rate(self.sent, self.sent_seconds),
            self.refused
        )?;
        writeln!(
            f,
            "received {} in {:.3} s: {:.0} a second",
            self.received,
            self.received_seconds,
            rate(self.received, self.received_seconds)
        )?;
        write!(
            f,
            "lost {}, duplicated {}, reordered {}, bad {}, unplaced {}, foreign {}",
            self.lost, self.duplicated, self.reordered, self.bad, self.unplaced, self.foreign
        )?;
        if let Some(age) = &self.age {
            let us = |ns: u64| ns as f64 / 1000.0;
            write!(
                f,
                "\non the way {:.1} us at least, {:.1} on average, {:.1} at most",
                us(age.least_ns),
                us(age.mean_ns),
                us(age.most_ns)
            )?;
        }
        if self.alien {
            write!(
                f,
                "\nframes of these flows arrived that were not sent here: another generator is at work"
            )?;
        }
        if self.stalled {
            write!(f, "\nended early: nothing moved for too long")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_good_only_if_nothing_went_wrong() {
        let good = Report {
            sent: 5,
            received: 5,
            refused: 3,
            foreign: 2,
            ..Report::default()
        };
        assert!(good.is_good(false));
        let lost = Report {
            lost: 1,
            ..good.clone()
        };
        assert!(!lost.is_good(false) && lost.is_good(true));
        for bad in [
            Report {
                duplicated: 1,
                ..good.clone()
            },
            Report {
                reordered: 1,
                ..good.clone()
            },
            Report {
                bad: 1,
                ..good.clone()
            },
            Report {
                unplaced: 1,
                ..good.clone()
            },
            Report {
                stalled: true,
                ..good.clone()
            },
            Report {
                alien: true,
                ..good.clone()
            },
        ] {
            assert!(!bad.is_good(true), "{bad}");
        }
    }

    #[test]
    fn ages_are_added_up() {
        let mut age = Age::default();
        for ns in [30, 10, 50] {
            age.add(ns);
        }
        assert_eq!(
            (age.least_ns, age.mean_ns, age.most_ns, age.frames()),
            (10, 30, 50, 3)
        );
    }
}
