//! What wakes the control thread: commands, signals, the clock.

use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sys::signal::{Signal, SignalFd};

use crate::handover::Caller;

/// Commands that may wait for the control thread at once.
const QUEUE: usize = 64;
/// How long a command waits for its answer before its connection gives up.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What a connection does after it has sent an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Goes on.
    Go,
    /// Speaks in lines from now on.
    Newline,
    /// Ends, and the process with it.
    End,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// JSON without a newline.
    pub text: String,
    /// What comes after it.
    pub then: Then,
}

impl Answer {
    /// An answer after which nothing changes.
    pub fn of(text: String) -> Self {
        Answer {
            text,
            then: Then::Go,
        }
    }
}

/// Something for the control thread.
#[derive(Debug)]
pub enum Event {
    /// A command of the controller.
    Command {
        /// Its words.
        text: String,
        /// Where the answer goes.
        reply: Sender<Answer>,
    },
    /// A signal.
    Signal(Signal),
    /// A process that wants to take the place of this one.
    Successor(Box<Caller>),
}

/// What a kind of process does with its commands.
pub trait Process {
    /// Carries a command out and answers it.
    fn command(&mut self, text: &str) -> Answer;

    /// Called at least every [`Process::pause`].
    fn tick(&mut self) {}

    /// A child has ended.
    fn child_ended(&mut self) {}

    /// Whether it has nothing more to do, and ends by itself; asked after every tick.
    fn is_over(&self) -> bool {
        false
    }

    /// Longest time between two ticks.
    fn pause(&self) -> Duration {
        Duration::from_millis(500)
    }
}

/// The queue to the control thread. Signals must be blocked in all threads; they come through here.
pub fn queue() -> Result<(Sender<Event>, Receiver<Event>), sys::Error> {
    let (sender, receiver) = bounded(QUEUE);
    let signals = SignalFd::new()?;
    let to = sender.clone();
    crate::threads::spawn("spp-signals", move || {
        loop {
            sys::poll::wait(&signals, &[], Duration::from_secs(3600));
            while let Ok(Some(signal)) = signals.read() {
                if to.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok((sender, receiver))
}

/// Why a process takes no more commands.
#[derive(Debug)]
pub enum End {
    /// By the command `exit`.
    Command,
    /// By a signal, because nothing can reach it any more, or because it is over.
    Signal,
    /// Another wants to take its place; if it does not, the process goes on.
    Successor(Box<Caller>),
}

/// Runs the process until it is told to end. Whoever ends then drops the queue, so that who waits for an answer to a
/// command that came too late is told at once.
pub fn run(process: &mut impl Process, events: &Receiver<Event>) -> End {
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next {
            process.tick();
            if process.is_over() {
                return End::Signal;
            }
            next = now + process.pause();
        }
        match events.recv_timeout(next.saturating_duration_since(now)) {
            Ok(Event::Command { text, reply }) => {
                let answer = process.command(&text);
                let ends = answer.then == Then::End;
                // A connection that has given up does not read it.
                let _ = reply.send(answer);
                if ends {
                    return End::Command;
                }
            }
            Ok(Event::Successor(caller)) => return End::Successor(caller),
            Ok(Event::Signal(Signal::Child)) => process.child_ended(),
            Ok(Event::Signal(signal)) => {
                log::info!("{signal:?}: ending");
                return End::Signal;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return End::Signal,
        }
    }
}
