//! What went wrong between us and the kernel.

use std::io;

/// A refusal by the kernel or a text that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call was refused; `what` says what it was for.
    #[error("cannot {what}: {source}")]
    Call {
        /// What was tried, to be read after "cannot", with the path where there is one.
        what: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A text, a file or a value is not what it should be; the message says what would be.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// Wraps the kernel's reason; `what` is read after "cannot".
    pub(crate) fn call(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Call {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The kernel's reason, if it was the kernel that refused.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Call { source, .. } => Some(source.kind()),
            Self::Invalid(_) => None,
        }
    }
}
