//! REST: the original's `/v1`, and what we add to it.
//!
//! # A new resource
//!
//! Write the handler in a module of its own, describe it, and add one line to [`resources`]:
//!
//! ```text
//! /// What it does, in one line (the summary), then whatever else there is to say.
//! #[utoipa::path(get, path = "/v1/things/{id}", tag = "things",
//!     responses((status = 200, description = "The thing", body = Thing)))]
//! pub(crate) async fn status(State(shared): State<Shared>, params: Params) -> Answer<Json> { … }
//!
//! .routes(resource(routes!(things::status, things::exit)))
//! ```
//!
//! All handlers of a path go into one line. `Allow`, the ids of operations, the elements of the path and the
//! errors that every request to a process can end in follow from it ([`openapi`]). `Thing` derives
//! `utoipa::ToSchema` (in `protocol` behind its feature `openapi`). Other kinds of content are given as
//! `content_type = "text/event-stream"`. Afterwards renew `docs/openapi.json`; its test says how.

mod answer;
mod body;
mod components;
mod details;
mod errors;
mod flow;
mod follow;
mod general;
mod guard;
mod launch;
mod mirrors;
mod nfvs;
mod openapi;
mod page;
mod panel;
mod pcaps;
mod primary;
mod probes;
mod results;
mod serve;
mod system;
pub(crate) mod table;
mod vfs;

use std::path::Path;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use protocol::reply::ProcessKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Limits;
use crate::metrics::{Figures, Rounds};
use crate::peer::Peer;
use crate::state::State;
use crate::table::Table;
pub(crate) use answer::Answer;
pub(crate) use details::{ask as ask_detail, collect as collect_details};
pub(crate) use errors::RestError;
pub(crate) use guard::Guard;
use openapi::resource;
pub(crate) use results::info;
pub(crate) use serve::{Settings, serve};

/// What all handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub table: Arc<Table>,
    pub state: Arc<State>,
    pub limits: Limits,
    pub cpu_dir: Arc<Path>,
    /// What the controller counts.
    pub figures: Arc<Figures>,
    /// Questions to all processes for metrics.
    pub rounds: Arc<Rounds>,
    /// Who may ask.
    pub guard: Arc<Guard>,
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

/// All resources, with their descriptions.
fn resources() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(resource(routes!(general::version)))
        .routes(resource(routes!(general::processes)))
        .routes(resource(routes!(general::cpu_layout)))
        .routes(resource(routes!(general::cpu_usage)))
        .routes(resource(routes!(details::all)))
        .routes(resource(routes!(details::one)))
        .routes(resource(routes!(primary::exit)))
        .routes(resource(routes!(primary::exit_at_slash)))
        .routes(resource(routes!(primary::status, primary::clear)))
        .routes(resource(routes!(primary::forward)))
        .routes(resource(routes!(primary::ports)))
        .routes(resource(routes!(primary::patch, primary::reset)))
        .routes(resource(routes!(primary::unpatch)))
        .routes(resource(routes!(primary::launch)))
        .routes(resource(routes!(primary::launched)))
        .routes(resource(routes!(primary::unlaunch)))
        .routes(resource(routes!(primary::upgrade)))
        .routes(resource(routes!(flow::create, flow::destroy_all)))
        .routes(resource(routes!(flow::validate)))
        .routes(resource(routes!(flow::destroy)))
        .routes(resource(routes!(nfvs::status, nfvs::exit)))
        .routes(resource(routes!(nfvs::forward)))
        .routes(resource(routes!(nfvs::ports)))
        .routes(resource(routes!(nfvs::patch, nfvs::reset)))
        .routes(resource(routes!(nfvs::unpatch)))
        .routes(resource(routes!(nfvs::clear)))
        .routes(resource(routes!(vfs::status, vfs::exit)))
        .routes(resource(routes!(vfs::start)))
        .routes(resource(routes!(vfs::stop)))
        .routes(resource(routes!(vfs::ports)))
        .routes(resource(routes!(table::list, vfs::classifier_table)))
        .routes(resource(routes!(vfs::set)))
        .routes(resource(routes!(vfs::clear)))
        .routes(resource(routes!(mirrors::status, mirrors::exit)))
        .routes(resource(routes!(mirrors::start)))
        .routes(resource(routes!(mirrors::stop)))
        .routes(resource(routes!(mirrors::ports)))
        .routes(resource(routes!(mirrors::set)))
        .routes(resource(routes!(mirrors::clear)))
        .routes(resource(routes!(pcaps::status, pcaps::exit)))
        .routes(resource(routes!(pcaps::capture)))
        .routes(resource(routes!(probes::latencies, probes::latency)))
        .routes(resource(routes!(probes::trace)))
        .routes(resource(routes!(system::export, system::apply)))
        .routes(resource(routes!(system::differences)))
        .routes(resource(routes!(follow::events)))
        .routes(resource(routes!(follow::metrics)))
        .routes(resource(routes!(openapi::document)))
}

/// All resources as a service, their description among them.
pub(crate) fn router(shared: Shared) -> Router {
    let page =
        |methods: MethodRouter<Shared>| methods.fallback(async || RestError::Method("GET".into()));
    let (router, document) = resources().split_for_parts();
    router
        .route("/", page(get(page::redirect)))
        .route("/panel", page(get(page::redirect)))
        .route("/panel/", page(get(page::index)))
        .route("/panel/{file}", page(get(page::file)))
        .layer(Extension(openapi::Document::of(&document)))
        .fallback(async || RestError::NotFound)
        .with_state(shared.clone())
        .layer(middleware::from_fn_with_state(
            shared.guard.clone(),
            guard::guard,
        ))
        .layer(middleware::from_fn(shape_errors))
        .layer(middleware::from_fn_with_state(shared, follow::count))
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
