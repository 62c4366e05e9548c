//! `help`, written from the table.

use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::spec::Command;
use crate::commands::table::COMMANDS;
use crate::commands::{find, quote};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `help`, `help COMMAND`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let words: Vec<String> = args
        .words("COMMAND")
        .iter()
        .filter(|word| *word != ";")
        .cloned()
        .collect();
    if words.is_empty() {
        let mut names: Vec<String> = topics(context);
        names.sort();
        return Ok(Report::new(
            list(&names),
            json!(COMMANDS.iter().map(entry).collect::<Vec<_>>()),
        ));
    }
    if let [name] = words.as_slice()
        && let Some(plugin) = context.session.plugins.get(name).cloned()
    {
        plugin.run(context, &["--help".to_owned()])?;
        return Ok(Report::written());
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

/// Names of all commands, plugins among them.
fn topics(context: &Context) -> Vec<String> {
    let names = COMMANDS.iter().map(|command| command.name);
    names
        .filter(|name| !name.contains(' '))
        .chain(context.session.plugins.names())
        .map(str::to_owned)
        .collect()
}

/// The original's list of topics.
fn list(names: &[String]) -> String {
    const HEADER: &str = "Documented commands (type help <topic>):";
    let rule = "=".repeat(HEADER.len());
    format!("\n{HEADER}\n{rule}\n{}\n", columns(names, 80))
}

/// Names in as few lines of at most `width` characters as will do, sorted downwards, two blanks
/// apart; all but the last column filled up with blanks.
pub fn columns(names: &[String], width: usize) -> String {
    let length = |name: &String| name.chars().count();
    let widths = |rows: usize| -> Vec<usize> {
        names
            .chunks(rows)
            .map(|column| column.iter().map(length).max().unwrap_or(0))
            .collect()
    };
    let fits = |rows: &usize| {
        let widths = widths(*rows);
        widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) <= width
    };
    let rows = (1..=names.len()).find(fits).unwrap_or(names.len()).max(1);
    let widths = widths(rows);
    let mut text = String::new();
    for row in 0..rows.min(names.len()) {
        let cells = names.iter().skip(row).step_by(rows).zip(&widths);
        let cells: Vec<String> = cells
            .map(|(name, width)| format!("{name:width$}", width = *width))
            .collect();
        text.push_str(&cells.join("  "));
        text.push('\n');
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_laid_out_as_the_original_did() {
        let names: Vec<String> =
            "bye cat cd config env exit help history inspect less load_cmd ls mirror \
             mkdir nfv pcap playback pri pwd record redo server status topo topo_subgraph vf"
                .split_whitespace()
                .map(str::to_owned)
                .collect();
        assert_eq!(
            list(&names),
            "\nDocumented commands (type help <topic>):\n\
             ========================================\n\
             bye  config  help     less      mirror  pcap      pwd     server  topo_subgraph\n\
             cat  env     history  load_cmd  mkdir   playback  record  status  vf           \n\
             cd   exit    inspect  ls        nfv     pri       redo    topo  \n\n"
        );
        assert_eq!(columns(&[], 80), "");
        assert_eq!(
            columns(&["x".repeat(100), "y".into()], 80).lines().count(),
            2
        );
    }
}
