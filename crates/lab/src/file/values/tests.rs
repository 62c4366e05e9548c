//! Each value, written and wrong.

use super::*;

#[test]
fn values_are_the_same_after_they_were_written() {
    for text in ["100ms", "0s", "50us", "3ns", "1500ms", "2s"] {
        assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
    }
    assert_eq!("1.5s".parse::<Time>().unwrap().to_string(), "1500ms");
    assert_eq!("2min".parse::<Time>().unwrap().to_string(), "120s");
    for text in ["1Mbit/s", "64kbit/s", "10Gbit/s", "999bit/s"] {
        assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
    }
    assert_eq!("2.5Mbit".parse::<Rate>().unwrap(), Rate(2_500_000));
    assert_eq!("0.1%".parse::<Share>().unwrap().to_string(), "0.1%");
    assert_eq!(
        "02:00:00:00:00:0A".parse::<Mac>().unwrap().to_string(),
        "02:00:00:00:00:0a"
    );
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    let cases: [(Result<String, String>, &str); 12] = [
        ("100".parse::<Time>().map(|t| t.to_string()), "100ms"),
        (
            "100 parsec".parse::<Time>().map(|t| t.to_string()),
            "units are",
        ),
        ("99999min".parse::<Time>().map(|t| t.to_string()), "a day"),
        (
            "-1s".parse::<Time>().map(|t| t.to_string()),
            "such as 100ms",
        ),
        ("1".parse::<Rate>().map(|t| t.to_string()), "1Mbit/s"),
        ("1MB/s".parse::<Rate>().map(|t| t.to_string()), "units are"),
        ("0.1".parse::<Share>().map(|t| t.to_string()), "0.1%"),
        ("101%".parse::<Share>().map(|t| t.to_string()), "100%"),
        (
            "10.0.0.1".parse::<Address>().map(|t| t.to_string()),
            "10.0.0.1/24",
        ),
        (
            "10.0.0.300/24".parse::<Address>().map(|t| t.to_string()),
            "such as",
        ),
        (
            "10.0.0.1/24".parse::<Destination>().map(|t| t.to_string()),
            "10.0.0.0/24",
        ),
        (
            "01:00:00:00:00:01".parse::<Mac>().map(|t| t.to_string()),
            "even",
        ),
    ];
    for (result, part) in cases {
        let error = result.unwrap_err();
        assert!(error.contains(part), "{error} lacks {part}");
    }
}
