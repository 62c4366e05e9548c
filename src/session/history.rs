//! The file of earlier lines, as `history` and `redo` read it.

use std::path::{Path, PathBuf};

use rustyline::Config;
use rustyline::history::{FileHistory, History as _};

/// Most lines that are kept.
const MOST_LINES: usize = 10_000;

/// Earlier lines.
#[derive(Debug, Default)]
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// `.spp_history` in the folder `home`; none without such a folder.
    pub fn at_home(home: Option<std::ffi::OsString>) -> Self {
        let home = home.filter(|home| !home.is_empty());
        Self {
            path: home.map(|home| PathBuf::from(home).join(".spp_history")),
        }
    }

    /// The file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// All lines in it; none if there is no file.
    pub fn lines(&self) -> Result<Vec<String>, String> {
        let Some(path) = self.path.as_deref().filter(|path| path.exists()) else {
            return Ok(Vec::new());
        };
        let mut file = FileHistory::with_config(&settings());
        file.load(path)
            .map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
        Ok(file.iter().cloned().collect())
    }
}

/// Settings of the line editor that the history depends on: like the original's, it keeps lines
/// that are the same as the one before.
pub fn settings() -> Config {
    // Neither setting can be refused before there is a history.
    Config::builder()
        .max_history_size(MOST_LINES)
        .and_then(|builder| builder.history_ignore_dups(false))
        .map(|builder| builder.build())
        .unwrap_or_default()
}
