//! Networks that are up, and files: `save`, `diff`.

use std::path::Path;

use lab::differ::{Difference, differences};
use lab::{File, Plan};
use serde_json::{Value, json};

use super::options::Taken;
use super::{DIFF, SAVE, named, warn};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `lab save [NAME] [-o FILE]`
pub fn save(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "save", SAVE, &["-o"], &[])?;
    let network = match taken.words.as_slice() {
        [] => taken.named(None)?,
        [name] => taken.named(Some(name))?,
        [_, word, ..] => return Err(taken.refuse(&format!("'{word}' has no meaning here."))),
    };
    let document = lab::save::document(network.plan());
    let text = serde_norway::to_string(&document)
        .map_err(|error| Failure::refused(format!("the network cannot be written: {error}")))?;
    let Some(path) = taken.value("-o") else {
        return Ok(Report::new(text, document));
    };
    std::fs::write(path, text)
        .map_err(|error| Failure::refused(format!("cannot write {path}: {error}")))?;
    Ok(Report::done(format!("{} is in {path}.", network.name())))
}

/// `lab diff FILE [NAME]`: ends with 0 if there is no difference.
pub fn diff(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "diff", DIFF, &[], &[])?;
    let (path, network) = match taken.words.as_slice() {
        [path] => (path, taken.named(None)?),
        [path, name] => (path, taken.named(Some(name))?),
        [] => return Err(taken.refuse("Which file?")),
        [_, _, word, ..] => return Err(taken.refuse(&format!("'{word}' has no meaning here."))),
    };
    let checked = File::read(Path::new(path))?;
    warn(context, path, &checked.warnings)?;
    // Addresses that nobody gave are made of the name.
    let file = named(checked.file, network.name())?;
    let found = differences(&Plan::of(&file), network.plan());
    let documents: Vec<Value> = found.iter().map(document).collect();
    let lines: Vec<String> = found.iter().map(|one| line(one, path)).collect();
    let report = Report::new(lines.join("\n"), json!(documents));
    if found.is_empty() {
        return Ok(report);
    }
    context.print(&report)?;
    Err(Failure::refused(format!(
        "The network {} is not as {path} says: {} differences.",
        network.name(),
        found.len()
    )))
}

fn line(one: &Difference, path: &str) -> String {
    let what = &one.what;
    match (&one.first, &one.second) {
        (Some(first), Some(second)) => {
            format!("{what}: {first} in {path}, {second} in the network")
        }
        (Some(first), None) => format!("{what}: only in {path} ({first})"),
        (None, Some(second)) => format!("{what}: only in the network ({second})"),
        (None, None) => what.clone(),
    }
}

fn document(one: &Difference) -> Value {
    json!({"what": one.what, "file": one.first, "network": one.second})
}
