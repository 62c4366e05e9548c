//! `/v1/primary/…`, but for flow rules. The order of checks is the original's.

use axum::extract::State;
use protocol::command::PanelCommand;

use super::answer::{Answer, Done, Json};
use super::body::{Body, Params};
use super::{Shared, launch as builder, panel};
use crate::change;

pub(crate) async fn status(State(shared): State<Shared>) -> Answer<Json> {
    let primary = shared.primary()?;
    panel::status(&shared, &primary)
        .await
        .map(|status| Json::of(&status))
}

pub(crate) async fn clear(State(shared): State<Shared>) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::command(&shared, &primary, PanelCommand::Clear).await
}

pub(crate) async fn exit(State(shared): State<Shared>) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::exit(&shared, &primary).await
}

pub(crate) async fn forward(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    let primary = shared.primary()?;
    panel::forward(&shared, &primary, &fields).await
}

pub(crate) async fn ports(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let command = panel::port_command(&body.fields()?)?;
    let primary = shared.primary()?;
    panel::command(&shared, &primary, command).await
}

pub(crate) async fn patch(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    let primary = shared.primary()?;
    panel::patch(&shared, &primary, &fields).await
}

pub(crate) async fn reset(State(shared): State<Shared>) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::command(&shared, &primary, PanelCommand::PatchReset).await
}

pub(crate) async fn unpatch(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let primary = shared.primary()?;
    panel::command(&shared, &primary, PanelCommand::Unpatch(params.port(0)?)).await
}

pub(crate) async fn launch(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    fields.require(&["client_id", "proc_name", "eal", "app"])?;
    let primary = shared.primary()?;
    let command = builder::command(&fields)?;
    change::ask(&shared, &primary, &command).await.map(|_| Done)
}
