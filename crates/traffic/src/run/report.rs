//! What came of a run.

use std::fmt;

use serde::Serialize;

use super::age::Age;
use super::buffers::Buffer;
use super::units::{rate, rates, short, us};
use crate::FlowTotals;
use crate::replay::ContentTotals;

/// How often the receiving port was looked at: no time on the way is known better than that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Looks {
    /// From one look to the next on average, in nanoseconds.
    pub mean_ns: u64,
    /// The longest time between two: the thread rested, or had no CPU.
    pub most_ns: u64,
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

/// By what frames are accounted for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measured {
    /// By flow and sequence number; every bit is compared.
    #[default]
    Sequence,
    /// By their bytes: how many arrived of each. Times are not measured.
    Content,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Bytes of a frame without FCS; `None` if they have several sizes.
    pub size: Option<usize>,
    /// By what frames are accounted for.
    pub measured: Measured,
    /// Frames that the port took.
    pub sent: u64,
    /// Their bytes, without FCS.
    pub sent_bytes: u64,
    /// Frames that it refused; they were taken back and not sent.
    pub refused: u64,
    /// Different frames received.
    pub received: u64,
    /// Bytes of all packets that came, foreign ones among them.
    pub received_bytes: u64,
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
    /// How exact that can be.
    pub looks: Option<Looks>,
    /// Flow by flow; empty where a capture is replayed.
    pub flows: Vec<FlowReport>,
    /// The mbufs of the first frames that were sent, if they were to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffers_sent: Option<Vec<Buffer>>,
    /// Those of the first that came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffers_received: Option<Vec<Buffer>>,
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

    pub(super) fn add_content(&mut self, totals: &ContentTotals) {
        self.measured = Measured::Content;
        self.received += totals.received;
        self.lost += totals.lost;
        self.duplicated += totals.duplicated;
        self.reordered += totals.reordered;
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = match self.size {
            Some(size) => format!("{size} bytes"),
            None => format!(
                "{:.0} bytes on average",
                self.sent_bytes as f64 / self.sent.max(1) as f64
            ),
        };
        writeln!(
            f,
            "sent {} frames of {sizes} in {:.3} s: {} ({} refused by the port, not sent)",
            self.sent,
            self.sent_seconds,
            rates(self.sent, self.sent_bytes, self.sent_seconds),
            self.refused
        )?;
        writeln!(
            f,
            "received {} in {:.3} s: {}pps",
            self.received,
            self.received_seconds,
            short(rate(self.received, self.received_seconds))
        )?;
        match self.measured {
            Measured::Sequence => write!(
                f,
                "lost {}, duplicated {}, reordered {}, bad {}, unplaced {}, foreign {}",
                self.lost, self.duplicated, self.reordered, self.bad, self.unplaced, self.foreign
            )?,
            Measured::Content => write!(
                f,
                "lost {}, duplicated {}, out of order {}, other than sent {} (by content; times on the way are not measured)",
                self.lost, self.duplicated, self.reordered, self.foreign
            )?,
        }
        if let Some(age) = &self.age {
            write!(
                f,
                "\non the way: least {:.1} us, p50 {:.1}, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, most {:.1}, mean {:.1}",
                us(age.least_ns),
                us(age.p50_ns),
                us(age.p90_ns),
                us(age.p99_ns),
                us(age.p999_ns),
                us(age.most_ns),
                us(age.mean_ns)
            )?;
            if let Some(looks) = &self.looks {
                write!(
                    f,
                    "\n(the port was looked at every {:.1} us on average, after {:.1} us at most: times are not known better than that)",
                    us(looks.mean_ns),
                    us(looks.most_ns)
                )?;
            }
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
        let sides = [
            ("sent", &self.buffers_sent),
            ("received", &self.buffers_received),
        ];
        for (side, buffers) in sides {
            for buffer in buffers.iter().flatten() {
                write!(f, "\n{side} {buffer}")?;
            }
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
}
