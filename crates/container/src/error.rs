//! Why something about containers did not happen.

use std::path::{Path, PathBuf};

/// Reasons, in words for the one who typed the command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command cannot be understood, or asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// The file of an application is wrong.
    #[error("{}:{line}: {reason}", path.display())]
    App {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The container engine, or this host, does not permit it now.
    #[error("{0}")]
    Refused(String),
    /// The container engine cannot be asked.
    #[error("{0}")]
    Engine(String),
    /// A file or folder of ours.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The kernel's reason.
        source: std::io::Error,
    },
}

impl Error {
    /// A command that cannot be understood.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// What cannot be done now.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// How everything here ends.
pub type Result<T> = std::result::Result<T, Error>;
