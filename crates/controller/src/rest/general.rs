//! What concerns all processes, or none.

use std::sync::Arc;

use axum::extract::State;
use protocol::reply::ProcessKind;
use protocol::rest::{CpuSocket, CpuUsage, ProcessEntry, Version};
use serde_json::{Map, Value};

use super::answer::{Answer, Json};
use super::{Shared, panel, results};
use crate::cpu;
use crate::peer::Peer;

/// Name and version of this controller.
#[utoipa::path(get, path = "/v1/version", tag = "controller",
    responses((status = 200, description = "The version", body = Version)))]
pub(crate) async fn version() -> Json {
    Json::of(&Version {
        name: "spp-ctl".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn id(peer: &Peer) -> Option<u32> {
    (peer.kind != ProcessKind::Primary).then_some(peer.id)
}

/// Processes that are connected.
///
/// From the table: nobody is asked, clients call this often.
#[utoipa::path(get, path = "/v1/processes", tag = "controller",
    responses((status = 200, description = "The primary first", body = [ProcessEntry])))]
pub(crate) async fn processes(State(shared): State<Shared>) -> Json {
    let peers = shared.table.all();
    let entry = |peer: &Arc<Peer>| ProcessEntry {
        kind: peer.kind,
        client_id: id(peer),
    };
    Json::of(&peers.iter().map(entry).collect::<Vec<_>>())
}

/// CPUs of the machine that are online.
#[utoipa::path(get, path = "/v1/cpu_layout", tag = "controller",
    responses((status = 200, description = "By socket and core", body = [CpuSocket])))]
pub(crate) async fn cpu_layout(State(shared): State<Shared>) -> Json {
    Json::of(&cpu::layout(&shared.cpu_dir))
}

/// CPUs that processes use.
///
/// Asks all at once; those that do not answer are left out.
#[utoipa::path(get, path = "/v1/cpu_usage", tag = "controller",
    responses((status = 200, description = "One element a process", body = [CpuUsage])))]
pub(crate) async fn cpu_usage(State(shared): State<Shared>) -> Json {
    let ask = |peer: Arc<Peer>| {
        let shared = shared.clone();
        tokio::spawn(async move { usage(&shared, &peer).await })
    };
    let asked: Vec<_> = shared.table.all().into_iter().map(ask).collect();
    let mut usages = Vec::with_capacity(asked.len());
    for task in asked {
        match task.await {
            Ok(Ok(Some(usage))) => usages.push(usage),
            Ok(Ok(None)) => log::warn!("a status without lcores is left out of cpu_usage"),
            Ok(Err(error)) => log::warn!("left out of cpu_usage: {error}"),
            Err(error) => log::error!("cpu_usage: {error}"),
        }
    }
    Json::of(&usages)
}

async fn usage(shared: &Shared, peer: &Peer) -> Answer<Option<CpuUsage>> {
    let read = |main: Option<u64>, lcores: Vec<u64>| {
        let main_lcore = main?;
        Some(CpuUsage {
            proc_type: peer.kind,
            client_id: id(peer),
            main_lcore,
            lcores,
        })
    };
    if peer.kind.has_results() {
        let info = results::info(shared, peer).await?;
        let main = number(&info, "master-lcore");
        let cores = info
            .get("core")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let cores = cores.filter_map(|core| core.get("core").and_then(Value::as_u64));
        return Ok(read(main, main.into_iter().chain(cores).collect()));
    }
    let status = panel::status(shared, peer).await?;
    let lcores = status
        .get("lcores")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let lcores: Vec<u64> = lcores.filter_map(Value::as_u64).collect();
    let main = match peer.kind {
        ProcessKind::Primary => lcores.first().copied(),
        _ => status
            .as_object()
            .and_then(|status| number(status, "master-lcore")),
    };
    Ok(read(main, lcores))
}

fn number(members: &Map<String, Value>, name: &str) -> Option<u64> {
    members.get(name).and_then(Value::as_u64)
}
