//! Lines that are written to a file, and lines that come from one.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Deepest playback within a playback; a file that plays itself ends there.
const DEEPEST: usize = 16;
/// Most lines that may wait for their turn.
const MOST_LINES: usize = 20_000;

/// A file into which lines are written.
#[derive(Debug)]
pub struct Record {
    file: File,
    /// Its name, as it was given.
    pub path: PathBuf,
}

impl Record {
    /// Begins a file anew.
    pub fn start(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            path: path.to_owned(),
        })
    }

    /// Writes one line.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// A line of a playback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The line.
    pub line: String,
    /// `FILE:NUMBER: `, for messages.
    pub place: String,
    depth: usize,
}

/// Lines of playbacks, in the order in which they are run.
#[derive(Debug, Default)]
pub struct Queue {
    lines: VecDeque<Queued>,
    /// Depth of the line that runs now: 0 if it is not from a playback.
    depth: usize,
}

impl Queue {
    /// Puts the lines of a file at the end.
    ///
    /// # Errors
    /// In words, if playbacks are nested too deep or too many lines wait.
    pub fn add(&mut self, path: &str, text: &str) -> Result<(), String> {
        let depth = self.depth + 1;
        if depth > DEEPEST {
            return Err(format!(
                "'{path}' is not played back: it would be number {depth} of playbacks within each other, \
                 at most {DEEPEST} are. Does it play itself?"
            ));
        }
        if self.lines.len() + text.lines().count() > MOST_LINES {
            return Err(format!(
                "'{path}' is not played back: more than {MOST_LINES} lines would wait for their turn."
            ));
        }
        for (number, line) in (1..).zip(text.lines()) {
            self.lines.push_back(Queued {
                line: line.to_owned(),
                place: format!("{path}:{number}: "),
                depth,
            });
        }
        Ok(())
    }

    /// The line whose turn it is; what it queues is nested in it.
    pub fn next(&mut self) -> Option<Queued> {
        let next = self.lines.pop_front();
        self.depth = next.as_ref().map_or(0, |queued| queued.depth);
        next
    }

    /// True while a line of a playback runs.
    pub fn playing(&self) -> bool {
        self.depth > 0
    }

    /// Forgets all lines; says how many there were.
    pub fn clear(&mut self) -> usize {
        self.depth = 0;
        std::mem::take(&mut self.lines).len()
    }
}
