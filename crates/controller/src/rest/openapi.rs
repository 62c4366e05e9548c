//! The description of the interface, made from the routes and for the routes: [`resource`] completes what
//! a handler says of itself, and refuses the methods that no handler has.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use protocol::rest::Problem;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ComponentsBuilder, Ref, Schema};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, RefOr, Required, Response,
    ResponseBuilder, Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::UtoipaMethodRouter;

use super::Shared;
use super::errors::{PROBLEM, RestError};

/// Errors that requests end in: code, name and meaning.
const ERRORS: [(&str, &str, &str); 12] = [
    (
        "400",
        "Malformed",
        "A value cannot be taken, or the process refused",
    ),
    (
        "404",
        "NotFound",
        "No such process, or no number where one is needed",
    ),
    ("401", "NoToken", "The token is missing or wrong"),
    (
        "403",
        "Foreign",
        "Sent to another name than the controller's, or by a page of another server",
    ),
    ("408", "SlowBody", "The body did not arrive in time"),
    ("409", "Refused", "The process refused"),
    ("413", "TooLarge", "The body is too large"),
    ("429", "TooMany", "Too many wrong tokens"),
    (
        "500",
        "NoAnswer",
        "The process did not answer, or not as it should",
    ),
    (
        "502",
        "Nonsense",
        "The process closed the connection, or answered nonsense",
    ),
    ("504", "Timeout", "The process did not answer in time"),
    ("507", "NotKept", "The journal cannot be written"),
];

/// The document before any route is in it.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("SPP")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The controller of a patch panel in software: the original's /v1 and what SPP adds to it. \
             Errors are plain text with the codes 400, 404, 405 and 500, as the original's clients \
             expect them, or, for those that accept application/problem+json, problems with the finer \
             codes.",
        ))
        .build();
    let components = ComponentsBuilder::new().schema(Problem::name(), Problem::schema());
    let components = ERRORS
        .iter()
        .fold(components, |all, (_, name, meaning)| {
            all.response(*name, error(meaning))
        })
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

/// The document as it is served and kept in `docs/openapi.json`.
#[derive(Clone)]
pub(super) struct Document(Bytes);

impl Document {
    /// Writes it.
    pub fn of(document: &OpenApi) -> Self {
        Self(match document.to_pretty_json() {
            Ok(text) => (text + "\n").into(),
            Err(error) => {
                log::error!("the description of REST cannot be written: {error}");
                Bytes::from_static(b"{}\n")
            }
        })
    }
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "controller",
    responses((status = 200, description = "An OpenAPI document", body = serde_json::Value)))]
pub(super) async fn document(Extension(document): Extension<Document>) -> axum::response::Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (kind, document.0).into_response()
}

/// A resource: the routes of one path. Completes their description, and answers other methods.
pub(super) fn resource(
    (schemas, mut paths, methods): UtoipaMethodRouter<Shared>,
) -> UtoipaMethodRouter<Shared> {
    let mut allowed = Vec::new();
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            complete(path, method, operation);
            allowed.push(method);
        }
    }
    allowed.sort_unstable();
    let allowed: Arc<str> = allowed.join(",").into();
    let methods = methods.fallback(move || {
        let refused = RestError::Method(allowed.clone());
        async move { refused }
    });
    (schemas, paths, methods)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete(path: &str, method: &str, operation: &mut Operation) {
    let words = path.split(['/', '{', '}', '_', '.']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let slash = if path.ends_with('/') { "_slash" } else { "" };
    let id = format!("{}_{}{slash}", method.to_lowercase(), words.join("_"));
    operation.operation_id = Some(id);
    let names = path.split('{').skip(1);
    let names: Vec<&str> = names.filter_map(|part| part.split('}').next()).collect();
    for name in &names {
        let (schema, description) = element(name);
        let parameter = ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .description(Some(description));
        operation
            .parameters
            .get_or_insert_default()
            .push(RefOr::T(parameter.build()));
    }
    let whole = ["/v1/system", "/v1/differences", "/v1/latency"].contains(&path);
    let asks = whole || !names.is_empty() || path.starts_with("/v1/primary");
    let all = ERRORS.iter().filter(|error| match error.0 {
        "401" | "403" | "429" => true,
        "408" | "413" => operation.request_body.is_some(),
        "507" => asks && method != "GET",
        _ => asks,
    });
    for (code, name, _) in all {
        let responses = &mut operation.responses.responses;
        responses
            .entry((*code).to_owned())
            .or_insert_with(|| Ref::from_response_name(*name).into());
    }
}

/// An error in both forms.
fn error(meaning: &str) -> Response {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let problem = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description(meaning)
        .content(
            "text/plain",
            ContentBuilder::new().schema(Some(text)).build(),
        )
        .content(PROBLEM, ContentBuilder::new().schema(Some(problem)).build())
        .build()
}

/// What `{name}` in a path is.
fn element(name: &str) -> (RefOr<Schema>, &'static str) {
    let number = |least: i64| -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(least))
            .maximum(Some(i32::MAX))
            .into()
    };
    match name {
        "id" => (number(0), "Id of the process"),
        "port" => (number(0), "Number of the physical port"),
        "rule" => (number(0), "Id of the rule"),
        "src" => (protocol::PortName::schema(), "Source of the patch"),
        _ => (
            protocol::command::component::ComponentName::schema(),
            "Name of the component",
        ),
    }
}
