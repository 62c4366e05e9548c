//! `lab capture`: what passes interfaces of nodes, into one file.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::time::Instant;

use lab::capture::{self, Capture, Count, Limits};
use serde_json::{Value, json};

use super::CAPTURE;
use super::options::Taken;
use crate::commands::args::Args;
use crate::commands::container::interruptible;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// Stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// `lab capture [-n NAME] [NODE[:INTERFACE]… | --all] [-w FILE] [--seconds N] [--count N] [--filter EXPR]`
pub fn capture(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(
        context,
        args,
        "capture",
        CAPTURE,
        &["-n", "-w", "--seconds", "--count", "--filter"],
        &["--all"],
    )?;
    if taken.flag("--all") {
        taken.nothing()?;
    }
    let seconds = taken.seconds("--seconds")?;
    let count = taken.number("--count", 1..=u64::MAX)?;
    let filter = taken.value("--filter").unwrap_or_default();
    let network = taken.network()?;
    let places = capture::places(&network, &taken.words)?;
    let mut capture = Capture::open(&network, places)?;
    let (mut file, path) = match taken.value("-w") {
        Some(STANDARD_OUTPUT) => (None, STANDARD_OUTPUT.to_owned()),
        Some(path) => (
            Some(File::create(path).map_err(|e| cannot(path, &e))?),
            path.to_owned(),
        ),
        None => {
            let path = format!("{}.pcapng", network.name());
            (Some(create_new(&path)?), path)
        }
    };
    let (many, named) = (capture.places().len(), file.is_some());
    let into = if named {
        path.as_str()
    } else {
        "standard output"
    };
    writeln!(context.err, "capturing at {many} interfaces into {into}")?;
    let counts = interruptible(context, |context, stop| {
        let limits = Limits {
            start_ns: capture::now_ns(),
            stop,
            end: seconds.map(|seconds| Instant::now() + seconds),
            count,
            filter,
        };
        let out: &mut dyn Write = match &mut file {
            Some(file) => file,
            None => &mut *context.out,
        };
        Ok(capture.write(out, &limits)?)
    })?;
    let text = told(&counts, into);
    if !named {
        writeln!(context.err, "{text}")?;
        return Ok(Report::written());
    }
    let documents: Vec<Value> = counts.iter().map(document).collect();
    Ok(Report::new(
        text,
        json!({"file": path, "interfaces": documents}),
    ))
}

fn cannot(path: &str, error: &std::io::Error) -> Failure {
    Failure::refused(format!("cannot write {path}: {error}"))
}

/// The file that nobody named: what is there stays.
fn create_new(path: &str) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::refused(format!(
            "{path} is there already: remove it, or say with -w into which file"
        )),
        _ => cannot(path, &error),
    })
}

fn told(counts: &[Count], into: &str) -> String {
    let written: u64 = counts.iter().map(|count| count.written).sum();
    let lost: Vec<String> = counts
        .iter()
        .filter(|count| count.dropped > 0)
        .map(|count| format!("{} at {}", count.dropped, count.name))
        .collect();
    let lost = match lost.as_slice() {
        [] => "none was lost".to_owned(),
        lost => format!("lost because they came too fast: {}", lost.join(", ")),
    };
    format!(
        "{written} packets of {} interfaces in {into}; {lost}",
        counts.len()
    )
}

fn document(count: &Count) -> Value {
    json!({
        "interface": count.name, "received": count.received, "written": count.written, "dropped": count.dropped,
    })
}
