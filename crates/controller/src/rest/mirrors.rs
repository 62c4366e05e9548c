//! `/v1/mirrors/…`

use axum::extract::State;
use protocol::reply::ProcessKind::Mirror;
use protocol::rest::{ComponentPortRequest, ComponentStatus, MirrorRequest, SettingRequest};

use super::answer::{Answer, Done, Json};
use super::body::{Body, Params};
use super::{Shared, components, panel, results};
use crate::change;

/// Status of a mirror.
#[utoipa::path(get, path = "/v1/mirrors/{id}", tag = "mirrors",
    responses((status = 200, description = "Its status", body = ComponentStatus)))]
pub(crate) async fn status(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    results::components(&shared, &peer).await
}

/// Ends a mirror.
#[utoipa::path(delete, path = "/v1/mirrors/{id}", tag = "mirrors",
    responses((status = 204, description = "Done")))]
pub(crate) async fn exit(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    panel::exit(&shared, &peer).await
}

/// Starts a component.
#[utoipa::path(post, path = "/v1/mirrors/{id}/components", tag = "mirrors", request_body = MirrorRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn start(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    let command = components::start(&body.fields()?, Mirror)?;
    change::make(&shared, &peer, &command.into())
        .await
        .map(|_| Done)
}

/// Stops a component.
#[utoipa::path(delete, path = "/v1/mirrors/{id}/components/{name}", tag = "mirrors",
    responses((status = 204, description = "Done; also if there is none of this name")))]
pub(crate) async fn stop(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    let command = components::stop(params.text(1))?;
    change::make(&shared, &peer, &command.into())
        .await
        .map(|_| Done)
}

/// Attaches a port to a component, or detaches one.
#[utoipa::path(put, path = "/v1/mirrors/{id}/components/{name}/ports", tag = "mirrors",
    request_body = ComponentPortRequest, responses((status = 204, description = "Done")))]
pub(crate) async fn ports(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    let command = components::port(&body.fields()?, params.text(1), Mirror)?;
    change::make(&shared, &peer, &command.into())
        .await
        .map(|_| Done)
}

/// Sets something of a component.
#[utoipa::path(put, path = "/v1/mirrors/{id}/components/{name}/settings", tag = "mirrors",
    request_body = SettingRequest, responses((status = 204, description = "Done")))]
pub(crate) async fn set(State(shared): State<Shared>, params: Params, body: Body) -> Answer<Done> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    let command = components::set(&body.fields()?, params.text(1))?;
    change::make(&shared, &peer, &command.into())
        .await
        .map(|_| Done)
}

/// Shows counters from here on.
#[utoipa::path(delete, path = "/v1/mirrors/{id}/counters", tag = "mirrors",
    responses((status = 204, description = "Done")))]
pub(crate) async fn clear(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Mirror, params.text(0))?;
    components::clear(&shared, &peer).await.map(|()| Done)
}
