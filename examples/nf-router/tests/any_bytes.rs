//! Whatever arrives, whenever: the router goes on, accounts for each packet, and sends nothing but whole frames.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::Ipv6Addr;
use std::time::Duration;

use common::{HOSTS, PORTS, acquainted, at, echo, host, own, packet};
use ipnet::Ipv6Net;
use nf_router::nd;
use nf_router::routes::{Route, Routes};
use nf_router::wire::{self, HEADERS, ICMPV6, UDP};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Frames that are as they should be, of all kinds that the router knows.
fn good() -> Vec<Vec<u8>> {
    let mut advertisement = nd::advertise(host(1), own(1), HOSTS[1]);
    wire::direct(&mut advertisement, PORTS[1], HOSTS[1]);
    let mut frames = vec![
        nd::solicit(own(0), None, host(0), HOSTS[0]),
        nd::solicit(own(0), Some(PORTS[0]), host(0), HOSTS[0]),
        advertisement,
        echo(0, own(0), 64, 8),
        echo(0, at("2001:db8:2::77"), 64, 8),
        echo(0, at("2001:db8:9::1"), 64, 8),
        packet(host(0), host(1), 64, UDP, &[7; 1360]),
        packet(host(0), host(1), 64, UDP, &[7; 1361]),
        packet(host(0), host(1), 1, UDP, &[0; 8]),
        packet(host(0), host(1), 1, 0, &[UDP, 0, 0, 0, 0, 0, 0, 0]),
        packet(host(0), host(1), 1, 44, &[ICMPV6, 0, 0, 1, 0, 0, 0, 0, 128]),
        packet(host(0), own(1), 1, UDP, &[0; 8]),
        packet(host(0), at("2001:db8:f::1"), 64, UDP, &[0; 8]),
    ];
    frames.push(packet(host(0), nd::ALL_ROUTERS, 255, ICMPV6, &[133; 8]));
    frames
}

/// Any bytes, or a good frame with some other bytes, cut or longer; the checksum is often right again.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let spoiled = (
        any::<Index>(),
        vec((any::<Index>(), any::<u8>()), 0..6),
        prop_oneof![6 => Just(None), 1 => any::<Index>().prop_map(Some)],
        vec(any::<u8>(), 0..3),
        any::<bool>(),
    );
    let spoiled = spoiled.prop_map(|(which, bytes, cut, more, seal)| {
        let mut frame = which.get(&good()).clone();
        for (at, byte) in bytes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len() + 1));
        }
        frame.extend(more);
        if let Ok(header) = wire::parse(&frame)
            && seal
            && header.next == ICMPV6
        {
            let frame = &mut frame[..header.end];
            wire::seal(frame, header.source, header.destination, header.hop_limit);
        }
        frame
    });
    prop_oneof![1 => vec(any::<u8>(), 0..200), 8 => spoiled]
}

fn ends(frame: &[u8], port: usize) {
    let header = wire::parse(frame).unwrap();
    assert_eq!(frame[6..12], PORTS[port], "it comes from us");
    let message = &frame[HEADERS..header.end];
    // What the router itself says; what it forwards may be wrong.
    if PORTS
        .iter()
        .any(|mac| header.source == nd::link_local(*mac))
        || [own(0), own(1)].contains(&header.source)
    {
        assert_eq!(header.next, ICMPV6);
        assert_eq!(
            wire::checksum(header.source, header.destination, message),
            0
        );
    }
}

proptest! {
    #[test]
    fn each_packet_is_accounted_for_and_only_whole_frames_are_sent(
        frames in vec((frame(), 0..2_usize, 0..4000_u64), 1..60)
    ) {
        let (mut router, mut now) = acquainted();
        // The two frames that were sent when it made acquaintance.
        let mut sent = 2;
        for (mut frame, port, pause) in frames {
            now += Duration::from_millis(pause);
            router.tick(now);
            let before = frame.clone();
            if let Some(out) = router.handle(port, &mut frame, now) {
                sent += 1;
                ends(&frame, out);
                let answered = before[HEADERS..] != frame[HEADERS..];
                if !answered && before[22..54] == frame[22..54] {
                    prop_assert_eq!(before[21] - 1, frame[21]);
                    prop_assert_eq!(&before[12..21], &frame[12..21]);
                }
            }
            for (port, frame) in router.out.drain(..) {
                sent += 1;
                ends(&frame, port);
            }
            let counters = &router.counters;
            prop_assert_eq!(
                counters.received.iter().sum::<u64>() + counters.made,
                sent + counters.taken + counters.all_dropped() + router.held() as u64
            );
        }
    }

    #[test]
    fn the_checksum_is_what_the_rfc_says(
        source in any::<u128>(),
        destination in any::<u128>(),
        message in vec(any::<u8>(), 4..60),
    ) {
        // The remainder of one large number is the sum of its words with what they carry.
        let mut bytes = [source.to_be_bytes(), destination.to_be_bytes()].concat();
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend([0, 0, 0, 58]);
        bytes.extend(&message);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let rest = bytes.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % 0xffff);
        let sum = wire::checksum(source.into(), destination.into(), &message);
        prop_assert_eq!(u32::from(!sum) % 0xffff, rest);
    }

    #[test]
    fn the_longest_prefix_is_found(
        routes in vec((any::<u16>(), 0..=32_u8), 0..40),
        to in any::<u16>(),
    ) {
        // Few bits, so that prefixes lie in each other.
        let address = |bits: u16| Ipv6Addr::from(u128::from(bits) << 112 | u128::from(bits & 1));
        let routes = routes.iter().enumerate().map(|(port, (bits, length))| Route {
            to: Ipv6Net::new(address(*bits), *length / 2).unwrap().trunc(),
            port,
            via: None,
        });
        let routes: Vec<Route> = routes.collect();
        let to = address(to);
        let mut best: Option<&Route> = None;
        for route in routes.iter().filter(|route| route.to.contains(&to)) {
            if best.is_none_or(|best| route.to.prefix_len() > best.to.prefix_len()) {
                best = Some(route);
            }
        }
        let expected = best.map(|route| (route.port, to));
        prop_assert_eq!(Routes::new(routes.clone()).find(to), expected);
    }
}
