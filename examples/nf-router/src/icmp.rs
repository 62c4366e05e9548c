//! ICMPv6 errors (RFC 4443).

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use crate::wire::{self, ETHERNET, HEADERS, Header, ICMPV6, LEAST_MTU};

/// Type of an echo request.
pub const ECHO_REQUEST: u8 = 128;
/// Type of its answer.
pub const ECHO_REPLY: u8 = 129;
/// Bytes of an echo request without data.
pub const ECHO_HEAD: usize = 8;
/// Hop limit of what the router sends on its own.
pub const HOPS: u8 = 64;

/// Types below are errors.
const FIRST_INFORMATION: u8 = 128;
const REDIRECT: u8 = 137;

/// What the sender of a packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no route to the destination.
    NoRoute,
    /// The source is of one link only, and the destination is beyond.
    BeyondScope,
    /// The destination, or the next router, does not answer.
    AddressUnreachable,
    /// Nobody listens there.
    PortUnreachable,
    /// The hop limit has run out.
    HopLimit,
    /// The next link takes no more than this many bytes.
    TooBig(u32),
}

impl Problem {
    /// Type and code, and the word behind the checksum.
    fn head(self) -> ([u8; 2], u32) {
        match self {
            Problem::NoRoute => ([1, 0], 0),
            Problem::BeyondScope => ([1, 2], 0),
            Problem::AddressUnreachable => ([1, 3], 0),
            Problem::PortUnreachable => ([1, 4], 0),
            Problem::TooBig(mtu) => ([2, 0], mtu),
            Problem::HopLimit => ([3, 0], 0),
        }
    }
}

/// Whether the sender of a packet may be told what became of it (RFC 4443, 2.4 (e)): never of an error, nor of what went to a group.
pub fn may_be_told(frame: &[u8], header: &Header) -> bool {
    if wire::is_for_group(frame)
        || header.destination.is_multicast()
        || header.source.is_multicast()
        || header.source.is_unspecified()
    {
        return false;
    }
    match upper(frame, header) {
        Some((ICMPV6, Some(kind))) => kind >= FIRST_INFORMATION && kind != REDIRECT,
        Some((ICMPV6, None)) | None => false,
        Some(_) => true,
    }
}

/// The first header that is no extension, and its first byte; `None` if the packet has none: it ends before, or is a later fragment.
fn upper(frame: &[u8], header: &Header) -> Option<(u8, Option<u8>)> {
    let mut next = header.next;
    let mut rest = frame.get(HEADERS..header.end)?;
    loop {
        // Each extension says in its first byte what comes next, and takes 8 bytes or more.
        let length = match next {
            // For each hop, for routers, for the destination.
            0 | 43 | 60 => (usize::from(*rest.get(1)?) + 1) * 8,
            // A fragment, with its place in the packet.
            44 if *rest.get(2)? == 0 && *rest.get(3)? & 0xf8 == 0 => 8,
            44 => return None,
            _ => return Some((next, rest.first().copied())),
        };
        next = *rest.first()?;
        rest = rest.get(length..)?;
    }
}

/// A frame that tells the sender of a packet of a problem, with as much of the packet as it may have.
pub fn report(problem: Problem, from: Ipv6Addr, frame: &[u8], header: &Header) -> Vec<u8> {
    // So that it fits every link, with the headers of IPv6 and of the error.
    const MOST: usize = LEAST_MTU - 40 - 8;
    let (kind, word) = problem.head();
    let packet = frame.get(ETHERNET..header.end).unwrap_or_default();
    let quoted = &packet[..packet.len().min(MOST)];
    wire::message(
        from,
        header.source,
        HOPS,
        kind,
        &[&word.to_be_bytes(), quoted],
    )
}

/// How many errors may be sent (RFC 4443, 2.4 (f)): so many at once, and then one each time.
#[derive(Debug)]
pub struct Budget {
    left: u32,
    filled: Instant,
}

impl Budget {
    /// Errors at once.
    pub const MOST: u32 = 50;
    /// Time after which there may be one more.
    pub const EACH: Duration = Duration::from_millis(10);

    /// A full one.
    pub fn new(now: Instant) -> Self {
        Self {
            left: Self::MOST,
            filled: now,
        }
    }

    /// Takes one; false if none is left.
    pub fn take(&mut self, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.filled).as_millis() / Self::EACH.as_millis();
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(Self::MOST);
            self.filled = now;
        }
        let some = self.left > 0;
        self.left -= u32::from(some);
        some
    }
}
