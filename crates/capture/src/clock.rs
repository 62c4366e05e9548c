//! The time of day from the time stamp counter, so that a worker reads it without asking the kernel.
//!
//! The control thread compares the counter with `CLOCK_REALTIME` a few times a second and hands the worker
//! a line through the last two comparisons. A comparison reads the clock between two readings of the
//! counter, several times, and keeps the closest; it is as exact as half of their distance, some 20 ns.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use panel::published::{Publisher, Subscriber, published};

/// How often the clocks are read for one comparison.
const READINGS: usize = 16;
/// Between the two comparisons that a clock begins with.
const FIRST: Duration = Duration::from_millis(20);
/// Least time between two comparisons; the rate is exact to about a ten-millionth then.
const APART_NS: u64 = 400_000_000;
/// A clock that is off by more was set: the time from before says nothing of its rate.
const SET_NS: u64 = 1_000_000;

/// A line from the counter to the time of day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    tsc: u64,
    ns: u64,
    ns_per_cycle: f64,
}

impl Line {
    /// The time of day in nanoseconds from 1970 when the counter was at `tsc`.
    #[inline]
    pub fn at(&self, tsc: u64) -> u64 {
        // The comparison may be younger than the reading.
        let cycles = tsc.wrapping_sub(self.tsc) as i64;
        self.ns
            .saturating_add_signed((cycles as f64 * self.ns_per_cycle) as i64)
    }
}

/// The time of day in nanoseconds from 1970, from the kernel.
pub fn wall_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64)
}

/// The counter and the time of day at one moment.
fn compare() -> (u64, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..READINGS {
        let before = dpdk::tsc();
        let ns = wall_ns();
        let took = dpdk::tsc().wrapping_sub(before);
        if took < best.0 {
            best = (took, before.wrapping_add(took / 2), ns);
        }
    }
    (best.1, best.2)
}

/// The side that compares: the control thread.
pub struct Clock {
    lines: Publisher<Line>,
    line: Line,
    /// How far the line had run off at the last comparison.
    off_ns: u64,
}

impl Clock {
    /// A clock, and its side for the worker. Takes 20 ms.
    pub fn new() -> (Self, Subscriber<Line>) {
        let first = compare();
        std::thread::sleep(FIRST);
        let (tsc, ns) = compare();
        let cycles = tsc.wrapping_sub(first.0).max(1);
        let line = Line {
            tsc,
            ns,
            ns_per_cycle: ns.saturating_sub(first.1) as f64 / cycles as f64,
        };
        let (lines, subscriber) = published(line);
        let clock = Clock {
            lines,
            line,
            off_ns: 0,
        };
        (clock, subscriber)
    }

    /// Compares again, if the last time is long enough ago; to be called several times a second.
    pub fn tick(&mut self) {
        let (tsc, ns) = compare();
        let since = ns.abs_diff(self.line.ns);
        if since < APART_NS {
            return;
        }
        self.off_ns = self.line.at(tsc).abs_diff(ns);
        let cycles = tsc.wrapping_sub(self.line.tsc);
        let mut line = Line {
            tsc,
            ns,
            ..self.line
        };
        if self.off_ns < SET_NS && cycles > 0 {
            line.ns_per_cycle = since as f64 / cycles as f64;
        }
        self.line = line;
        self.lines.publish(line);
        self.lines.collect();
    }

    /// How far the times given were off at the last comparison, in nanoseconds.
    pub fn off_ns(&self) -> u64 {
        self.off_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_kernels_clock() {
        let (mut clock, mut lines) = Clock::new();
        let end = wall_ns() + 1_500_000_000;
        let mut least = u64::MAX;
        while wall_ns() < end {
            clock.tick();
            let before = wall_ns();
            let ours = lines.get().at(dpdk::tsc());
            let after = wall_ns();
            // Where nothing came in between, ours lies between the two.
            if after - before < 2_000 {
                let off = before.saturating_sub(ours).max(ours.saturating_sub(after));
                least = least.min(off);
                assert!(off < 1_000_000, "off by {off} ns");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(least < 10_000, "never closer than {least} ns");
    }

    #[test]
    fn a_line_goes_both_ways() {
        let line = Line {
            tsc: 1000,
            ns: 5000,
            ns_per_cycle: 0.5,
        };
        assert_eq!(
            (line.at(1000), line.at(1200), line.at(800)),
            (5000, 5100, 4900)
        );
    }
}
