//! What `nfv` and `primary` have in common.

use protocol::command::{PanelCommand, VhostMode};
use protocol::verdict::{Verdict, judge};
use protocol::{PortName, json};
use serde_json::Value;

use super::Shared;
use super::answer::{Answer, Done};
use super::body::{Fields, invalid};
use super::errors::RestError;
use crate::peer::{Peer, PeerError};

/// Sends `command` and gives the reply, if the process did what it says.
pub(crate) async fn send(shared: &Shared, peer: &Peer, command: &str) -> Answer<Value> {
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

/// Sends a command of the panel.
pub(crate) async fn command(shared: &Shared, peer: &Peer, command: PanelCommand) -> Answer<Done> {
    if peer.hello.is_none() {
        check_for_original(peer, &command)?;
    }
    send(shared, peer, &command.to_string()).await.map(|_| Done)
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

/// The process's status.
pub(crate) async fn status(shared: &Shared, peer: &Peer) -> Answer<Value> {
    send(shared, peer, "status").await
}

/// Ends the process. It is listed no more once it has acknowledged.
pub(crate) async fn exit(shared: &Shared, peer: &Peer) -> Answer<Done> {
    match send(shared, peer, "exit").await {
        // Closed before the reply was out: it ended, as it was asked to.
        Ok(_) | Err(RestError::Peer(PeerError::Closed { .. })) => {
            peer.leave();
            shared.table.closed(peer, "ended by exit", true);
            Ok(Done)
        }
        Err(error) => Err(error),
    }
}

/// `{"action": "start"|"stop"}`
pub(crate) async fn forward(shared: &Shared, peer: &Peer, fields: &Fields) -> Answer<Done> {
    fields.require(&["action"])?;
    let wanted = match fields.choice("action", &["start", "stop"])? {
        "start" => PanelCommand::Forward,
        _ => PanelCommand::Stop,
    };
    command(shared, peer, wanted).await
}

/// `{"action": "add"|"del", "port": …, "mode": …}`
pub(crate) fn port_command(fields: &Fields) -> Answer<PanelCommand> {
    fields.require(&["action", "port"])?;
    let action = fields.choice("action", &["add", "del"])?;
    let port = fields.port("port")?;
    let mode = mode(fields, port)?;
    Ok(match action {
        "add" => PanelCommand::Add { port, mode },
        _ => PanelCommand::Del(port),
    })
}

fn mode(fields: &Fields, port: PortName) -> Answer<Option<VhostMode>> {
    match fields.optional("mode") {
        None | Some(Value::Null) => Ok(None),
        Some(value) if !matches!(port, PortName::Vhost(_)) => {
            Err(invalid("mode", value, "Only vhost ports have a mode."))
        }
        Some(_) => match fields.choice("mode", &["server", "client"])? {
            "server" => Ok(Some(VhostMode::Server)),
            _ => Ok(Some(VhostMode::Client)),
        },
    }
}

/// `{"src": …, "dst": …, "lcore": …}`
pub(crate) async fn patch(shared: &Shared, peer: &Peer, fields: &Fields) -> Answer<Done> {
    fields.require(&["src", "dst"])?;
    let (src, dst) = (fields.port("src")?, fields.port("dst")?);
    let cpu = match fields.optional("lcore") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64().map(u32::try_from) {
            Some(Ok(cpu)) => Some(cpu),
            _ => {
                let shown = json::spaced(value);
                return Err(RestError::invalid(
                    "lcore",
                    &shown,
                    "It has to be a CPU number.",
                ));
            }
        },
    };
    command(shared, peer, PanelCommand::Patch { src, dst, cpu }).await
}
