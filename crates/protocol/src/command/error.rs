//! Why a text is no command, in words for the user.

use thiserror::Error;

use super::MAX_COMMAND;
use crate::impair::ImpairError;
use crate::port::{PortError, PortName};

/// Why a text is no command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// There is no word in it.
    #[error("empty command: {known}")]
    Empty {
        /// The commands of this process.
        known: &'static str,
    },
    /// Longer than [`MAX_COMMAND`].
    #[error("command of {0} bytes: at most {MAX_COMMAND} are taken")]
    TooLong(usize),
    /// The first word is no command of this process.
    #[error("unknown command '{word}': {known}")]
    Unknown {
        /// The word.
        word: String,
        /// The commands of this process.
        known: &'static str,
    },
    /// A word is missing.
    #[error("{command}: {what} is missing: write {usage}")]
    Missing {
        /// Command.
        command: &'static str,
        /// What is missing.
        what: &'static str,
        /// How it is written.
        usage: &'static str,
    },
    /// There is a word too many.
    #[error("{command}: '{word}' is one word too many: write {usage}")]
    Surplus {
        /// Command.
        command: &'static str,
        /// The first of the surplus words.
        word: String,
        /// How it is written.
        usage: &'static str,
    },
    /// A port is not written as one.
    #[error("{command}: {error}")]
    Port {
        /// Command.
        command: &'static str,
        /// What is wrong.
        error: PortError,
    },
    /// Not `server` or `client`.
    #[error("add: '{0}' is no vhost mode: write server or client, or nothing")]
    Mode(String),
    /// A mode was given for a port that is not vhost.
    #[error("add: {0} takes no server or client: only vhost ports do")]
    ModeNotVhost(PortName),
    /// A number is none.
    #[error("{command}: '{word}' is no number of {what}")]
    Number {
        /// Command.
        command: &'static str,
        /// The word.
        word: String,
        /// What was expected, with its range.
        what: &'static str,
    },
    /// What stands behind `with` is wrong.
    #[error("{command}: {error}")]
    With {
        /// Command.
        command: &'static str,
        /// What is wrong.
        error: ImpairError,
    },
    /// Not `newline`.
    #[error("_framing: '{0}' is no framing: the only one is newline")]
    Framing(String),
}

impl CommandError {
    /// The word to be named as `command` in the reply; empty when there was none.
    pub fn command(&self) -> &str {
        match self {
            Self::Empty { .. } | Self::TooLong(_) => "",
            Self::Unknown { word, .. } => word,
            Self::Missing { command, .. }
            | Self::Surplus { command, .. }
            | Self::Port { command, .. }
            | Self::With { command, .. }
            | Self::Number { command, .. } => command,
            Self::Mode(_) | Self::ModeNotVhost(_) => "add",
            Self::Framing(_) => "_framing",
        }
    }
}
