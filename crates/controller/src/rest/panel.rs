//! What `nfv` and `primary` have in common.

use protocol::command::{PanelCommand, VhostMode};
use protocol::impair::Impairment;
use protocol::{PortName, json};
use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::answer::{Answer, Done};
use super::body::{Fields, invalid};
use super::errors::RestError;
use crate::change;
use crate::peer::Peer;

/// Has the process carry out `command`.
pub(crate) async fn command(shared: &Shared, peer: &Peer, command: PanelCommand) -> Answer<Done> {
    change::make(shared, peer, &command.into())
        .await
        .map(|_| Done)
}

/// Ends the process.
pub(crate) async fn exit(shared: &Shared, peer: &Peer) -> Answer<Done> {
    change::exit(shared, peer).await.map(|()| Done)
}

/// The process's status.
pub(crate) async fn status(shared: &Shared, peer: &Peer) -> Answer<Value> {
    change::ask(shared, peer, "status").await
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
    let with = match fields.optional("with") {
        None | Some(Value::Null) => None,
        Some(value) => Some(Impairment::deserialize(value).map_err(|error| {
            RestError::invalid("with", &json::spaced(value), error.to_string())
        })?),
    };
    let patch = PanelCommand::Patch {
        src,
        dst,
        cpu,
        with,
    };
    command(shared, peer, patch).await
}
