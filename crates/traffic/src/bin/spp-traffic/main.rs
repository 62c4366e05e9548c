//! spp-traffic: a secondary that sends numbered frames, frames by description or a capture into one port of a panel and
//! accounts for what arrives at another.

mod args;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use process::events::{self, Event};
use process::secondary::{self, Joined};
use process::{Error, logging, threads};
use registry::folder::{Folder, runtime_dir};
use registry::lease::{LeaseError, holders};
use sys::signal::Signal;
use traffic::run::{self, Interval, Moment, Report, RunError, Running, Stop};

use args::Args;

/// Between two looks at signals and at the end.
const GLANCE: Duration = Duration::from_millis(20);
/// A run whose thread has a CPU says within that how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// The highest id of a process.
const HIGHEST: u32 = 127;

/// Joins the panel with the id of the command line, or the highest that nobody has.
fn join(args: &Args) -> Result<(Joined, u32), Error> {
    if let Some(id) = args.sec_id {
        return Ok((secondary::join(&args.options(id)?)?, id));
    }
    let mut taken: Vec<u32> = Vec::new();
    // A panel that is not there yet has no ids that are taken.
    if let Ok(folder) = Folder::open(&runtime_dir(&args.common.file_prefix)?) {
        taken.extend(holders(&folder)?.iter().map(|lease| lease.holder.id));
    }
    loop {
        let Some(id) = (1..=HIGHEST).rev().find(|id| !taken.contains(id)) else {
            return Err(Error::Refused(format!(
                "all {HIGHEST} ids of processes are in use: end one"
            )));
        };
        match secondary::join(&args.options(id)?) {
            // Somebody else was faster.
            Err(Error::Lease(LeaseError::IdHeld { .. })) => taken.push(id),
            joined => return Ok((joined?, id)),
        }
    }
}

fn refused(error: RunError) -> Error {
    match error {
        RunError::Process(error) => error,
        other => Error::Refused(other.to_string()),
    }
}

/// Writes a line; nobody who reads it is a reason to end.
fn say(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::Refused(format!("cannot write the results: {error}")))
}

/// Ends the run when standard input does: whoever started us is gone.
fn watch_input(stop: &Stop) -> Result<(), Error> {
    let stop = stop.clone();
    threads::spawn("spp-input", move || {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        stop.tell();
        stop.tell();
    })?;
    Ok(())
}

/// Says how it goes, in intervals.
struct Progress {
    every: Duration,
    next: Instant,
    before: Moment,
}

impl Progress {
    fn tell(&mut self, running: &Running, json: bool) -> Result<(), Error> {
        if Instant::now() < self.next {
            return Ok(());
        }
        self.next += self.every;
        if let Some(moment) = running.look(LOOK) {
            let interval = moment.since(&self.before);
            self.before = moment;
            say(&line(&interval, json))?;
        }
        Ok(())
    }
}

fn line(interval: &Interval, json: bool) -> String {
    match json {
        true => serde_json::json!({ "interval": interval }).to_string(),
        false => interval.to_string(),
    }
}

/// Waits for the end.
fn follow(
    running: &Running,
    args: &Args,
    stop: &Stop,
    events: &crossbeam::channel::Receiver<Event>,
) -> Result<Report, Error> {
    let mut progress = args.interval.map(|every| Progress {
        every,
        next: Instant::now() + every,
        before: Moment::default(),
    });
    let mut told = Ok(());
    loop {
        while let Ok(event) = events.try_recv() {
            if let Event::Signal(Signal::Terminate | Signal::Interrupt) = event {
                stop.tell();
            }
        }
        if let Some(report) = running.wait(GLANCE).map_err(refused)? {
            return told.map(|()| report);
        }
        if let (Some(progress), Ok(())) = (&mut progress, &told) {
            told = progress.tell(running, args.json);
            if told.is_err() {
                // The ports are given back in any case.
                stop.tell();
                stop.tell();
            }
        }
    }
}

fn start(args: &Args) -> Result<bool, Error> {
    let plan = args.plan()?;
    args.options(HIGHEST)?;
    logging::start(args.common.log_level);
    sys::signal::block_all()?;
    sys::proc::keep_files_private();
    let (joined, id) = join(args)?;
    let (_keep, events) = events::queue()?;
    let stop = Stop::default();
    if args.until_input_ends {
        watch_input(&stop)?;
    }
    let running = run::start(&joined, &plan, &stop).map_err(refused)?;
    log::info!(
        "traffic {id} of panel {} is running",
        args.common.file_prefix
    );
    let report = follow(&running, args, &stop, &events);
    running.close();
    let report = report?;
    say(&match args.json {
        true => report.to_json(),
        false => report.to_string(),
    })?;
    Ok(report.is_good(args.allows_loss()))
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(e) => process::fail("spp-traffic", &e),
    }
}
