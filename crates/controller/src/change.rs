//! The one way by which commands reach processes: what changes them goes through [`make`] or [`exit`].

use protocol::PortName;
use protocol::command::{Change, PanelCommand};
use protocol::verdict::{Verdict, judge};
use serde_json::Value;

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
    if let (None, Change::Panel(command)) = (&peer.hello, change) {
        check_for_original(peer, command)?;
    }
    ask(shared, peer, &change.to_string()).await
}

/// Refuses what the original's processes do not know, or what would damage them.
fn check_for_original(peer: &Peer, command: &PanelCommand) -> Answer<()> {
    let refused = |what: &str| {
        Err(RestError::Refused(format!(
            "{} is a process of the original: {what}",
            peer.name()
        )))
    };
    let primary = peer.kind == protocol::reply::ProcessKind::Primary;
    match command {
        PanelCommand::Add {
            port: PortName::Phy { .. } | PortName::Tap(_),
            ..
        }
        | PanelCommand::Del(PortName::Phy { .. } | PortName::Tap(_)) => {
            refused("it cannot add or delete phy and tap ports")
        }
        PanelCommand::Add { mode: Some(_), .. } => {
            refused("whether its vhost ports are client or server is set when it starts")
        }
        PanelCommand::Patch { cpu: Some(_), .. } => refused("it cannot choose a CPU for a patch"),
        PanelCommand::Unpatch(_) => refused("it can only take out all patches"),
        PanelCommand::Clear if !primary => refused("it has no counters"),
        _ => Ok(()),
    }
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
