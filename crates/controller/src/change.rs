//! The one way by which commands reach processes: what changes them goes through [`make`] or [`exit`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use protocol::command::Change;
use protocol::verdict::{Verdict, judge};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use crate::original;
use crate::peer::{Peer, PeerError};
use crate::rest::{Answer, RestError, Shared};
use crate::state::{Outcome, What, clear_doubts, name_of};

/// Waits this long for what has happened to be in the journal before it is answered.
const SETTLING: Duration = Duration::from_secs(1);

/// Sends `command` and gives the reply, if the process did what it says.
pub(crate) async fn ask(shared: &Shared, peer: &Peer, command: &str) -> Answer<Value> {
    let limit = match command {
        "status" | "_detail" => shared.limits.status,
        _ => shared.limits.command,
    };
    ask_within(peer, command, limit).await
}

async fn ask_within(peer: &Peer, command: &str, limit: Duration) -> Answer<Value> {
    let reply = peer.ask(command, limit).await?;
    match judge(command, &reply) {
        Verdict::Done(value) | Verdict::Document(value) => Ok(value),
        Verdict::Refused {
            words,
            from_results: true,
            ..
        } => Err(RestError::CommandError(words)),
        Verdict::Refused { words, .. } => Err(RestError::Refused(words)),
        // The original's only answer to this command.
        Verdict::Echo(text) if command == "patch reset" => Ok(Value::String(text)),
        Verdict::Echo(text) => Err(RestError::Refused(format!(
            "{} does not know '{text}'",
            peer.name()
        ))),
        Verdict::Nonsense(words) => Err(PeerError::Nonsense {
            name: peer.name(),
            words,
        }
        .into()),
    }
}

/// Has `peer` carry out `change`; gives its reply.
///
/// # Errors
/// What it refuses, and what would damage a process of the original.
pub(crate) async fn make(shared: &Shared, peer: &Peer, change: &Change) -> Answer<Value> {
    if !shared.state.keeps() || !change.is_lasting() {
        return send(shared, peer, change).await;
    }
    original::check(shared, peer, change).await?;
    let command = change.to_string();
    let what = What::Change(change.clone());
    whole(shared, peer, async move |shared, peer| {
        kept(&shared, &peer, what, &command).await
    })
    .await
}

/// Sends `change`, and writes nothing down.
pub(crate) async fn send(shared: &Shared, peer: &Peer, change: &Change) -> Answer<Value> {
    original::check(shared, peer, change).await?;
    tell(peer, &change.to_string(), shared.limits.command).await
}

/// Sends what changes something.
async fn tell(peer: &Peer, command: &str, limit: Duration) -> Answer<Value> {
    let answer = ask_within(peer, command, limit).await;
    // Also after a refusal: what it did until then is told to those who follow the events.
    peer.touch();
    answer
}

/// Runs `action` to its end, also when whoever asked for it goes away: what was begun is settled.
async fn whole<T: Send + 'static, F>(
    shared: &Shared,
    peer: &Peer,
    action: impl FnOnce(Shared, Arc<Peer>) -> F,
) -> Answer<T>
where
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let connected = shared.table.find(peer.id);
    let Some(peer) = connected.filter(|connected| connected.serial == peer.serial) else {
        return Err(PeerError::Closed { name: peer.name() }.into());
    };
    let name = peer.name();
    let task = tokio::spawn(action(shared.clone(), peer));
    task.await.unwrap_or_else(|error| {
        log::error!("{name}: {error}");
        Err(PeerError::Closed { name }.into())
    })
}

/// Sends a command that is in the journal before it goes out, and settled after its reply. All waits together, for its turn, for the
/// disk and for the process, are one and a half times that for a command, and a second.
async fn kept(shared: &Shared, peer: &Peer, what: What, command: &str) -> Answer<Value> {
    let limit = shared.limits.command;
    let end = Instant::now() + limit;
    let left = || end.saturating_duration_since(Instant::now());
    let held = shared.state.wait_turn(peer, end).await?;
    timeout_at(end, clear_doubts(shared, peer))
        .await
        .map_err(|_| peer.not_responding(limit))??;
    let ends = what == What::Exit;
    let intents = vec![(name_of(peer), what)];
    let numbers = shared.state.intend(intents, left()).await?;
    // However long the others took: the process has time for its answer.
    let reply = tell(peer, command, left().max(limit / 2)).await;
    let outcome = match &reply {
        Ok(_) => Outcome::Done,
        Err(RestError::Peer(PeerError::Closed { .. })) if ends => Outcome::Done,
        // It may have carried it out all the same.
        Err(RestError::Peer(
            PeerError::NotResponding { .. } | PeerError::Closed { .. } | PeerError::Nonsense { .. },
        )) => Outcome::Unsure,
        Err(_) => Outcome::Failed,
    };
    let outcomes = numbers.into_iter().map(|number| (number, outcome));
    let (outcomes, shared) = (outcomes.collect(), shared.clone());
    // Nobody else changes the process before that.
    let settling = tokio::spawn(async move {
        shared.state.settle(outcomes).await;
        drop(held);
    });
    // If the disk hangs, it is settled later.
    let _ = timeout(SETTLING, settling).await;
    reply
}

/// Ends the process, and forgets what it shall have. It is listed no more once it has acknowledged.
pub(crate) async fn exit(shared: &Shared, peer: &Peer) -> Answer<()> {
    let reply = match shared.state.keeps() {
        false => ask(shared, peer, "exit").await,
        true => {
            let end = async |shared: Shared, peer: Arc<Peer>| {
                kept(&shared, &peer, What::Exit, "exit").await
            };
            whole(shared, peer, end).await
        }
    };
    match reply {
        // Closed before the reply was out: it ended, as it was asked to.
        Ok(_) | Err(RestError::Peer(PeerError::Closed { .. })) => {
            peer.leave();
            shared.table.closed(peer, "ended by exit", true);
            Ok(())
        }
        Err(error) => Err(error),
    }
}
