//! Latencies.

use std::collections::HashSet;
use std::fmt;

use prometheus_client::encoding::NoLabelSet;
use protocol::detail::Detail;
use protocol::probe::{LATENCY_BOUNDS_NS, LatencyTimes};

use super::super::Labels;
use super::super::list;
use super::{Number, Writer};

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// What is in each bucket, the last one without a bound.
fn buckets(times: &LatencyTimes) -> Vec<(f64, u64)> {
    let mut below = 0;
    let mut buckets = Vec::with_capacity(LATENCY_BOUNDS_NS.len() + 1);
    for (bound, within) in LATENCY_BOUNDS_NS.iter().zip(&times.within) {
        buckets.push((seconds(*bound), within.saturating_sub(below)));
        below = below.max(*within);
    }
    buckets.push((f64::INFINITY, times.samples.saturating_sub(below)));
    buckets
}

pub(super) fn latencies(writer: &mut Writer<'_>, details: &[(String, &Detail)]) -> fmt::Result {
    let mut ends: Vec<(Labels, &LatencyTimes)> = Vec::new();
    let mut starts: Vec<(Labels, u64)> = Vec::new();
    let mut seen = HashSet::new();
    for (process, detail) in details {
        for latency in &detail.latencies {
            let labels = vec![
                ("process", process.clone()),
                ("src", latency.src.clone()),
                ("dst", latency.dst.clone()),
            ];
            // A second one with the same labels would spoil the whole page.
            if !seen.insert(labels.clone()) {
                continue;
            }
            ends.extend(latency.times.as_ref().map(|times| (labels.clone(), times)));
            starts.extend(latency.stamped.map(|stamped| (labels, stamped)));
        }
    }
    writer.describe(&list::LATENCY, |mut encoder| {
        for (labels, times) in &ends {
            encoder
                .encode_family(labels)?
                .encode_histogram::<NoLabelSet>(
                    seconds(times.sum_ns),
                    times.samples,
                    &buckets(times),
                    None,
                )?;
        }
        Ok(())
    })?;
    let quantiles = ends.iter().flat_map(|(labels, times)| {
        let figures = [
            ("0.5", times.p50_ns),
            ("0.9", times.p90_ns),
            ("0.99", times.p99_ns),
            ("0.999", times.p999_ns),
            ("1", times.max_ns),
        ];
        figures.map(|(quantile, ns)| (labels, quantile, ns))
    });
    writer.each(
        &list::LATENCY_QUANTILE,
        quantiles,
        |(labels, quantile, ns)| {
            let mut labels = labels.clone();
            labels.push(("quantile", quantile.to_owned()));
            (labels, Number::Real(seconds(ns)))
        },
    )?;
    writer.each(&list::LATENCY_STAMPED, starts, |(labels, stamped)| {
        (labels, stamped)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_every_sample_once() {
        let mut within = vec![0; LATENCY_BOUNDS_NS.len()];
        within[3..].fill(7);
        within[10..].fill(9);
        let mut times = LatencyTimes {
            samples: 10,
            within,
            ..LatencyTimes::default()
        };
        let filled = |times: &LatencyTimes| -> Vec<(f64, u64)> {
            let all = buckets(times).into_iter();
            all.filter(|(_, count)| *count > 0).collect()
        };
        let expected = [(5e-6, 7), (1e-3, 2), (f64::INFINITY, 1)];
        assert_eq!(filled(&times), expected);
        // A process that tells less spoils nothing.
        times.within.truncate(4);
        assert_eq!(filled(&times), [(5e-6, 7), (f64::INFINITY, 3)]);
    }
}
