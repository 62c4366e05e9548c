//! `/v1/system` and `/v1/differences`: the system as a document.

use axum::extract::{Query, State};
use protocol::desired::System;
use protocol::rest::{Applied, Difference};
use serde::Deserialize;

use super::answer::{Answer, Json};
use super::body::Body;
use super::{RestError, Shared};
use crate::state;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Options {
    #[serde(default)]
    dry_run: bool,
}

/// The running system as a document, as `apply` takes it.
#[utoipa::path(get, path = "/v1/system", tag = "system",
    responses((status = 200, description = "What all processes have", body = System)))]
pub(crate) async fn export(State(shared): State<Shared>) -> Answer<Json> {
    state::export(&shared).await.map(|system| Json::of(&system))
}

/// Brings the system to the state of a document.
///
/// Each process as a whole or not at all; processes that it does not name are left alone.
#[utoipa::path(put, path = "/v1/system", tag = "system", request_body = System,
    params(("dry-run" = Option<bool>, Query, description = "Only tell the commands")),
    responses((status = 200, description = "What was done", body = Applied)))]
pub(crate) async fn apply(
    State(shared): State<Shared>,
    options: Result<Query<Options>, axum::extract::rejection::QueryRejection>,
    body: Body,
) -> Answer<Json> {
    let Query(options) = options.map_err(|error| RestError::Document(error.body_text()))?;
    let system: System = body.document()?;
    system
        .check()
        .map_err(|error| RestError::Document(error.to_string()))?;
    // To its end, also when the client goes away.
    let applied = tokio::spawn(async move { state::apply(&shared, system, options.dry_run).await });
    let applied = applied.await.unwrap_or_else(|error| {
        log::error!("apply: {error}");
        Err(RestError::Refused(
            "it ended within; see the log".to_owned(),
        ))
    });
    applied.map(|applied| Json::of(&applied))
}

/// Where processes are not as they shall be.
#[utoipa::path(get, path = "/v1/differences", tag = "system",
    responses((status = 200, description = "Every process of the desired state", body = Vec<Difference>)))]
pub(crate) async fn differences(State(shared): State<Shared>) -> Answer<Json> {
    let differences = state::differences(&shared).await?;
    Ok(Json::of(&differences))
}
