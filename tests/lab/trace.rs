//! `spp lab trace`.

use serde_json::Value;

use crate::capture::TWO;
use crate::network::Place;

/// A router between two switches.
const ROUTED: &str = "
hosts:
  h1: {address: [10.0.1.2/24, 'fd00:1::2/64'], gateway: [10.0.1.1, 'fd00:1::1']}
  h2: {address: [10.0.2.2/24, 'fd00:2::2/64'], gateway: [10.0.2.1, 'fd00:2::1']}
switches: [s1]
routers: [r1]
links:
  - [h1, s1]
  - [s1, {node: r1, address: [10.0.1.1/24, 'fd00:1::1/64']}]
  - [{node: r1, address: [10.0.2.1/24, 'fd00:2::1/64']}, h2]
";

#[test]
fn a_request_and_its_answer_are_followed_through_switch_and_router() {
    let place = Place::new();
    place.up(&place.file(ROUTED), &[]).success();
    for to in ["h2", "fd00:2::2"] {
        let text = place.lab(&["trace", "h1", to, "--json"]).success();
        let document: Value = serde_json::from_str(&text).expect("a document");
        assert_eq!(document["answered"], true);
        let seen: Vec<String> = document["seen"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| {
                let word = |key: &str| one[key].as_str().expect("a word").to_owned();
                [word("what"), word("interface"), word("direction")].join(" ")
            })
            .collect();
        let there = [
            "h1:eth0 out",
            "s1:eth0 in",
            "s1:eth1 out",
            "r1:eth0 in",
            "r1:eth1 out",
            "h2:eth0 in",
        ];
        let back = [
            "h2:eth0 out",
            "r1:eth1 in",
            "r1:eth0 out",
            "s1:eth1 in",
            "s1:eth0 out",
            "h1:eth0 in",
        ];
        let expected: Vec<String> = there
            .iter()
            .map(|at| format!("request {at}"))
            .chain(back.iter().map(|at| format!("answer {at}")))
            .collect();
        assert_eq!(seen, expected, "{to}");
        assert_eq!(document["seen"][0]["milliseconds"], 0.0);
    }
    let text = place.lab(&["trace", "h1", "h2"]).success();
    assert!(text.contains("s1:eth1  out  request"), "{text}");
}

#[test]
fn what_does_not_arrive_is_said_with_the_last_place() {
    let place = Place::new();
    place.up(&place.file(ROUTED), &[]).success();
    place.lab(&["trace", "h1", "h2"]).success();
    let told = |to: &str, part: &str| {
        let finished = place.lab(&["trace", "h1", to]);
        assert_eq!(finished.status.code(), Some(1), "{}", finished.output);
        assert!(
            finished.output.contains(part),
            "{} lacks {part}",
            finished.output
        );
    };
    // The router refuses what it has no route for.
    told(
        "10.0.9.9",
        "the request was last seen at r1:eth0, where it arrived; r1:eth0 said: unreachable",
    );
    told("10.0.1.9", "the request was seen nowhere");
    // The host hears, and says nothing.
    let deaf = "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all";
    place.lab(&["exec", "h2", "sh", "-c", deaf]).success();
    told(
        "h2",
        "last seen at h2:eth0, where it arrived: it is there, and nobody answers",
    );
    let hears = "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all";
    place.lab(&["exec", "h2", "sh", "-c", hears]).success();
    // The router loses what comes back.
    let lost = "ip route add blackhole 10.0.1.2/32";
    place.lab(&["exec", "r1", "sh", "-c", lost]).success();
    told(
        "h2",
        "the answer was last seen at r1:eth1, where it arrived",
    );
}

#[test]
fn a_trace_needs_somebody_to_ask() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let text = place.lab(&["trace", "h1", "s1"]).failure();
    assert!(text.contains("'s1' has no address"), "{text}");
    let text = place.lab(&["trace", "h1"]).failure();
    assert!(text.contains("From which node to which?"), "{text}");
}
