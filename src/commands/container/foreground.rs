//! Staying with what runs in a container: its output here, what is typed to it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use container::engine::{Engine, Input, standard_input};
use crossterm::terminal;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// While it lives, keys go through as they are pressed.
struct Raw;

impl Raw {
    fn new() -> Result<Self, Failure> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The terminal has gone then.
        let _ = terminal::disable_raw_mode();
    }
}

/// Watches for SIGINT and SIGTERM while `work` is done, which ends when told so.
pub fn interruptible<T>(
    context: &mut Context,
    work: impl FnOnce(&mut Context, &Arc<AtomicBool>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stop = Arc::clone(&context.interrupt);
    let signals =
        [SIGINT, SIGTERM].map(|signal| signal_hook::flag::register(signal, Arc::clone(&stop)));
    let result = work(context, &stop);
    for signal in signals.into_iter().flatten() {
        signal_hook::low_level::unregister(signal);
    }
    stop.store(false, Ordering::Relaxed);
    result
}

/// Does `work` with the terminal, or whatever the input is; gives the exit status of what ran.
pub fn attached(
    context: &mut Context,
    work: impl FnOnce(
        bool,
        Option<Input>,
        &mut dyn FnMut(&[u8], bool) -> bool,
    ) -> container::Result<i64>,
) -> Result<i64, Failure> {
    context.out.flush()?;
    let typed = std::io::stdin().is_terminal();
    interruptible(context, |context, stop| {
        let raw = if typed { Some(Raw::new()?) } else { None };
        let input = standard_input()?;
        let mut failed = None;
        let status = work(typed, Some(input), &mut |bytes, error| {
            let to: &mut dyn Write = if error {
                &mut *context.err
            } else {
                &mut *context.out
            };
            if let Err(error) = to.write_all(bytes).and_then(|()| to.flush()) {
                failed = Some(error);
            }
            failed.is_none() && !stop.load(Ordering::Relaxed)
        });
        drop(raw);
        match failed {
            Some(error) => Err(Failure::Output(error)),
            None => Ok(status?),
        }
    })
}

/// Starts a container that was made, and stays with it to its end.
pub fn stay(context: &mut Context, engine: &Engine, name: &str) -> Outcome {
    let status = attached(context, |_, input, output| {
        engine.foreground(name, input, output)
    })?;
    ended(&format!("Container {name}"), status)
}

/// What the exit status of a program in a container means.
pub fn ended(what: &str, status: i64) -> Outcome {
    match status {
        0 => Ok(Report::written()),
        _ => Err(Failure::refused(format!(
            "{what} ended with exit status {status}."
        ))),
    }
}
