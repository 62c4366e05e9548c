//! `lab …`: emulated networks. What they are and how they come to be is in the crate of that name.

mod capture;
mod compare;
mod console;
mod cores;
mod look;
mod measure;
mod options;
mod programs;
mod test;
mod trace;

use std::path::Path;
use std::time::Instant;

use lab::file::Problem;
use lab::{File, Options, Plan, Running};
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::container::interruptible;
use crate::commands::table::COMMANDS;
use crate::commands::words::{NO_PROGRAM, Words};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use options::Taken;

pub use capture::capture;
pub use compare::{diff, save};
pub use cores::cores;
pub use look::{check, graph, ping, pingall, ps, schema};
pub use measure::{drops, iperf};
pub use programs::{exec, gdb, shell};
pub use test::test;
pub use trace::trace;

/// Words after `lab up`.
pub const UP: &str = "FILE [--plain] [--name NAME]";
/// Words after `lab down`.
pub const DOWN: &str = "[NAME…] [--all]";
/// Words after `lab ps`.
pub const PS: &str = "[-n NAME]";
/// Words after `lab exec`.
pub const EXEC: &str = "[-n NAME] NODE PROGRAM [WORDS]";
/// Words after `lab shell`.
pub const SHELL: &str = "[-n NAME] NODE | FILE [--plain] | NETWORK";
/// Words after `lab ping`.
pub const PING: &str = "[-n NAME] NODE NODE|ADDRESS [-c N]";
/// Words after `lab pingall`.
pub const PINGALL: &str = "[-n NAME]";
/// Words after `lab test`.
pub const TEST: &str = "FILE [--plain] [--name NAME] [--junit FILE] [--captures DIR] [--keep]";
/// Words after `lab capture`.
pub const CAPTURE: &str =
    "[-n NAME] [NODE[:INTERFACE]… | --all] [-w FILE] [--seconds N] [--count N] [--filter EXPR]";
/// Words after `lab drops`.
pub const DROPS: &str = "[-n NAME] [NODE…]";
/// Words after `lab cores`.
pub const CORES: &str = "[-n NAME] [NODE…]";
/// Words after `lab iperf`.
pub const IPERF: &str = "[-n NAME] NODE NODE [--seconds N] [--udp] [--rate R]";
/// Words after `lab save`.
pub const SAVE: &str = "[NAME] [-o FILE]";
/// Words after `lab diff`.
pub const DIFF: &str = "FILE [NAME]";
/// Words after `lab trace`.
pub const TRACE: &str = "[-n NAME] NODE NODE|ADDRESS";
/// Words after `lab gdb`.
pub const GDB: &str = "[-n NAME] NODE [PID] [-- WORDS]";
/// Words after `lab check`.
pub const CHECK: &str = "FILE";
/// Words after `lab graph`.
pub const GRAPH: &str = "[FILE | -n NAME] [--dot]";
impl From<lab::Error> for Failure {
    fn from(error: lab::Error) -> Self {
        match error {
            lab::Error::File(_) => Failure::usage(error.to_string()),
            lab::Error::Refused(_) | lab::Error::Kernel(_) | lab::Error::Io { .. } => {
                Failure::refused(error.to_string())
            }
        }
    }
}

/// Names of the commands for networks.
pub fn names() -> Vec<&'static str> {
    let all = COMMANDS.iter().map(|command| command.name);
    all.filter_map(|name| name.strip_prefix("lab ")).collect()
}

/// `lab`
pub fn overview(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "COMMAND", NO_PROGRAM);
    let ours = COMMANDS
        .iter()
        .filter(|command| command.name.starts_with("lab "));
    let lines: Vec<String> = ours
        .map(|command| format!("{}\n    {}", command.usage(""), command.summary))
        .collect();
    let text = lines.join("\n");
    match taken.words.first() {
        Some(word) => {
            let hint = match lab::file::closest(word, names()) {
                Some(name) => format!(" (did you mean 'lab {name}'?)"),
                None => String::new(),
            };
            Err(Failure::usage(format!(
                "'{word}' is no command for networks{hint}.\n{text}"
            )))
        }
        None => Ok(Report::new(text, json!(names()))),
    }
}

/// Reads a file; what may be meant otherwise is said.
fn read(context: &mut Context, taken: &Taken) -> Result<File, Failure> {
    let path = taken.file()?;
    let checked = File::read(Path::new(path))?;
    warn(context, path, &checked.warnings)?;
    match taken.value("--name") {
        Some(name) => named(checked.file, name),
        None => Ok(checked.file),
    }
}

/// A file under another name.
fn named(mut file: File, name: &str) -> Result<File, Failure> {
    file.name = Some(name.to_owned().into());
    let checked = file.check().map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        Failure::usage(problems.join("\n"))
    })?;
    Ok(checked.file)
}

fn warn(context: &mut Context, path: &str, warnings: &[Problem]) -> Result<(), Failure> {
    for warning in warnings {
        writeln!(context.err, "{path}:{warning}")?;
    }
    Ok(())
}

/// Brings a network up; an interrupt leaves nothing.
fn bring_up(context: &mut Context, plan: Plan, plain: bool) -> Result<Running, Failure> {
    let without = plan
        .links
        .iter()
        .filter(|link| !link.character.is_plain())
        .count();
    let running = interruptible(context, |_, stop| {
        let options = Options {
            plain,
            interrupt: Some(stop.as_ref()),
        };
        Ok(lab::up(plan, &options)?)
    })?;
    if plain && without > 0 {
        writeln!(
            context.err,
            "--plain: {without} of the links are without the delays, losses and rates of the file"
        )?;
    }
    Ok(running)
}

/// `lab up FILE [--plain] [--name NAME]`
pub fn up(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "up", UP, &["--name"], &["--plain"])?;
    let file = read(context, &taken)?;
    let begin = Instant::now();
    let running = bring_up(context, Plan::of(&file), taken.flag("--plain"))?;
    let (name, nodes, links) = (
        running.name().to_owned(),
        running.nodes().len(),
        running.plan().links.len(),
    );
    running.release()?;
    let took = begin.elapsed().as_secs_f64();
    Ok(Report::new(
        format!(
            "{name} is up: {nodes} nodes, {links} links, in {took:.2} s. `spp lab down {name}` takes it down."
        ),
        json!({"network": name, "nodes": nodes, "links": links, "seconds": took}),
    ))
}

/// `lab down [NAME…] [--all]`
pub fn down(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "down", DOWN, &[], &["--all"])?;
    let mut networks = Vec::new();
    if taken.flag("--all") {
        // One may go, or be left behind, meanwhile: then it needs nothing from us.
        networks.extend(
            lab::state::names()?
                .iter()
                .filter_map(|name| Running::find(name).ok()),
        );
    } else if taken.words.is_empty() {
        networks.push(taken.named(None)?);
    } else {
        // All of them are there, or none is taken down.
        for name in &taken.words {
            networks.push(Running::find(name)?);
        }
    }
    let mut names = Vec::new();
    for network in networks {
        names.push(network.name().to_owned());
        network.down()?;
    }
    let text = match names.is_empty() {
        true => "No network is up.".to_owned(),
        false => format!("Down: {}.", names.join(", ")),
    };
    Ok(Report::new(text, json!(names)))
}

/// `lab clean`
pub fn clean(_: &mut Context, _: &Args) -> Outcome {
    let names = lab::clean()?;
    let text = match names.is_empty() {
        true => "Nothing was left behind.".to_owned(),
        false => format!("Removed what was left of: {}.", names.join(", ")),
    };
    Ok(Report::new(text, json!(names)))
}
