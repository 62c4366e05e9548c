//! Commands: from a line to what it does.

mod apply;
pub mod args;
mod capture;
mod classifier;
mod component;
mod config;
mod container;
mod diff;
mod doctor;
mod environment;
mod export;
mod files;
pub mod flow;
mod forward;
mod fuzz;
mod help;
mod history;
mod inspect;
mod lab;
mod launch;
mod leave;
mod nfv;
mod playback;
mod plugins;
mod ports;
mod pri;
mod probes;
mod remote;
mod secondary;
mod server;
pub mod spec;
pub mod status;
pub mod table;
mod top;
mod topo;
mod topo_subgraph;
mod traffic;
mod wait;
mod watch;
mod words;

use crate::commands::args::Args;
use crate::commands::spec::{Action, Command, Target, Values};
use crate::context::{Context, Outcome};
use crate::failure::Failure;

pub use container::{DEMOS, names as container_names};
pub use doctor::OPTIONS as DOCTOR_OPTIONS;
pub use fuzz::{configuration, document, script};
pub use help::overview;
pub use lab::names as lab_names;
pub use wait::for_primary as wait_for_primary;

/// A line in words: split at blanks, a semicolon is a word of its own.
pub fn split(line: &str) -> Vec<String> {
    line.replace(';', " ; ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// The line that the words of the program's own command line stand for.
pub fn line(words: &[String]) -> String {
    let quotes = |name: &String| {
        let command = table::COMMANDS.iter().find(|command| command.is(name));
        command.is_some_and(Command::quotes)
    };
    match words {
        // The system's shell has split these already; names with blanks stay whole.
        [name, _, ..] if quotes(name) => {
            shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
        }
        _ => words.join(" "),
    }
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
    let result = playback::note(context, line).and_then(|()| execute_line(context, line.trim()));
    let result = told(context, result);
    // The line itself may have asked for documents.
    context.json = json;
    result?;
    let result = playback::drain(context);
    told(context, result)
}

/// Writes the document of a failure, if one is wanted.
fn told(context: &mut Context, result: Result<(), Failure>) -> Result<(), Failure> {
    result.inspect_err(|failure| context.print_json_failure(failure))
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
    if let Some((name, _)) = words.split_first()
        && let Some(plugin) = context.session.plugins.get(name).cloned()
    {
        return plugin.run(context, &quoted(after(line, 1))?);
    }
    let mut found = resolve(&words, line)?;
    let quoted;
    if found.command.quotes() {
        quoted = self::quoted(found.text)?;
        found.words = &quoted;
    }
    let mut words = found.words;
    // These two may end any command but one that passes its words on.
    let passes_on = found
        .command
        .args
        .iter()
        .any(|arg| matches!(arg.values, Values::Rest(offer) if offer.passes_on()));
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
    let report = run(context, &found, words)?;
    if report.json.is_null() {
        Ok(())
    } else {
        context.print(&report)
    }
}

/// What is left of `line` behind its first `count` words, where a semicolon is a word.
fn after(line: &str, count: usize) -> &str {
    (0..count).fold(line.trim_start(), |rest, _| {
        let end = match rest.starts_with(';') {
            true => 1,
            false => rest
                .find(|c: char| c.is_whitespace() || c == ';')
                .unwrap_or(rest.len()),
        };
        rest[end..].trim_start()
    })
}

/// A text in words, as a system shell splits it: blanks between quotes do not part.
pub fn quoted(text: &str) -> Result<Vec<String>, Failure> {
    shlex::split(text).ok_or_else(|| {
        Failure::usage(format!(
            "A quote is not closed, or nothing follows a backslash: {}",
            quote(text)
        ))
    })
}

/// The beginning of a text, short enough for a message.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn run(context: &mut Context, found: &Found, words: &[String]) -> Outcome {
    let (command, prefix) = (found.command, &found.prefix);
    match command.action {
        Action::Run(run) => {
            let args = Args::parse(command, prefix, found.target, words, found.text)?;
            run(context, &args)
        }
        Action::Primary(_) | Action::Secondary(..) => Err(Failure::usage(format!(
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
    text: &'a str,
}

/// Finds the command that a line names. The messages are the original's where it has one.
fn resolve<'a>(words: &'a [String], line: &'a str) -> Result<Found<'a>, Failure> {
    let unknown = || {
        Failure::usage(format!(
            "*** Unknown syntax: {}\n(`help` lists the commands)",
            quote(line)
        ))
    };
    let (first, rest) = words.split_first().ok_or_else(unknown)?;
    let outer = table::COMMANDS
        .iter()
        .find(|command| command.is(first))
        .ok_or_else(unknown)?;
    let found = |command, prefix, target, rest: &'a [String]| Found {
        command,
        prefix,
        target,
        text: after(line, words.len() - rest.len()),
        words: rest,
    };
    // `spp nfv --help` asks for the help of the command that only names a process.
    if matches!(rest, [word] if word == "--help" || word == "-h") {
        return Ok(found(outer, String::new(), Target::Shell, rest));
    }
    match outer.action {
        Action::Run(_) => {
            // Forms such as `record stop` come before the plain name.
            let (command, rest) = find(table::COMMANDS, words).ok_or_else(unknown)?;
            Ok(found(command, String::new(), Target::Shell, rest))
        }
        Action::Primary(inner) => {
            let rest = without_semicolon(rest);
            let (command, rest) = find(inner, rest).ok_or_else(|| {
                let word = quote(rest.first().map_or("", String::as_str));
                Failure::usage(format!("Invalid pri command: '{word}'\n{}", names(inner)))
            })?;
            Ok(found(command, outer.prefix(), Target::Primary, rest))
        }
        Action::Secondary(target, inner) => {
            let semicolon = rest.iter().any(|word| word == ";");
            if !semicolon && rest.len() < 2 {
                let text = "Required an ID and ';' before the command.";
                return Err(Failure::usage(format!(
                    "{text}\nUsage: {}COMMAND",
                    outer.prefix()
                )));
            }
            let id = rest.first().and_then(|id| id.parse::<u32>().ok());
            let Some(id) = id.filter(|id| (1..=127).contains(id)) else {
                let text = rest.join(" ").replace(" ; ", ";").replace("; ", ";");
                return Err(Failure::usage(format!(
                    "Invalid command: {}\n(the id of a process is a number from 1 to 127)",
                    quote(&text)
                )));
            };
            let rest = without_semicolon(rest.get(1..).unwrap_or_default());
            let (command, rest) = find(inner, rest).ok_or_else(|| misnamed(inner, rest))?;
            Ok(found(command, outer.prefix(), target(id), rest))
        }
    }
}

fn without_semicolon(words: &[String]) -> &[String] {
    words.strip_prefix(&[";".to_owned()][..]).unwrap_or(words)
}

/// Why `words` are none of `commands`, which have forms such as `port add`.
fn misnamed(commands: &[Command], words: &[String]) -> Failure {
    let first = words.first().map_or("", String::as_str);
    let prefix = format!("{first} ");
    let forms: Vec<&str> = commands
        .iter()
        .map(|command| command.name)
        .filter(|name| name.starts_with(&prefix))
        .collect();
    if forms.is_empty() {
        return Failure::usage(format!(
            "Invalid command \"{}\".\n{}",
            quote(first),
            names(commands)
        ));
    }
    let second = words.get(1).map_or("", String::as_str);
    let known = forms
        .iter()
        .any(|form| form.split(' ').nth(1) == Some(second));
    let text = match (first, words.get(2)) {
        ("classifier_table", Some(_)) if known => "Error: Type is only vlan or mac".to_owned(),
        _ if known => "Error: Not enough parameters.".to_owned(),
        _ if second.is_empty() => "Error: Not enough parameters.".to_owned(),
        _ => "Error: Invalid action.".to_owned(),
    };
    Failure::usage(format!("{text}\n(there are: {})", forms.join(", ")))
}

/// The command at the front of `words`; names of more words come first.
pub fn find<'a>(
    commands: &'static [Command],
    words: &'a [String],
) -> Option<(&'static Command, &'a [String])> {
    [3, 2, 1].into_iter().find_map(|length| {
        let name = words.get(..length)?.join(" ");
        let command = commands.iter().find(|command| command.is(&name))?;
        Some((command, words.get(length..)?))
    })
}

fn names(commands: &[Command]) -> String {
    let names: Vec<_> = commands.iter().map(|command| command.name).collect();
    format!("(there are: {})", names.join(", "))
}
