//! A router with two ports, and frames for it.

#![allow(dead_code, clippy::unwrap_used)]

use std::net::Ipv6Addr;
use std::time::Instant;

use nf_router::nd;
use nf_router::port::Port;
use nf_router::router::Router;
use nf_router::routes::Route;
use nf_router::wire::{self, HEADERS, Mac};

/// Ethernet addresses of the ports: of their links 2001:db8:1::/64 and 2001:db8:2::/64 they have the address `::1`.
pub const PORTS: [Mac; 2] = [[2, 0x6f, 0x7d, 0, 3, 0], [2, 0x6f, 0x7d, 0, 3, 1]];
/// MTU of the second port's link.
pub const MTU: usize = 1400;
/// The hosts `::10` at the links.
pub const HOSTS: [Mac; 2] = [[2, 0, 0, 0, 0, 0x10], [2, 0, 0, 0, 0, 0x20]];

pub fn at(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// The host at the link of a port.
pub fn host(port: usize) -> Ipv6Addr {
    at(["2001:db8:1::10", "2001:db8:2::10"][port])
}

/// The router's address at a port.
pub fn own(port: usize) -> Ipv6Addr {
    at(["2001:db8:1::1", "2001:db8:2::1"][port])
}

/// A router that knows nobody.
pub fn new() -> (Router, Instant) {
    let now = Instant::now();
    let port = |(mac, address, mtu): (Mac, &str, usize)| Port {
        mac,
        addresses: vec![address.parse().unwrap()],
        mtu,
    };
    let ports = [
        (PORTS[0], "2001:db8:1::1/64", 1500),
        (PORTS[1], "2001:db8:2::1/64", MTU),
    ];
    let route = Route {
        to: "2001:db8:9::/48".parse().unwrap(),
        port: 1,
        via: Some(at("2001:db8:2::2")),
    };
    let router = Router::new(ports.map(port).to_vec(), &[route], now);
    (router, now)
}

/// One that knows both hosts.
pub fn acquainted() -> (Router, Instant) {
    let (mut router, now) = new();
    for (port, mac) in HOSTS.into_iter().enumerate() {
        let mut frame = nd::solicit(own(port), None, host(port), mac);
        assert_eq!(router.handle(port, &mut frame, now), None);
    }
    assert_eq!(router.out.len(), 2);
    router.out.clear();
    (router, now)
}

/// A packet of a host to the port that it is at.
pub fn packet(from: Ipv6Addr, to: Ipv6Addr, hops: u8, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = wire::message(from, to, hops, [0, 0], &[payload]);
    frame.drain(HEADERS..HEADERS + 4);
    frame[18..20].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    frame[20] = next;
    let port = usize::from(from != host(0));
    wire::direct(&mut frame, PORTS[port], HOSTS[port]);
    frame
}

/// An echo request of the host at a port.
pub fn echo(port: usize, to: Ipv6Addr, hops: u8, data: usize) -> Vec<u8> {
    let body: [&[u8]; 2] = [&[1, 2, 0, 7], &vec![0xa5; data]];
    let mut frame = wire::message(host(port), to, hops, [128, 0], &body);
    wire::direct(&mut frame, PORTS[port], HOSTS[port]);
    frame
}

/// The answer of a station to the question that was sent last.
pub fn answer(router: &mut Router, mac: Mac) -> (usize, Vec<u8>) {
    let (port, question) = router.out.pop().unwrap();
    let header = wire::parse(&question).unwrap();
    assert_eq!(question[HEADERS], nd::SOLICITATION);
    assert_eq!(question[6..12], PORTS[port]);
    let asked = nd::solicitation(&header, &question[HEADERS..]).unwrap();
    let mut frame = nd::advertise(asked.target, header.source, mac);
    wire::direct(&mut frame, PORTS[port], mac);
    (port, frame)
}

/// Type and code of the only frame that is to be sent, its port, its addresses, and what follows its checksum.
pub fn only_message(router: &mut Router) -> (usize, [u8; 2], Ipv6Addr, Ipv6Addr, Vec<u8>) {
    let out: Vec<_> = router.out.drain(..).collect();
    let [(port, frame)] = &out[..] else {
        unreachable!("{} frames", out.len());
    };
    let header = wire::parse(frame).unwrap();
    let message = &frame[HEADERS..header.end];
    assert_eq!(
        wire::checksum(header.source, header.destination, message),
        0
    );
    (
        *port,
        [message[0], message[1]],
        header.source,
        header.destination,
        message[4..].to_vec(),
    )
}
