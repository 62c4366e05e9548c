//! What the processes of a panel say of themselves, asked by `spp status` in the panel's own namespace.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use protocol::desired::ProcessName;
use protocol::detail::{LaunchedDetail, ProcessDetail};
use serde::Deserialize;

use super::start::prepare;
use super::{Layout, Rack, Tap};
use crate::error::{Error, Result};
use crate::kernel::process::Inside;
use crate::outside::of_spp;
use crate::outside::{self, Output};
use crate::running::Running;
use crate::state;

/// How long a panel may take to answer.
const LIMIT: Duration = Duration::from_secs(20);

/// Longest answer that is read, in bytes.
const MOST: u64 = 16 << 20;

/// What `spp status --json` gives, as far as it is needed here.
#[derive(Deserialize)]
struct Status {
    details: Vec<ProcessDetail>,
}

/// What the processes of a panel say.
///
/// # Errors
/// There is no answer: no controller is there, or it takes too long.
pub(super) fn details(rack: &Rack, inside: &Inside, network: &Path) -> Result<Vec<ProcessDetail>> {
    let (output, errors) = (Output::new()?, Output::new()?);
    let mut command = Command::new(of_spp("spp")?);
    command
        .args(["status", "--json"])
        .stdin(Stdio::null())
        .stdout(output.stdio()?)
        .stderr(errors.stdio()?);
    prepare(&mut command, rack, network);
    let mut child = inside.spawn(&mut command)?;
    let status = outside::wait(&mut child, Instant::now() + LIMIT, &AtomicBool::new(false))?;
    let refused = |why: &str| {
        Error::Refused(format!(
            "the panel {} does not say what its processes do: {why}",
            rack.name
        ))
    };
    if status.is_none() {
        outside::end(&mut child);
        return Err(refused(&format!("no answer within {} s", LIMIT.as_secs())));
    }
    let status = serde_json::from_str::<Status>(&output.read(MOST)?);
    match status {
        Ok(status) => Ok(status.details),
        Err(_) => Err(refused(errors.read(MOST)?.trim())),
    }
}

/// Whether a process is there and answers.
pub(super) fn answers(known: &[ProcessDetail], process: ProcessName) -> bool {
    known.iter().any(|one| {
        (one.kind.as_str(), one.client_id) == (process.kind.word(), process.id)
            && one.status == "ok"
    })
}

/// What there is to say of the first process of a panel that has ended since its primary launched it.
pub(super) fn ended(known: &[ProcessDetail], whose: &str) -> Option<String> {
    let primaries = known.iter().filter_map(|one| one.detail.as_ref());
    let mut launched = primaries.flat_map(|primary| &primary.launched);
    let LaunchedDetail {
        kind,
        client_id,
        exit,
        last_words,
        ..
    } = launched.find(|process| process.exit.is_some())?;
    let exit = exit.as_deref().unwrap_or_default();
    let wrote = match last_words.is_empty() {
        true => "it wrote nothing".to_owned(),
        false => format!("it wrote:\n  {}", last_words.join("\n  ")),
    };
    Some(format!(
        "the process {kind}:{client_id} of {whose} ended ({exit}); {wrote}"
    ))
}

/// Packets that a panel dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallen {
    /// Number of the node: the panel, or of one that carries links the node that did not get them.
    pub node: usize,
    /// The panel's port that they were for, or of one that carries links the interface of the node.
    pub place: String,
    /// The process of the panel: `nfv:1`.
    pub process: String,
    /// Why, as panels call it: one of `DROP_REASONS`.
    pub reason: &'static str,
    /// How many.
    pub packets: u64,
}

impl Fallen {
    /// It is what the file asked for: a link's loss, a component's filter.
    pub fn is_wanted(&self) -> bool {
        matches!(self.reason, "lost" | "filtered")
    }

    /// It was counted in the same place for the same reason.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.node, &self.place, &self.process, self.reason)
            == (other.node, &other.place, &other.process, other.reason)
    }
}

/// What the panels of a network dropped, those among them that carry its links.
///
/// # Errors
/// A panel does not answer.
pub(crate) fn fallen(running: &Running) -> Result<Vec<Fallen>> {
    let layout = Layout::of(running.plan(), running.is_plain())?;
    let network = state::folder(running.name())?;
    let mut all = Vec::new();
    for rack in &layout.racks {
        let known = details(rack, &running.inside(rack.place)?, &network)?;
        for process in &known {
            let name = format!("{}:{}", process.kind, process.client_id);
            let ports = process.detail.iter().flat_map(|detail| &detail.ports);
            for port in ports {
                let Some((node, place)) = place(running, &layout.taps, rack, &port.name) else {
                    continue;
                };
                let drops = port.counters.drops.by_reason().into_iter();
                all.extend(
                    drops
                        .filter(|(_, packets)| *packets > 0)
                        .map(|(reason, packets)| Fallen {
                            node,
                            place: place.clone(),
                            process: name.clone(),
                            reason,
                            packets,
                        }),
                );
            }
        }
    }
    Ok(all)
}

/// The node and the port, or interface, that a port of a panel is for whoever knows the file.
fn place(running: &Running, taps: &[Tap], rack: &Rack, port: &str) -> Option<(usize, String)> {
    if rack.place < running.nodes().len() {
        return Some((rack.place, port.to_owned()));
    }
    let tap = taps
        .iter()
        .find(|tap| tap.owner == rack.place && format!("tap:{}", tap.port) == port)?;
    let interface = &running.nodes()[tap.node].interfaces[tap.interface];
    Some((tap.node, interface.name.clone()))
}
