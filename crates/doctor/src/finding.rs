//! What a check found.

use registry::remains::Remnant;
use serde::Serialize;
use serde_json::{Map, Value};

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Something will not work, or not well, or it cannot be seen whether it will.
    Warn,
    /// No panel can run so.
    Fail,
}

impl State {
    /// `ok`, `warn` or `fail`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the examination.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The check that found it.
    pub name: &'static str,
    /// How good it is.
    pub state: State,
    /// What was found, in words and figures.
    pub found: String,
    /// The same figures for programs; which ones, depends on the check.
    pub figures: Map<String, Value>,
    /// Files that it is about: what is left of dead processes, or was removed.
    pub paths: Vec<Remnant>,
    /// The command that helps, if one does.
    pub remedy: Option<String>,
    /// It has to be given as root.
    pub as_root: bool,
}

impl Finding {
    pub(crate) fn new(name: &'static str, state: State, found: impl Into<String>) -> Self {
        // What the kernel or a file said ends in no terminal as it is.
        let shown = |c: char| if c.is_control() { '?' } else { c };
        Self {
            name,
            state,
            found: found.into().chars().map(shown).collect(),
            figures: Map::new(),
            paths: Vec::new(),
            remedy: None,
            as_root: false,
        }
    }

    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found)
    }

    pub(crate) fn warn(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Warn, found)
    }

    pub(crate) fn fail(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Fail, found)
    }

    /// A figure.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(key.to_owned(), value.into());
        self
    }

    /// A command that any user can give.
    pub(crate) fn remedy(mut self, command: impl Into<String>) -> Self {
        self.remedy = Some(command.into());
        self
    }

    /// A command for root.
    pub(crate) fn root(mut self, command: impl Into<String>) -> Self {
        self.remedy = Some(command.into());
        self.as_root = true;
        self
    }
}

/// Bytes with the largest unit in which they are whole, or with one digit after the point.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut rest = bytes as f64;
    while rest >= 1024.0 && unit + 1 < UNITS.len() {
        rest /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(rest.fract() > 0.05);
    format!("{rest:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (2 << 20, "2 MB"),
            (1 << 30, "1 GB"),
            (1536, "1.5 kB"),
            (u64::MAX, "16777216 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn nothing_that_was_read_does_something_to_a_terminal() {
        assert_eq!(Finding::ok("x", "a\x1b[2Jb\n").found, "a?[2Jb?");
    }
}
