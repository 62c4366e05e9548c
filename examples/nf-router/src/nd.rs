//! Messages of Neighbour Discovery (RFC 4861): who has an address, and what its Ethernet address is.

use std::net::Ipv6Addr;

use crate::wire::{self, Header, Mac};

/// Type of a neighbour solicitation.
pub const SOLICITATION: u8 = 135;
/// Type of a neighbour advertisement.
pub const ADVERTISEMENT: u8 = 136;
/// All stations of a link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of a link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// It says that the message comes from the same link: a router would have made it less.
const HOPS: u8 = 255;
const OPTION_SOURCE: u8 = 1;
const OPTION_TARGET: u8 = 2;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;
/// Where flags, the target and options are in a message.
const FLAGS: usize = 4;
const TARGET: usize = 8;
const OPTIONS: usize = 24;

/// A question for the Ethernet address of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// Whose.
    pub target: Ipv6Addr,
    /// That of who asks.
    pub from: Option<Mac>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// Whose.
    pub target: Ipv6Addr,
    /// The Ethernet address.
    pub mac: Option<Mac>,
    /// It answers a question of ours.
    pub solicited: bool,
    /// It replaces what was known.
    pub overrides: bool,
}

/// The group in which stations with an address like this one listen for questions.
pub fn group(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b] = target.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a & 0xff, b)
}

/// The Ethernet address of a group.
pub fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// The address of one link that a station with this Ethernet address gives itself (RFC 4291, appendix A).
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    let pair = u16::from_be_bytes;
    let (high, low) = (pair([a ^ 2, b]), pair([e, f]));
    Ipv6Addr::new(0xfe80, 0, 0, 0, high, pair([c, 0xff]), pair([0xfe, d]), low)
}

/// The target and the options of a message, if it is valid so far.
fn open<'a>(header: &Header, message: &'a [u8]) -> Option<(Ipv6Addr, &'a [u8])> {
    let (head, options) = message.split_at_checked(OPTIONS)?;
    let target = wire::address(&head[TARGET..]);
    let valid = header.hop_limit == HOPS && head[1] == 0 && !target.is_multicast();
    valid.then_some((target, options))
}

/// The Ethernet address in the option `wanted`, if there is that option; `None` of all if the options are none.
fn link_address(mut options: &[u8], wanted: u8) -> Option<Option<Mac>> {
    let mut found = None;
    while let &[kind, units, ..] = options {
        let (option, rest) = options.split_at_checked(usize::from(units) * 8)?;
        match *option {
            // It would never end.
            [] => return None,
            [_, _, a, b, c, d, e, f] if kind == wanted && a & 1 == 0 => {
                found = Some([a, b, c, d, e, f]);
            }
            _ => {}
        }
        options = rest;
    }
    options.is_empty().then_some(found)
}

/// Reads a solicitation, whose checksum is right; `None` if it is not valid (RFC 4861, 7.1.1).
pub fn solicitation(header: &Header, message: &[u8]) -> Option<Solicitation> {
    let (target, options) = open(header, message)?;
    let from = link_address(options, OPTION_SOURCE)?;
    // Who has no address yet asks whether anybody has the one that it would like.
    let nobody = header.source.is_unspecified();
    let valid = !nobody || (from.is_none() && header.destination == group(target));
    valid.then_some(Solicitation { target, from })
}

/// Reads an advertisement, whose checksum is right; `None` if it is not valid (RFC 4861, 7.1.2).
pub fn advertisement(header: &Header, message: &[u8]) -> Option<Advertisement> {
    let (target, options) = open(header, message)?;
    let mac = link_address(options, OPTION_TARGET)?;
    let flags = message[FLAGS];
    let solicited = flags & FLAG_SOLICITED != 0;
    let valid = !solicited || !header.destination.is_multicast();
    valid.then_some(Advertisement {
        target,
        mac,
        solicited,
        overrides: flags & FLAG_OVERRIDE != 0,
    })
}

fn option(kind: u8, mac: Mac) -> [u8; 8] {
    let [a, b, c, d, e, f] = mac;
    [kind, 1, a, b, c, d, e, f]
}

/// A frame that asks for a target: all that may be it, or whoever had it last (`at`).
pub fn solicit(target: Ipv6Addr, at: Option<Mac>, source: Ipv6Addr, mac: Mac) -> Vec<u8> {
    let (to, destination) = match at {
        Some(at) => (at, target),
        None => (group_mac(group(target)), group(target)),
    };
    let body: [&[u8]; 3] = [&[0; 4], &target.octets(), &option(OPTION_SOURCE, mac)];
    let mut frame = wire::message(source, destination, HOPS, [SOLICITATION, 0], &body);
    wire::direct(&mut frame, to, mac);
    frame
}

/// A frame that answers who asked for `target`, which is ours. Ethernet addresses are still to be written.
pub fn advertise(target: Ipv6Addr, asked_by: Ipv6Addr, mac: Mac) -> Vec<u8> {
    let (to, flags) = match asked_by.is_unspecified() {
        true => (ALL_NODES, FLAG_ROUTER | FLAG_OVERRIDE),
        false => (asked_by, FLAG_ROUTER | FLAG_OVERRIDE | FLAG_SOLICITED),
    };
    let flags = [flags, 0, 0, 0];
    let body: [&[u8]; 3] = [&flags, &target.octets(), &option(OPTION_TARGET, mac)];
    wire::message(target, to, HOPS, [ADVERTISEMENT, 0], &body)
}
