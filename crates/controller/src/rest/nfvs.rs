//! `/v1/nfvs/…`

use axum::extract::State;
use protocol::command::PanelCommand;
use protocol::reply::ProcessKind::Nfv;

use super::answer::{Answer, Done, Json};
use super::body::{Body, Params};
use super::{Shared, panel};

pub(crate) async fn status(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::status(&shared, &peer)
        .await
        .map(|status| Json::of(&status))
}

pub(crate) async fn exit(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::exit(&shared, &peer).await
}

pub(crate) async fn forward(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::forward(&shared, &peer, &body.fields()?).await
}

pub(crate) async fn ports(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    let command = panel::port_command(&body.fields()?)?;
    panel::command(&shared, &peer, command).await
}

pub(crate) async fn patch(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::patch(&shared, &peer, &body.fields()?).await
}

pub(crate) async fn reset(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::command(&shared, &peer, PanelCommand::PatchReset).await
}

pub(crate) async fn unpatch(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::command(&shared, &peer, PanelCommand::Unpatch(params.port(1)?)).await
}

pub(crate) async fn clear(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Nfv, params.text(0))?;
    panel::command(&shared, &peer, PanelCommand::Clear).await
}
