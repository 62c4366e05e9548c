//! The one way by which commands reach processes: what changes them goes through [`make`] or [`exit`].

use protocol::command::Change;
use protocol::verdict::{Verdict, judge};
use serde_json::Value;

use crate::original;
use crate::peer::{Peer, PeerError};
use crate::rest::{Answer, RestError, Shared};

/// Sends `command` and gives the reply, if the process did what it says.
pub(crate) async fn ask(shared: &Shared, peer: &Peer, command: &str) -> Answer<Value> {
    let limit = match command {
        "status" | "_detail" => shared.limits.status,
        _ => shared.limits.command,
    };
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
    original::check(shared, peer, change).await?;
    ask(shared, peer, &change.to_string()).await
}

/// Ends the process. It is listed no more once it has acknowledged.
pub(crate) async fn exit(shared: &Shared, peer: &Peer) -> Answer<()> {
    match ask(shared, peer, "exit").await {
        // Closed before the reply was out: it ended, as it was asked to.
        Ok(_) | Err(RestError::Peer(PeerError::Closed { .. })) => {
            peer.leave();
            shared.table.closed(peer, "ended by exit", true);
            Ok(())
        }
        Err(error) => Err(error),
    }
}
