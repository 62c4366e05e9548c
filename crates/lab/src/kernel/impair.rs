//! Links whose character is netem's. Those of a panel are in [`crate::panels`].

use std::io;
use std::os::fd::BorrowedFd;
use std::process::Command;

use crate::error::{Error, Result};
use crate::file::{Character, Via};
use crate::plan::Plan;

use super::namespace;

/// Whether links of a network can be given the character that is netem's in the plan. Nothing stays changed.
///
/// # Errors
/// They cannot; it says what can be done about it.
pub fn check(plan: &Plan) -> Result<()> {
    match plan.links.iter().any(|link| is_netem(&link.character)) {
        true => netem_is_there(),
        false => Ok(()),
    }
}

fn is_netem(character: &Character) -> bool {
    !character.is_plain() && character.via == Via::Netem
}

/// Gives an interface of a node its character, for what it sends, if that is netem's.
///
/// # Errors
/// The kernel or `tc` refuses.
pub fn apply(
    node: &str,
    namespace: BorrowedFd<'_>,
    interface: &str,
    character: &Character,
) -> Result<()> {
    if !is_netem(character) {
        return Ok(());
    }
    let words = netem(character);
    let done = tc(namespace, interface, &words)?;
    done.map_err(|text| {
        Error::Refused(format!(
            "tc refuses '{}' at {node}:{interface}: {text}",
            words.join(" ")
        ))
    })
}

/// The words of `tc-netem(8)`.
fn netem(character: &Character) -> Vec<String> {
    let mut words = vec!["netem".to_owned()];
    let mut add = |name: &str, value: String| words.extend([name.to_owned(), value]);
    let micros = |time: crate::file::Time| format!("{}us", time.0.as_nanos() as f64 / 1e3);
    if let Some(queue) = character.queue {
        add("limit", queue.to_string());
    }
    if let Some(delay) = character.delay {
        add("delay", micros(delay));
        if let Some(jitter) = character.jitter {
            // It stands behind the delay, without a word of its own.
            words.push(micros(jitter));
        }
    }
    let mut add = |name: &str, value: String| words.extend([name.to_owned(), value]);
    for (name, share) in [
        ("loss", character.loss),
        ("duplicate", character.duplicate),
        ("corrupt", character.corrupt),
        ("reorder", character.reorder),
    ] {
        if let Some(share) = share {
            add(name, share.to_string());
        }
    }
    if let Some(rate) = character.rate {
        add("rate", format!("{}bit", rate.0));
    }
    if let Some(seed) = character.seed {
        add("seed", seed.to_string());
    }
    words
}

/// Runs `tc qdisc replace` for an interface in a namespace; the inner result is `tc`'s.
fn tc(
    namespace: BorrowedFd<'_>,
    interface: &str,
    words: &[String],
) -> Result<std::result::Result<(), String>> {
    let output = namespace::within(namespace, || {
        Command::new("tc")
            .args(["qdisc", "replace", "dev", interface, "root"])
            .args(words)
            .output()
            .map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => Error::Refused(
                    "links that are via: netem need the program tc, which is not installed (Debian: apt-get install iproute2)".into(),
                ),
                _ => Error::io("run tc", e),
            })
    })?;
    Ok(match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    })
}

/// Whether the kernel has netem, or loads it when it is asked for: tried in a namespace that is gone afterwards.
///
/// # Errors
/// It has not.
fn netem_is_there() -> Result<()> {
    let words = ["netem", "delay", "1ms"].map(str::to_owned);
    let made = namespace::make(&[None], |_| Ok(()))?;
    for (namespace, ()) in &made {
        if let Err(text) = tc(std::os::fd::AsFd::as_fd(namespace), "lo", &words)? {
            return Err(Error::Refused(format!(
                "links that are via: netem need the kernel's netem, which this kernel does not have ({text}): load the module sch_netem, or leave via: netem out, and a panel of SPP does it"
            )));
        }
    }
    Ok(())
}

/// Whether this kernel has what `via: netem` needs.
#[must_use]
pub fn has_netem() -> bool {
    netem_is_there().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;

    #[test]
    fn a_link_is_said_in_the_words_of_netem() {
        let text = "hosts: [a, b]\nlinks: [{link: [a, b], delay: 100ms, jitter: 500us, loss: 0.1%, rate: 1Mbit/s, reorder: 5%, duplicate: 1%, corrupt: 2%, queue: 100, seed: 7, via: netem}]";
        let file = File::parse(text, "", Some("n")).unwrap().file;
        assert_eq!(
            netem(&file.links[0].character).join(" "),
            "netem limit 100 delay 100000us 500us loss 0.1% duplicate 1% corrupt 2% reorder 5% rate 1000000bit seed 7"
        );
    }
}
