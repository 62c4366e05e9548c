//! `status`: who is there, and what the patches carry.

use protocol::detail::ProcessDetail;
use protocol::reply::ProcessKind;
use protocol::rest::ProcessEntry;
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::table::SECONDARIES;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render;

/// `status`: the original's lines, then our own sections.
pub fn run(context: &mut Context, _args: &Args) -> Outcome {
    let processes = context.client.processes()?;
    let details = details(context)?;
    let address = context.client.address().to_string();
    let primary = processes
        .iter()
        .any(|process| process.kind == ProcessKind::Primary);
    let secondaries = in_order(&processes);
    let mut text = render::status::overview(&address, primary, &secondaries);
    text.push_str(&render::counters::panel(&details));
    let json = json!({
        "spp-ctl": {"address": address},
        "primary": {"status": if primary { "running" } else { "not running" }},
        "processes": processes,
        "details": details,
    });
    Ok(Report::new(text, json))
}

/// Details of all processes; none from a controller that has no such resource.
pub fn details(context: &Context) -> Result<Vec<ProcessDetail>, Failure> {
    match context.client.details() {
        Err(failure) if failure.status() == Some(404) => Ok(Vec::new()),
        other => other,
    }
}

/// The processes that have an id, by type and in the order of their registration.
pub fn in_order(processes: &[ProcessEntry]) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = processes
        .iter()
        .filter_map(|process| Some((process.kind.to_string(), process.client_id?)))
        .collect();
    let rank = |kind: &str| SECONDARIES.iter().position(|known| *known == kind);
    found.sort_by_key(|(kind, _)| rank(kind).unwrap_or(SECONDARIES.len()));
    found
}
