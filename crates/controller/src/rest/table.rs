//! `/v1/vfs/{id}/classifier_table`, read part by part.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use protocol::command::component::MAX_LISTED;
use protocol::reply::ProcessKind::Vf;
use protocol::rest::TablePage;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, Json};
use super::body::Params;
use super::{RestError, Shared};
use crate::change;
use crate::original;
use crate::peer::{Peer, PeerError};

/// Up to `count` entries (1000 at most) from number `offset` on.
///
/// # Errors
/// The process does not answer, or has no such command.
pub(crate) async fn page(
    shared: &Shared,
    peer: &Peer,
    offset: usize,
    count: usize,
) -> Answer<TablePage> {
    let command = format!("classifier_table list {offset} {count}");
    let mut reply = change::ask(shared, peer, &command).await?;
    let info = reply.get_mut("info").map(Value::take).unwrap_or_default();
    serde_json::from_value(info).map_err(|error| {
        PeerError::Nonsense {
            name: peer.name(),
            words: format!("a table that cannot be read: {error}"),
        }
        .into()
    })
}

/// Which part.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    #[serde(default)]
    offset: usize,
    #[serde(default = "most")]
    limit: usize,
}

fn most() -> usize {
    MAX_LISTED
}

/// A part of the classifier's table: `limit` entries (1000 if not said, and at most) from number `offset` on.
#[utoipa::path(get, path = "/v1/vfs/{id}/classifier_table", tag = "vfs",
    params(("offset" = Option<usize>, Query, description = "Entries that are left out before the first one"),
        ("limit" = Option<usize>, Query, description = "Most entries, up to 1000")),
    responses((status = 200, description = "Entries with their hits", body = TablePage)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    params: Params,
    part: Result<Query<Part>, QueryRejection>,
) -> Answer<Json> {
    let peer = shared.secondary(Vf, params.text(0))?;
    let Query(part) = part.map_err(|error| RestError::Document(error.body_text()))?;
    original::has_it(&peer, "it lists its table in its status only")?;
    Ok(Json::of(
        &page(&shared, &peer, part.offset, part.limit).await?,
    ))
}
