use proptest::prelude::*;

use super::*;

fn any_time() -> impl Strategy<Value = Time> {
    prop_oneof![
        0..=LONGEST.as_nanos(),
        (0..=60_000u64).prop_map(|ms| ms * 1_000_000)
    ]
    .prop_map(Time::nanos)
}

fn any_share() -> impl Strategy<Value = Share> {
    prop_oneof![Just(0), 0..=1_000_000_000u32].prop_map(Share::billionths)
}

pub(crate) fn any_impairment() -> impl Strategy<Value = Impairment> {
    let rate = (1_000..=400_000_000_000u64).prop_map(|bits| format!("{bits}bit").parse().unwrap());
    (
        (any_time(), any_time()),
        (any_share(), any_share(), any_share(), any_share()),
        prop::option::of(rate),
        prop::option::of(1..=MAX_LIMIT),
        prop_oneof![Just(0), any::<u64>()],
    )
        .prop_map(
            |((a, b), (loss, reorder, duplicate, corrupt), rate, limit, seed)| {
                let delay = a.max(b);
                Impairment {
                    delay,
                    jitter: a.min(b),
                    loss,
                    rate,
                    reorder: if delay == Time::default() {
                        Share::default()
                    } else {
                        reorder
                    },
                    duplicate,
                    corrupt,
                    limit,
                    seed,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_shown_is_read_as_the_same(it in any_impairment()) {
        prop_assert_eq!(it.to_string().parse(), Ok(it));
        let json = serde_json::to_string(&it).unwrap();
        prop_assert_eq!(serde_json::from_str::<Impairment>(&json).unwrap(), it);
    }

    #[test]
    fn no_words_do_harm(words in prop::collection::vec("[a-z]{0,9}|[0-9.]{1,30}[a-zA-Z%/]{0,6}", 0..12)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Ok(it) = Impairment::of_words(&words) {
            prop_assert_eq!(it.to_string().parse(), Ok(it));
        }
    }
}

#[test]
fn it_is_written_as_people_write_it() {
    let it: Impairment = "delay 100ms jitter 5ms loss 0.1% rate 1Mbit/s seed 7"
        .parse()
        .unwrap();
    assert_eq!(it.delay.as_nanos(), 100_000_000);
    assert_eq!(it.jitter.as_nanos(), 5_000_000);
    assert_eq!(it.loss.as_billionths(), 1_000_000);
    assert_eq!(it.rate.map(Rate::bits), Some(1_000_000));
    assert_eq!((it.seed, it.most_mbufs()), (7, DEFAULT_LIMIT));
    assert_eq!(
        serde_json::to_string(&it).unwrap(),
        r#"{"delay":"100ms","jitter":"5ms","loss":"0.1%","rate":"1Mbit/s","seed":7}"#
    );
    for (written, shown) in [
        ("delay 1.5ms", "delay 1500us"),
        ("delay 10µs", "delay 10us"),
        ("delay 0.000000001s", "delay 1ns"),
        ("delay 0s", "delay 0ms"),
        ("rate 1.25Gbit", "rate 1250Mbit/s"),
        ("loss 100%", "loss 100%"),
        ("loss 0.0000001%", "loss 0.0000001%"),
        ("loss 12.500%", "loss 12.5%"),
        ("seed 7 limit 10", "limit 10 seed 7"),
        ("loss 0%", "delay 0ms"),
    ] {
        assert_eq!(written.parse::<Impairment>().unwrap().to_string(), shown);
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (words, says) in [
        ("", "nothing stands behind 'with'"),
        ("delay", "delay has no value: write delay 100ms"),
        (
            "delay 100",
            "delay '100': write a number with ns, us, ms or s",
        ),
        ("delay -1ms", "delay '-1ms'"),
        ("delay 1.ms", "delay '1.ms'"),
        ("delay 0.5ns", "whole nanoseconds"),
        ("delay 61s", "delay '61s': at most 60s are possible"),
        (
            "delay 99999999999999999999s",
            "delay '99999999999999999999s'",
        ),
        ("delay 1ms delay 2ms", "delay stands there twice"),
        (
            "delay 1ms jitter 2ms",
            "jitter 2ms is more than the delay of 1ms",
        ),
        ("jitter 2ms", "jitter 2ms is more than the delay of 0ms"),
        ("loss 101%", "loss '101%': write 0% to 100%"),
        ("loss 0.1", "loss '0.1': write 0% to 100%"),
        ("loss 0.00000001%", "at most seven digits"),
        ("rate 1", "rate '1': write 1kbit/s to 400Gbit/s"),
        ("rate 999bit/s", "rate '999bit/s'"),
        ("rate 401Gbit", "rate '401Gbit'"),
        ("reorder 1%", "reorder needs a delay"),
        ("limit 0", "limit '0': it has to be 1 to 1048576 mbufs"),
        ("limit 1048577", "limit '1048577'"),
        ("limit x", "limit 'x'"),
        ("seed -1", "seed '-1'"),
        (
            "bandwidth 1Mbit/s",
            "'bandwidth' is nothing that a patch can have",
        ),
    ] {
        let error = words.parse::<Impairment>().unwrap_err().to_string();
        assert!(error.contains(says), "{words}: {error}");
    }
    let error = serde_json::from_str::<Impairment>(r#"{"delay":"x"}"#).unwrap_err();
    assert!(error.to_string().contains("'x': write a number"), "{error}");
    assert!(serde_json::from_str::<Impairment>(r#"{"dealy":"1ms"}"#).is_err());
    assert!(serde_json::from_str::<Impairment>("{}").is_err());
}

#[test]
fn a_rate_that_the_limit_does_not_allow_is_warned_of() {
    let warning = |words: &str| words.parse::<Impairment>().unwrap().warning();
    assert_eq!(warning("delay 100ms rate 1Mbit/s"), None);
    assert_eq!(warning("rate 400Gbit/s"), None);
    assert_eq!(warning("delay 60s"), None);
    let words = warning("delay 100ms rate 1Gbit/s").unwrap();
    assert!(
        words.contains("limit 1024 lets 124026 kbit/s through (choose limit 8258)"),
        "{words}"
    );
    assert_eq!(warning("delay 100ms rate 1Gbit/s limit 8258"), None);
}
