//! What processes that answer with `results` say of themselves.

use serde_json::{Map, Value};

use super::answer::{Answer, Json};
use super::{Shared, panel};
use crate::peer::{Peer, PeerError};

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

/// The status of a `vf` or `mirror`, in the shape of REST.
pub(crate) async fn components(shared: &Shared, peer: &Peer) -> Answer<Json> {
    let mut info = info(shared, peer).await?;
    let mut ports = Vec::new();
    for kind in ["phy", "vhost", "ring", "pcap", "nullpmd", "tap", "memif"] {
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
    for table in ["classifier_table", "classifier_table_size"] {
        put(table, info.remove(table));
    }
    Ok(Json::of(&answer))
}
