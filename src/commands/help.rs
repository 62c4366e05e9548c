//! `help`, written from the table.

use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::spec::Command;
use crate::commands::table::COMMANDS;
use crate::commands::{find, quote};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `help`, `help COMMAND`
pub fn run(_context: &mut Context, args: &Args) -> Outcome {
    let words: Vec<String> = args
        .words("COMMAND")
        .iter()
        .filter(|word| *word != ";")
        .cloned()
        .collect();
    if words.is_empty() {
        return Ok(Report::new(
            overview(),
            json!(COMMANDS.iter().map(entry).collect::<Vec<_>>()),
        ));
    }
    let missing = || {
        Failure::usage(format!(
            "*** No help on {}\n(`help` lists the commands)",
            quote(&words.join(" "))
        ))
    };
    let (command, rest) = find(COMMANDS, &words).ok_or_else(missing)?;
    // `help nfv 1 patch` is as good as `help nfv patch`.
    let rest = match rest.split_first() {
        Some((id, rest)) if id.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => rest,
    };
    if rest.is_empty() {
        return Ok(of(command, ""));
    }
    match find(command.inner(), rest) {
        Some((inner, [])) => Ok(of(inner, &command.prefix())),
        _ => Err(missing()),
    }
}

/// All commands, a line each.
pub fn overview() -> String {
    let mut text = String::from("Commands (help COMMAND tells more):\n");
    for command in COMMANDS {
        if command.inner().is_empty() {
            text.push_str(&line(command, "", 30));
            continue;
        }
        let shown = Command {
            args: &[],
            ..*command
        };
        text.push_str(&line(&shown, "", 30));
        for inner in command.inner() {
            text.push_str(&line(inner, &command.prefix(), 30));
        }
    }
    text
}

/// All about one command.
pub fn of(command: &Command, prefix: &str) -> Report {
    let mut text = format!("{}\n  {}\n", command.usage(prefix), command.summary);
    for detail in command.details.lines() {
        text.push_str(&format!("  {}\n", detail.trim_start()));
    }
    if !command.aliases.is_empty() {
        text.push_str(&format!("  Also: {}\n", command.aliases.join(", ")));
    }
    for inner in command.inner() {
        text.push_str(&line(inner, &command.prefix(), 30));
    }
    Report::new(text, entry(command))
}

fn line(command: &Command, prefix: &str, width: usize) -> String {
    let usage = command.usage(prefix);
    match usage.len() > width {
        true => format!("  {usage}\n  {:width$}  {}\n", "", command.summary),
        false => format!("  {usage:width$}  {}\n", command.summary),
    }
}

fn entry(command: &Command) -> Value {
    json!({
        "name": command.name,
        "aliases": command.aliases,
        "usage": command.usage(""),
        "summary": command.summary,
        "details": command.details,
        "commands": command.inner().iter().map(entry).collect::<Vec<_>>(),
    })
}
