//! Where one packet goes: an echo request with a mark in it is sent, and all interfaces are looked at meanwhile.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::capture::{Capture, Seen, all};
use crate::error::{Error, Result};
use crate::ping;
use crate::running::Running;

/// Bytes of the mark.
const MARK: usize = 16;

/// Bytes of an echo request before its data.
const BEFORE: usize = 8;

/// What is seen of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request.
    Request,
    /// The answer.
    Answer,
    /// What a node says of a request that it cannot bring on: its type in one or two words.
    Refusal(&'static str),
}

/// The packet at an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What of it.
    pub kind: Kind,
    /// Number of the node.
    pub node: usize,
    /// The interface: `h1:eth0`.
    pub place: String,
    /// It left by the interface; else it arrived.
    pub sent: bool,
    /// When, from the first sight on.
    pub after: Duration,
}

/// Where a request was seen, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Address that was asked.
    pub address: IpAddr,
    /// All sights.
    pub sights: Vec<Sight>,
    /// The answer came to who asked.
    pub answered: bool,
}

impl Trace {
    /// What became of it, in a sentence, if it was not answered.
    #[must_use]
    pub fn failure(&self, running: &Running) -> Option<String> {
        let last = |kind| self.sights.iter().rfind(|sight| sight.kind == kind);
        let place = |sight: &Sight| match sight.sent {
            true => format!("{}, where it left", sight.place),
            false => format!("{}, where it arrived", sight.place),
        };
        if self.answered {
            return None;
        }
        let refusal = self.sights.iter().find_map(|sight| match sight.kind {
            Kind::Refusal(why) => Some(format!("{} said: {why}", sight.place)),
            _ => None,
        });
        let has = |sight: &Sight| {
            let mut addresses = running.nodes()[sight.node].addresses();
            !sight.sent && addresses.any(|address| address == self.address)
        };
        let text = match (last(Kind::Request), last(Kind::Answer), refusal) {
            (_, Some(answer), _) => format!("the answer was last seen at {}", place(answer)),
            (Some(request), None, refusal) => {
                let arrived = self
                    .sights
                    .iter()
                    .any(|sight| sight.kind == Kind::Request && has(sight));
                let end = match (arrived, refusal) {
                    (_, Some(refusal)) => format!("; {refusal}"),
                    (true, None) => ": it is there, and nobody answers".to_owned(),
                    (false, None) => String::new(),
                };
                format!("the request was last seen at {}{end}", place(request))
            }
            (None, None, _) => format!(
                "the request was seen nowhere: there is no way to {}, or nobody on the way says what Ethernet address the next one has",
                self.address
            ),
        };
        Some(text)
    }
}

/// Asks an address from a node, once, and looks where request and answer are seen until the answer comes, or until `limit`.
///
/// # Errors
/// The network has gone, or cannot be looked at.
pub fn trace(running: &Running, from: usize, to: IpAddr, limit: Duration) -> Result<Trace> {
    let mut mark = [0; MARK];
    let path = "/dev/urandom";
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut mark))
        .map_err(|e| Error::io(format!("read {path}"), e))?;
    let mut capture = Capture::open(running, all(running))?;
    let stop = AtomicBool::new(false);
    let (answer, seen) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut found: Vec<(Kind, Seen)> = Vec::new();
            let mut each = |seen: &Seen| {
                found.extend(kind(&seen.data, &mark).map(|kind| (kind, seen.clone())));
                Ok(true)
            };
            capture.frames(&stop, None, &mut each, &mut || Ok(()))?;
            Ok(found)
        });
        let answer = ping::ask_with(running, from, to, &mark, limit);
        stop.store(true, Ordering::Relaxed);
        let broken = || Err(Error::Refused("the thread that captures failed".into()));
        (answer, looking.join().unwrap_or_else(|_| broken()))
    });
    let (answer, seen) = (answer?, seen?);
    let first = seen.first().map_or(0, |(_, seen)| seen.timestamp_ns);
    let sight = |(kind, seen): (Kind, Seen)| Sight {
        kind,
        node: capture.places()[seen.place].node,
        place: capture.places()[seen.place].name.clone(),
        sent: seen.sent,
        after: Duration::from_nanos(seen.timestamp_ns - first),
    };
    Ok(Trace {
        address: to,
        sights: seen.into_iter().map(sight).collect(),
        answered: answer.is_some(),
    })
}

/// What of a request with this mark a frame is; `None` if it has nothing of it.
fn kind(frame: &[u8], mark: &[u8; MARK]) -> Option<Kind> {
    let data = frame.windows(MARK).position(|part| part == mark)?;
    let request = data.checked_sub(BEFORE)?;
    // A refusal has the beginning of what it is about behind a head of its own.
    if let Some((outer, v6)) = icmp(frame)
        && outer < request
    {
        let kind = match (v6, frame[outer]) {
            (false, 3) | (true, 1) => "unreachable",
            (false, 11) | (true, 3) => "its time was over",
            (true, 2) => "too long for the next link",
            (false, 5) | (true, 137) => "another router is nearer",
            _ => "something about it is wrong",
        };
        return Some(Kind::Refusal(kind));
    }
    match frame[request] {
        8 | 128 => Some(Kind::Request),
        0 | 129 => Some(Kind::Answer),
        _ => None,
    }
}

/// Where in a frame ICMP begins, and whether it is IPv6's.
fn icmp(frame: &[u8]) -> Option<(usize, bool)> {
    let mut at = 12;
    // Behind tags.
    while matches!(frame.get(at..at + 2)?, [0x81, 0x00] | [0x88, 0xa8]) {
        at += 4;
    }
    let ip = at + 2;
    let (protocol, begins, v6) = match frame.get(at..ip)? {
        [0x08, 0x00] => (
            *frame.get(ip + 9)?,
            ip + usize::from(frame[ip] & 0xf) * 4,
            false,
        ),
        [0x86, 0xdd] => (*frame.get(ip + 6)?, ip + 40, true),
        _ => return None,
    };
    let wanted = if v6 { 58 } else { 1 };
    (protocol == wanted && begins < frame.len()).then_some((begins, v6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_answers_and_refusals_are_told_apart_with_and_without_tags() {
        let mark = [7; MARK];
        let echo = |kind: u8| [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &mark].concat();
        let v4 = |inner: &[u8]| [&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1][..], &[0; 10], inner].concat();
        let frame = |tag: &[u8], ip: &[u8]| [&[2; 12][..], tag, &[8, 0], ip].concat();
        for tag in [&[][..], &[0x81, 0, 0, 42]] {
            let kind = |ip: &[u8]| kind(&frame(tag, ip), &mark);
            assert_eq!(kind(&v4(&echo(8))), Some(Kind::Request));
            assert_eq!(kind(&v4(&echo(0))), Some(Kind::Answer));
            let about = [&[11, 0, 0, 0, 0, 0, 0, 0][..], &v4(&echo(8))].concat();
            assert_eq!(kind(&v4(&about)), Some(Kind::Refusal("its time was over")));
            assert_eq!(kind(&v4(&[0; 64])), None);
        }
        // Nothing that is cut off makes it fail.
        let whole = frame(&[], &v4(&echo(8)));
        for end in 0..whole.len() {
            kind(&whole[..end], &mark);
            kind(&whole[end..], &mark);
        }
    }
}
