//! How long packets take from a source to a destination: stamped here, read there, counted in a histogram.
//!
//! Only the worker at an end writes; the control thread reads at any time. Between the ends the stamp travels in
//! the mbuf ([`dpdk::stamp`]), through rings and processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use dpdk::{Burst, Stamps, tsc};
use hdrhistogram::Histogram;

use crate::area::PatchBlock;
use crate::code::PortCode;
use crate::line::Stage;
use crate::port::Context;
use crate::tally::add;

/// From where to where a time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// Where packets are received.
    pub src: PortCode,
    /// Where they are sent.
    pub dst: PortCode,
}

impl Path {
    /// What stamps of this path bear.
    pub(crate) fn tag(self) -> u64 {
        u64::from(self.src.raw()) << 32 | u64::from(self.dst.raw())
    }
}

/// The beginning of a path: says which packets are stamped.
#[derive(Debug)]
pub struct Start {
    path: Path,
    every: u32,
    /// Packets that pass before the next one is stamped.
    pass: AtomicU32,
    stamped: AtomicU64,
}

impl Start {
    /// Stamps one packet of `every` (at least 1), beginning with the first.
    pub(crate) fn new(path: Path, every: u32) -> Self {
        Start {
            path,
            every: every.max(1),
            pass: AtomicU32::new(0),
            stamped: AtomicU64::new(0),
        }
    }

    /// One packet of so many is stamped.
    pub fn every(&self) -> u32 {
        self.every
    }

    /// Packets stamped so far.
    pub fn stamped(&self) -> u64 {
        self.stamped.load(Relaxed)
    }
}

/// All beginnings at one source.
pub(crate) struct Stamper {
    pub(crate) stamps: Stamps,
    pub(crate) starts: Vec<Arc<Start>>,
}

impl Stage for Stamper {
    fn run(&self, _cx: &mut Context, burst: &mut Burst, _counters: &PatchBlock) {
        let n = burst.len() as u32;
        let mut now = None;
        // A packet carries one stamp: what one path has taken is not for the next.
        let mut taken = 0u64;
        for start in &self.starts {
            let mut at = start.pass.load(Relaxed);
            while at < n {
                let time = *now.get_or_insert_with(tsc);
                let free = taken & 1 << at == 0;
                if free && self.stamps.put(burst, at as usize, start.path.tag(), time) {
                    taken |= 1 << at;
                    add(&start.stamped, 1);
                    at = at.saturating_add(start.every);
                } else {
                    at += 1;
                }
            }
            start.pass.store(at - n, Relaxed);
        }
    }
}

/// Two halves of a power of two have so many bins: what is read is off by less than one in so many.
const HALF: u64 = 128;
const HALF_BITS: u32 = HALF.trailing_zeros();
/// Times of this many bits are told apart: over 20 minutes.
const BITS: u32 = 42;
const BINS: usize = ((BITS - HALF_BITS + 1) as usize) * HALF as usize;

/// The bin of a time in cycles.
fn bin_of(cycles: u64) -> usize {
    if cycles < HALF {
        return cycles as usize;
    }
    let shift = 63 - cycles.leading_zeros() - HALF_BITS;
    let bin = u64::from(shift + 1) * HALF + (cycles >> shift) - HALF;
    (bin as usize).min(BINS - 1)
}

/// The middle of a bin, in cycles.
fn middle_of(bin: usize) -> u64 {
    let bin = bin as u64;
    if bin < HALF {
        return bin;
    }
    let shift = bin / HALF - 1;
    ((bin % HALF + HALF) << shift) + ((1 << shift) - 1) / 2
}

/// The end of a path: counts times.
#[derive(Debug)]
pub struct End {
    path: Path,
    bins: Box<[AtomicU64]>,
    sum: AtomicU64,
    longest: AtomicU64,
    backward: AtomicU64,
}

impl End {
    pub(crate) fn new(path: Path) -> Self {
        End {
            path,
            bins: (0..BINS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            backward: AtomicU64::new(0),
        }
    }

    fn note(&self, from: u64, to: u64) {
        let Some(cycles) = to.checked_sub(from) else {
            return add(&self.backward, 1);
        };
        add(&self.bins[bin_of(cycles)], 1);
        add(&self.sum, cycles);
        if cycles > self.longest.load(Relaxed) {
            self.longest.store(cycles, Relaxed);
        }
    }

    /// What was counted so far, with `hz` cycles in a second.
    pub fn times(&self, hz: u64) -> Times {
        let to_ns = |cycles: u64| {
            let ns = u128::from(cycles) * 1_000_000_000 / u128::from(hz.max(1));
            u64::try_from(ns).unwrap_or(u64::MAX)
        };
        let longest_ns = to_ns(self.longest.load(Relaxed));
        let mut times = Times {
            sum_ns: to_ns(self.sum.load(Relaxed)),
            longest_ns,
            backward: self.backward.load(Relaxed),
            ..Times::default()
        };
        for (bin, count) in self.bins.iter().enumerate() {
            let count = count.load(Relaxed);
            if count > 0 {
                times.samples += count;
                let ns = to_ns(middle_of(bin)).min(longest_ns);
                times.counts.push((ns, count));
            }
        }
        times
    }
}

/// One end as a stage, in front of the destination.
pub(crate) struct Reader {
    pub(crate) stamps: Stamps,
    pub(crate) end: Arc<End>,
}

impl Stage for Reader {
    fn run(&self, _cx: &mut Context, burst: &mut Burst, _counters: &PatchBlock) {
        let mut now = None;
        self.stamps.take(burst, self.end.path.tag(), |time| {
            self.end.note(time, *now.get_or_insert_with(tsc));
        });
    }
}

/// Times that were counted, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// How many.
    pub samples: u64,
    /// All together.
    pub sum_ns: u64,
    /// The longest, exactly.
    pub longest_ns: u64,
    /// Stamps that lay in the future: the CPUs' counters do not agree. They are in no other figure.
    pub backward: u64,
    /// Times that occurred, ascending and true to 0.4 %, with how often they did.
    pub counts: Vec<(u64, u64)>,
}

impl Times {
    /// The time that the share `quantile` (0 to 1) of all times does not exceed (to 0.5 %), for each of
    /// `quantiles`; 0 if there is none.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [u64; N] {
        let Ok(mut histogram) = Histogram::<u64>::new(3) else {
            return [0; N];
        };
        for (ns, count) in &self.counts {
            // It grows by itself, up to any time.
            let _ = histogram.record_n(*ns, *count);
        }
        quantiles.map(|q| histogram.value_at_quantile(q).min(self.longest_ns))
    }

    /// How many were at most as long as each of `bounds` (nanoseconds, ascending).
    pub fn within<const N: usize>(&self, bounds: [u64; N]) -> [u64; N] {
        bounds.map(|bound| {
            let short = self.counts.iter().take_while(|(ns, _)| *ns <= bound);
            short.map(|(_, count)| count).sum()
        })
    }
}

/// Whether the time stamp counter runs evenly and alike on all CPUs (`constant_tsc` and `nonstop_tsc` of
/// /proc/cpuinfo on x86; other architectures' always do).
pub fn clock_is_even() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return true;
    }
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut flags = info.lines().filter(|line| line.starts_with("flags"));
    let has = |line: &str, flag: &str| line.split_whitespace().any(|word| word == flag);
    flags.next().is_some() && flags.all(|l| has(l, "constant_tsc") && has(l, "nonstop_tsc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::PortKind;

    fn end() -> End {
        let port = PortCode::new(PortKind::Ring, 0, 0);
        End::new(Path {
            src: port,
            dst: port,
        })
    }

    #[test]
    fn bins_follow_one_another_without_a_gap_and_are_narrow() {
        let mut last = 0;
        for shift in 0..BITS {
            for cycles in [0, 1, 2, 3].map(|n| (1u64 << shift) + (n << shift) / 4) {
                let bin = bin_of(cycles);
                assert!(bin >= last, "{cycles}");
                last = bin;
                let off = middle_of(bin).abs_diff(cycles);
                assert!(
                    off * 2 * HALF <= cycles,
                    "{cycles} became {}",
                    middle_of(bin)
                );
            }
        }
        for bin in 0..BINS {
            assert_eq!(bin_of(middle_of(bin)), bin);
        }
        assert_eq!(bin_of(u64::MAX), BINS - 1);
    }

    #[test]
    fn figures_are_those_of_the_times_that_were_noted() {
        let end = end();
        for us in 1..=1000 {
            end.note(0, us * 1000);
        }
        end.note(500, 499);
        let times = end.times(1_000_000_000);
        assert_eq!((times.samples, times.backward), (1000, 1));
        assert_eq!((times.longest_ns, times.sum_ns), (1_000_000, 500_500_000));
        let [half, most, all] = times.quantiles([0.5, 0.99, 1.0]);
        assert!(half.abs_diff(500_000) < 5_000, "{half}");
        assert!(most.abs_diff(990_000) < 9_900, "{most}");
        assert_eq!(all, 1_000_000);
        let [none, some, each] = times.within([500, 250_000, 1_000_000]);
        assert_eq!((none, each), (0, 1000));
        assert!((248..=252).contains(&some), "{some}");
        assert_eq!(super::Times::default().quantiles([0.5]), [0]);
    }
}
