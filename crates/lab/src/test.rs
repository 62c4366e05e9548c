//! What is expected of a network, tried.

mod compare;
mod drops;
mod frames;
mod packets;
mod path;
mod rate;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::capture::{Keeping, Kept};
use crate::error::{Error, Result};
use crate::file::{CommandExpectation, Expectation, PingExpectation, Time};
use crate::outside::{self, Output};
use crate::ping;
use crate::running::Running;

/// How long an answer to one of all may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Longest output of a command that is looked at, in bytes.
const MOST_OUTPUT: u64 = 1 << 20;

/// An expectation that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was expected.
    pub name: String,
    /// Why it does not hold; `None` if it does.
    pub failure: Option<String>,
    /// How long it took to see.
    pub took: Duration,
    /// What passed meanwhile, if it does not hold and captures were wanted.
    pub capture: Option<Kept>,
}

/// Tries what is expected, one after the other; `done` is told of each. Set from outside, `stop` ends that. Captures of what does not
/// hold are written into the folder `captures`.
///
/// # Errors
/// The network has gone, or cannot be looked at, or it was stopped: then nothing is said of the rest. A capture cannot be written.
pub fn test(
    running: &Running,
    expected: &[Expectation],
    captures: Option<&Path>,
    stop: &AtomicBool,
    mut done: impl FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    let dropped = drops::Before::of(running, expected)?;
    let mut keeping = captures
        .map(|folder| Keeping::open(running, folder))
        .transpose()?;
    let mut outcomes = Vec::new();
    // Drops are looked at last: those of the others count.
    let (last, first): (Vec<_>, Vec<_>) = expected
        .iter()
        .partition(|e| matches!(e, Expectation::NoDrops(_)));
    for expectation in first.into_iter().chain(last) {
        outside::go_on(stop)?;
        let start = Instant::now();
        let name = expectation.words();
        let holds = || match expectation {
            Expectation::Ping(ping) => reaches(running, ping),
            Expectation::Path(expected) => path::path(running, expected),
            Expectation::Rate(expected) => rate::rate(running, expected),
            Expectation::Packets(expected) => packets::packets(running, expected, stop),
            Expectation::Pingall => all_reach(running),
            Expectation::NoDrops(nodes) => dropped.since(running, &nodes.0),
            Expectation::Run(run) => command(running, run, stop),
        };
        let (failure, capture) = match &mut keeping {
            Some(keeping) => keeping.during(outcomes.len() + 1, &name, holds)?,
            None => (holds()?, None),
        };
        let outcome = Outcome {
            name,
            failure,
            took: start.elapsed(),
            capture,
        };
        done(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn reaches(running: &Running, expected: &PingExpectation) -> Result<Option<String>> {
    let from = running.node(&expected.from)?;
    let to = ping::target(running, from, &expected.to)?;
    // Addresses are resolved by a request that is not counted, if time matters.
    let timed = expected.min.is_some() || expected.max.is_some();
    let count = expected.count.saturating_add(u16::from(timed));
    let mut answers = ping::ping(running, from, to, count, expected.limit.0)?;
    if timed {
        answers.remove(0);
    }
    let came = answers.iter().flatten().count();
    let wanted = if expected.answered { answers.len() } else { 0 };
    if came != wanted {
        return Ok(Some(format!(
            "{came} of {} requests to {to} were answered",
            answers.len()
        )));
    }
    let mut times: Vec<Duration> = answers.into_iter().flatten().collect();
    times.sort();
    let (Some(&shortest), Some(&longest)) = (times.first(), times.last()) else {
        return Ok(None);
    };
    let too_short = expected.min.is_some_and(|min| shortest < min.0);
    let too_long = expected.max.is_some_and(|max| longest > max.0);
    Ok((too_short || too_long).then(|| {
        format!(
            "answers took from {} to {}",
            rounded(shortest),
            rounded(longest)
        )
    }))
}

/// To a microsecond.
fn rounded(time: Duration) -> Time {
    Time(Duration::from_micros(
        time.as_micros().try_into().unwrap_or(u64::MAX),
    ))
}

fn all_reach(running: &Running) -> Result<Option<String>> {
    let pairs = ping::all(running, ANSWER_LIMIT)?;
    let name = |number: usize| running.nodes()[number].name.as_str();
    let missing = pairs.iter().filter(|pair| pair.answer.is_none());
    let missing: Vec<String> = missing
        .map(|pair| format!("{} → {}", name(pair.from), name(pair.to)))
        .collect();
    Ok((!missing.is_empty()).then(|| {
        format!(
            "{} of {} were not answered: {}",
            missing.len(),
            pairs.len(),
            missing.join(", ")
        )
    }))
}

fn command(
    running: &Running,
    expected: &CommandExpectation,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let output = Output::new()?;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &expected.command.0])
        .stdin(Stdio::null())
        .stdout(output.stdio()?)
        .stderr(output.stdio()?);
    let mut child = running.spawn(&expected.on, &mut command)?;
    let end = Instant::now() + expected.limit.0;
    let Some(status) = outside::wait(&mut child, end, stop)? else {
        outside::end(&mut child);
        return Ok(Some(format!("it has not ended within {}", expected.limit)));
    };
    let text = output.read(MOST_OUTPUT)?;
    if status.code() != Some(expected.status.into()) {
        let how = status
            .code()
            .map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
        return Ok(Some(format!(
            "it ended with {how}, expected {}; it wrote: {}",
            expected.status,
            shortened(&text)
        )));
    }
    let missing = expected
        .output
        .as_ref()
        .filter(|part| !text.contains(part.as_str()));
    Ok(missing.map(|part| format!("'{part}' is not in what it wrote: {}", shortened(&text))))
}

/// The end of a text.
fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let text = text.trim_end();
    let skipped = text.chars().count().saturating_sub(MOST);
    let end: String = text.chars().skip(skipped).collect();
    if skipped > 0 {
        format!("…{end}")
    } else {
        end
    }
}

/// The plan of the Test Anything Protocol, version 14: what stands before its results.
#[must_use]
pub fn tap_plan(count: usize) -> String {
    format!("TAP version 14\n1..{count}\n")
}

/// A result in the Test Anything Protocol.
#[must_use]
pub fn tap(number: usize, outcome: &Outcome) -> String {
    let name = outcome.name.replace('\n', " ").replace('#', "\\#");
    match &outcome.failure {
        None => format!("ok {number} - {name}\n"),
        Some(failure) => {
            let lines: Vec<String> = failure
                .lines()
                .map(|line| format!("    {line}\n"))
                .collect();
            let capture = outcome.capture.as_ref().map(Kept::words);
            let capture = capture.map_or_else(String::new, |words| {
                // A quote in YAML's single quotes is doubled.
                format!("  capture: '{}'\n", words.replace('\'', "''"))
            });
            format!(
                "not ok {number} - {name}\n  ---\n  message: |\n{}{capture}  ...\n",
                lines.concat()
            )
        }
    }
}

/// All results as JUnit's XML.
///
/// # Errors
/// None is known: it is made in memory.
pub fn junit(network: &str, outcomes: &[Outcome]) -> Result<String> {
    let mut suite = TestSuite::new(network);
    for outcome in outcomes {
        let status = match &outcome.failure {
            None => TestCaseStatus::success(),
            Some(failure) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(failure.as_str());
                status
            }
        };
        let mut case = TestCase::new(outcome.name.as_str(), status);
        case.set_time(outcome.took).set_classname(network);
        if let Some(capture) = &outcome.capture {
            case.set_system_out(format!("capture: {}", capture.words()));
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("spp lab");
    report.add_test_suite(suite);
    report
        .to_string()
        .map_err(|e| Error::io("write JUnit's XML", std::io::Error::other(e)))
}
