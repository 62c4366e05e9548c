//! `traffic OPTIONS`: runs `spp-traffic`, the process that needs EAL.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::programs;

const PROGRAM: &str = "spp-traffic";
const GLANCE: Duration = Duration::from_millis(50);
/// Lines that wait for our output; then the process waits.
const WAITING: usize = 256;
/// Most lines kept of what it said of a failure.
const LAST_WORDS: usize = 100;
/// Its exit statuses.
const ACCOUNTS_DIFFER: i32 = 3;
const USAGE: i32 = 2;

/// A line that it wrote.
enum Line {
    Out(String),
    Err(String),
}

/// `traffic OPTIONS`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let mut words = args.words("OPTIONS").to_vec();
    if context.json && !words.iter().any(|word| word == "--json") {
        words.push("--json".to_owned());
    }
    let terminate = Arc::new(AtomicBool::new(false));
    // In the shell Ctrl-C is watched already; elsewhere it would end us, and nobody would see the results.
    signal_hook::flag::register(SIGINT, Arc::clone(&context.interrupt))?;
    let term = signal_hook::flag::register(SIGTERM, Arc::clone(&terminate))?;
    let ended = start(&words).and_then(|child| follow(context, child, &terminate));
    signal_hook::low_level::unregister(term);
    let (status, last_words) = ended?;
    verdict(context, status, last_words)
}

fn start(words: &[String]) -> Result<Child, Failure> {
    let program = programs::find(PROGRAM);
    let mut command = Command::new(&program);
    command
        // What its help calls it.
        .arg0("spp traffic")
        // It ends with us, however we end.
        .arg("--until-input-ends")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is ours to pass on, so that it arrives once.
        .process_group(0);
    if std::env::var_os("SPP_LOG_LEVEL").is_none() {
        command.env("SPP_LOG_LEVEL", "warn");
    }
    command.spawn().map_err(|error| {
        let program = program.display();
        Failure::refused(format!("{program} cannot be started: {error}"))
    })
}

/// Shows what it writes, and passes on what the user wants, until it ends. Gives what it said of a failure.
fn follow(
    context: &mut Context,
    mut child: Child,
    terminate: &AtomicBool,
) -> Result<(ExitStatus, Vec<String>), Failure> {
    let (sender, lines) = sync_channel(WAITING);
    if let Some(out) = child.stdout.take() {
        read(out, Line::Out, sender.clone())?;
    }
    if let Some(err) = child.stderr.take() {
        read(err, Line::Err, sender)?;
    }
    let mut last_words = Vec::new();
    let shown = show(context, &child, &lines, terminate, &mut last_words);
    if shown.is_err() {
        // It ends at once, and so do the threads that read from it.
        drop(child.stdin.take());
        drop(lines);
    }
    let status = child.wait()?;
    shown.map(|()| (status, last_words))
}

fn read(
    from: impl Read + Send + 'static,
    line: fn(String) -> Line,
    to: SyncSender<Line>,
) -> Result<(), Failure> {
    std::thread::Builder::new()
        .name("spp-traffic".to_owned())
        .spawn(move || {
            for text in BufReader::new(from).lines().map_while(Result::ok) {
                // Read on in any case, so that it never waits for us.
                let _ = to.send(line(text));
            }
        })?;
    Ok(())
}

fn show(
    context: &mut Context,
    child: &Child,
    lines: &Receiver<Line>,
    terminate: &AtomicBool,
    last_words: &mut Vec<String>,
) -> Result<(), Failure> {
    loop {
        if context.interrupt.swap(false, Ordering::Relaxed) {
            pass_on(child, Signal::INT);
        }
        if terminate.swap(false, Ordering::Relaxed) {
            pass_on(child, Signal::TERM);
        }
        match lines.recv_timeout(GLANCE) {
            Ok(Line::Out(text)) => {
                writeln!(context.out, "{text}")?;
                context.out.flush()?;
            }
            // Its log; what else it says belongs to a failure.
            Ok(Line::Err(text)) if text.starts_with('[') => writeln!(context.err, "{text}")?,
            Ok(Line::Err(text)) if last_words.len() < LAST_WORDS => last_words.push(text),
            Ok(Line::Err(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn pass_on(child: &Child, signal: Signal) {
    // If it has just ended there is nobody to be told; its number is not another's before it is waited for.
    let _ = kill_process(Pid::from_child(child), signal);
}

/// What its end means.
fn verdict(context: &mut Context, status: ExitStatus, last_words: Vec<String>) -> Outcome {
    let said = last_words.join("\n");
    let refused = |words: &str| match said.is_empty() {
        true => Failure::refused(words),
        false => Failure::refused(said.as_str()),
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => {
            if !said.is_empty() {
                writeln!(context.err, "{said}")?;
            }
            Ok(Report::written())
        }
        (Some(ACCOUNTS_DIFFER), _) => Err(refused(
            "Not every packet arrived once, whole and in order: see the totals.",
        )),
        (Some(USAGE), _) => Err(Failure::usage(said)),
        (Some(code), _) => Err(refused(&format!(
            "{PROGRAM} ended with exit status {code}."
        ))),
        (None, signal) => Err(Failure::refused(format!(
            "{PROGRAM} was ended by signal {}.\n{said}",
            signal.unwrap_or_default()
        ))),
    }
}
