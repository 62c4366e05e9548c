//! REST: the original's `/v1`, and what we add to it.

mod answer;
mod body;
mod details;
mod errors;
mod flow;
mod general;
mod launch;
mod nfvs;
mod panel;
mod primary;
mod results;
mod serve;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};
use protocol::reply::ProcessKind;

use crate::config::Limits;
use crate::peer::Peer;
use crate::table::Table;
pub(crate) use answer::Answer;
pub(crate) use errors::RestError;
pub(crate) use serve::serve;

/// What all handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub table: Arc<Table>,
    pub limits: Limits,
    pub cpu_dir: Arc<Path>,
}

impl Shared {
    fn primary(&self) -> Result<Arc<Peer>, RestError> {
        self.table.find(0).ok_or(RestError::NoPrimary)
    }

    /// The process with the id that `text` gives, if it is one of `kind`.
    fn secondary(&self, kind: ProcessKind, text: &str) -> Result<Arc<Peer>, RestError> {
        let number = body::path_number(text)?;
        let peer = number.parse().ok().and_then(|id| self.table.find(id));
        peer.filter(|peer| peer.kind == kind)
            .ok_or(RestError::NoProcess(number))
    }
}

/// All resources.
pub(crate) fn router(shared: Shared) -> Router {
    let resource = |methods: MethodRouter<Shared>, allow: &'static str| {
        methods.fallback(move || async move { RestError::Method(allow) })
    };
    let flow = "/v1/primary/flow_rules";
    Router::new()
        .route("/v1/version", resource(get(general::version), "GET"))
        .route("/v1/processes", resource(get(general::processes), "GET"))
        .route("/v1/cpu_layout", resource(get(general::cpu_layout), "GET"))
        .route("/v1/cpu_usage", resource(get(general::cpu_usage), "GET"))
        .route("/v1/details", resource(get(details::all), "GET"))
        .route("/v1/details/{id}", resource(get(details::one), "GET"))
        .route("/v1/primary", resource(delete(primary::exit), "DELETE"))
        .route("/v1/primary/", resource(delete(primary::exit), "DELETE"))
        .route(
            "/v1/primary/status",
            resource(get(primary::status).delete(primary::clear), "DELETE,GET"),
        )
        .route(
            "/v1/primary/forward",
            resource(put(primary::forward), "PUT"),
        )
        .route("/v1/primary/ports", resource(put(primary::ports), "PUT"))
        .route(
            "/v1/primary/patches",
            resource(put(primary::patch).delete(primary::reset), "DELETE,PUT"),
        )
        .route(
            "/v1/primary/patches/{src}",
            resource(delete(primary::unpatch), "DELETE"),
        )
        .route("/v1/primary/launch", resource(put(primary::launch), "PUT"))
        .route(
            &format!("{flow}/port_id/{{port}}"),
            resource(post(flow::create).delete(flow::destroy_all), "DELETE,POST"),
        )
        .route(
            &format!("{flow}/port_id/{{port}}/validate"),
            resource(post(flow::validate), "POST"),
        )
        .route(
            &format!("{flow}/{{rule}}/port_id/{{port}}"),
            resource(delete(flow::destroy), "DELETE"),
        )
        .route(
            "/v1/nfvs/{id}",
            resource(get(nfvs::status).delete(nfvs::exit), "DELETE,GET"),
        )
        .route("/v1/nfvs/{id}/forward", resource(put(nfvs::forward), "PUT"))
        .route("/v1/nfvs/{id}/ports", resource(put(nfvs::ports), "PUT"))
        .route(
            "/v1/nfvs/{id}/patches",
            resource(put(nfvs::patch).delete(nfvs::reset), "DELETE,PUT"),
        )
        .route(
            "/v1/nfvs/{id}/patches/{src}",
            resource(delete(nfvs::unpatch), "DELETE"),
        )
        .route(
            "/v1/nfvs/{id}/counters",
            resource(delete(nfvs::clear), "DELETE"),
        )
        .route(
            "/v1/vfs/{id}",
            resource(get(results::vf).delete(results::vf_exit), "DELETE,GET"),
        )
        .route(
            "/v1/mirrors/{id}",
            resource(
                get(results::mirror).delete(results::mirror_exit),
                "DELETE,GET",
            ),
        )
        .route(
            "/v1/pcaps/{id}",
            resource(get(results::pcap).delete(results::pcap_exit), "DELETE,GET"),
        )
        .fallback(async || RestError::NotFound)
        .with_state(shared)
        .layer(middleware::from_fn(shape_errors))
}

/// Writes errors in the form that the client accepts, and the log.
async fn shape_errors(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let problems = errors::accepts_problems(request.headers());
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<RestError>() {
        response = error.render(&path, problems);
    }
    log::debug!("{method} {path}: {}", response.status());
    response
}
