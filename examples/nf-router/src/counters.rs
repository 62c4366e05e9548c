//! What became of packets. All that arrived or was made here was sent, taken in or dropped for a reason, or is held:
//! `received + made = sent + taken + dropped + held`.

use std::fmt;

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its Ethernet address, or the target of its neighbour solicitation, is another station's.
    OtherStation,
    /// Another protocol.
    NotIpv6,
    /// Shorter than its headers, or headers that say what cannot be.
    Malformed,
    /// Shorter than its header says.
    Truncated,
    /// Nobody can have sent it: a group's address, one of ours, none, or the loopback's as source or destination.
    Source,
    /// Addresses of one link do not leave it.
    Scope,
    /// For a group that the router is not in; it does not forward for groups.
    Group,
    /// Its hop limit has run out.
    HopLimit,
    /// More than the next link takes.
    TooBig,
    /// No route to its destination.
    NoRoute,
    /// The next hop does not say its Ethernet address.
    Unresolved,
    /// Too many wait for that address already: the oldest of them goes.
    Waiting,
    /// Too many neighbours.
    Neighbours,
    /// ICMPv6 with a wrong checksum.
    Checksum,
    /// Neighbour discovery that RFC 4861 says to discard.
    Discovery,
    /// For the router itself, which does not serve that protocol.
    Unserved,
    /// The port does not take it.
    PortFull,
    /// There is no mbuf for it.
    NoMbuf,
}

impl Reason {
    /// All, in the order of their numbers.
    const ALL: [(Reason, &str); 18] = [
        (Reason::OtherStation, "for another station"),
        (Reason::NotIpv6, "not IPv6"),
        (Reason::Malformed, "malformed"),
        (Reason::Truncated, "truncated"),
        (Reason::Source, "impossible source"),
        (Reason::Scope, "beyond its scope"),
        (Reason::Group, "group without us"),
        (Reason::HopLimit, "hop limit exceeded"),
        (Reason::TooBig, "too big"),
        (Reason::NoRoute, "no route"),
        (Reason::Unresolved, "neighbour does not answer"),
        (Reason::Waiting, "too many wait for a neighbour"),
        (Reason::Neighbours, "too many neighbours"),
        (Reason::Checksum, "wrong checksum"),
        (Reason::Discovery, "invalid neighbour discovery"),
        (Reason::Unserved, "not served here"),
        (Reason::PortFull, "port full"),
        (Reason::NoMbuf, "no mbuf"),
    ];
}

/// Packets, since the start.
#[derive(Clone, Debug)]
pub struct Counters {
    /// That arrived, by port.
    pub received: Vec<u64>,
    /// That a port took to send, by port.
    pub sent: Vec<u64>,
    /// That the router made: neighbour discovery, and ICMPv6 errors. An answer to an echo request is the request, turned round.
    pub made: u64,
    /// Neighbour discovery that was for the router.
    pub taken: u64,
    /// ICMPv6 errors that were due and not made, as there were too many of them. What they would have been about counts as dropped.
    pub untold: u64,
    dropped: [u64; Reason::ALL.len()],
}

impl Counters {
    /// Zeros for a number of ports.
    pub fn new(ports: usize) -> Self {
        Self {
            received: vec![0; ports],
            sent: vec![0; ports],
            made: 0,
            taken: 0,
            untold: 0,
            dropped: [0; Reason::ALL.len()],
        }
    }

    /// Counts `n` packets as dropped.
    pub fn drop(&mut self, reason: Reason, n: u64) {
        self.dropped[reason as usize] += n;
    }

    /// Packets that were dropped for a reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Packets that were dropped for any reason.
    pub fn all_dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// The counters in words, with the number of packets that are held now.
#[derive(Debug)]
pub struct Report<'a>(pub &'a Counters, pub usize);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(counters, held) = self;
        let all = |counts: &[u64]| counts.iter().sum::<u64>();
        writeln!(
            f,
            "received {}, made {}; sent {}, taken {}, dropped {}, held {held}",
            all(&counters.received),
            counters.made,
            all(&counters.sent),
            counters.taken,
            counters.all_dropped(),
        )?;
        let ports = counters.received.iter().zip(&counters.sent);
        for (port, (received, sent)) in ports.enumerate() {
            writeln!(f, "  port {port}: received {received}, sent {sent}")?;
        }
        for (reason, words) in Reason::ALL {
            match counters.dropped(reason) {
                0 => {}
                n => writeln!(f, "  dropped, {words}: {n}")?,
            }
        }
        match counters.untold {
            0 => Ok(()),
            n => writeln!(f, "  errors not sent, as too many were due: {n}"),
        }
    }
}
