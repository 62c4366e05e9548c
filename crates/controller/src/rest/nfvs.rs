//! `/v1/nfvs/…`

use axum::extract::State;
use protocol::command::PanelCommand;
use protocol::reply::NfvStatus;
use protocol::reply::ProcessKind::Nfv;
use protocol::rest::{ForwardRequest, PatchRequest, PortRequest};

use super::answer::{Answer, Done, Json};
use super::body::{Body, Params};
use super::{Shared, panel};

/// Status of an nfv.
#[utoipa::path(get, path = "/v1/nfvs/{id}", tag = "nfvs",
    responses((status = 200, description = "Its status", body = NfvStatus)))]
pub(crate) async fn status(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::status(&shared, &peer)
        .await
        .map(|status| Json::of(&status))
}

/// Ends an nfv.
#[utoipa::path(delete, path = "/v1/nfvs/{id}", tag = "nfvs",
    responses((status = 204, description = "Done")))]
pub(crate) async fn exit(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::exit(&shared, &peer).await
}

/// Starts or stops forwarding.
#[utoipa::path(put, path = "/v1/nfvs/{id}/forward", tag = "nfvs", request_body = ForwardRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn forward(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::forward(&shared, &peer, &body.fields()?).await
}

/// Adds a port, or deletes one.
#[utoipa::path(put, path = "/v1/nfvs/{id}/ports", tag = "nfvs", request_body = PortRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn ports(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    let command = panel::port_command(&body.fields()?)?;
    panel::command(&shared, &peer, command).await
}

/// Patches two ports.
#[utoipa::path(put, path = "/v1/nfvs/{id}/patches", tag = "nfvs", request_body = PatchRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn patch(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::patch(&shared, &peer, &body.fields()?).await
}

/// Takes all patches out.
#[utoipa::path(delete, path = "/v1/nfvs/{id}/patches", tag = "nfvs",
    responses((status = 204, description = "Done")))]
pub(crate) async fn reset(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::command(&shared, &peer, PanelCommand::PatchReset).await
}

/// Takes one patch out.
#[utoipa::path(delete, path = "/v1/nfvs/{id}/patches/{src}", tag = "nfvs",
    responses((status = 204, description = "Done")))]
pub(crate) async fn unpatch(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::command(&shared, &peer, PanelCommand::Unpatch(params.port(1)?)).await
}

/// Shows counters from here on.
#[utoipa::path(delete, path = "/v1/nfvs/{id}/counters", tag = "nfvs",
    responses((status = 204, description = "Done")))]
pub(crate) async fn clear(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::command(&shared, &peer, PanelCommand::Clear).await
}
