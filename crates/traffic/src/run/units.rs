//! Figures for people.

use crate::rate::LINE_OVERHEAD;

/// So many in a second.
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

/// `1.49 Mpps, 1.00 Gbit/s`: packets, and bits on the line.
pub(super) fn rates(packets: u64, bytes: u64, seconds: f64) -> String {
    let line = bytes + packets * LINE_OVERHEAD as u64;
    format!(
        "{}pps, {}bit/s",
        short(rate(packets, seconds)),
        short(rate(line, seconds) * 8.0)
    )
}

/// Microseconds.
pub(super) fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

/// Three digits and a prefix: `1.49 M`.
pub(super) fn short(value: f64) -> String {
    let (scaled, prefix) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let digits = match scaled {
        s if s >= 100.0 => 0,
        s if s >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$} {prefix}")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn three_digits() {
        let shown: Vec<String> = [0.0, 10.0, 1490.0, 14_900.0, 14_880_952.0, 1e9]
            .into_iter()
            .map(short)
            .collect();
        assert_eq!(
            shown,
            ["0.00 ", "10.0 ", "1.49 k", "14.9 k", "14.9 M", "1.00 G"]
        );
    }
}
