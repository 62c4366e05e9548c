//! `topo`: the topology as a drawing or as a file.

use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::nfv;
use crate::commands::quote;
use crate::commands::spec::Target;
use crate::commands::status::{details, in_order};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::rates;
use crate::render::{boxes, dot};
use crate::topology::{self, ProcessBox};

/// Time over which rates are measured.
const LOOK: Duration = Duration::from_millis(500);

/// `topo term`, `topo FILE.EXT`, `topo FILE FTYPE`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let destination = args.word("DST").unwrap_or_default();
    match args.word("FTYPE") {
        None if destination == "term" => terminal(context),
        None => {
            let kind = destination.rsplit('.').next().unwrap_or_default();
            file(context, destination, kind)
        }
        Some(kind) => file(context, destination, kind),
    }
}

fn terminal(context: &mut Context) -> Outcome {
    let before = details(context)?;
    if before.is_empty() {
        let shown = from_original(context)?;
        return drawing(context, &shown, Value::Null);
    }
    if !context.pause(LOOK) {
        return Err(Failure::refused("Interrupted."));
    }
    let after = details(context)?;
    let rates = rates::between(&before, &after);
    let shown = topology::from_details(&after, &rates);
    let json = json!({"details": after, "rates": rates});
    drawing(context, &shown, json)
}

fn drawing(context: &Context, shown: &[ProcessBox], mut json: Value) -> Outcome {
    if shown.is_empty() {
        return Err(Failure::refused("No secondary process exist!"));
    }
    let text = boxes::draw(shown, context.style.unicode);
    match json.as_object_mut() {
        Some(members) => drop(members.insert("drawing".to_owned(), json!(text))),
        None => json = json!({"drawing": text}),
    }
    Ok(Report::new(text, json))
}

fn file(context: &mut Context, path: &str, kind: &str) -> Outcome {
    let text = match kind {
        "dot" => {
            let details = details(context)?;
            let shown = match details.is_empty() {
                true => from_original(context)?,
                false => topology::from_details(&details, &rates::between(&details, &details)),
            };
            if shown.is_empty() {
                return Err(Failure::refused("No secondary process exist!"));
            }
            dot::graph(&shown)
        }
        "json" | "js" => {
            let mut documents = Vec::new();
            for id in nfv_ids(context)? {
                documents.push(context.client.get(&Target::Nfv(id).path())?);
            }
            protocol::json::spaced(&documents)
        }
        other => {
            return Err(Failure::usage(format!(
                "Invalid file type '{}': write FILE.dot, FILE.json or FILE.js, or `topo term`.",
                quote(other)
            )));
        }
    };
    std::fs::write(path, text)
        .map_err(|error| Failure::refused(format!("Cannot write '{}': {error}", quote(path))))?;
    Ok(Report::done(format!("Create topology: '{path}'")))
}

fn nfv_ids(context: &Context) -> Result<Vec<u32>, Failure> {
    let processes = context.client.processes()?;
    Ok(in_order(&processes)
        .into_iter()
        .filter(|(kind, _)| kind == "nfv")
        .map(|(_, id)| id)
        .collect())
}

/// From a controller that knows no details.
fn from_original(context: &Context) -> Result<Vec<ProcessBox>, Failure> {
    nfv_ids(context)?
        .into_iter()
        .map(|id| {
            let status = nfv::read(context, Target::Nfv(id))?;
            let name = format!("nfv:{id}");
            Ok(topology::from_status(
                &name,
                &status.status,
                &status.ports,
                &status.patches,
            ))
        })
        .collect()
}
