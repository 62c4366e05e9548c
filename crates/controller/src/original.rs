//! What processes of the original are not told, because they do not know it or would come to harm.

use protocol::PortName;
use protocol::command::PanelCommand;
use protocol::command::component::{Change, ComponentCommand};
use protocol::reply::ProcessKind;
use serde_json::Value;

use crate::peer::Peer;
use crate::rest::{Answer, RestError, Shared, info};

/// Ports of a kind that `vf` and `mirror` have room for; the first one beyond overwrites memory.
const VF_PORTS: u16 = 32;

/// Refuses `change` if `peer` is a process of the original and cannot take it.
pub(crate) async fn check(shared: &Shared, peer: &Peer, change: &Change) -> Answer<()> {
    if peer.hello.is_some() {
        return Ok(());
    }
    match change {
        Change::Panel(command) => panel(peer, command),
        Change::Component(command) => component(shared, peer, command).await,
        Change::Capture(_) => Ok(()),
    }
}

/// Refuses what only processes of ours have.
pub(crate) fn has_it(peer: &Peer, else_words: &str) -> Answer<()> {
    match peer.hello {
        Some(_) => Ok(()),
        None => refused(peer, else_words),
    }
}

fn refused(peer: &Peer, what: &str) -> Answer<()> {
    Err(RestError::Refused(format!(
        "{} is a process of the original: {what}",
        peer.name()
    )))
}

fn panel(peer: &Peer, command: &PanelCommand) -> Answer<()> {
    let primary = peer.kind == ProcessKind::Primary;
    match command {
        PanelCommand::Add {
            port: PortName::Phy { .. } | PortName::Tap(_),
            ..
        }
        | PanelCommand::Del(PortName::Phy { .. } | PortName::Tap(_)) => {
            refused(peer, "it cannot add or delete phy and tap ports")
        }
        PanelCommand::Add { mode: Some(_), .. } => refused(
            peer,
            "whether its vhost ports are client or server is set when it starts",
        ),
        PanelCommand::Patch { cpu: Some(_), .. } => {
            refused(peer, "it cannot choose a CPU for a patch")
        }
        PanelCommand::Patch { with: Some(_), .. } => {
            refused(peer, "it cannot hold packets of a patch back")
        }
        PanelCommand::Unpatch(_) => refused(peer, "it can only take out all patches"),
        PanelCommand::Clear if !primary => refused(peer, "it has no counters"),
        _ => Ok(()),
    }
}

async fn component(shared: &Shared, peer: &Peer, command: &ComponentCommand) -> Answer<()> {
    let port = match command {
        ComponentCommand::Start { core, .. } => {
            let info = info(shared, peer).await?;
            let main = info.get("master-lcore").and_then(Value::as_u64);
            if main == Some(u64::from(*core)) {
                let what = format!(
                    "CPU {core} is the one of its main thread, where a component would hang it: name another"
                );
                return refused(peer, &what);
            }
            return Ok(());
        }
        ComponentCommand::Stop(_) => return Ok(()),
        ComponentCommand::Set { .. } => {
            return refused(peer, "nothing can be set of its components");
        }
        ComponentCommand::Attach { port, .. } | ComponentCommand::Detach { port, .. } => port,
        ComponentCommand::AddEntry(entry) | ComponentCommand::DelEntry(entry) => &entry.port,
    };
    match port.number() >= VF_PORTS {
        true => refused(peer, "its ports of a kind have the numbers 0 to 31"),
        false => Ok(()),
    }
}
