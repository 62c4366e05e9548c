//! Each example does what it says it does.

use std::path::Path;

use testbed::{skipped, wait_until};

use crate::network::{LIMIT, Place};

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
    holds("ipv6-routers.yaml", 5);
}

#[test]
fn one_address_is_on_two_hosts_and_the_nearer_one_answers() {
    holds("anycast.yaml", 6);
}

#[test]
fn crafted_syns_reach_the_nearer_of_two_hosts_with_one_address() {
    holds("anycast-syn.yaml", 12);
}

#[test]
fn a_dpdk_program_forwards_between_two_hosts() {
    holds("dpdk-forwarder.yaml", 2);
}

#[test]
fn the_ports_of_a_dpdk_program_have_drivers_of_their_own() {
    holds("dpdk-drivers.yaml", 2);
}

#[test]
fn a_router_of_ones_own_forwards_and_says_what_it_cannot() {
    holds("nf-router.yaml", 14);
}

#[test]
fn a_router_of_ones_own_accounts_for_each_packet() {
    let place = Place::new();
    place.up(&example("nf-router.yaml"), &[]).success();
    place.lab(&["ping", "h1", "h2", "-c", "20"]).success();
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
    // Requests and answers, and those that went too far.
    assert!(received >= 2 * 20 + 3, "{text}");
    assert_eq!(received + made, sent + taken + dropped + held, "{text}");
    assert!(
        counters.contains("dropped, hop limit exceeded: 3\n"),
        "{text}"
    );
}

#[test]
fn the_two_switches_have_a_slow_link_between_them() {
    holds("two-switches.yaml", 3);
}

#[test]
fn netem_does_the_same_where_the_kernel_has_it() {
    let place = Place::new();
    let text = std::fs::read_to_string(example("two-switches.yaml")).expect("the example");
    let file = place.file(&text.replace("1Mbit/s}", "1Mbit/s, via: netem}"));
    let words = ["test", &file, "--name", &place.name];
    if lab::kernel::impair::has_netem() {
        place.lab(&words).success();
        return;
    }
    skipped(
        "netem_does_the_same_where_the_kernel_has_it",
        "the kernel has no netem",
    );
    let text = place.lab(&words).failure();
    assert!(text.contains("need the kernel's netem"), "{text}");
    assert_eq!(place.left(), Vec::<String>::new());
    place.up(&file, &["--plain"]).success();
    place.lab(&["pingall"]).success();
}

#[test]
fn a_long_line_delays_and_loses_packets() {
    holds("wan.yaml", 2);
}

#[test]
fn a_chain_of_services_is_patched_by_a_panel() {
    holds("service-chain.yaml", 3);
}

#[test]
fn a_container_is_a_service_of_a_chain() {
    if crate::containers::engine("a_container_is_a_service_of_a_chain") {
        holds("service-chain-containers.yaml", 3);
    }
}

#[test]
fn a_container_is_a_host() {
    if crate::containers::engine("a_container_is_a_host") {
        holds("container-host.yaml", 3);
    }
}

#[test]
fn a_classifier_is_one_line_for_three_hosts() {
    holds("demultiplexer.yaml", 3);
}

#[test]
fn an_ids_hears_what_two_hosts_say() {
    holds("mirror-to-ids.yaml", 2);
}

#[test]
fn a_transfer_survives_that_its_cable_is_moved() {
    holds("moved-patch.yaml", 4);
}

#[test]
fn what_does_not_hold_is_said_and_seen_by_the_exit_status() {
    let place = Place::new();
    let file = place.file(
        "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24, h3: 10.0.3.1/24, alone: {loopback: 10.0.0.8/32}}
links: [[h1, h2], [h1, h3]]
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
  - path: {from: h1, to: h2, through: h3, around: 'h2:eth0', count: 20}
  - path: {from: h1, to: 10.0.0.9, through: h2, count: 1}
  - rate: {from: h1, to: h2, during: 200ms, min: 8bit/s}
  - rate: {from: h1, to: h2, during: 200ms, max: 1kbit/s}
  - rate: {from: h1, to: alone, during: 200ms}
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
        [
            true, false, false, true, false, true, false, false, false, false, false, true, false,
            false
        ],
        "{text}"
    );
    for part in [
        "3 of 3 requests to 10.0.0.2 were answered",
        "0 of 1 requests to 10.0.0.9 were answered",
        "answers took from",
        "'other' is not in what it wrote: words",
        "it has not ended within 200ms",
        "it ended with exit status 0, expected 1",
        "20 requests and their answers went not through h3 (",
        "no TCP connection to 10.0.0.8",
        "arrived at h2, more than 1kbit/s",
        "10 of 14 do not hold",
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
