//! `GET /v1/events` and `GET /metrics`: what goes on, for those who look at it all the time.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use protocol::json;

use super::Shared;
use super::answer::Answer;
use super::errors::RestError;
use crate::events::{Item, READERS, Reader};
use crate::metrics;

/// Time between two signs of life when nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Time after which a reader that lost its connection is to come back.
const COME_BACK: Duration = Duration::from_secs(1);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

type Events = Sse<
    axum::response::sse::KeepAliveStream<
        std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>,
    >,
>;

/// Everything that changes, from now on or after the event that the client had last.
///
/// Server-sent events. `Last-Event-ID` goes on where the client was.
#[utoipa::path(get, path = "/v1/events", tag = "controller",
    responses((status = 200, description = "Events without end", content_type = "text/event-stream", body = serde_json::Value),
        (status = 503, description = "Too many readers", content_type = "text/plain", body = String)))]
pub(crate) async fn events(State(shared): State<Shared>, headers: HeaderMap) -> Answer<Events> {
    let last = headers.get(LAST_EVENT_ID);
    // What is no text is no id of ours.
    let last = last.map(|id| id.to_str().unwrap_or("?"));
    let reader = shared.table.events.read(last).ok_or_else(|| {
        RestError::Busy(format!(
            "{READERS} readers follow the events already: end one of them"
        ))
    })?;
    let stream = unfold(reader, |mut reader| async {
        let item = reader.next().await?;
        Some((Ok(write(&reader, item)), reader))
    });
    let stream: std::pin::Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(stream);
    let alive = KeepAlive::new().interval(HEARTBEAT).text("alive");
    Ok(Sse::new(stream).keep_alive(alive))
}

fn write(reader: &Reader, item: Item) -> Event {
    match item {
        // With the id of what it had already: the connection may break before the next.
        Item::Hello(hello) => Event::default()
            .event("hello")
            .id(reader.id(hello.snapshot))
            .retry(COME_BACK)
            .data(json::compact(&hello)),
        Item::Event(entry) => Event::default()
            .event(entry.name)
            .id(reader.id(entry.seq))
            .data(&entry.data),
        Item::Resync(id, resync) => Event::default()
            .event("resync")
            .id(id)
            .data(json::compact(&resync)),
    }
}

/// All metrics, in the form that the client reads.
#[utoipa::path(get, path = "/metrics", tag = "controller",
    responses((status = 200, description = "Metrics", content(
        (String = "application/openmetrics-text"), (String = "text/plain")))))]
pub(crate) async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Answer<Response> {
    let accept = headers.get_all(ACCEPT).iter();
    let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
    match metrics::page(&shared, &accept.join(",")).await {
        Ok((kind, text)) => Ok(([(CONTENT_TYPE, kind)], text).into_response()),
        Err(error) => Err(RestError::Internal(format!(
            "the metrics cannot be written: {error}"
        ))),
    }
}

/// Counts requests by the pattern of their path.
pub(crate) async fn count(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let status = response.status().as_u16();
    shared
        .figures
        .answered(method.as_str(), route, status, start.elapsed());
    response
}
