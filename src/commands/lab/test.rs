//! `lab test`: what is expected of a network, tried.

use std::path::Path;

use lab::Plan;
use lab::file::Expectation;
use serde_json::{Value, json};

use super::options::Taken;
use super::{TEST, bring_up, read};
use crate::commands::args::Args;
use crate::commands::container::interruptible;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `lab test FILE [--plain] [--name NAME] [--junit FILE] [--captures DIR] [--keep]`
pub fn test(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(
        context,
        args,
        "test",
        TEST,
        &["--name", "--junit", "--captures"],
        &["--plain", "--keep"],
    )?;
    let file = read(context, &taken)?;
    let expected: Vec<Expectation> = file
        .expect
        .iter()
        .map(|expected| expected.value.clone())
        .collect();
    if expected.is_empty() {
        return Err(Failure::refused(format!(
            "{} expects nothing: expect: [pingall] is the least",
            taken.file()?
        )));
    }
    let running = bring_up(context, Plan::of(&file), taken.flag("--plain"))?;
    let tap = !context.json;
    if tap {
        write!(context.out, "{}", lab::test::tap_plan(expected.len()))?;
        context.out.flush()?;
    }
    let (mut number, mut unwritten) = (0, None);
    let outcomes = interruptible(context, |context, stop| {
        let captures = taken.value("--captures").map(Path::new);
        let outcomes = lab::test::test(&running, &expected, captures, stop, |outcome| {
            number += 1;
            if tap && unwritten.is_none() {
                let line = lab::test::tap(number, outcome);
                let written = write!(context.out, "{line}").and_then(|()| context.out.flush());
                unwritten = written.err();
            }
        })?;
        Ok(outcomes)
    })?;
    if let Some(error) = unwritten {
        return Err(Failure::Output(error));
    }
    let name = running.name().to_owned();
    if let Some(path) = taken.value("--junit") {
        std::fs::write(path, lab::test::junit(&name, &outcomes)?)
            .map_err(|error| Failure::refused(format!("cannot write {path}: {error}")))?;
    }
    if taken.flag("--keep") {
        running.release()?;
    } else {
        running.down()?;
    }
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .count();
    let documents: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "name": outcome.name, "failure": outcome.failure, "seconds": outcome.took.as_secs_f64(),
                "capture": outcome.capture.as_ref().map(|capture| &capture.path),
            })
        })
        .collect();
    if failed > 0 {
        if !tap {
            writeln!(context.out, "{}", json!(documents))?;
        }
        return Err(Failure::refused(format!(
            "{failed} of {} do not hold",
            outcomes.len()
        )));
    }
    match tap {
        true => Ok(Report::written()),
        false => Ok(Report::new("", json!(documents))),
    }
}
