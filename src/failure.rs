//! Why a command did not take effect, and the exit status that says so.

use std::io;

/// What a command can end with instead of success.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The line could not be understood; nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// The controller, a process or a condition on our side said no.
    #[error("{text}")]
    Refused {
        /// The reason, in the words of who refused.
        text: String,
        /// Status of the HTTP answer, if there was one.
        status: Option<u16>,
    },
    /// What is wrong was told as the result of the command, for programs, too.
    #[error("{0}")]
    Told(String),
    /// Several lines failed, for reasons that were told.
    #[error("{text}")]
    Several {
        /// How many.
        text: String,
        /// The highest of their exit statuses.
        code: u8,
    },
    /// A program that was run for the user ended so; its exit status is ours.
    #[error("{text}")]
    Ended {
        /// Which, and how.
        text: String,
        /// Its exit status, 128 and the signal's number if one ended it.
        code: u8,
    },
    /// Nobody answered at the controller's address.
    #[error("{0}")]
    Unreachable(String),
    /// Our own output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// A refusal that did not come as an HTTP answer.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::Refused {
            text: text.into(),
            status: None,
        }
    }

    /// A line that could not be understood.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Exit status of the program: see [`crate::cli::EXIT_STATUS`].
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused { .. } | Self::Told(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Several { code, .. } | Self::Ended { code, .. } => *code,
            Self::Unreachable(_) => 3,
        }
    }

    /// Status of the HTTP answer that carried the refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => *status,
            _ => None,
        }
    }

    /// True if whoever read our output has gone, which is no news to anybody.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
