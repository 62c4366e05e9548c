//! Each example does what it says it does.

use std::path::Path;

use testbed::wait_until;

use crate::network::{LIMIT, Place, skipped};

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/lab")
        .join(name);
    path.display().to_string()
}

/// Runs `spp lab test`; every expectation has to hold.
fn holds(name: &str, expectations: usize) {
    let place = Place::new();
    let junit = place.file("");
    let text = place
        .lab(&[
            "test",
            &example(name),
            "--name",
            &place.name,
            "--junit",
            &junit,
        ])
        .success();
    assert!(text.contains(&format!("1..{expectations}\n")), "{text}");
    assert_eq!(text.matches("\nok ").count(), expectations, "{text}");
    let report = std::fs::read_to_string(&junit).expect("JUnit's file");
    let report = roxmltree::Document::parse(&report).expect("XML");
    let suite = report
        .descendants()
        .find(|node| node.has_tag_name("testsuite"))
        .expect("a suite");
    assert_eq!(
        suite.attribute("tests"),
        Some(expectations.to_string().as_str())
    );
    assert_eq!(suite.attribute("failures"), Some("0"));
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn two_routers_forward_ipv6() {
    holds("ipv6-routers.yaml", 4);
}

#[test]
fn one_address_is_on_two_hosts_and_the_nearer_one_answers() {
    holds("anycast.yaml", 5);
}

#[test]
fn a_dpdk_program_forwards_between_two_hosts() {
    holds("dpdk-forwarder.yaml", 2);
}

#[test]
fn a_router_of_ones_own_forwards_and_says_what_it_cannot() {
    holds("nf-router.yaml", 12);
}

#[test]
fn a_router_of_ones_own_accounts_for_each_packet() {
    let place = Place::new();
    place.up(&example("nf-router.yaml"), &[]).success();
    place.lab(&["ping", "h1", "h2"]).success();
    let far = "2001:db8:2::10";
    let too_far = ["exec", "h1", "ping", "-c3", "-i0.2", "-t1", far];
    let text = place.lab(&too_far).failure();
    assert_eq!(text.matches("Hop limit").count(), 3, "{text}");
    let tcp = ["exec", "h1", "iperf3", "-c", far, "-n", "1M"];
    place.lab(&tcp).success();
    let counters = ["exec", "nf", "pkill", "-x", "-USR1", "nf-router"];
    place.lab(&counters).success();
    let start = "nf-router: received ";
    wait_until("the counters", LIMIT, || place.wrote("nf").contains(start));
    let text = place.wrote("nf");
    let (_, counters) = text.split_once(start).expect("the counters");
    let all = counters.lines().next().unwrap_or_default();
    let numbers = all.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let [received, made, sent, taken, dropped, held] = numbers[..] else {
        panic!("{text}");
    };
    // 1 MB are more packets than 600 of 1500 bytes.
    assert!(received > 600, "{text}");
    assert_eq!(received + made, sent + taken + dropped + held, "{text}");
    assert!(
        counters.contains("dropped, hop limit exceeded: 3\n"),
        "{text}"
    );
}

#[test]
fn the_two_switches_have_a_slow_link_between_them() {
    let name = "two-switches.yaml";
    if lab::kernel::impair::has_netem() {
        holds(name, 2);
        return;
    }
    skipped(
        "the_two_switches_have_a_slow_link_between_them",
        "the kernel has no netem: without the delay only",
    );
    let place = Place::new();
    let text = place.up(&example(name), &[]).failure();
    assert!(text.contains("need the kernel's netem"), "{text}");
    assert!(text.contains("--plain"), "{text}");
    place.up(&example(name), &["--plain"]).success();
    place.lab(&["ping", "h1", "h2"]).success();
    place.lab(&["pingall"]).success();
}

#[test]
fn what_does_not_hold_is_said_and_seen_by_the_exit_status() {
    let place = Place::new();
    let file = place.file(
        "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24, alone: {}}
links: [[h1, h2]]
expect:
  - ping: {from: h1, to: h2}
  - ping: {from: h1, to: h2, answered: false}
  - ping: {from: h1, to: 10.0.0.9, limit: 300ms, count: 1}
  - ping: {from: alone, to: h1, limit: 300ms, answered: false}
  - ping: {from: h1, to: h2, min: 1s}
  - run: {on: h1, command: 'echo words; exit 4', status: 4, output: words}
  - run: {on: h1, command: 'echo words', output: other}
  - run: {on: h1, command: 'sleep 100', limit: 200ms}
  - run: {on: h1, command: 'true', status: 1}
",
    );
    let finished = place.lab(&["test", &file, "--name", &place.name]);
    assert_eq!(finished.status.code(), Some(1));
    let text = finished.output;
    let held: Vec<bool> = text
        .lines()
        .filter_map(|line| {
            line.starts_with("ok ")
                .then_some(true)
                .or(line.starts_with("not ok ").then_some(false))
        })
        .collect();
    assert_eq!(
        held,
        [true, false, false, true, false, true, false, false, false],
        "{text}"
    );
    for part in [
        "3 of 3 requests to 10.0.0.2 were answered",
        "0 of 1 requests to 10.0.0.9 were answered",
        "answers took from",
        "'other' is not in what it wrote: words",
        "it has not ended within 200ms",
        "it ended with exit status 0, expected 1",
        "6 of 9 do not hold",
    ] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn a_file_is_drawn() {
    let place = Place::new();
    let text = place
        .lab(&["graph", &example("two-switches.yaml")])
        .success();
    assert!(
        text.contains("eth1 ── delay 100ms, rate 1Mbit/s ── s2:eth1"),
        "{text}"
    );
    let text = place
        .lab(&["graph", &example("two-switches.yaml"), "--dot"])
        .success();
    assert!(text.starts_with("graph \"two-switches\" {"), "{text}");
}
