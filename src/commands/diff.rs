//! `diff`: what `apply` would do.

use serde_json::json;

use crate::commands::apply::{commands, lines, send};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `diff FILE`: ends with 0 if nothing is to be done.
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let file = args.word("FILE").unwrap_or_default();
    let applied = send(context, file, true)?;
    let lines = lines(&applied);
    if lines.is_empty() {
        return Ok(Report::new("", json!(applied)));
    }
    let differs = format!(
        "The system is not as {file} says: {}.",
        commands(lines.len())
    );
    context.print(&Report::new(lines.join("\n"), json!(applied)))?;
    Err(Failure::refused(differs))
}
