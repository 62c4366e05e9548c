//! `/v1/details`: every process about itself, also the one that does not answer or is gone.

use std::sync::Arc;

use axum::extract::State;
use protocol::detail::{Detail, ProcessDetail};

use super::Shared;
use super::answer::{Answer, Json};
use super::body::{Params, path_number};
use super::errors::RestError;
use crate::change;
use crate::peer::{Peer, PeerError, in_utc, process_name};
use crate::table::Gone;

/// Every process about itself: the one that does not answer, and the one that is gone, too.
#[utoipa::path(get, path = "/v1/details", tag = "details",
    responses((status = 200, description = "By id", body = [ProcessDetail])))]
pub(crate) async fn all(State(shared): State<Shared>) -> Json {
    Json::of(&collect(&shared).await)
}

/// Asks all at once; takes no longer than the limit of one.
pub(crate) async fn collect(shared: &Shared) -> Vec<ProcessDetail> {
    let ask = |peer: Arc<Peer>| {
        let shared = shared.clone();
        tokio::spawn(async move { of_peer(&shared, &peer).await })
    };
    let asked: Vec<_> = shared.table.all().into_iter().map(ask).collect();
    let mut details = Vec::with_capacity(asked.len());
    for task in asked {
        match task.await {
            Ok(detail) => details.push(detail),
            Err(error) => log::error!("details: {error}"),
        }
    }
    let gone = shared.table.gone(shared.limits.remember_gone);
    details.extend(gone.iter().map(of_gone));
    details.sort_by_key(|detail| detail.client_id);
    details
}

/// One process about itself; 0 is the primary.
#[utoipa::path(get, path = "/v1/details/{id}", tag = "details",
    responses((status = 200, description = "Its details", body = ProcessDetail)))]
pub(crate) async fn one(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let number = path_number(params.text(0))?;
    let id: Option<u32> = number.parse().ok();
    if let Some(peer) = id.and_then(|id| shared.table.find(id)) {
        return Ok(Json::of(&of_peer(&shared, &peer).await));
    }
    let gone = shared.table.gone(shared.limits.remember_gone);
    match gone.iter().find(|gone| Some(gone.id) == id) {
        Some(gone) => Ok(Json::of(&of_gone(gone))),
        None if id == Some(0) => Err(RestError::NoPrimary),
        None => Err(RestError::NoProcess(number)),
    }
}

async fn of_peer(shared: &Shared, peer: &Peer) -> ProcessDetail {
    let asked = ask(shared, peer).await;
    let silent = matches!(asked, Err(RestError::Peer(PeerError::NotResponding { .. })));
    let gone = matches!(asked, Err(RestError::Peer(PeerError::Closed { .. })));
    let status = match gone {
        true => "gone",
        false if silent || !peer.is_responding() => "not responding",
        false => "ok",
    };
    let (detail, error) = match asked {
        Ok(detail) => (Some(detail), None),
        Err(error) => (None, Some(error.to_string())),
    };
    ProcessDetail {
        kind: peer.kind.to_string(),
        client_id: peer.id,
        status: status.to_owned(),
        detail,
        error,
        since: (status != "ok").then(|| peer.last_answer()),
    }
}

/// What `peer` says of itself.
pub(crate) async fn ask(shared: &Shared, peer: &Peer) -> Answer<Detail> {
    if peer.hello.is_none() {
        return Err(RestError::Refused(format!(
            "{} is a process of the original, which tells no details",
            peer.name()
        )));
    }
    let reply = change::ask(shared, peer, "_detail").await?;
    serde_json::from_value(reply).map_err(|error| {
        let words = format!("its details cannot be read: {error}");
        PeerError::Nonsense {
            name: peer.name(),
            words,
        }
        .into()
    })
}

fn of_gone(gone: &Gone) -> ProcessDetail {
    let name = process_name(gone.kind, gone.id);
    let seconds = gone.since.elapsed().as_secs();
    let now = jiff::Timestamp::now().as_second();
    ProcessDetail {
        kind: gone.kind.to_string(),
        client_id: gone.id,
        status: "gone".to_owned(),
        detail: None,
        error: Some(format!("{name}: {}, {seconds} s ago", gone.reason)),
        since: Some(in_utc(now.saturating_sub_unsigned(seconds))),
    }
}
