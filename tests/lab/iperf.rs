//! `spp lab iperf`.

use serde_json::Value;
use testbed::{Proc, wait_until};

use crate::capture::TWO;
use crate::network::{LIMIT, Place};

/// What runs in the network.
fn programs(place: &Place) -> String {
    let text = place.lab(&["ps"]).success();
    text.lines()
        .filter(|line| line.contains("iperf3"))
        .collect()
}

#[test]
fn tcp_and_udp_are_measured_and_both_programs_end() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let text = place
        .lab(&["iperf", "h1", "h2", "--seconds", "1", "--json"])
        .success();
    let measured: Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(measured["protocol"], "tcp");
    assert_eq!(measured["address"], "10.0.0.2");
    // More than 10 Mbit/s passes on any machine.
    let rate = measured["received-bits-per-second"]
        .as_f64()
        .expect("a rate");
    let bytes = measured["received-bytes"].as_f64().expect("bytes");
    assert!(rate > 1e7 && bytes > 1e6, "{text}");
    let words = [
        "iperf",
        "h2",
        "h1",
        "--udp",
        "--rate",
        "2Mbit/s",
        "--seconds",
        "1",
    ];
    let text = place.lab(&[&words[..], &["--json"]].concat()).success();
    let measured: Value = serde_json::from_str(&text).expect("a document");
    let sent = measured["sent-bits-per-second"].as_f64().expect("a rate");
    assert!((1.5e6..2.5e6).contains(&sent), "{text}");
    assert!(
        measured["packets"].as_u64().is_some_and(|count| count > 50),
        "{text}"
    );
    assert!(
        measured["lost"].is_u64() && measured["jitter-ms"].is_f64(),
        "{text}"
    );
    let text = place.lab(&words).success();
    assert!(
        text.contains("h2 → h1 (10.0.0.1): UDP") && text.contains("packets lost"),
        "{text}"
    );
    assert_eq!(programs(&place), "");
}

#[test]
fn what_cannot_be_measured_is_said_and_nothing_goes_on() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let text = place.lab(&["iperf", "h1", "s1"]).failure();
    assert!(text.contains("'s1' has no address"), "{text}");
    let text = place
        .lab(&["iperf", "h1", "h2", "--rate", "fast"])
        .failure();
    assert!(text.contains("'fast' is no rate"), "{text}");
    let mut command = place.command(&["iperf", "h1", "h2"]);
    let text = testbed::proc::run(command.env("PATH", "/nowhere"), LIMIT).failure();
    assert!(text.contains("needs the program iperf3"), "{text}");
    // Interrupted in the middle.
    let mut measuring = Proc::spawn(
        "iperf",
        &mut place.command(&["iperf", "h1", "h2", "--seconds", "1000"]),
    );
    wait_until("both programs", LIMIT, || {
        programs(&place).matches("iperf3 -").count() == 2
    });
    assert_eq!(
        measuring.interrupt(LIMIT).code(),
        Some(1),
        "{}",
        measuring.output()
    );
    assert_eq!(programs(&place), "");
    // Nothing comes through: it has an end, with iperf3's reason.
    place
        .lab(&["exec", "h2", "ip", "link", "set", "eth0", "down"])
        .success();
    let text = place
        .lab(&["iperf", "h1", "h2", "--seconds", "1"])
        .failure();
    assert!(text.contains("iperf3"), "{text}");
    assert_eq!(programs(&place), "");
}
