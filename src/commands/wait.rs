//! `wait`: until a process is registered.

use std::time::{Duration, Instant};

use protocol::reply::ProcessKind;
use protocol::rest::ProcessEntry;

use crate::commands::args::Args;
use crate::commands::remote::registered;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// As long as the original's shell waits for a primary.
const DEFAULT_LIMIT: f64 = 20.0;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// `wait pri` or `wait TYPE ID`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let what = args.word("WHAT").unwrap_or_default();
    let (kind, id) = match (what, args.number("ID")) {
        ("pri", None) => ("primary", None),
        ("pri", Some(_)) => return Err(Failure::usage("There is one primary: it has no id.")),
        (what, None) => {
            return Err(Failure::usage(format!(
                "Which one? Give its id: wait {what} ID"
            )));
        }
        ("sec", id) => ("nfv", id),
        (what, id) => (what, id),
    };
    let name = match id {
        Some(id) => format!("{kind} {id}"),
        None => "spp_primary".to_owned(),
    };
    let limit = Duration::from_secs_f64(args.seconds("S").unwrap_or(DEFAULT_LIMIT));
    let start = Instant::now();
    loop {
        // The controller may still be starting, so its absence is no reason to give up.
        let answer = context.client.processes();
        if let Ok(processes) = &answer
            && processes.iter().any(|process| {
                process.kind.word() == kind && process.client_id.map(u64::from) == id
            })
        {
            return Ok(Report::done(format!("{name} is registered.")));
        }
        if start.elapsed() >= limit {
            return Err(match answer {
                Ok(processes) => Failure::refused(format!(
                    "{name} did not register within {} s{}",
                    limit.as_secs_f64(),
                    registered(&processes)
                )),
                Err(failure) => failure,
            });
        }
        if !context.pause(BETWEEN_LOOKS.min(limit.saturating_sub(start.elapsed()))) {
            return Err(Failure::refused(format!(
                "Interrupted before {name} was registered."
            )));
        }
    }
}

/// Waits, at most `limit`, until a process that is `wanted` is registered; says if one is. The
/// list of processes is asked for at least once.
pub fn until(context: &Context, limit: Duration, wanted: impl Fn(&ProcessEntry) -> bool) -> bool {
    let start = Instant::now();
    loop {
        let there = context
            .client
            .processes()
            .is_ok_and(|processes| processes.iter().any(&wanted));
        let left = limit.saturating_sub(start.elapsed());
        if there || left.is_zero() || !context.pause(BETWEEN_LOOKS.min(left)) {
            return there;
        }
    }
}

/// Polls of `--wait-pri`, and the time between them.
const START_POLLS: u32 = 40;
const BETWEEN_POLLS: Duration = Duration::from_millis(500);

/// `--wait-pri`: waits for a primary as long as the original did, and shows each look at the list.
pub fn for_primary(context: &mut Context) -> Result<(), Failure> {
    let shown = !context.json;
    let mut polls = 0;
    if shown {
        write!(context.out, "Waiting for spp_primary is ready ...")?;
        context.out.flush()?;
    }
    let primary = |process: &ProcessEntry| process.kind == ProcessKind::Primary;
    let mut there = until(context, Duration::ZERO, primary);
    while !there && polls < START_POLLS && context.pause(BETWEEN_POLLS) {
        polls += 1;
        if shown {
            write!(context.out, ".")?;
            context.out.flush()?;
        }
        there = until(context, Duration::ZERO, primary);
    }
    let seconds = f64::from(polls) * BETWEEN_POLLS.as_secs_f64();
    if shown {
        let result = if there { "OK!" } else { "Timeout!" };
        writeln!(context.out, " {result} ({seconds:.1}[sec])")?;
        context.out.flush()?;
    }
    match there {
        true => Ok(()),
        false => Err(Failure::refused(format!(
            "spp_primary did not register within {seconds} s"
        ))),
    }
}
