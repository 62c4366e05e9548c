//! `spp lab drops`: what is dropped on purpose is found where it was dropped.

use serde_json::Value;

use crate::network::Place;

/// Two networks with a router between them.
const ROUTED: &str = "
hosts:
  h1: {address: [10.0.1.2/24, 'fd00:1::2/64'], gateway: [10.0.1.1, 'fd00:1::1']}
  h2: {address: [10.0.2.2/24, 'fd00:2::2/64'], gateway: [10.0.2.1, 'fd00:2::1']}
routers: [r1]
links:
  - [h1, {node: r1, address: [10.0.1.1/24, 'fd00:1::1/64']}]
  - [{node: r1, address: [10.0.2.1/24, 'fd00:2::1/64']}, h2]
";

/// Packets that a counter at a place has, of what `spp lab drops --json` says.
fn dropped(place: &Place, at: &str, counter: &str) -> u64 {
    let text = place.lab(&["drops", "--json"]).success();
    let all: Vec<Value> = serde_json::from_str(&text).expect("a list");
    let found = all.iter().find(|one| {
        let interface = one["interface"].as_str().map(|name| format!(":{name}"));
        let name = one["node"].as_str().unwrap_or_default().to_owned();
        name + &interface.unwrap_or_default() == at && one["counter"] == counter
    });
    found.map_or(0, |one| one["packets"].as_u64().expect("a number"))
}

#[test]
fn packets_that_are_dropped_are_counted_where_and_why() {
    let place = Place::new();
    place.up(&place.file(ROUTED), &[]).success();
    place.lab(&["ping", "h1", "h2"]).success();
    place.lab(&["ping", "h1", "fd00:2::2"]).success();
    let text = place.lab(&["drops"]).success();
    assert!(text.contains("Nothing was dropped."), "{text}");
    // Nobody listens at this port of h2, to which three packets go.
    let script = "import socket
for family, address in (socket.AF_INET, '10.0.2.2'), (socket.AF_INET6, 'fd00:2::2'):
    for n in range(3):
        socket.socket(family, socket.SOCK_DGRAM).sendto(b'x', (address, 9))";
    place
        .lab(&["exec", "h1", "python3", &place.script(script)])
        .success();
    assert_eq!(dropped(&place, "h2", "UdpNoPorts"), 3);
    assert_eq!(dropped(&place, "h2", "Udp6NoPorts"), 3);
    // The router has no route there, the host has one.
    place.lab(&["ping", "h1", "10.0.9.9", "-c", "2"]).failure();
    place.lab(&["ping", "h1", "fd00:9::9", "-c", "1"]).failure();
    assert_eq!(dropped(&place, "r1", "IpExtInNoRoutes"), 2);
    assert_eq!(dropped(&place, "r1", "Ip6InNoRoutes"), 1);
    let text = place.lab(&["drops", "r1"]).success();
    assert!(
        text.contains("IPv4: no route to where the node was to forward"),
        "{text}"
    );
    assert!(!text.contains("UdpNoPorts"), "{text}");
    let text = place.lab(&["drops", "r2"]).failure();
    assert!(text.contains("has no node 'r2'"), "{text}");
}

#[test]
fn a_queue_that_is_full_is_named_with_its_interface() {
    let place = Place::new();
    place.up(&place.file(ROUTED), &[]).success();
    // Room for two of these packets, and a tenth of a second for each.
    let queue = "tc qdisc add dev eth1 root tbf rate 80kbit burst 1600 limit 2500";
    place.lab(&["exec", "r1", "sh", "-c", queue]).success();
    let script = "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(50):
    s.sendto(bytes(1000), ('10.0.2.2', 9))";
    place
        .lab(&["exec", "h1", "python3", &place.script(script)])
        .success();
    let lost = dropped(&place, "r1:eth1", "qdisc drops");
    assert!((40..50).contains(&lost), "{lost}");
    let text = place.lab(&["drops", "r1"]).success();
    assert!(text.contains("the queue tbf had no room"), "{text}");
}
