//! `/v1/primary/…`, but for flow rules. The order of checks is the original's.

use axum::extract::State;
use protocol::command::{PanelCommand, PrimaryCommand};
use protocol::detail::LaunchedDetail;
use protocol::reply::PrimaryStatus;
use protocol::rest::{ForwardRequest, LaunchRequest, PatchRequest, PortRequest};

use super::answer::{Answer, Done, Json};
use super::body::{Body, Params, path_number};
use super::{RestError, Shared, details, launch as builder, panel};
use crate::change;

/// Status and counters of the primary.
#[utoipa::path(get, path = "/v1/primary/status", tag = "primary",
    responses((status = 200, description = "Its status", body = PrimaryStatus)))]
pub(crate) async fn status(State(shared): State<Shared>) -> Answer<Json> {
    let primary = shared.primary()?;
    panel::status(&shared, &primary)
        .await
        .map(|status| Json::of(&status))
}

/// Sets the counters of the primary to 0.
#[utoipa::path(delete, path = "/v1/primary/status", tag = "primary",
    responses((status = 204, description = "Done")))]
pub(crate) async fn clear(State(shared): State<Shared>) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::command(&shared, &primary, PanelCommand::Clear).await
}

/// Ends the primary.
#[utoipa::path(delete, path = "/v1/primary", tag = "primary",
    responses((status = 204, description = "Done")))]
pub(crate) async fn exit(State(shared): State<Shared>) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::exit(&shared, &primary).await
}

/// Ends the primary, as `DELETE /v1/primary` does.
#[utoipa::path(delete, path = "/v1/primary/", tag = "primary",
    responses((status = 204, description = "Done")))]
pub(crate) async fn exit_at_slash(shared: State<Shared>) -> Answer<Done> {
    exit(shared).await
}

/// Starts or stops the primary's forwarder.
#[utoipa::path(put, path = "/v1/primary/forward", tag = "primary", request_body = ForwardRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn forward(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    let primary = shared.primary()?;
    panel::forward(&shared, &primary, &fields).await
}

/// Adds a port to the primary, or deletes one.
#[utoipa::path(put, path = "/v1/primary/ports", tag = "primary", request_body = PortRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn ports(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let command = panel::port_command(&body.fields()?)?;
    let primary = shared.primary()?;
    panel::command(&shared, &primary, command).await
}

/// Patches two ports in the primary.
#[utoipa::path(put, path = "/v1/primary/patches", tag = "primary", request_body = PatchRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn patch(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    let primary = shared.primary()?;
    panel::patch(&shared, &primary, &fields).await
}

/// Takes all patches out of the primary.
#[utoipa::path(delete, path = "/v1/primary/patches", tag = "primary",
    responses((status = 204, description = "Done")))]
pub(crate) async fn reset(State(shared): State<Shared>) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::command(&shared, &primary, PanelCommand::PatchReset).await
}

/// Takes one patch out of the primary.
#[utoipa::path(delete, path = "/v1/primary/patches/{src}", tag = "primary",
    responses((status = 204, description = "Done")))]
pub(crate) async fn unpatch(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::command(&shared, &primary, PanelCommand::Unpatch(params.port(0)?)).await
}

/// Has the primary start a secondary.
#[utoipa::path(put, path = "/v1/primary/launch", tag = "primary", request_body = LaunchRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn launch(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    fields.require(&["client_id", "proc_name", "eal", "app"])?;
    let primary = shared.primary()?;
    let order = builder::order(&fields)?;
    if order.restarts && primary.hello.is_none() {
        return Err(RestError::Refused(
            "primary is a process of the original: it cannot start anything again".to_owned(),
        ));
    }
    let asked = change::ask(&shared, &primary, &order.command).await;
    asked.map(|_| Done)
}

/// What was launched, and what became of it.
#[utoipa::path(get, path = "/v1/primary/launched", tag = "primary",
    responses((status = 200, description = "All of them, by id", body = Vec<LaunchedDetail>)))]
pub(crate) async fn launched(State(shared): State<Shared>) -> Answer<Json> {
    let primary = shared.primary()?;
    let detail = details::ask(&shared, &primary).await?;
    Ok(Json::of(&detail.launched))
}

/// Has a newer program take the place of a launched process; `upgrade` of `GET /v1/primary/launched` says what becomes of it.
#[utoipa::path(put, path = "/v1/primary/launched/{id}/upgrade", tag = "primary",
    responses((status = 204, description = "Begun")))]
pub(crate) async fn upgrade(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let id = path_number(params.text(0))?;
    let primary = shared.primary()?;
    if primary.hello.is_none() {
        return Err(RestError::Refused(
            "primary is a process of the original: it cannot have a process replaced while it runs"
                .to_owned(),
        ));
    }
    let command = PrimaryCommand::Upgrade(id).to_string();
    let asked = change::ask(&shared, &primary, &command).await;
    asked.map(|_| Done)
}

/// Gives the supervision of a launched process up.
#[utoipa::path(delete, path = "/v1/primary/launched/{id}", tag = "primary",
    responses((status = 204, description = "Done")))]
pub(crate) async fn unlaunch(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let id = path_number(params.text(0))?;
    let primary = shared.primary()?;
    let command = PrimaryCommand::Unlaunch(id).to_string();
    let asked = change::ask(&shared, &primary, &command).await;
    asked.map(|_| Done)
}
