//! Filters: which packets fulfil them, and what happens to the others.

use super::frames::tagged;
use super::*;
use crate::Function;
use crate::area::DropReason;
use crate::filter::Matcher;
use crate::line::Stage;

fn matcher(text: &str) -> Matcher {
    Matcher::new(&text.parse().unwrap())
}

/// An Ethernet frame from 02:00:00:00:00:02 to 02:00:00:00:00:01.
fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    [&addresses, &kind.to_be_bytes()[..], payload].concat()
}

/// An IPv4 packet from 10.1.2.3 to 192.0.2.7, with options, of the fragment offset given.
fn ipv4(proto: u8, options: usize, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45 + options as u8 / 4, 0, 0, 0, 0, 0];
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, proto, 0, 0, 10, 1, 2, 3, 192, 0, 2, 7]);
    packet.extend(vec![1; options]);
    packet.extend(payload);
    ethernet(0x0800, &packet)
}

/// An IPv6 packet from 2001:db8::1 to ff02::2, with extension headers.
fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, next, 64];
    packet.extend(
        "2001:db8::1"
            .parse::<std::net::Ipv6Addr>()
            .unwrap()
            .octets(),
    );
    packet.extend("ff02::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend(payload);
    ethernet(0x86dd, &packet)
}

/// From port 1000 to port 80.
const PORTS: [u8; 8] = [0x03, 0xe8, 0, 80, 0, 0, 0, 0];

/// The packets, with filters that they fulfil and others that they do not.
fn cases() -> Vec<(Vec<u8>, Vec<&'static str>, Vec<&'static str>)> {
    let options = [17, 0, 0, 0, 0, 0, 0, 0];
    let behind = |first: &[u8]| [first, &options, &PORTS].concat();
    let tcp = ipv4(6, 0, 0x4000, &PORTS);
    let double = tagged(&tagged(&tcp, 0x2064), 0x00c8);
    let mut provider = double.clone();
    provider[12..14].copy_from_slice(&[0x88, 0xa8]);
    vec![
        (
            tcp.clone(),
            vec![
                "dst 02:00:00:00:00:01 src 02:00:00:00:00:02 vlan none ethertype ipv4",
                "ip-src 10.0.0.0/8 ip-dst 192.0.2.7 proto tcp sport 1000 dport 80",
                "dport 80-90",
                "sport 0-1000",
                "ip-src 0.0.0.0/0",
                "src 02:00:00:00:00:00/ff:ff:ff:ff:ff:00",
            ],
            vec![
                "dst group",
                "dst 02:00:00:00:00:02",
                "vlan any",
                "vlan 0",
                "ethertype 0x8100",
                "ethertype arp",
                "ip-src 11.0.0.0/8",
                "ip-dst ::/0",
                "proto udp",
                "sport 80",
                "dport 81-65535",
            ],
        ),
        (
            tagged(&tcp, 0x6064),
            vec![
                "vlan 100 ethertype ipv4 proto tcp dport 80",
                "vlan any",
                "ethertype 0x8100",
            ],
            vec!["vlan none", "vlan 101", "ethertype 0x88a8"],
        ),
        (
            double,
            vec!["vlan 200 dport 80", "ethertype 0x8100 ip-dst 192.0.2.0/24"],
            vec!["vlan 100"],
        ),
        (
            provider,
            vec!["vlan none dport 80", "ethertype 0x88a8", "ethertype ipv4"],
            vec!["vlan 100", "vlan 200", "ethertype 0x8100"],
        ),
        (
            ipv4(17, 12, 0x2000, &PORTS),
            vec!["proto udp sport 1000 dport 80"],
            vec!["proto tcp", "sport 257"],
        ),
        // A later fragment: it has a protocol, and no ports.
        (
            ipv4(17, 0, 0x2001, &PORTS),
            vec!["proto udp ip-src 10.1.2.3"],
            vec!["dport 80", "sport 0-65535"],
        ),
        (
            ipv4(1, 0, 0, &PORTS),
            vec!["proto icmp"],
            vec!["dport 80", "dport 0-65535"],
        ),
        (
            ipv6(6, &PORTS),
            vec![
                "ip-src 2001:db8::/32 ip-dst ff02::2 proto tcp dport 80",
                "ip-dst ff00::/8",
                "ethertype ipv6 sport 1000",
            ],
            vec!["ip-src 10.0.0.0/8", "ip-src 2001:db9::/32", "dport 81"],
        ),
        // Hop-by-hop and destination options.
        (
            ipv6(0, &behind(&[60, 0, 0, 0, 0, 0, 0, 0])),
            vec!["proto udp dport 80"],
            vec!["proto 0", "dport 0"],
        ),
        // Routing of 16 bytes; authentication of 12.
        (
            ipv6(
                43,
                &behind(&[60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
            vec!["proto 17 sport 1000"],
            vec!["proto 43"],
        ),
        (
            ipv6(51, &behind(&[60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            vec!["proto 17 sport 1000"],
            vec!["proto 51"],
        ),
        // The first fragment, and a later one.
        (
            ipv6(44, &[&[17, 0, 0, 1, 0, 0, 0, 0][..], &PORTS].concat()),
            vec!["proto udp dport 80"],
            vec!["proto 44"],
        ),
        (
            ipv6(44, &[&[17, 0, 0, 8, 0, 0, 0, 0][..], &PORTS].concat()),
            vec!["proto udp"],
            vec!["dport 80"],
        ),
        (
            ethernet(0x0806, &[0; 46]),
            vec!["ethertype arp", "ethertype 0x0806 vlan none"],
            vec!["ip-src 0.0.0.0/0", "dport 0-65535"],
        ),
        // Says that it is IPv4, and is not; with a header that is too short.
        (
            ethernet(0x0800, &[0x65; 40]),
            vec!["ethertype ipv4"],
            vec!["ip-src 0.0.0.0/0", "proto 101"],
        ),
        (
            ethernet(
                0x0800,
                &[
                    0x41, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ),
            vec!["proto tcp"],
            vec!["sport 0-65535"],
        ),
    ]
}

#[test]
fn packets_fulfil_what_they_should_and_nothing_else() {
    for (n, (packet, yes, no)) in cases().into_iter().enumerate() {
        for text in yes {
            assert!(matcher(text).matches(&packet), "packet {n}: {text}");
        }
        for text in no {
            assert!(!matcher(text).matches(&packet), "packet {n}: not {text}");
        }
    }
}

#[test]
fn a_packet_that_is_cut_off_fulfils_nothing_that_is_not_there_and_does_no_harm() {
    let cases = cases();
    let texts: Vec<&str> = cases
        .iter()
        .flat_map(|(_, y, n)| y.iter().chain(n))
        .copied()
        .collect();
    let mut fulfilled = 0;
    for text in &texts {
        let matcher = matcher(text);
        for (packet, ..) in &cases {
            let whole = matcher.matches(packet);
            let mut before = false;
            for len in 0..packet.len() {
                let part = matcher.matches(&packet[..len]);
                assert!(!part || whole, "{text} with {len} of {packet:02x?}");
                // Once enough is there, more does not change it.
                assert!(part || !before, "{text} with {len} of {packet:02x?}");
                assert!(!part || len >= 14);
                before = part;
            }
            fulfilled += usize::from(whole);
            // Any byte may be any other.
            for at in 0..packet.len() {
                let mut wrong = packet.clone();
                wrong[at] ^= 0xff;
                matcher.matches(&wrong);
            }
        }
    }
    assert!(fulfilled > texts.len());
}

#[test]
fn what_does_not_fulfil_the_filter_is_dropped_however_it_lies_in_memory() {
    with_eal(
        "tests::filter::what_does_not_fulfil_the_filter_is_dropped_however_it_lies_in_memory",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            let stages: Vec<Arc<dyn Stage>> = vec![Arc::new(matcher("dport 80"))];
            board.start("a", Function::Forward, 1).unwrap();
            board.attach("a", ring(0), Direction::Rx, stages).unwrap();
            board
                .attach("a", ring(1), Direction::Tx, Vec::new())
                .unwrap();
            let packets: Vec<Vec<u8>> = cases().into_iter().map(|(packet, ..)| packet).collect();
            let mut want = packets.clone();
            want.retain(|p| matcher("dport 80").matches(p));
            assert!(want.len() > 5 && want.len() < packets.len());
            for room in [2048, 5, 13, 20, 64] {
                bench.put(0, &packets, room);
                assert_eq!(bench.take(1, want.len()), want, "room {room}");
            }
            bench.put(0, &packets[..1], 2048);
            bench.take(1, 1);
            // Another table: the worker has left the former one, and counted.
            board
                .equip("a", ring(1), Direction::Tx, Vec::new())
                .unwrap();
            let view = &board.components()[0];
            let filtered = 5 * (packets.len() - want.len()) as u64;
            let drops = view.rx[0].totals.drops;
            assert_eq!(drops[DropReason::Filtered as usize], filtered);
            assert_eq!(view.tx[0].totals.tx_packets, 5 * want.len() as u64 + 1);
            bench.assert_whole(board);
        },
    );
}
