//! Core files of processes that crash (`core(5)`).

use std::fs;
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit};

use crate::{Error, Result};

/// Where the kernel writes core files to, for the whole machine.
const PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Where the kernel puts core files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Into the folder in which the program runs.
    Here,
    /// Into a folder of the machine, all of them.
    Folder(PathBuf),
    /// To a program.
    Program(String),
}

impl Pattern {
    /// That of this machine.
    ///
    /// # Errors
    /// The kernel does not say it.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(PATTERN);
        let text = text.map_err(|e| Error::call(format!("read {PATTERN}"), e))?;
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let text = text.trim();
        match (text.strip_prefix('|'), text.rsplit_once('/')) {
            (Some(program), _) => Self::Program(program.trim().to_owned()),
            (None, Some((folder, _))) if text.starts_with('/') => {
                Self::Folder(format!("{folder}/").into())
            }
            _ => Self::Here,
        }
    }
}

/// The folder into which the kernel writes a core file if this process crashes, as this process: the one in which it runs, if that is
/// where core files go on this machine, and its limit for them (`RLIMIT_CORE`) is not zero.
///
/// `/` is nobody's folder for core files: services run there that were given no other.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let (limit, _) = getrlimit(Resource::RLIMIT_CORE).ok()?;
    let folder = std::env::current_dir().ok()?;
    let wanted = limit > 0 && folder.parent().is_some();
    (wanted && Pattern::read().ok()? == Pattern::Here).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_apart() {
        assert_eq!(Pattern::of("core\n"), Pattern::Here);
        assert_eq!(Pattern::of("cores/core.%p"), Pattern::Here);
        assert_eq!(
            Pattern::of("/var/crash/core.%e"),
            Pattern::Folder("/var/crash/".into())
        );
        let program = "/usr/lib/systemd/systemd-coredump %P";
        assert_eq!(
            Pattern::of(&format!("|{program}")),
            Pattern::Program(program.into())
        );
    }
}
