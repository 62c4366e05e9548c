//! What becomes of a frame: sent on, answered, held until a neighbour's address is known, or dropped for a reason.

use std::net::Ipv6Addr;
use std::time::Instant;

use ipnet::Ipv6Net;

use crate::counters::{Counters, Reason, Report};
use crate::icmp::{self, Budget, Problem};
use crate::nd;
use crate::neighbours::{Due, Hold, Neighbours};
use crate::port::Port;
use crate::routes::{Route, Routes};
use crate::wire::{self, ETHERNET, HEADERS, Header, ICMPV6, Mac, TCP, UDP};

/// What is done with a frame.
enum Way {
    /// It is to be sent at this port.
    Out(usize),
    /// A copy waits for a neighbour.
    Held,
    /// It was for the router, which has read it.
    Taken,
}

/// The router.
#[derive(Debug)]
pub struct Router {
    ports: Vec<Port>,
    routes: Routes,
    neighbours: Neighbours,
    budget: Budget,
    /// What became of packets. Who sends them counts them as `sent`, or as dropped.
    pub counters: Counters,
    /// Frames to be sent beside those that were given: the port of each, and its bytes.
    pub out: Vec<(usize, Vec<u8>)>,
}

impl Router {
    /// A router with these ports, and routes beside those to the ports' own links.
    pub fn new(ports: Vec<Port>, routes: &[Route], now: Instant) -> Self {
        let own = ports.iter().enumerate().flat_map(|(port, p)| {
            let route = move |to: &Ipv6Net| Route {
                to: *to,
                port,
                via: None,
            };
            p.addresses.iter().map(route)
        });
        Self {
            routes: Routes::new(own.chain(routes.iter().copied()).collect()),
            neighbours: Neighbours::default(),
            budget: Budget::new(now),
            counters: Counters::new(ports.len()),
            out: Vec::new(),
            ports,
        }
    }

    /// Takes a frame that arrived at `port` at the time `now`. It is changed where it lies and to be sent at the port that is returned;
    /// with `None` it is done with. Frames that the router makes for its sake are in `out`.
    pub fn handle(&mut self, port: usize, frame: &mut [u8], now: Instant) -> Option<usize> {
        self.counters.received[port] += 1;
        let way = self.decide(port, frame, now);
        self.settle(way)
    }

    /// Asks neighbours again, and gives up those that do not answer: to be called some times a second.
    pub fn tick(&mut self, now: Instant) {
        for due in self.neighbours.due(now) {
            match due {
                Due::Ask((port, target), at) => self.ask(port, target, at),
                Due::Failed((port, _), frames) => {
                    for frame in frames {
                        self.counters.drop(Reason::Unresolved, 1);
                        if let Ok(header) = wire::parse(&frame) {
                            self.tell(Problem::AddressUnreachable, port, &frame, &header, now);
                        }
                    }
                }
            }
        }
    }

    /// The counters in words.
    pub fn report(&self) -> Report<'_> {
        Report(&self.counters, self.held())
    }

    /// Packets that wait for a neighbour.
    pub fn held(&self) -> usize {
        self.neighbours.waiting()
    }

    fn settle(&mut self, way: Result<Way, Reason>) -> Option<usize> {
        match way {
            Ok(Way::Out(port)) => return Some(port),
            Ok(Way::Held) => {}
            Ok(Way::Taken) => self.counters.taken += 1,
            Err(reason) => self.counters.drop(reason, 1),
        }
        None
    }

    fn decide(&mut self, port: usize, frame: &mut [u8], now: Instant) -> Result<Way, Reason> {
        let header = wire::parse(frame)?;
        let to_group = wire::is_for_group(frame);
        if !to_group && frame[..6] != self.ports[port].mac {
            return Err(Reason::OtherStation);
        }
        let Header {
            source,
            destination,
            ..
        } = header;
        if source.is_multicast()
            || source.is_loopback()
            || destination.is_loopback()
            || destination.is_unspecified()
            || self.is_own(port, source)
        {
            return Err(Reason::Source);
        }
        if destination.is_multicast() && !self.ports[port].listens(destination) {
            return Err(Reason::Group);
        }
        if destination.is_multicast() || self.is_own(port, destination) {
            return self.local(port, frame, &header, now);
        }
        match to_group {
            true => Err(Reason::OtherStation),
            false => self.forward(port, frame, &header, now),
        }
    }

    /// Whether an address is the router's own, as seen from a port.
    fn is_own(&self, port: usize, address: Ipv6Addr) -> bool {
        address == self.ports[port].link_local()
            || self.ports.iter().any(|port| port.has_global(address))
    }

    fn forward(
        &mut self,
        port: usize,
        frame: &mut [u8],
        header: &Header,
        now: Instant,
    ) -> Result<Way, Reason> {
        if header.source.is_unspecified() {
            return Err(Reason::Source);
        }
        let problem = match self.routes.find(header.destination) {
            _ if header.destination.is_unicast_link_local() => return Err(Reason::Scope),
            _ if header.source.is_unicast_link_local() => (Problem::BeyondScope, Reason::Scope),
            _ if header.hop_limit <= 1 => (Problem::HopLimit, Reason::HopLimit),
            None => (Problem::NoRoute, Reason::NoRoute),
            Some((out, _)) if frame.len() - ETHERNET > self.ports[out].mtu => {
                let mtu = u32::try_from(self.ports[out].mtu).unwrap_or(u32::MAX);
                (Problem::TooBig(mtu), Reason::TooBig)
            }
            Some((out, next)) => {
                wire::take_hop(frame);
                return self.pass(out, next, frame, now);
            }
        };
        self.tell(problem.0, port, frame, header, now);
        Err(problem.1)
    }

    /// Directs a frame to a neighbour, or lets it wait.
    fn pass(
        &mut self,
        port: usize,
        next: Ipv6Addr,
        frame: &mut [u8],
        now: Instant,
    ) -> Result<Way, Reason> {
        if let Some(mac) = self.neighbours.mac((port, next)) {
            wire::direct(frame, mac, self.ports[port].mac);
            return Ok(Way::Out(port));
        }
        match self.neighbours.hold((port, next), frame, now) {
            Hold::First => self.ask(port, next, None),
            Hold::Behind => {}
            Hold::Displaced => self.counters.drop(Reason::Waiting, 1),
            Hold::Full => return Err(Reason::Neighbours),
        }
        Ok(Way::Held)
    }

    /// A packet for the router, or for a group that it is in.
    fn local(
        &mut self,
        port: usize,
        frame: &mut [u8],
        header: &Header,
        now: Instant,
    ) -> Result<Way, Reason> {
        if header.next != ICMPV6 {
            if header.next == TCP || header.next == UDP {
                self.tell(Problem::PortUnreachable, port, frame, header, now);
            }
            return Err(Reason::Unserved);
        }
        let message = &frame[HEADERS..header.end];
        if wire::checksum(header.source, header.destination, message) != 0 {
            return Err(Reason::Checksum);
        }
        match message.first() {
            Some(&nd::SOLICITATION) => self.solicited(port, header, message, now),
            Some(&nd::ADVERTISEMENT) => {
                let answer = nd::advertisement(header, message).ok_or(Reason::Discovery)?;
                let waited = self.neighbours.answered(port, &answer, now);
                self.release(port, answer.target, waited);
                Ok(Way::Taken)
            }
            Some(&icmp::ECHO_REQUEST) => self.echo(port, frame, header, now),
            _ => Err(Reason::Unserved),
        }
    }

    fn solicited(
        &mut self,
        port: usize,
        header: &Header,
        message: &[u8],
        now: Instant,
    ) -> Result<Way, Reason> {
        let question = nd::solicitation(header, message).ok_or(Reason::Discovery)?;
        if !self.ports[port].has(question.target) {
            return Err(Reason::OtherStation);
        }
        let mac = self.ports[port].mac;
        let mut answer = nd::advertise(question.target, header.source, mac);
        if header.source.is_unspecified() {
            wire::direct(&mut answer, nd::group_mac(nd::ALL_NODES), mac);
            self.counters.made += 1;
            self.out.push((port, answer));
            return Ok(Way::Taken);
        }
        if let Some(from) = question.from {
            let waited = self.neighbours.heard((port, header.source), from, now);
            self.release(port, header.source, waited);
        }
        self.send(port, header.source, answer, now);
        Ok(Way::Taken)
    }

    /// Turns an echo request round.
    fn echo(
        &mut self,
        port: usize,
        frame: &mut [u8],
        header: &Header,
        now: Instant,
    ) -> Result<Way, Reason> {
        let frame = &mut frame[..header.end];
        if frame.len() < HEADERS + icmp::ECHO_HEAD {
            return Err(Reason::Malformed);
        }
        if header.source.is_unspecified() {
            return Err(Reason::Source);
        }
        let from = match header.destination.is_multicast() {
            true => self.ports[port].address_for(header.source),
            false => header.destination,
        };
        let (out, next) = self.towards(port, header.source).ok_or(Reason::NoRoute)?;
        if frame.len() - ETHERNET > self.ports[out].mtu {
            return Err(Reason::TooBig);
        }
        frame[HEADERS] = icmp::ECHO_REPLY;
        wire::seal(frame, from, header.source, icmp::HOPS);
        self.pass(out, next, frame, now)
    }

    /// Port and next hop on the way to who is seen at a port.
    fn towards(&self, port: usize, address: Ipv6Addr) -> Option<(usize, Ipv6Addr)> {
        match address.is_unicast_link_local() {
            true => Some((port, address)),
            false => self.routes.find(address),
        }
    }

    /// Tells the sender of a packet that is at `port` what became of it, if it may be told.
    fn tell(&mut self, problem: Problem, port: usize, frame: &[u8], header: &Header, now: Instant) {
        if self.is_own(port, header.source) || !icmp::may_be_told(frame, header) {
            return;
        }
        let Some((out, next)) = self.towards(port, header.source) else {
            return;
        };
        if !self.budget.take(now) {
            self.counters.untold += 1;
            return;
        }
        let from = match self.is_own(port, header.destination) {
            true => header.destination,
            false => self.ports[out].address_for(header.source),
        };
        let report = icmp::report(problem, from, frame, header);
        self.send(out, next, report, now);
    }

    /// Sends a frame that the router has made.
    fn send(&mut self, port: usize, next: Ipv6Addr, mut frame: Vec<u8>, now: Instant) {
        self.counters.made += 1;
        let way = self.pass(port, next, &mut frame, now);
        if let Some(port) = self.settle(way) {
            self.out.push((port, frame));
        }
    }

    /// Asks for the Ethernet address of a neighbour.
    fn ask(&mut self, port: usize, target: Ipv6Addr, at: Option<Mac>) {
        let own = &self.ports[port];
        let question = nd::solicit(target, at, own.link_local(), own.mac);
        self.counters.made += 1;
        self.out.push((port, question));
    }

    /// Sends what has waited for a neighbour that is known now.
    fn release(&mut self, port: usize, neighbour: Ipv6Addr, frames: Vec<Vec<u8>>) {
        for mut frame in frames {
            if let Some(mac) = self.neighbours.mac((port, neighbour)) {
                wire::direct(&mut frame, mac, self.ports[port].mac);
                self.out.push((port, frame));
            }
        }
    }
}
