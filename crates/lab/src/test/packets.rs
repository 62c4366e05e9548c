//! Frames of a capture are sent by a node as they are, and those that arrive at another one are compared.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sys::packets::Sender;

use super::compare::Comparison;
use crate::capture::{Capture, Place, Seen, places, recorded};
use crate::error::{Error, Result};
use crate::file::{Arriving, PacketsExpectation};
use crate::outside;
use crate::running::Running;

/// How long an interface may have no room for a frame.
const ROOM: Duration = Duration::from_secs(5);

/// Between two looks whether all has arrived.
const GLANCE: Duration = Duration::from_millis(5);

/// Sends frames and awaits others; why that is not what is expected.
pub(super) fn packets(
    running: &Running,
    expected: &PacketsExpectation,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let sent = recorded(&expected.send)?;
    let wanted = match &expected.arrive {
        Arriving::Sent(_) => sent.clone(),
        Arriving::File(path) => recorded(path)?,
    };
    let forbidden = expected.arrive == Arriving::Sent(false);
    let from = one(running, &expected.from)?;
    let index = running.nodes()[from.node].interfaces[from.interface].index;
    let sender = running.within(from.node, || Ok(Sender::open(index)?))?;
    let mut capture = Capture::open(
        running,
        places(running, std::slice::from_ref(&expected.to))?,
    )?;
    let mut comparison = Comparison::new(&wanted, &expected.except);
    // What is not to come is waited for until the end.
    let patient = forbidden || expected.only;
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let comparing = scope.spawn(|| {
            let mut each = |seen: &Seen| {
                if !seen.sent {
                    comparison.arrived(&seen.data);
                }
                Ok(patient || !comparison.is_complete())
            };
            capture.frames(&enough, None, &mut each, &mut || Ok(()))
        });
        let sending = send(&sender, &sent, &from, expected.every.0, stop);
        let end = Instant::now() + expected.limit.0;
        while sending.is_ok() && !comparing.is_finished() && Instant::now() < end {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(GLANCE);
        }
        enough.store(true, Ordering::Relaxed);
        let compared = comparing.join();
        let broken = || Err(Error::Refused("the thread that compares failed".into()));
        sending.and(compared.unwrap_or_else(|_| broken()))
    })?;
    outside::go_on(stop)?;
    let came = comparison.came();
    if forbidden {
        let failure = format!("{came} of {} packets arrived", wanted.len());
        return Ok((came > 0).then_some(failure));
    }
    let failures = [
        comparison.missing(),
        comparison.disorder().filter(|_| !expected.unordered),
        comparison.unexpected().filter(|_| expected.only),
    ];
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    Ok((!failures.is_empty()).then(|| failures.join("\n")))
}

/// Sends frames, one after the other.
fn send(
    sender: &Sender,
    frames: &[Vec<u8>],
    from: &Place,
    every: Duration,
    stop: &AtomicBool,
) -> Result<()> {
    let mut next = Instant::now();
    for (number, frame) in (1..).zip(frames) {
        outside::go_on(stop)?;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        sender.send(frame, ROOM).map_err(|error| {
            Error::Refused(format!(
                "packet {number} of {} bytes cannot be sent at {from}: {error}",
                frame.len()
            ))
        })?;
        next += every;
    }
    Ok(())
}

/// The only interface that a name means.
fn one(running: &Running, name: &str) -> Result<Place> {
    let mut found = places(running, &[name.to_owned()])?;
    match (found.pop(), found.len()) {
        (Some(place), 0) => Ok(place),
        _ => Err(Error::Refused(format!(
            "'{name}' has several interfaces: say which, such as {}",
            found
                .first()
                .map_or(String::new(), |place| place.name.clone())
        ))),
    }
}
