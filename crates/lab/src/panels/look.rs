//! What the processes of a panel say of themselves, asked by `spp status` in the panel's own namespace.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use protocol::desired::ProcessName;
use protocol::detail::{LaunchedDetail, ProcessDetail};
use serde::Deserialize;

use super::start::{prepare, program};
use super::Rack;
use crate::error::{Error, Result};
use crate::kernel::process::Inside;
use crate::outside::{self, Output};

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
    let mut command = Command::new(program("spp")?);
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
