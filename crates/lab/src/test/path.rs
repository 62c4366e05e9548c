//! Which way packets take, seen by the kernel's counters of interfaces.

use crate::error::{Error, Result};
use crate::file::{PathExpectation, Time};
use crate::ping;
use crate::running::Running;

/// How long an answer may take.
const LIMIT: Time = Time(std::time::Duration::from_secs(2));

/// Sends echo requests and looks where they passed; why that is not what is expected.
pub(super) fn path(running: &Running, expected: &PathExpectation) -> Result<Option<String>> {
    let from = running.node(&expected.from)?;
    let to = ping::target(running, from, &expected.to)?;
    let places = || expected.through.iter().chain(expected.around.iter());
    let look = || -> Result<Vec<u64>> { places().map(|place| passed(running, place)).collect() };
    let before = look()?;
    let answers = ping::ping(running, from, to, expected.count, LIMIT.0)?;
    let came = answers.iter().flatten().count();
    if came != answers.len() {
        return Ok(Some(format!(
            "{came} of {} requests to {to} were answered",
            answers.len()
        )));
    }
    let mut wrong = Vec::new();
    for (number, ((place, before), after)) in places().zip(before).zip(look()?).enumerate() {
        let through = number < expected.through.len();
        let passed = after.saturating_sub(before);
        // What hosts say by themselves passes, too.
        if (passed >= u64::from(expected.count)) != through {
            let passed = format!("{place} ({passed} packets)");
            wrong.push(match through {
                true => format!("not through {passed}"),
                false => format!("through {passed}"),
            });
        }
    }
    Ok((!wrong.is_empty()).then(|| {
        format!(
            "{} requests and their answers went {}",
            expected.count,
            wrong.join(", ")
        )
    }))
}

/// Packets that an interface of a node (`node`), or this one (`node:interface`), received or sent, whichever is most: so what is none of the
/// path's stays little, and what passes a node is seen where it comes in.
fn passed(running: &Running, place: &str) -> Result<u64> {
    let (node, interface) = match place.split_once(':') {
        Some((node, interface)) => (node, Some(interface)),
        None => (place, None),
    };
    let counters = running.counters(running.node(node)?)?;
    let of = counters
        .iter()
        .filter(|of| interface.is_none_or(|name| of.interface == name));
    of.map(|of| of.received.max(of.sent)).max().ok_or_else(|| {
        Error::Refused(format!(
            "'{place}' has no counters: the kernel has no such interface there"
        ))
    })
}
