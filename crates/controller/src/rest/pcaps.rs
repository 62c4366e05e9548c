//! `/v1/pcaps/…`

use axum::extract::State;
use protocol::command::CaptureCommand;
use protocol::reply::ProcessKind::Pcap;
use protocol::rest::{CaptureStatus, ForwardRequest};

use super::answer::{Answer, Done, Json};
use super::body::{Body, Params};
use super::{Shared, panel, results};
use crate::change;

/// Status of a pcap.
#[utoipa::path(get, path = "/v1/pcaps/{id}", tag = "pcaps",
    responses((status = 200, description = "Its status", body = CaptureStatus)))]
pub(crate) async fn status(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let peer = shared.secondary(Pcap, params.text(0))?;
    Ok(Json::of(&results::info(&shared, &peer).await?))
}

/// Ends a pcap.
#[utoipa::path(delete, path = "/v1/pcaps/{id}", tag = "pcaps",
    responses((status = 204, description = "Done")))]
pub(crate) async fn exit(State(shared): State<Shared>, params: Params) -> Answer<Done> {
    let peer = shared.secondary(Pcap, params.text(0))?;
    panel::exit(&shared, &peer).await
}

/// Starts or stops the capture.
#[utoipa::path(put, path = "/v1/pcaps/{id}/capture", tag = "pcaps", request_body = ForwardRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn capture(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Done> {
    let peer = shared.secondary(Pcap, params.text(0))?;
    let fields = body.fields()?;
    fields.require(&["action"])?;
    let command = match fields.choice("action", &["start", "stop"])? {
        "start" => CaptureCommand::Start,
        _ => CaptureCommand::Stop,
    };
    change::make(&shared, &peer, &command.into())
        .await
        .map(|_| Done)
}
