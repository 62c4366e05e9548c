//! Commands: from a line to what it does.

mod apply;
pub mod args;
mod diff;
mod export;
mod forward;
#[cfg(test)]
mod fuzz;
mod help;
mod launch;
mod leave;
mod nfv;
mod ports;
mod pri;
mod remote;
pub mod spec;
pub mod status;
pub mod table;
mod top;
mod topo;
mod topo_subgraph;
mod wait;
mod watch;

use crate::commands::args::Args;
use crate::commands::spec::{Action, Command, Target, Values};
use crate::context::{Context, Outcome};
use crate::failure::Failure;

pub use help::overview;

/// A line in words: split at blanks, a semicolon is a word of its own.
pub fn split(line: &str) -> Vec<String> {
    line.replace(';', " ; ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// Says whether a line is a comment, which is echoed and does nothing.
pub fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//")
}

/// Longest line that is looked at, in bytes; the wire takes no longer command either.
const LONGEST_LINE: usize = protocol::command::MAX_COMMAND;

/// Carries out one line and writes its result. Of a failure only the JSON document is written
/// here, if one is wanted; the words are for the caller, who knows the place of the line.
pub fn execute(context: &mut Context, line: &str) -> Result<(), Failure> {
    let json = context.json;
    let result = execute_line(context, line.trim());
    if let Err(failure) = &result {
        context.print_json_failure(failure);
    }
    context.json = json;
    result
}

fn execute_line(context: &mut Context, line: &str) -> Result<(), Failure> {
    if line.is_empty() {
        return Ok(());
    }
    if line.len() > LONGEST_LINE {
        let text = format!(
            "The line has {} bytes: at most {LONGEST_LINE} are taken.",
            line.len()
        );
        return Err(Failure::usage(text));
    }
    if is_comment(line) {
        // Documents are not to be mixed with other lines.
        if !context.json {
            writeln!(context.out, "{line}")?;
            context.out.flush()?;
        }
        return Ok(());
    }
    let words = split(line);
    let found = resolve(&words, line)?;
    let mut words = found.words;
    // These two may end any command but one that passes its words on.
    let passes_on = found
        .command
        .args
        .iter()
        .any(|arg| arg.values == Values::Rest);
    if !passes_on && let Some((last, rest)) = words.split_last() {
        match last.as_str() {
            "--json" => (context.json, words) = (true, rest),
            "--help" | "-h" => {
                let report = help::of(found.command, &found.prefix);
                return context.print(&report);
            }
            _ => {}
        }
    }
    let report = run(context, found.command, &found.prefix, found.target, words)?;
    if report.json.is_null() {
        Ok(())
    } else {
        context.print(&report)
    }
}

/// The beginning of a text, short enough for a message.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn run(
    context: &mut Context,
    command: &Command,
    prefix: &str,
    target: Target,
    words: &[String],
) -> Outcome {
    match command.action {
        Action::Run(run) => {
            let args = Args::parse(command, prefix, target, words)?;
            run(context, &args)
        }
        Action::Primary(_) | Action::Nfv(_) => Err(Failure::usage(format!(
            "{prefix}{} is to be followed by a command.",
            command.name
        ))),
    }
}

/// A command that was found in the table, with what stands before and after its name.
struct Found<'a> {
    command: &'static Command,
    prefix: String,
    target: Target,
    words: &'a [String],
}

/// Finds the command that a line names. The messages are the original's where it has one.
fn resolve<'a>(words: &'a [String], line: &str) -> Result<Found<'a>, Failure> {
    let unknown = || {
        Failure::usage(format!(
            "*** Unknown syntax: {}\n(`help` lists the commands)",
            quote(line)
        ))
    };
    let (first, rest) = words.split_first().ok_or_else(unknown)?;
    let command = table::COMMANDS
        .iter()
        .find(|command| command.is(first))
        .ok_or_else(unknown)?;
    // `spp nfv --help` asks for the help of the command that only names a process.
    if command.inner().is_empty() || matches!(rest, [word] if word == "--help" || word == "-h") {
        let prefix = String::new();
        return Ok(Found {
            command,
            prefix,
            target: Target::Shell,
            words: rest,
        });
    }
    match command.action {
        Action::Run(_) => Err(unknown()),
        Action::Primary(inner) => {
            let rest = rest.strip_prefix(&[";".to_owned()][..]).unwrap_or(rest);
            let (command, words) = find(inner, rest).ok_or_else(|| {
                let word = quote(rest.first().map_or("", String::as_str));
                Failure::usage(format!("Invalid pri command: '{word}'\n{}", names(inner)))
            })?;
            Ok(Found {
                command,
                prefix: "pri; ".to_owned(),
                target: Target::Primary,
                words,
            })
        }
        Action::Nfv(inner) => {
            let semicolon = rest.iter().any(|word| word == ";");
            if !semicolon && rest.len() < 2 {
                let text = "Required an ID and ';' before the command.";
                return Err(Failure::usage(format!("{text}\nUsage: nfv ID; COMMAND")));
            }
            let id = rest.first().and_then(|id| id.parse::<u32>().ok());
            let Some(id) = id.filter(|id| (1..=127).contains(id)) else {
                let text = rest.join(" ").replace(" ; ", ";").replace("; ", ";");
                return Err(Failure::usage(format!(
                    "Invalid command: {}\n(the id of a process is a number from 1 to 127)",
                    quote(&text)
                )));
            };
            let rest = rest.get(1..).unwrap_or_default();
            let rest = rest.strip_prefix(&[";".to_owned()][..]).unwrap_or(rest);
            let (command, words) = find(inner, rest).ok_or_else(|| {
                let word = quote(rest.first().map_or("", String::as_str));
                Failure::usage(format!("Invalid command \"{word}\".\n{}", names(inner)))
            })?;
            Ok(Found {
                command,
                prefix: "nfv ID; ".to_owned(),
                target: Target::Nfv(id),
                words,
            })
        }
    }
}

/// The inner command at the front of `words`; names of two words come first.
pub fn find<'a>(
    commands: &'static [Command],
    words: &'a [String],
) -> Option<(&'static Command, &'a [String])> {
    [2, 1].into_iter().find_map(|length| {
        let name = words.get(..length)?.join(" ");
        let command = commands.iter().find(|command| command.is(&name))?;
        Some((command, words.get(length..)?))
    })
}

fn names(commands: &[Command]) -> String {
    let names: Vec<_> = commands.iter().map(|command| command.name).collect();
    format!("(there are: {})", names.join(", "))
}
