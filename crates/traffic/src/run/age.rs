//! How old frames were when they arrived.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Times up to an hour, to one part in a thousand.
const LONGEST_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// The ages of many frames, in bounded memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ages {
    /// Made when the first frame comes.
    counts: Option<Histogram<u64>>,
    sum_ns: u64,
    least_ns: u64,
    most_ns: u64,
    /// Of the last frames, which are not counted yet: those of a burst have the same age.
    last_ns: u64,
    run: u64,
}

impl Ages {
    #[inline]
    pub(crate) fn add(&mut self, ns: u64) {
        if ns != self.last_ns {
            self.count();
            self.last_ns = ns;
        }
        self.run += 1;
    }

    /// Counts what was added.
    pub(crate) fn count(&mut self) {
        let (ns, run) = (self.last_ns, std::mem::take(&mut self.run));
        if run == 0 {
            return;
        }
        let counts = match &mut self.counts {
            Some(counts) => counts,
            empty => {
                self.least_ns = ns;
                match Histogram::new_with_bounds(1, LONGEST_NS, DIGITS) {
                    Ok(counts) => empty.insert(counts),
                    // These bounds are possible.
                    Err(_) => return,
                }
            }
        };
        counts.saturating_record_n(ns, run);
        self.sum_ns = self.sum_ns.saturating_add(ns.saturating_mul(run));
        self.least_ns = self.least_ns.min(ns);
        self.most_ns = self.most_ns.max(ns);
    }

    /// The figures of what is counted; `None` without frames.
    pub(crate) fn figures(&self) -> Option<Age> {
        let counts = self.counts.as_ref().filter(|counts| !counts.is_empty())?;
        let at = |quantile| {
            counts
                .value_at_quantile(quantile)
                .clamp(self.least_ns, self.most_ns)
        };
        Some(Age {
            least_ns: self.least_ns,
            mean_ns: self.sum_ns / counts.len(),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            most_ns: self.most_ns,
        })
    }

    /// Those that came after `earlier`, which is a beginning of these. The youngest and the oldest are as exact as the counts.
    pub(crate) fn since(&self, earlier: &Ages) -> Ages {
        let Some(mut counts) = self.counts.clone() else {
            return Ages::default();
        };
        if let Some(earlier) = &earlier.counts {
            // It has the same bounds, and no more of anything.
            let _ = counts.subtract(earlier);
        }
        Ages {
            least_ns: counts.min(),
            most_ns: counts.max().min(self.most_ns),
            sum_ns: self.sum_ns - earlier.sum_ns,
            counts: Some(counts),
            ..Ages::default()
        }
    }
}

/// How old frames were when they arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Age {
    /// The youngest, in nanoseconds.
    pub least_ns: u64,
    /// The average.
    pub mean_ns: u64,
    /// Half of them were at most so old (to one part in a hundred, as the following).
    pub p50_ns: u64,
    /// Nine of ten.
    pub p90_ns: u64,
    /// 99 of a hundred.
    pub p99_ns: u64,
    /// 999 of a thousand.
    pub p999_ns: u64,
    /// The oldest.
    pub most_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_counted() {
        let mut ages = Ages::default();
        assert_eq!(ages.figures(), None);
        for ns in 1..=1000 {
            ages.add(ns * 1000);
        }
        ages.count();
        let age = ages.figures().unwrap();
        assert_eq!(
            (age.least_ns, age.mean_ns, age.most_ns),
            (1000, 500_500, 1_000_000)
        );
        let near = |found: u64, true_ns: u64| found.abs_diff(true_ns) * 100 <= true_ns;
        assert!(
            near(age.p50_ns, 500_000) && near(age.p90_ns, 900_000),
            "{age:?}"
        );
        assert!(
            near(age.p99_ns, 990_000) && near(age.p999_ns, 999_000),
            "{age:?}"
        );
        let before = ages.clone();
        assert_eq!(ages.since(&before).figures(), None);
        for _ in 0..10 {
            ages.add(5_000_000);
        }
        ages.count();
        let later = ages.since(&before).figures().unwrap();
        assert!(
            near(later.least_ns, 5_000_000) && near(later.p50_ns, 5_000_000),
            "{later:?}"
        );
        assert_eq!(later.mean_ns, 5_000_000);
    }
}
