//! Switches that Open vSwitch makes in user space.

use crate::network::Place;
use crate::panels::reached;

/// Such a switch and one of the kernel's, and a port of each kind at the former: a pair of devices, a tap of a panel.
const BOTH: &str = "
hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24, h3: 10.0.0.3/24}
switches:
  s1: {via: ovs}
  s2: {}
links:
  - [h1, s1]
  - [h2, s2]
  - [s1, s2]
  - {link: [h3, s1], delay: 20ms}
";

#[test]
fn packets_of_all_kinds_pass_and_flows_are_obeyed() {
    let place = Place::new();
    place.up(&place.file(BOTH), &[]).success();
    let text = place.lab(&["ps"]).success();
    assert!(text.contains("ovs-vswitchd"), "{text}");
    let text = place.lab(&["graph"]).success();
    assert!(text.contains("s1 (switch by ovs)"), "{text}");
    place.lab(&["pingall"]).success();
    let least = reached(&place, "h1", "10.0.0.3");
    assert!(least >= 40.0, "{least} ms is less than twice 20");
    let text = place
        .lab(&["iperf", "h1", "h2", "--seconds", "1"])
        .success();
    assert!(text.contains("bit/s received"), "{text}");
    let ovs = |words: &[&str]| place.lab(&[&["exec", "s1"], words].concat()).success();
    let learnt = ovs(&["ovs-appctl", "fdb/show", "br0"]);
    assert_eq!(learnt.lines().count(), 4, "a line for each host: {learnt}");
    // What it is told to do by hand, or by a controller, is not what it has learnt.
    ovs(&[
        "ovs-ofctl",
        "add-flow",
        "br0",
        "priority=9,icmp,actions=drop",
    ]);
    place.lab(&["ping", "h1", "h2", "-c", "1"]).failure();
    ovs(&[
        "ovs-ofctl",
        "del-flows",
        "--strict",
        "br0",
        "priority=9,icmp",
    ]);
    place.lab(&["ping", "h1", "h2"]).success();
}

#[test]
fn switches_of_two_networks_know_nothing_of_each_other() {
    let (one, other) = (Place::new(), Place::new());
    for place in [&one, &other] {
        place.up(&place.file(BOTH), &[]).success();
    }
    for place in [&one, &other] {
        place.lab(&["pingall"]).success();
        let saved = place.lab(&["save"]).success();
        assert!(saved.contains("via: ovs"), "{saved}");
    }
    let kill = ["exec", "s1", "pkill", "-KILL", "-x", "ovs-vswitchd"];
    one.lab(&kill).success();
    one.lab(&["ping", "h1", "h2", "-c", "1"]).failure();
    let text = one.lab(&["ps"]).success();
    assert!(text.contains("ovs-vswitchd has ended"), "{text}");
    other.lab(&["ping", "h1", "h2"]).success();
}
