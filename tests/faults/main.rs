//! Whatever dies, hangs, lies or runs out: the panel stays (docs/faults.md).

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

mod clock;
mod controller;
mod exhausted;
mod guest;
#[path = "../common/hand.rs"]
mod hand;
mod held;
mod hotplug;
mod hung;
mod load;
mod peers;
mod replace;
mod scene;
mod supervised;
mod surroundings;
mod upgrade;

use std::time::Duration;

use protocol::detail::LaunchedDetail;
use serde_json::json;
use testbed::machine::cpu;
use testbed::panel::Builder;
use testbed::{Panel, wait_for, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A panel whose rings hold what comes in a second at the rate of a [`load::Load`], so that a machine that is busy elsewhere makes
/// nobody lose a packet.
fn small() -> Builder {
    let line = "--memory 256 --rings 8 --ring-size 2048";
    Panel::builder()
        .primary_args(line.split(' '))
        .pages(128)
        .keeps_state()
}

/// Launches nfv `id` on the second CPU and waits until it answers. `app` are further options of its own part.
#[track_caller]
fn launch(panel: &Panel, id: u32, restart: &str, app: &[(&str, &str)]) {
    let mut own = json!({"-n": id, "-s": panel.control()[1].to_string()});
    for (option, value) in app {
        own[*option] = (*value).into();
    }
    let body = json!({
        "client_id": id,
        "proc_name": "spp_nfv",
        "eal": {"--lcores": format!("0@{},1@{}", cpu(0), cpu(1)), "--no-pci": null,
                "--file-prefix": panel.prefix(), "--proc-type": "secondary"},
        "app": own,
        "restart": restart,
    });
    let answer = panel.http("PUT", "/v1/primary/launch", &body.to_string());
    assert_eq!(answer.status, 204, "{}", answer.body);
    panel.ok(&format!("wait nfv {id}"));
}

/// Has nfv `id` carry packets from one ring to another.
#[track_caller]
fn carry(panel: &Panel, id: u32, from: u32, to: u32) {
    panel.ok(&format!("nfv {id} add ring:{from}"));
    panel.ok(&format!("nfv {id} add ring:{to}"));
    panel.ok(&format!("nfv {id} patch ring:{from} ring:{to}"));
    panel.ok(&format!("nfv {id} forward"));
}

/// What the primary says of the process `id` that it launched.
#[track_caller]
fn launched(panel: &Panel, id: u32) -> LaunchedDetail {
    wait_for("the primary to tell what it launched", LIMIT, || {
        let answer = panel.http("GET", "/v1/primary/launched", "");
        let all: Vec<LaunchedDetail> = serde_json::from_str(&answer.body).ok()?;
        all.into_iter().find(|process| process.client_id == id)
    })
}

/// Waits until the launched process `id` was started so many times again; gives what is said of it then.
#[track_caller]
fn wait_restarts(panel: &Panel, id: u32, restarts: u64) -> LaunchedDetail {
    wait_for("it to be started again", LIMIT, || {
        Some(launched(panel, id)).filter(|p| p.restarts >= restarts && p.state == "running")
    })
}

/// What the controller says of the process `id`: status, since when, and why.
#[track_caller]
fn status(panel: &Panel, id: u32) -> (String, Option<String>) {
    let all = panel.details();
    let found = all.into_iter().find(|process| process.client_id == id);
    found.map_or(("unknown".into(), None), |found| {
        (found.status, found.since)
    })
}

/// Waits until the process carries packets from `src`.
#[track_caller]
fn wait_carries(panel: &Panel, id: u32, src: &str) {
    let moved = || {
        let patches = panel.detail(id).patches;
        let patch = patches.into_iter().find(|patch| patch.src == src);
        patch.map_or(0, |patch| patch.counters.tx_packets)
    };
    let mut before = None;
    wait_until(&format!("nfv {id} to carry packets"), LIMIT, || {
        let now = moved();
        now > *before.get_or_insert(now)
    });
}
