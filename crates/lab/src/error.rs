//! What went wrong.

use crate::file::Problems;

/// Why something about a network did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file says something that is not possible.
    #[error("{0}")]
    File(Problems),
    /// It is possible, but not now or not here; the message says what would help.
    #[error("{0}")]
    Refused(String),
    /// The kernel refused; the message names the node and what was tried.
    #[error("{0}")]
    Kernel(#[from] sys::Error),
    /// A file or a program.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, to be read after "cannot".
        what: String,
        /// The kernel's reason.
        source: std::io::Error,
    },
}

impl From<container::Error> for Error {
    fn from(error: container::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Error {
    pub(crate) fn io(what: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Io {
            what: what.into(),
            source: source.into(),
        }
    }
}

/// What every function here gives back.
pub type Result<T> = std::result::Result<T, Error>;
