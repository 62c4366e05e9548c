//! The words of a command, read one after the other.

use super::{CommandError, MAX_COMMAND};
use crate::impair::Impairment;
use crate::port::{PortError, PortName};
use crate::quotable;

/// The words of a command that are not read yet.
pub(super) struct Words<'a> {
    pub first: &'a str,
    words: Vec<&'a str>,
    at: usize,
    command: &'static str,
    usage: &'static str,
    pub known: &'static str,
}

impl<'a> Words<'a> {
    pub fn new(text: &'a str, known: &'static str) -> Result<Self, CommandError> {
        if text.len() > MAX_COMMAND {
            return Err(CommandError::TooLong(text.len()));
        }
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let first = *words.first().ok_or(CommandError::Empty { known })?;
        Ok(Self {
            first,
            words,
            at: 1,
            command: "",
            usage: "",
            known,
        })
    }

    pub fn usage(&mut self, command: &'static str, usage: &'static str) {
        self.command = command;
        self.usage = usage;
    }

    pub fn rest(&self) -> &[&'a str] {
        &self.words[self.at..]
    }

    pub fn optional(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += usize::from(word.is_some());
        word
    }

    pub fn next(&mut self, what: &'static str) -> Result<&'a str, CommandError> {
        let (command, usage) = (self.command, self.usage);
        self.optional().ok_or(CommandError::Missing {
            command,
            what,
            usage,
        })
    }

    pub fn port(&mut self) -> Result<PortName, CommandError> {
        let (command, usage) = (self.command, self.usage);
        let (port, used) = PortName::take(self.rest()).map_err(|error| match error {
            PortError::Missing => CommandError::Missing {
                command,
                what: "a port",
                usage,
            },
            error => CommandError::Port { command, error },
        })?;
        self.at += used;
        Ok(port)
    }

    pub fn on_cpu(&mut self) -> Result<Option<u32>, CommandError> {
        if self.rest().first() != Some(&"on") {
            return Ok(None);
        }
        self.at += 1;
        let word = self.next("a CPU")?;
        let digits = word.len() <= 10 && word.bytes().all(|b| b.is_ascii_digit());
        match word.parse() {
            Ok(cpu) if digits => Ok(Some(cpu)),
            _ => Err(self.number(word, "a CPU")),
        }
    }

    /// What stands behind `with`: all that is left.
    pub fn with(&mut self) -> Result<Option<Impairment>, CommandError> {
        if self.rest().first() != Some(&"with") {
            return Ok(None);
        }
        let with = Impairment::of_words(&self.rest()[1..]);
        self.at = self.words.len();
        let command = self.command;
        with.map(Some)
            .map_err(|error| CommandError::With { command, error })
    }

    pub fn number(&self, word: &str, what: &'static str) -> CommandError {
        CommandError::Number {
            command: self.command,
            word: quotable(word),
            what,
        }
    }

    pub fn end(&mut self) -> Result<(), CommandError> {
        match self.optional() {
            None => Ok(()),
            Some(word) => Err(CommandError::Surplus {
                command: self.command,
                word: quotable(word),
                usage: self.usage,
            }),
        }
    }
}
