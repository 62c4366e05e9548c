//! What a command works with: the controller, the output and how to write to it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::Failure;
use crate::session::Session;
use crate::style::Style;
use crate::topology::Subgraph;

/// Everything that commands share.
pub struct Context<'a> {
    /// The controller.
    pub client: Client,
    /// Results go here.
    pub out: &'a mut dyn Write,
    /// Reasons of failures go here.
    pub err: &'a mut dyn Write,
    /// Results are written as one JSON document a line.
    pub json: bool,
    /// What the output can show.
    pub style: Style,
    /// `out` is a terminal that a command may take over as a whole.
    pub full_screen: bool,
    /// Set when the user interrupts a running command.
    pub interrupt: Arc<AtomicBool>,
    /// What `topo_subgraph` was told.
    pub subgraphs: Vec<Subgraph>,
    /// Set by the command that ends the shell.
    pub leave: bool,
    /// What is remembered between commands.
    pub session: Session,
}

impl Context<'_> {
    /// True once the user interrupted the command that runs.
    pub fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Sleeps for `time`, or less if the user interrupts. Says whether to go on.
    pub fn pause(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.interrupted() {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Writes a result.
    pub fn print(&mut self, report: &Report) -> Result<(), Failure> {
        if self.json {
            writeln!(self.out, "{}", report.json)?;
        } else if !report.text.is_empty() {
            let text = &report.text;
            writeln!(self.out, "{}", text.strip_suffix('\n').unwrap_or(text))?;
        }
        self.out.flush()?;
        Ok(())
    }

    /// Writes the reason of a failure in words, after `place` (such as `file:3: `).
    pub fn print_failure(&mut self, place: &str, failure: &Failure) {
        if !failure.is_broken_pipe() {
            // If this cannot be written nobody is left to be told; the exit status still says it.
            let _ = writeln!(self.err, "{place}{failure}").and_then(|()| self.err.flush());
        }
    }

    /// Writes the reason of a failure as a document, if results are written as such.
    pub fn print_json_failure(&mut self, failure: &Failure) {
        if !self.json || failure.is_broken_pipe() || matches!(failure, Failure::Told(_)) {
            return;
        }
        let document = json!({
            "result": "failed",
            "error": failure.to_string(),
            "status": failure.status(),
            "exit-status": failure.code(),
        });
        // As above.
        let _ = writeln!(self.out, "{document}").and_then(|()| self.out.flush());
    }
}

/// What a command that took effect has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// For people; one or more lines.
    pub text: String,
    /// For programs.
    pub json: Value,
}

impl Report {
    /// A change that was made.
    pub fn done(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            json: json!({"result": "succeeded", "message": text}),
            text,
        }
    }

    /// Information that was asked for.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
        }
    }

    /// Nothing to say, because the command wrote its output itself.
    pub fn written() -> Self {
        Self {
            text: String::new(),
            json: Value::Null,
        }
    }
}

/// How a command ends.
pub type Outcome = Result<Report, Failure>;
