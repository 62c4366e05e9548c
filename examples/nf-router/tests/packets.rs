//! What becomes of packets, and what their senders hear of it.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::Ipv6Addr;

use common::{HOSTS, MTU, PORTS, acquainted, at, echo, host, only_message, own, packet};
use nf_router::counters::Reason;
use nf_router::icmp::Budget;
use nf_router::nd;
use nf_router::wire::{self, ETHERNET, HEADERS, ICMPV6, UDP};

#[test]
fn an_echo_request_is_answered_at_each_address() {
    let link_local = nd::link_local(PORTS[0]);
    for (to, from) in [
        (own(0), own(0)),
        (own(1), own(1)),
        (link_local, link_local),
        (nd::ALL_NODES, own(0)),
    ] {
        let (mut router, now) = acquainted();
        let mut frame = echo(0, to, 1, 56);
        if to == nd::ALL_NODES {
            wire::direct(&mut frame, nd::group_mac(to), HOSTS[0]);
        }
        let data = frame[HEADERS + 4..].to_vec();
        assert_eq!(router.handle(0, &mut frame, now), Some(0), "{to}");
        assert_eq!(frame[..12], [HOSTS[0], PORTS[0]].concat());
        router.out.push((0, frame));
        let answer = only_message(&mut router);
        assert_eq!(answer, (0, [129, 0], from, host(0), data));
    }
}

#[test]
fn what_cannot_go_on_is_dropped_and_its_sender_told() {
    let big = vec![0; MTU - 40 + 1];
    let link_local = at("fe80::10");
    for (from, to, hops, payload, reason, kind, word) in [
        (host(0), host(1), 1, &big[..9], Reason::HopLimit, [3, 0], 0),
        (host(0), host(1), 0, &big[..9], Reason::HopLimit, [3, 0], 0),
        (
            host(0),
            at("2001:db8:f::1"),
            64,
            &big[..9],
            Reason::NoRoute,
            [1, 0],
            0,
        ),
        (host(0), host(1), 64, &big[..], Reason::TooBig, [2, 0], MTU),
        (host(0), own(1), 64, &big[..9], Reason::Unserved, [1, 4], 0),
        (link_local, host(1), 64, &big[..9], Reason::Scope, [1, 2], 0),
    ] {
        let (mut router, now) = acquainted();
        if from == link_local {
            let mut question = nd::solicit(own(0), None, link_local, HOSTS[0]);
            router.handle(0, &mut question, now);
            router.out.clear();
        }
        let mut frame = packet(from, to, hops, UDP, payload);
        wire::direct(&mut frame, PORTS[0], HOSTS[0]);
        let whole = frame[ETHERNET..].to_vec();
        assert_eq!(router.handle(0, &mut frame, now), None);
        assert_eq!(router.counters.dropped(reason), 1, "{reason:?}");
        let (port, got, source, told, rest) = only_message(&mut router);
        assert_eq!((port, got, told), (0, kind, from), "{reason:?}");
        let expected = match to == own(1) {
            true => own(1),
            false if from == link_local => nd::link_local(PORTS[0]),
            false => own(0),
        };
        assert_eq!(source, expected);
        assert_eq!(rest[..4], u32::try_from(word).unwrap().to_be_bytes());
        assert_eq!(rest[4..], whole[..whole.len().min(1280 - 48)]);
    }
}

#[test]
fn the_largest_packet_of_a_link_passes() {
    let (mut router, now) = acquainted();
    let mut frame = packet(host(0), host(1), 64, UDP, &vec![0; MTU - 40]);
    assert_eq!(router.handle(0, &mut frame, now), Some(1));
}

#[test]
fn nobody_is_told_who_must_not_be() {
    let error = [3, 0, 0, 0, 0, 0, 0, 0];
    let redirect = [137, 0, 0, 0, 0, 0, 0, 0];
    let behind = [[ICMPV6, 0, 0, 0, 0, 0, 0, 0], error].concat();
    let first_fragment = [[ICMPV6, 0, 0, 1, 0, 0, 0, 0], error].concat();
    let later_fragment = [UDP, 0, 0, 9, 0, 0, 0, 0];
    for (next, payload, told) in [
        (ICMPV6, &error[..], false),
        (ICMPV6, &redirect, false),
        (ICMPV6, &[], false),
        (ICMPV6, &[128, 0, 0, 0, 0, 0, 0, 0], true),
        (60, &behind, false),
        (44, &first_fragment, false),
        (44, &later_fragment, false),
        (44, &[UDP, 0, 0, 1, 0, 0, 0, 0], true),
        (0, &[UDP, 9, 0, 0, 0, 0, 0, 0], false),
        (0, &[], false),
        (253, &[], true),
    ] {
        let (mut router, now) = acquainted();
        let mut frame = packet(host(0), host(1), 1, next, payload);
        assert_eq!(router.handle(0, &mut frame, now), None);
        assert_eq!(router.counters.dropped(Reason::HopLimit), 1);
        assert_eq!(router.out.len(), usize::from(told), "{next} {payload:?}");
    }
}

#[test]
fn frames_that_are_not_for_the_router_are_dropped_in_silence() {
    let good = packet(host(0), host(1), 64, UDP, &[0; 8]);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = good.clone();
        change(&mut frame);
        frame
    };
    let to = |to: Ipv6Addr| move |frame: &mut Vec<u8>| frame[38..54].copy_from_slice(&to.octets());
    let from =
        |from: Ipv6Addr| move |frame: &mut Vec<u8>| frame[22..38].copy_from_slice(&from.octets());
    for (frame, reason) in [
        (with(&|f| f[5] ^= 1), Reason::OtherStation),
        (with(&|f| f[..6].fill(0xff)), Reason::OtherStation),
        (with(&|f| f[12] = 8), Reason::NotIpv6),
        (with(&|f| f[14] = 0x45), Reason::Malformed),
        (with(&|f| f.truncate(53)), Reason::Malformed),
        (with(&|f| f.truncate(13)), Reason::Malformed),
        (with(&|f| f.truncate(61)), Reason::Truncated),
        (with(&from(at("::"))), Reason::Source),
        (with(&from(at("::1"))), Reason::Source),
        (with(&from(own(0))), Reason::Source),
        (with(&from(own(1))), Reason::Source),
        (with(&from(nd::ALL_NODES)), Reason::Source),
        (with(&to(at("::1"))), Reason::Source),
        (with(&to(at("fe80::10"))), Reason::Scope),
        (with(&to(at("ff05::1"))), Reason::Group),
        (with(&to(nd::ALL_ROUTERS)), Reason::Unserved),
    ] {
        let (mut router, now) = acquainted();
        assert_eq!(router.handle(0, &mut frame.clone(), now), None);
        assert_eq!(router.counters.dropped(reason), 1, "{reason:?}");
        assert_eq!(router.out, [], "{reason:?}");
    }
    let (mut router, now) = acquainted();
    assert_eq!(router.handle(0, &mut good.clone(), now), Some(1));
}

#[test]
fn errors_are_limited_and_come_again_with_time() {
    let (mut router, now) = acquainted();
    let count = |router: &mut nf_router::router::Router, now| {
        for _ in 0..100 {
            let mut frame = packet(host(0), host(1), 1, UDP, &[0; 8]);
            router.handle(0, &mut frame, now);
        }
        router.out.drain(..).count()
    };
    assert_eq!(count(&mut router, now), Budget::MOST as usize);
    assert_eq!(count(&mut router, now), 0);
    assert_eq!(count(&mut router, now + Budget::EACH * 7), 7);
    assert_eq!(router.counters.untold, 300 - u64::from(Budget::MOST) - 7);
    assert_eq!(router.counters.dropped(Reason::HopLimit), 300);
}
