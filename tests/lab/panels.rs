//! Panels in networks: their captures, what they drop, and what becomes of a process of theirs that dies.

use testbed::wait_until;

use crate::capture::tshark;
use crate::network::{LIMIT, Place};

/// Two hosts by a panel, and two more by a slow link, which another panel carries.
const BOTH: &str = "
hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24, h3: 10.0.1.3/24, h4: 10.0.1.4/24}
spp:
  p1:
    processes:
      nfv:1:
        forward: true
        patches:
          - {src: tap:0, dst: tap:1}
          - {src: tap:1, dst: tap:0}
links: [[h1, p1], [p1, h2], {link: [h3, h4], delay: 20ms}]
";

/// Waits until a host reaches an address, and gives the least time that it took, in milliseconds.
pub fn reached(place: &Place, from: &str, to: &str) -> f64 {
    let mut least = None;
    wait_until("packets to pass", LIMIT, || {
        let ping = place.lab(&["exec", from, "ping", "-q", "-c", "2", "-W", "2", to]);
        let numbers = ping.output.split("mdev = ").nth(1).unwrap_or_default();
        least = numbers.split('/').next().and_then(|ms| ms.parse().ok());
        ping.status.success()
    });
    least.expect("a time")
}

#[test]
fn processes_of_panels_that_are_killed_are_started_again_and_packets_pass() {
    let place = Place::new();
    place.up(&place.file(BOTH), &[]).success();
    reached(&place, "h1", "10.0.0.2");
    // All of this network, and of no other: those of a node see only these.
    let kill = ["exec", "h1", "pkill", "-KILL", "-x", "spp-nfv"];
    for _ in 0..2 {
        place.lab(&kill).success();
        reached(&place, "h1", "10.0.0.2");
        let least = reached(&place, "h3", "10.0.1.4");
        assert!(least >= 40.0, "{least} ms: the link has lost its delay");
    }
    let text = place.lab(&["exec", "p1", "spp", "pri", "status"]).success();
    assert!(text.contains("SIGKILL"), "{text}");
    // Nobody starts a primary again; the others go on.
    let kill = ["exec", "p1", "pkill", "-KILL", "-x", "spp-primary"];
    place.lab(&kill).success();
    wait_until("its end to be seen", LIMIT, || {
        let text = place.lab(&["ps"]).success();
        text.contains("spp-primary has ended")
    });
    reached(&place, "h1", "10.0.0.2");
}

#[test]
fn a_process_of_a_panel_that_cannot_run_is_named_with_its_reason() {
    let place = Place::new();
    let file = place.file(
        "hosts: {h1: 10.0.0.1/24}
spp:
  p1:
    processes:
      vf:3:
        components: [{name: a, core: 4000, type: forward, rx: [{port: tap:0}], tx: [{port: ring:0}]}]
links: [[h1, p1]]
",
    );
    let text = place.up(&file, &[]).failure();
    assert!(text.contains("the process vf:3 of p1 ended ("), "{text}");
    assert!(text.contains("4000"), "{text}");
    assert_eq!(place.left(), Vec::<String>::new());
}

/// The only capture in a folder.
fn file_in(folder: &str) -> String {
    let entries = std::fs::read_dir(folder).expect("the folder").flatten();
    let files: Vec<String> = entries
        .map(|entry| entry.path().display().to_string())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.concat()
}

#[test]
fn captures_of_a_panel_lie_where_it_is_said_and_tshark_reads_them() {
    let place = Place::new();
    let (own, outside) = (
        format!("state/{}/p1.pcap.2", place.name),
        place.path("captured/here"),
    );
    let text = format!(
        "
hosts: {{h1: 10.0.0.1/24, h2: 10.0.0.2/24}}
spp:
  p1:
    processes:
      mirror:1:
        components:
          - {{name: there, core: 0, type: mirror, rx: [{{port: tap:0}}], tx: [{{port: tap:1}}, {{port: ring:0}}]}}
          - {{name: back, core: 0, type: mirror, rx: [{{port: tap:1}}], tx: [{{port: tap:0}}, {{port: ring:1}}]}}
      pcap:2: {{port: ring:0, filter: 'icmp and host 10.0.0.1'}}
      pcap:3: {{port: ring:1, folder: {outside}, capture: false}}
links: [[h1, p1], [p1, h2]]
"
    );
    place.up(&place.file(&text), &[]).success();
    let pcap = |words: [&str; 2]| {
        place
            .lab(&["exec", "p1", "spp", "pcap", words[0], words[1]])
            .success()
    };
    let ping = |count: &str| {
        place
            .lab(&["exec", "h1", "ping", "-c", count, "-i", "0.2", "10.0.0.2"])
            .success()
    };
    let sequence = |file: &str, filter: &str| tshark(file, filter, &["icmp.seq"]).concat();
    ping("5");
    pcap(["2", "stop"]);
    // What waited in its ring until it was told to start comes first.
    pcap(["3", "start"]);
    ping("2");
    pcap(["3", "stop"]);
    let file = file_in(&place.path(&own));
    assert_eq!(sequence(&file, ""), ["1", "2", "3", "4", "5"]);
    place.lab(&["down"]).success();
    let file = file_in(&outside);
    let all = ["1", "2", "3", "4", "5", "1", "2"];
    assert_eq!(sequence(&file, "icmp.type == 0"), all);
}

#[test]
fn what_a_panel_drops_counts_unless_the_file_wants_it() {
    let place = Place::new();
    let file = place.file(
        "
hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24, h3: 10.0.1.3/24, h4: 10.0.1.4/24}
spp:
  p1:
    processes:
      nfv:1:
        forward: true
        patches:
          - {src: tap:0, dst: tap:1, with: {delay: 300ms, limit: 5}}
          - {src: tap:1, dst: tap:0}
links: [{link: [h1, h2], loss: 50%, seed: 3}, [h3, p1], [p1, h4]]
expect:
  - run: {on: h1, command: 'ping -q -c 60 -i 0.005 -W 1 10.0.0.2; true'}
  - run: {on: h3, command: 'ping -q -c 60 -i 0.005 -W 1 10.0.1.4; true'}
  - no-drops: [h1, h2]
  - no-drops: []
",
    );
    let words = ["test", &file, "--name", &place.name, "--keep"];
    let text = place.lab(&words).failure();
    assert!(text.contains("\nok 3 - no drops at h1, h2\n"), "{text}");
    assert!(text.contains("\nnot ok 4 - no drops\n"), "{text}");
    assert!(text.contains(" at p1:tap:1 by nfv:1 (limit)"), "{text}");
    assert!(!text.contains("(lost)"), "{text}");
    let text = place.lab(&["drops"]).success();
    for part in [
        "nfv:1: lost, as the file wants",
        "nfv:1: as many waited as the queue takes",
        "p1:tap:1",
    ] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    let text = place.lab(&["drops", "h3", "h4"]).success();
    assert!(!text.contains("nfv:1"), "{text}");
}

#[test]
fn the_primary_of_a_panel_forwards_where_the_file_says_so() {
    let place = Place::new();
    let file = place.file(
        "
hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24}
spp:
  p1:
    processes:
      primary:
        forward: true
        patches:
          - {src: tap:0, dst: ring:0}
          - {src: tap:1, dst: tap:0, with: {delay: 30ms}}
      nfv:1:
        forward: true
        patches: [{src: ring:0, dst: tap:1}]
links: [[h1, p1], [p1, h2]]
",
    );
    place.up(&file, &[]).success();
    // One way is delayed.
    let least = reached(&place, "h1", "10.0.0.2");
    assert!(least >= 30.0, "{least} ms");
    let text = place.lab(&["exec", "p1", "spp", "pri", "status"]).success();
    assert!(text.contains("- tap:0 -> ring:0"), "{text}");
    let text = place.lab(&["save"]).success();
    assert!(text.contains("primary:"), "{text}");
}
