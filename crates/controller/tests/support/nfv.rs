//! A played nfv that does what it is told.

use std::path::Path;
use std::sync::{Arc, Mutex};

use protocol::command::{Change, NfvCommand, PanelCommand};
use protocol::desired::Desired;
use protocol::reply::{NfvStatus, PatchPorts, Simple};
use serde_json::Value;

use super::{Ctl, Gate, Played, Style, ours, play};

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
                        with: patch.with,
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

pub async fn start(folder: &Path) -> Ctl {
    Ctl::start(|config| config.state = Some(folder.to_owned())).await
}

/// Ends a controller and waits until its state is free.
pub async fn end(mut ctl: Ctl) {
    ctl.stop();
    ctl.ended().await;
}

pub async fn join(ctl: &Ctl, has: &Has, incarnation: &'static str) -> Played {
    let played = play(ctl.secondary, Style::Ours, nfv(has, incarnation, None)).await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    played
}

pub async fn gone(ctl: &Ctl) {
    ctl.until_processes("[]").await;
}

pub const PORTS: &str = "/v1/nfvs/1/ports";
pub const PATCHES: &str = "/v1/nfvs/1/patches";

pub async fn ok(ctl: &Ctl, method: &str, path: &str, body: &str) {
    ctl.expect(method, path, body, 204, "").await;
}

pub async fn add(ctl: &Ctl, port: &str) {
    let body = format!(r#"{{"action":"add","port":"{port}"}}"#);
    ok(ctl, "PUT", PORTS, &body).await;
}

/// Two vhost ports patched to each other by way of a ring, and stopped.
pub async fn build(ctl: &Ctl) {
    ok(
        ctl,
        "PUT",
        PORTS,
        r#"{"action":"add","port":"vhost:1","mode":"client"}"#,
    )
    .await;
    add(ctl, "vhost:2").await;
    add(ctl, "ring:3").await;
    ok(ctl, "PUT", PORTS, r#"{"action":"del","port":"ring:3"}"#).await;
    ok(
        ctl,
        "PUT",
        PATCHES,
        r#"{"src":"vhost:1","dst":"ring:0","lcore":1}"#,
    )
    .await;
    ok(ctl, "PUT", PATCHES, r#"{"src":"ring:0","dst":"vhost:2"}"#).await;
    ok(ctl, "PUT", "/v1/nfvs/1/forward", r#"{"action":"stop"}"#).await;
}

pub const BUILT: &[&str] = &[
    "stop",
    "add vhost:1 client",
    "add vhost:2",
    "add ring:0",
    "patch vhost:1 ring:0 on 1",
    "patch ring:0 vhost:2",
];

/// What it was told after the handshake.
pub async fn difference(ctl: &Ctl) -> Value {
    let answer = ctl.get("/v1/differences").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}
