//! Latencies over the panel, and traces of sources.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use capfile::{Format, Interface};
use protocol::PortName;
use protocol::command::probe::{
    EVERY, MAX_TRACE, MAX_TRACE_SECONDS, MAX_WHOLE_TRACE, PathEnd, ProbeCommand,
};
use protocol::detail::{Detail, ProcessDetail};
use protocol::probe::{
    Latency, LatencyRequest, LatencyTimes, Trace, TracePart, TraceRequest, TraceStarted,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::answer::{Answer, Done, Json};
use super::body::{Body, Fields, Params, invalid, path_number};
use super::{RestError, Shared, details};
use crate::change;
use crate::events::process_label;
use crate::peer::{Peer, PeerError};

/// Media type of a capture file.
const PCAPNG: &str = "application/x-pcapng";
/// Time of a trace if none is said, in seconds.
const SECONDS: u32 = 10;
/// Time between two looks at a trace.
const LOOK: Duration = Duration::from_millis(50);
/// How much later than at the end of its time a trace is given up.
const GRACE: Duration = Duration::from_secs(5);

/// Latencies that are measured, by path.
#[utoipa::path(get, path = "/v1/latency", tag = "latency",
    responses((status = 200, description = "All paths", body = [Latency])))]
pub(crate) async fn latencies(State(shared): State<Shared>) -> Json {
    Json::of(&paths(&details::collect(&shared).await))
}

/// Joins what processes say of the two ends of a path.
fn paths(processes: &[ProcessDetail]) -> Vec<Latency> {
    let mut paths: Vec<Latency> = Vec::new();
    for (process, detail) in told(processes) {
        let label = process_label(&process.kind, process.client_id);
        for part in &detail.latencies {
            let known = paths
                .iter()
                .position(|p| p.src == part.src && p.dst == part.dst);
            let at = known.unwrap_or_else(|| {
                paths.push(Latency {
                    src: part.src.clone(),
                    dst: part.dst.clone(),
                    from: None,
                    to: None,
                    every: 0,
                    stamped: 0,
                    times: LatencyTimes::default(),
                    even_clock: true,
                });
                paths.len() - 1
            });
            let path = &mut paths[at];
            if let Some(every) = part.every {
                path.from = Some(label.clone());
                path.every = every;
                path.stamped = part.stamped.unwrap_or_default();
            }
            if let Some(times) = &part.times {
                path.to = Some(label.clone());
                path.times = times.clone();
            }
            path.even_clock &= part.even_clock;
        }
    }
    paths
}

fn told(processes: &[ProcessDetail]) -> impl Iterator<Item = (&ProcessDetail, &Detail)> {
    processes
        .iter()
        .filter_map(|process| Some((process, process.detail.as_ref()?)))
}

/// Begins to measure a latency, or ends it.
///
/// `on` finds the process that takes packets from `src` now and the one that sends to `dst`; what was measured for
/// that path before is forgotten.
#[utoipa::path(put, path = "/v1/latency", tag = "latency", request_body = LatencyRequest,
    responses((status = 204, description = "Done")))]
pub(crate) async fn latency(State(shared): State<Shared>, body: Body) -> Answer<Done> {
    let fields = body.fields()?;
    fields.require(&["action", "src", "dst"])?;
    let action = fields.choice("action", &["on", "off"])?;
    let (src, dst) = (fields.port("src")?, fields.port("dst")?);
    let every = small(&fields, "every", u32::MAX)?.unwrap_or(EVERY);
    let processes = details::collect(&shared).await;
    let measuring: Vec<u32> = told(&processes)
        .filter(|(_, detail)| {
            let this = |l: &&protocol::probe::LatencyDetail| is(&l.src, src) && is(&l.dst, dst);
            detail.latencies.iter().any(|l| this(&l))
        })
        .map(|(process, _)| process.client_id)
        .collect();
    let off = ProbeCommand::LatencyOff { src, dst };
    if action == "off" {
        if measuring.is_empty() {
            let words = format!("no latency is measured from {src} to {dst}");
            return Err(RestError::Refused(words));
        }
        for id in measuring {
            tell(&shared, id, &off).await?;
        }
        return Ok(Done);
    }
    let (from, to) = ends(&processes, src, dst)?;
    for id in measuring.into_iter().filter(|id| *id != from && *id != to) {
        tell(&shared, id, &off).await?;
    }
    let on = |end| ProbeCommand::LatencyOn {
        src,
        dst,
        every,
        end,
    };
    if from == to {
        return tell(&shared, from, &on(None)).await.map(|()| Done);
    }
    // The reader first: no stamp comes before it.
    tell(&shared, to, &on(Some(PathEnd::Dst))).await?;
    if let Err(error) = tell(&shared, from, &on(Some(PathEnd::Src))).await {
        if let Err(left) = tell(&shared, to, &off).await {
            log::warn!("{off}: {left}");
        }
        return Err(error);
    }
    Ok(Done)
}

/// Who takes packets from `src` and who sends to `dst`; one process for both if there is one.
fn ends(processes: &[ProcessDetail], src: PortName, dst: PortName) -> Answer<(u32, u32)> {
    let with = |port: PortName, source: bool| {
        let uses = move |detail: &Detail| {
            let mut ports = detail.ports.iter();
            ports.any(|p| is(&p.name, port) && if source { p.source } else { p.destination })
        };
        let found = told(processes).filter(move |(_, detail)| uses(detail));
        let ids: Vec<u32> = found.map(|(process, _)| process.client_id).collect();
        ids
    };
    let (from, to) = (with(src, true), with(dst, false));
    if let Some(both) = from.iter().find(|id| to.contains(id)) {
        return Ok((*both, *both));
    }
    let one = |ids: &[u32], what: String| match ids {
        [id] => Ok(*id),
        [] => Err(RestError::Refused(format!(
            "no process {what} now: patch it or attach it to a component first"
        ))),
        _ => Err(RestError::Refused(format!(
            "several processes have a port that {what}: {}",
            ids.iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    };
    Ok((
        one(&from, format!("takes packets from {src}"))?,
        one(&to, format!("sends packets to {dst}"))?,
    ))
}

/// Whether a name as reported is this port.
fn is(name: &str, port: PortName) -> bool {
    let same = |other: PortName| {
        other.kind() == port.kind()
            && other.number() == port.number()
            && other.queue().unwrap_or(0) == port.queue().unwrap_or(0)
    };
    name.parse().is_ok_and(same)
}

/// A whole number from 1 to `most`, if it is there.
fn small(fields: &Fields, key: &'static str, most: u32) -> Answer<Option<u32>> {
    let value = match fields.optional(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    match number.filter(|n| (1..=most).contains(n)) {
        Some(number) => Ok(Some(number)),
        None => Err(invalid(
            key,
            value,
            format!("It has to be a whole number from 1 to {most}."),
        )),
    }
}

fn find(shared: &Shared, id: u32) -> Answer<Arc<Peer>> {
    let missing = || match id {
        0 => RestError::NoPrimary,
        id => RestError::NoProcess(id.to_string()),
    };
    shared.table.find(id).ok_or_else(missing)
}

async fn tell(shared: &Shared, id: u32, command: &ProbeCommand) -> Answer<()> {
    let peer = find(shared, id)?;
    change::ask(shared, &peer, &command.to_string())
        .await
        .map(drop)
}

async fn ask<T: DeserializeOwned>(
    shared: &Shared,
    peer: &Peer,
    command: &ProbeCommand,
) -> Answer<T> {
    let reply = change::ask(shared, peer, &command.to_string()).await?;
    serde_json::from_value(reply).map_err(|error| {
        let words = format!("its answer to '{command}' cannot be read: {error}");
        let name = peer.name();
        PeerError::Nonsense { name, words }.into()
    })
}

/// Traces the next packets of a source, and waits for them.
///
/// Of each: when it was received, its first bytes, where it went, or why it was dropped. Ends early when no more
/// packets come in time. With `Accept: application/x-pcapng` a capture file, in which a packet's comment says what
/// became of it.
#[utoipa::path(post, path = "/v1/processes/{id}/trace", tag = "trace", request_body = TraceRequest,
    responses((status = 200, description = "What was traced",
        content((Trace = "application/json"), (Vec<u8> = "application/x-pcapng")))))]
pub(crate) async fn trace(
    State(shared): State<Shared>,
    headers: HeaderMap,
    params: Params,
    body: Body,
) -> Answer<Response> {
    let number = path_number(params.text(0))?;
    let id = number.parse();
    let peer = find(
        &shared,
        id.map_err(|_| RestError::NoProcess(number.clone()))?,
    )?;
    let fields = body.fields()?;
    fields.require(&["src", "count"])?;
    let src = fields.port("src")?;
    let full = match fields.optional("full") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(full)) => *full,
        Some(other) => return Err(invalid("full", other, "It has to be true or false.")),
    };
    let most = if full { MAX_WHOLE_TRACE } else { MAX_TRACE };
    let count = small(&fields, "count", most)?.ok_or(RestError::Missing("count"))?;
    let seconds = small(&fields, "seconds", MAX_TRACE_SECONDS)?.unwrap_or(SECONDS);
    if peer.hello.is_none() {
        let words = format!(
            "{} is a process of the original: it traces nothing",
            peer.name()
        );
        return Err(RestError::Refused(words));
    }
    let start = ProbeCommand::TraceStart {
        src,
        count,
        seconds,
        full,
    };
    let started: TraceStarted = ask(&shared, &peer, &start).await?;
    let trace = follow(&shared, &peer, src, started.trace, seconds).await?;
    if wants_pcapng(&headers) {
        let mut response = Response::new(HttpBody::from(pcapng(&trace)));
        let kind = HeaderValue::from_static(PCAPNG);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        return Ok(response);
    }
    Ok(Json::of(&trace).into_response())
}

/// Ends a trace when whoever asked for it goes away.
struct Ending(Option<(Shared, Arc<Peer>, u64)>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some((shared, peer, id)) = self.0.take() {
            tokio::spawn(async move {
                let stop = ProbeCommand::TraceStop(id).to_string();
                if let Err(error) = change::ask(&shared, &peer, &stop).await {
                    log::warn!("{}: {stop}: {error}", peer.name());
                }
            });
        }
    }
}

async fn follow(
    shared: &Shared,
    peer: &Arc<Peer>,
    src: PortName,
    id: u64,
    seconds: u32,
) -> Answer<Trace> {
    let mut ending = Ending(Some((shared.clone(), peer.clone(), id)));
    let limit = Instant::now() + Duration::from_secs(seconds.into()) + GRACE;
    let mut packets = Vec::new();
    loop {
        let part: TracePart = ask(shared, peer, &ProbeCommand::TraceRead(id)).await?;
        let more = !part.packets.is_empty();
        packets.extend(part.packets);
        if part.done {
            ending.0 = None;
            break;
        }
        if Instant::now() > limit {
            let words = format!("{} does not end its trace {id}", peer.name());
            return Err(RestError::Internal(words));
        }
        if !more {
            sleep(LOOK).await;
        }
    }
    Ok(Trace {
        process: process_label(peer.kind, peer.id),
        src: src.report(),
        packets,
    })
}

fn wants_pcapng(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter();
    let ranges = ranges.filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(PCAPNG)
    })
}

/// The trace as a capture file.
fn pcapng(trace: &Trace) -> Vec<u8> {
    let interface = Interface {
        name: &format!("{} {}", trace.process, trace.src),
        program: concat!("SPP ", env!("CARGO_PKG_VERSION")),
        filter: "",
        snaplen: 65_535,
    };
    let mut file = Format::PcapNg.beginning(&interface);
    for packet in &trace.packets {
        let time = packet.seconds.saturating_mul(1_000_000_000);
        let time = time.saturating_add(packet.nanoseconds.into());
        let (length, fate) = (packet.length, packet.fate());
        Format::PcapNg.push_noted(&mut file, time, length, &packet.bytes(), &fate);
    }
    file
}
