//! What happens when a process registers: it gets its state back, or keeps its own.

use std::time::Duration;

use protocol::command::Change;
use protocol::command::component::{ClassifierEntry, MAX_LISTED};
use protocol::desired::{Desired, Plan, entry_of, observe, plan};
use protocol::rest::FailedCommand;
use tokio::time::{Instant, sleep};

use super::memory::{Entry, Outcome, Pending, Record, What};
use super::{State, form_of, name_of};
use crate::change;
use crate::peer::{Peer, PeerError};
use crate::rest::{RestError, Shared, table};

/// What fails is tried again for this time: a ring's end that a process held which was killed is free
/// only when the primary has cleaned up after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two tries.
const BETWEEN: Duration = Duration::from_millis(50);

/// Lets users change the process from then on, whatever happened before.
struct Gate<'a> {
    state: &'a State,
    peer: &'a Peer,
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        let turn = self.state.turn(name_of(self.peer));
        turn.ready.send_if_modified(|ready| {
            // An older connection that ends late must not open the gate of a newer one.
            let newer = ready.is_none_or(|serial| serial < self.peer.serial);
            if newer {
                *ready = Some(self.peer.serial);
            }
            newer
        });
    }
}

/// Called once for each process that registered, beside everything else: a new incarnation gets
/// what it shall have, a known one keeps what it has.
pub(crate) async fn welcome(shared: &Shared, peer: &Peer) {
    let state = &shared.state;
    if !state.keeps() {
        return;
    }
    let _gate = Gate { state, peer };
    let busy = state.turn(name_of(peer)).busy.clone();
    // Whoever holds it waits for the connection before this one, which has its own limits.
    let _held = busy.lock_owned().await;
    state.failures().remove(&name_of(peer));
    if let Err(error) = restore(shared, peer).await {
        log::error!(
            "{}: whether it has what it shall have is not known: {error}",
            peer.name()
        );
        let failure = FailedCommand {
            command: "status".to_owned(),
            error: error.to_string(),
        };
        state.failures().insert(name_of(peer), vec![failure]);
    }
}

async fn restore(shared: &Shared, peer: &Peer) -> Result<(), RestError> {
    let (state, process) = (&shared.state, name_of(peer));
    let has = patiently_observed(shared, peer).await?;
    let incarnation = peer.hello.as_ref().map(|hello| hello.incarnation.clone());
    let Some(record) = state.record(process) else {
        // Seen for the first time: what it has is what it shall have.
        let desired = adopted(has);
        let entry = Entry::State {
            process,
            incarnation,
            desired,
        };
        state.note(vec![entry]).await;
        return Ok(());
    };
    let anew = match &incarnation {
        Some(_) => record.incarnation != incarnation,
        None => has.is_pristine(),
    };
    if anew {
        for pending in &record.pending {
            state
                .settle(vec![((process, pending.number), of_gone(pending))])
                .await;
        }
        // An unsettled end was one: then nothing is known of the process any more.
        let wanted = state.record(process).unwrap_or_default().desired;
        put_back(shared, peer, &wanted, &has).await;
        let entry = Entry::Seen {
            process,
            incarnation,
        };
        state.note(vec![entry]).await;
    } else {
        resolve(shared, peer, record, &has).await?;
        let has = observed(shared, peer).await?;
        let wanted = state.record(process).unwrap_or_default().desired;
        let differs = plan(&wanted, &has, form_of(peer));
        if !differs.is_empty() {
            log::warn!(
                "{} keeps what it has, which is not what it shall have (`GET /v1/differences`); \
                 missing is: {}",
                peer.name(),
                shown(&differs)
            );
        }
    }
    Ok(())
}

/// What a process that nothing is known of shall have: what it has. That it forwards is taken for
/// its wish only if there is something to forward.
fn adopted(has: Desired) -> Desired {
    Desired {
        forwarding: has.forwarding.filter(|on| *on && !has.patches.is_empty()),
        capture: has.capture.filter(|on| *on),
        ..has
    }
}

/// How an intent ended whose process is gone. What was reported as failed has failed. Of the rest nobody
/// got an answer, unless the power went just after it; so it counts.
fn of_gone(pending: &Pending) -> Outcome {
    match pending.reported {
        true => Outcome::Failed,
        false => Outcome::Done,
    }
}

/// Puts in what is missing. What is there beyond that stays.
async fn put_back(shared: &Shared, peer: &Peer, wanted: &Desired, has: &Desired) {
    let Plan { stop, put_in, .. } = plan(wanted, has, form_of(peer));
    let mut left: Vec<Change> = stop.into_iter().chain(put_in).collect();
    if left.is_empty() {
        return;
    }
    let (all, end) = (left.len(), Instant::now() + PATIENCE);
    let mut failures = Vec::new();
    loop {
        failures.clear();
        let mut failed = Vec::new();
        let mut gone = false;
        for change in left {
            if let Err(error) = change::send(shared, peer, &change).await {
                failures.push(FailedCommand {
                    command: change.to_string(),
                    error: error.to_string(),
                });
                failed.push(change);
                gone = matches!(error, RestError::Peer(_));
            }
            if gone {
                break;
            }
        }
        left = failed;
        if left.is_empty() || gone || Instant::now() >= end {
            break;
        }
        sleep(BETWEEN).await;
    }
    let name = peer.name();
    log::info!(
        "{name}: {} of {all} commands put its state back",
        all - left.len()
    );
    for FailedCommand { command, error } in &failures {
        log::error!("{name}: '{command}', which is to be put back, failed: {error}");
    }
    if !failures.is_empty() {
        shared.state.failures().insert(name_of(peer), failures);
    }
}

/// Finds out how the intents went that no reply settled, by what the process has. One that was to
/// bring it to a state as a whole, and did not, is taken back.
async fn resolve(
    shared: &Shared,
    peer: &Peer,
    record: Record,
    has: &Desired,
) -> Result<(), RestError> {
    let (state, process, form) = (&shared.state, name_of(peer), form_of(peer));
    let mut wanted = record.desired;
    let mut has = has.clone().remembering(&wanted);
    for pending in record.pending {
        let steps = |wanted: &Desired| plan(wanted, &has, form).commands().count();
        let mut with = wanted.clone();
        let done = match &pending.what {
            What::Exit => false,
            What::Change(change) => {
                with.take(change);
                steps(&with) <= steps(&wanted)
            }
            What::Whole(desired) => {
                with = desired.clone();
                steps(&with) == 0
            }
        };
        if !done && matches!(pending.what, What::Whole(_)) {
            let back = plan(&wanted, &has, form);
            for change in back.commands() {
                change::send(shared, peer, change).await?;
            }
            has = observed(shared, peer).await?.remembering(&wanted);
        }
        let outcome = match done {
            true => Outcome::Done,
            false => Outcome::Failed,
        };
        if done {
            wanted = with;
        }
        log::info!(
            "{}: a change without a reply is found {}",
            peer.name(),
            if done { "done" } else { "not done" }
        );
        state
            .settle(vec![((process, pending.number), outcome)])
            .await;
    }
    Ok(())
}

/// Before a change is made: finds out how those went to which no reply came in time.
pub(crate) async fn clear_doubts(shared: &Shared, peer: &Peer) -> Result<(), RestError> {
    match shared.state.record(name_of(peer)) {
        Some(record) if !record.pending.is_empty() => {
            let has = observed(shared, peer).await?;
            resolve(shared, peer, record, &has).await
        }
        _ => Ok(()),
    }
}

/// What the process has, by its status.
pub(super) async fn observed(shared: &Shared, peer: &Peer) -> Result<Desired, RestError> {
    let nonsense = |words| PeerError::Nonsense {
        name: peer.name(),
        words,
    };
    let status = change::ask(shared, peer, "status").await?;
    let mut has = observe(peer.kind, &status).map_err(nonsense)?;
    if status.pointer("/info/classifier_table_size").is_some() {
        has.classifier = whole_table(shared, peer).await?;
    }
    Ok(has)
}

/// The whole table of a classifier, of which a status shows only the beginning.
async fn whole_table(shared: &Shared, peer: &Peer) -> Result<Vec<ClassifierEntry>, RestError> {
    let (mut entries, mut seen) = (Vec::new(), 0);
    loop {
        let page = table::page(shared, peer, seen, MAX_LISTED).await?;
        seen += page.entries.len();
        let given = page.entries.iter().filter(|entry| !entry.learned);
        entries.extend(given.filter_map(|entry| entry_of(&entry.row)));
        if seen >= page.total || page.entries.is_empty() {
            return Ok(entries);
        }
    }
}

/// The same of a process that may be busy: it has as long as for a command.
async fn patiently_observed(shared: &Shared, peer: &Peer) -> Result<Desired, RestError> {
    let end = Instant::now() + shared.limits.command;
    loop {
        match observed(shared, peer).await {
            Err(RestError::Peer(PeerError::NotResponding { .. })) if Instant::now() < end => {
                sleep(BETWEEN).await;
            }
            other => return other,
        }
    }
}

/// Commands in one line, as long as it is to be read.
fn shown(plan: &Plan) -> String {
    const MOST: usize = 8;
    let all = plan.commands().count();
    let mut words: Vec<String> = plan
        .commands()
        .take(MOST)
        .map(ToString::to_string)
        .collect();
    if all > MOST {
        words.push(format!("… ({all} in all)"));
    }
    words.join("; ")
}
