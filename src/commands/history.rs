//! `history` and `redo`.

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::{execute_line, quote, split};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `history`
pub fn list(context: &mut Context, _args: &Args) -> Outcome {
    let lines = context.session.history.lines().map_err(Failure::refused)?;
    let width = lines.len().to_string().len();
    let text: String = (1..)
        .zip(&lines)
        .map(|(number, line)| format!("  {number:>width$}  {line}\n"))
        .collect();
    Ok(Report::new(text, json!(lines)))
}

/// `redo N`
pub fn redo(context: &mut Context, args: &Args) -> Outcome {
    let number = args.number("N").unwrap_or_default();
    let lines = context.session.history.lines().map_err(Failure::refused)?;
    let line = usize::try_from(number)
        .ok()
        .and_then(|number| lines.get(number.checked_sub(1)?))
        .ok_or_else(|| {
            Failure::usage(format!(
                "There is no line {number} in the history, which has {} (`history` lists them).",
                lines.len()
            ))
        })?;
    let words = split(line);
    match words.first().map_or("", String::as_str) {
        // It might run itself for ever.
        "redo" => {
            return Err(Failure::usage(format!(
                "Line {number} is '{}': a redo is not run again.",
                quote(line)
            )));
        }
        // As the original shows it.
        "pri" if !context.json => {
            let rest = line.trim_start().strip_prefix("pri").unwrap_or_default();
            writeln!(context.out, "pri {}", rest.trim_start())?;
        }
        _ => {}
    }
    execute_line(context, line.trim())?;
    Ok(Report::written())
}
