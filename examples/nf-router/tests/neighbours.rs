//! Neighbours are found, checked, and given up.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{HOSTS, PORTS, acquainted, answer, at, echo, host, new, only_message, own};
use nf_router::counters::Reason;
use nf_router::nd;
use nf_router::neighbours::{GOOD, MOST, PAUSE, QUESTIONS, WAITING};
use nf_router::wire::{self, HEADERS};

/// Bytes as tshark prints them.
fn bytes(text: &str) -> Vec<u8> {
    let word = |word: &str| u8::from_str_radix(word, 16).unwrap();
    text.split_whitespace().map(word).collect()
}

#[test]
fn a_question_that_linux_asked_gets_the_answer_that_linux_understood() {
    let (mut router, now) = new();
    let mut question = bytes(
        "33 33 ff 00 00 01 02 6f 7d 00 00 00 86 dd 60 00 00 00 00 20 3a ff 20 01 0d b8 00 01 00 00 00 00
         00 00 00 00 00 10 ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 01 87 00 9e a9 00 00 00 00 20 01
         0d b8 00 01 00 00 00 00 00 00 00 00 00 01 01 01 02 6f 7d 00 00 00",
    );
    assert_eq!(router.handle(0, &mut question, now), None);
    let answer = bytes(
        "02 6f 7d 00 00 00 02 6f 7d 00 03 00 86 dd 60 00 00 00 00 20 3a ff 20 01 0d b8 00 01 00 00 00 00
         00 00 00 00 00 01 20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 10 88 00 89 f3 e0 00 00 00 20 01
         0d b8 00 01 00 00 00 00 00 00 00 00 00 01 02 01 02 6f 7d 00 03 00",
    );
    assert_eq!(router.out, [(0, answer)]);
    assert_eq!(router.counters.taken, 1);
}

#[test]
fn who_wants_an_address_of_ours_hears_that_it_is_taken() {
    let (mut router, now) = new();
    let target = own(1);
    let body: [&[u8]; 2] = [&[0; 4], &target.octets()];
    let group = nd::group(target);
    let mut frame = wire::message(at("::"), group, 255, [nd::SOLICITATION, 0], &body);
    wire::direct(&mut frame, nd::group_mac(group), HOSTS[1]);
    assert_eq!(router.handle(1, &mut frame, now), None);
    assert_eq!(router.out[0].1[..6], [0x33, 0x33, 0, 0, 0, 1]);
    let (port, kind, from, to, rest) = only_message(&mut router);
    assert_eq!((port, kind), (1, [nd::ADVERTISEMENT, 0]));
    assert_eq!((from, to), (target, nd::ALL_NODES));
    assert_eq!(rest[0], 0xa0, "a router; nobody asked; replaces");
}

#[test]
fn packets_wait_in_order_until_the_next_hop_is_known() {
    let (mut router, now) = new();
    let sent = [echo(0, host(1), 64, 0), echo(0, host(1), 64, 100)];
    for mut frame in sent.clone() {
        assert_eq!(router.handle(0, &mut frame, now), None);
    }
    assert_eq!((router.held(), router.out.len()), (2, 1));
    let (port, mut answer) = answer(&mut router, HOSTS[1]);
    assert_eq!(port, 1);
    assert_eq!(router.handle(port, &mut answer, now), None);
    let mut third = echo(0, host(1), 64, 7);
    assert_eq!(router.handle(0, &mut third, now), Some(1));
    let out = std::mem::take(&mut router.out);
    let went = out.into_iter().map(|(port, frame)| {
        assert_eq!(port, 1);
        frame
    });
    let sent = sent.into_iter().chain([echo(0, host(1), 64, 7)]);
    for (mut expected, frame) in sent.zip(went.chain([third])) {
        wire::direct(&mut expected, HOSTS[1], PORTS[1]);
        expected[21] = 63;
        assert_eq!(frame, expected);
    }
    assert_eq!(router.held(), 0);
}

#[test]
fn a_route_leads_to_the_next_router() {
    let (mut router, now) = new();
    let mut frame = echo(0, at("2001:db8:9::1"), 64, 0);
    assert_eq!(router.handle(0, &mut frame, now), None);
    let (_, question) = router.out.pop().unwrap();
    assert_eq!(wire::address(&question[HEADERS + 8..]), at("2001:db8:2::2"));
}

#[test]
fn of_too_many_that_wait_the_oldest_goes() {
    let (mut router, now) = new();
    for data in 0..=WAITING {
        router.handle(0, &mut echo(0, host(1), 64, data), now);
    }
    assert_eq!(router.held(), WAITING);
    assert_eq!(router.counters.dropped(Reason::Waiting), 1);
    let (port, mut answer) = answer(&mut router, HOSTS[1]);
    router.handle(port, &mut answer, now);
    let sizes: Vec<_> = router
        .out
        .iter()
        .map(|(_, f)| f.len() - HEADERS - 8)
        .collect();
    assert_eq!(sizes, Vec::from_iter(1..=WAITING));
}

#[test]
fn who_never_answers_is_asked_three_times_and_the_sender_is_told() {
    let (mut router, mut now) = acquainted();
    let nobody = at("2001:db8:2::99");
    router.handle(0, &mut echo(0, nobody, 64, 0), now);
    for _ in 1..QUESTIONS {
        router.tick(now + PAUSE / 2);
        assert_eq!(router.out.len(), 1, "not before its time");
        router.out.clear();
        now += PAUSE;
        router.tick(now);
        assert_eq!(router.out[0].1[HEADERS], nd::SOLICITATION);
    }
    router.out.clear();
    router.tick(now + PAUSE);
    let (port, kind, from, to, _) = only_message(&mut router);
    assert_eq!((port, kind, from, to), (0, [1, 3], own(0), host(0)));
    assert_eq!(router.counters.dropped(Reason::Unresolved), 1);
    assert_eq!(router.held(), 0);
}

#[test]
fn a_neighbour_in_use_is_checked_and_forgotten_when_it_is_silent() {
    let (mut router, now) = new();
    router.handle(0, &mut echo(0, host(1), 64, 0), now);
    let (port, mut frame) = answer(&mut router, HOSTS[1]);
    router.handle(port, &mut frame, now);
    router.out.clear();
    // It answers once more, and then no longer.
    let mut now = now + GOOD;
    router.tick(now);
    assert_eq!(router.out[0].1[..6], HOSTS[1], "only the one that had it");
    let (port, mut frame) = answer(&mut router, HOSTS[1]);
    router.handle(port, &mut frame, now);
    now += GOOD;
    assert_eq!(router.handle(0, &mut echo(0, host(1), 64, 0), now), Some(1));
    for _ in 0..QUESTIONS {
        router.tick(now);
        assert_eq!(router.out.drain(..).count(), 1);
        now += PAUSE;
    }
    router.tick(now);
    assert_eq!(router.handle(0, &mut echo(0, host(1), 64, 0), now), None);
    assert_eq!(router.held(), 1);
}

#[test]
fn a_neighbour_that_nobody_used_is_forgotten_without_a_question() {
    let (mut router, mut now) = acquainted();
    for _ in 0..3 {
        now += Duration::from_secs(40);
        router.tick(now);
        let questions: Vec<_> = router.out.drain(..).collect();
        for (port, question) in questions {
            router.out.push((port, question));
            let (port, mut frame) = answer(&mut router, HOSTS[port]);
            router.handle(port, &mut frame, now);
        }
    }
    assert!(router.out.is_empty());
    assert_eq!(router.handle(0, &mut echo(0, host(1), 64, 0), now), None);
}

#[test]
fn a_neighbour_may_move_only_if_it_says_so() {
    let (mut router, now) = acquainted();
    let moved = [2, 0, 0, 0, 0, 0x99];
    for (flag, expected) in [(0x40, HOSTS[1]), (0x60, moved)] {
        let target = host(1).octets();
        let option = [2, 1, 2, 0, 0, 0, 0, 0x99];
        let body: [&[u8]; 3] = [&[flag, 0, 0, 0], &target, &option];
        let mut frame = wire::message(host(1), own(1), 255, [nd::ADVERTISEMENT, 0], &body);
        wire::direct(&mut frame, PORTS[1], moved);
        assert_eq!(router.handle(1, &mut frame, now), None);
        let mut frame = echo(0, host(1), 64, 0);
        assert_eq!(router.handle(0, &mut frame, now), Some(1));
        assert_eq!(frame[..6], expected);
    }
}

#[test]
fn an_ethernet_address_of_a_group_is_nobodys() {
    let (mut router, now) = new();
    let mut question = nd::solicit(own(0), None, host(0), [3, 0, 0, 0, 0, 0x10]);
    router.handle(0, &mut question, now);
    assert_eq!(router.held(), 1, "the answer waits");
    let (_, question) = router.out.pop().unwrap();
    assert_eq!(question[HEADERS], nd::SOLICITATION);
}

#[test]
fn an_answer_to_all_is_no_answer_to_us() {
    let (mut router, now) = new();
    router.handle(0, &mut echo(0, host(1), 64, 0), now);
    for (flags, reason) in [(0x60, Some(Reason::Discovery)), (0x20, None)] {
        let option = [2, 1, 2, 0, 0, 0, 0, 0x20];
        let body: [&[u8]; 3] = [&[flags, 0, 0, 0], &host(1).octets(), &option];
        let kind = [nd::ADVERTISEMENT, 0];
        let mut frame = wire::message(host(1), nd::ALL_NODES, 255, kind, &body);
        wire::direct(&mut frame, nd::group_mac(nd::ALL_NODES), HOSTS[1]);
        router.handle(1, &mut frame, now);
        assert_eq!(router.held(), usize::from(reason.is_some()));
    }
    assert_eq!(router.counters.dropped(Reason::Discovery), 1);
    assert_eq!(router.counters.taken, 1);
}

#[test]
fn discovery_that_is_not_valid_is_discarded() {
    let body = |option: &[u8]| [&[0; 4], &own(0).octets()[..], option].concat();
    let good = body(&[1, 1, 2, 0, 0, 0, 0, 0x10]);
    let group = nd::group(own(0));
    for (source, hops, code, body, reason) in [
        (host(0), 254, 0, good.clone(), Reason::Discovery),
        (host(0), 255, 1, good.clone(), Reason::Discovery),
        (at("::"), 255, 0, good.clone(), Reason::Discovery),
        (host(0), 255, 0, good[..19].to_vec(), Reason::Discovery),
        (
            host(0),
            255,
            0,
            body(&[1, 0, 0, 0, 0, 0, 0, 0]),
            Reason::Discovery,
        ),
        (
            host(0),
            255,
            0,
            body(&[1, 2, 0, 0, 0, 0, 0, 0]),
            Reason::Discovery,
        ),
        (host(0), 255, 0, body(&[1]), Reason::Discovery),
        (at("ff02::1"), 255, 0, good.clone(), Reason::Source),
        (own(0), 255, 0, good.clone(), Reason::Source),
    ] {
        let (mut router, now) = new();
        let mut frame = wire::message(source, group, hops, [nd::SOLICITATION, code], &[&body]);
        wire::direct(&mut frame, nd::group_mac(group), HOSTS[0]);
        assert_eq!(router.handle(0, &mut frame, now), None);
        assert_eq!(
            router.counters.dropped(reason),
            1,
            "{source} {hops} {code} {body:?}"
        );
        assert_eq!(router.out, []);
    }
    // Who has no address asks a group.
    let (mut router, now) = new();
    let kind = [nd::SOLICITATION, 0];
    let mut frame = wire::message(at("::"), own(0), 255, kind, &[&body(&[])]);
    wire::direct(&mut frame, PORTS[0], HOSTS[0]);
    assert_eq!(router.handle(0, &mut frame, now), None);
    assert_eq!(router.counters.dropped(Reason::Discovery), 1);

    let (mut router, now) = new();
    let mut frame = wire::message(host(0), group, 255, kind, &[&good]);
    wire::direct(&mut frame, nd::group_mac(group), HOSTS[0]);
    let mut spoiled = frame.clone();
    spoiled[HEADERS + 2] ^= 1;
    assert_eq!(router.handle(0, &mut spoiled, now), None);
    assert_eq!(router.counters.dropped(Reason::Checksum), 1);
    assert_eq!(router.handle(0, &mut frame, now), None);
    assert_eq!(router.out.len(), 1, "without these faults it is answered");
}

#[test]
fn there_are_no_more_neighbours_than_may_be() {
    let (mut router, now) = new();
    let network = u128::from(at("2001:db8:2::"));
    for number in 2..=MOST as u128 + 2 {
        let to = (network + number).into();
        router.handle(0, &mut echo(0, to, 64, 0), now);
    }
    assert_eq!(router.counters.dropped(Reason::Neighbours), 1);
    assert_eq!(router.held(), MOST);
    // Nor by asking: there is nobody to send the answer to.
    router.out.clear();
    let mut question = nd::solicit(own(0), None, host(0), HOSTS[0]);
    router.handle(0, &mut question, now);
    assert_eq!(router.out, []);
    assert_eq!(router.counters.dropped(Reason::Neighbours), 2);
}

#[test]
fn of_its_own_answer_that_waits_in_vain_the_router_tells_nobody() {
    let (mut router, mut now) = new();
    router.handle(0, &mut echo(0, own(0), 64, 0), now);
    assert_eq!(router.held(), 1);
    for _ in 0..QUESTIONS {
        router.out.clear();
        now += PAUSE;
        router.tick(now);
    }
    assert_eq!(router.counters.dropped(Reason::Unresolved), 1);
    assert_eq!((router.held(), router.out.len()), (0, 0));
}
