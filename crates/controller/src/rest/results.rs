//! `/v1/vfs/…`, `/v1/mirrors/…` and `/v1/pcaps/…`: status and end.

use axum::extract::State;
use protocol::reply::ProcessKind;
use serde_json::{Map, Value};

use super::answer::{Answer, Done, Json};
use super::body::Params;
use super::{Shared, panel};
use crate::peer::{Peer, PeerError};

pub(crate) async fn vf(shared: State<Shared>, params: Params) -> Answer<Json> {
    components(shared, params, ProcessKind::Vf).await
}

pub(crate) async fn mirror(shared: State<Shared>, params: Params) -> Answer<Json> {
    components(shared, params, ProcessKind::Mirror).await
}

pub(crate) async fn pcap(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let peer = shared.secondary(ProcessKind::Pcap, params.text(0))?;
    Ok(Json::of(&info(&shared, &peer).await?))
}

pub(crate) async fn vf_exit(shared: State<Shared>, params: Params) -> Answer<Done> {
    exit(shared, params, ProcessKind::Vf).await
}

pub(crate) async fn mirror_exit(shared: State<Shared>, params: Params) -> Answer<Done> {
    exit(shared, params, ProcessKind::Mirror).await
}

pub(crate) async fn pcap_exit(shared: State<Shared>, params: Params) -> Answer<Done> {
    exit(shared, params, ProcessKind::Pcap).await
}

async fn exit(State(shared): State<Shared>, params: Params, kind: ProcessKind) -> Answer<Done> {
    let peer = shared.secondary(kind, params.text(0))?;
    panel::exit(&shared, &peer).await
}

/// The `info` of a status.
pub(crate) async fn info(shared: &Shared, peer: &Peer) -> Answer<Map<String, Value>> {
    match panel::status(shared, peer)
        .await?
        .get_mut("info")
        .map(Value::take)
    {
        Some(Value::Object(info)) => Ok(info),
        _ => {
            let words = "a status without info".to_owned();
            Err(PeerError::Nonsense {
                name: peer.name(),
                words,
            }
            .into())
        }
    }
}

async fn components(
    State(shared): State<Shared>,
    params: Params,
    kind: ProcessKind,
) -> Answer<Json> {
    let peer = shared.secondary(kind, params.text(0))?;
    let mut info = info(&shared, &peer).await?;
    let mut ports = Vec::new();
    for kind in ["phy", "vhost", "ring"] {
        let numbers = info
            .get(kind)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        ports.extend(
            numbers
                .filter_map(Value::as_str)
                .map(|n| Value::from(format!("{kind}:{n}"))),
        );
    }
    let mut answer = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        value.map(|value| answer.insert(name.to_owned(), value));
    };
    put("client-id", info.remove("client-id"));
    put("ports", Some(Value::Array(ports)));
    put("master-lcore", info.remove("master-lcore"));
    put("components", info.remove("core"));
    put("classifier_table", info.remove("classifier_table"));
    Ok(Json::of(&answer))
}
