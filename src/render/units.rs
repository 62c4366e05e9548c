//! Numbers as people read them.

/// Packets a second: `0 pps`, `950 pps`, `1.23 Mpps`.
pub fn packet_rate(rate: f64) -> String {
    scaled(rate, "pps")
}

/// Bits a second: `1.20 Gbit/s`.
pub fn bit_rate(rate: f64) -> String {
    scaled(rate, "bit/s")
}

/// Three digits and a decimal prefix.
fn scaled(value: f64, unit: &str) -> String {
    let mut value = value.max(0.0);
    let mut prefix = "";
    for next in ["k", "M", "G", "T"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        prefix = next;
    }
    if prefix.is_empty() {
        return format!("{value:.0} {unit}");
    }
    let digits = if value < 9.995 {
        2
    } else {
        usize::from(value < 99.95)
    };
    format!("{value:.digits$} {prefix}{unit}")
}

/// A time given in nanoseconds: `950 ns`, `12.3 µs`, `1.23 s`.
pub fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..999_500 => (ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = if value < 9.995 {
        2
    } else {
        usize::from(value < 99.95)
    };
    format!("{value:.digits$} {unit}")
}

/// A share of one as percent: `12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `1 drop`, `2 drops`.
pub fn count(number: u64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_and_a_prefix() {
        for (rate, shown) in [
            (0.0, "0 pps"),
            (-1.0, "0 pps"),
            (999.4, "999 pps"),
            (999.6, "1.00 kpps"),
            (1_234.0, "1.23 kpps"),
            (12_345_678.0, "12.3 Mpps"),
            (999_600.0, "1.00 Mpps"),
            (148_000_000.0, "148 Mpps"),
        ] {
            assert_eq!(packet_rate(rate), shown);
        }
        assert_eq!(bit_rate(9_876_543_210.0), "9.88 Gbit/s");
        for (ns, shown) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (61_000_000_000, "61.0 s"),
        ] {
            assert_eq!(time(ns), shown);
        }
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(
            (count(1, "drop"), count(0, "drop")),
            ("1 drop".into(), "0 drops".into())
        );
    }
}
