//! A played nfv that does what it is told.

use std::sync::{Arc, Mutex};

use protocol::command::{Change, NfvCommand, PanelCommand};
use protocol::desired::Desired;
use protocol::reply::{NfvStatus, PatchPorts, Simple};

use super::{Gate, Played, ours};

/// What a played nfv has.
pub type Has = Arc<Mutex<Desired>>;

/// A played nfv of ours that does what it is told, but for `ring:50` and what `held` holds back.
pub fn nfv(
    has: &Has,
    incarnation: &'static str,
    held: Option<(&'static str, Gate)>,
) -> impl FnMut(&str) -> Option<String> + Send + use<> {
    let has = has.clone();
    move |command| {
        let parsed = NfvCommand::parse(command).unwrap();
        if let Some((word, gate)) = &held
            && command.starts_with(word)
        {
            gate.wait();
        }
        let mut has = has.lock().unwrap();
        Some(match &parsed {
            NfvCommand::Panel(PanelCommand::GetClientId) => ours("nfv", 1, incarnation)(command),
            NfvCommand::Panel(PanelCommand::Status) => NfvStatus {
                client_id: 1,
                status: if has.forwarding == Some(false) {
                    "idling"
                } else {
                    "running"
                }
                .to_owned(),
                main_lcore: 0,
                lcores: vec![0, 1],
                ports: has.ports.iter().map(|added| added.port.report()).collect(),
                patches: has
                    .patches
                    .iter()
                    .map(|patch| PatchPorts {
                        src: patch.src.report(),
                        dst: patch.dst.report(),
                    })
                    .collect(),
            }
            .to_json(),
            NfvCommand::Panel(panel) => {
                let refused = command.contains("ring:50");
                if !refused {
                    has.take(&Change::from(panel.clone()));
                }
                let result = if refused { Err("no ring:50") } else { Ok(()) };
                Simple::nfv(&parsed, result).to_json()
            }
            NfvCommand::SetClientId(_) => return None,
        })
    }
}

pub fn told(played: &Played) -> Vec<String> {
    without_handshake(&played.told())
}

pub fn without_handshake(told: &[String]) -> Vec<String> {
    let shake = told.iter().take_while(|command| command.starts_with('_'));
    told[shake.count()..].to_vec()
}
