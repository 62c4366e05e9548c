//! `lab trace`: where one packet goes.

use std::time::Duration;

use lab::trace::{Kind, Sight, trace as follow};
use serde_json::{Value, json};

use super::TRACE;
use super::options::Taken;
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::columns::{self, Align};

/// How long the answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// `lab trace [-n NAME] NODE NODE|ADDRESS`: ends with 0 if the answer came.
pub fn trace(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "trace", TRACE, &["-n"], &[])?;
    let [from, to] = taken.words.as_slice() else {
        return Err(taken.refuse("From which node to which?"));
    };
    let network = taken.network()?;
    let number = network.node(from)?;
    let address = lab::ping::target(&network, number, to)?;
    let trace = follow(&network, number, address, LIMIT)?;
    let rows: Vec<Vec<String>> = trace.sights.iter().map(row).collect();
    let header = [
        ("MS", Align::Right),
        ("WHERE", Align::Left),
        ("", Align::Left),
        ("WHAT", Align::Left),
    ];
    let document = json!({
        "from": from, "to": to, "address": address, "answered": trace.answered,
        "seen": trace.sights.iter().map(document).collect::<Vec<Value>>(),
    });
    let text = match rows.is_empty() {
        true => String::new(),
        false => columns::lines(0, &header, &rows),
    };
    let report = Report::new(text, document);
    let Some(failure) = trace.failure(&network) else {
        return Ok(report);
    };
    context.print(&report)?;
    Err(Failure::refused(format!(
        "{from} → {to} ({address}): no answer within {} s; {failure}",
        LIMIT.as_secs()
    )))
}

fn words(sight: &Sight) -> (&'static str, &'static str) {
    let direction = if sight.sent { "out" } else { "in" };
    let what = match sight.kind {
        Kind::Request => "request",
        Kind::Answer => "answer",
        Kind::Refusal(why) => why,
    };
    (direction, what)
}

fn row(sight: &Sight) -> Vec<String> {
    let (direction, what) = words(sight);
    let after = format!("{:.3}", sight.after.as_secs_f64() * 1e3);
    vec![after, sight.place.clone(), direction.into(), what.into()]
}

fn document(sight: &Sight) -> Value {
    let (direction, what) = words(sight);
    json!({
        "milliseconds": sight.after.as_secs_f64() * 1e3, "interface": sight.place, "direction": direction, "what": what,
    })
}
