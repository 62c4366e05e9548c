//! Programs of the machine that are started for a moment: whether they are there, what they write, and their end.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Between two looks at a program.
const PAUSE: Duration = Duration::from_millis(5);

/// Finds a program, also where those of administrators are; `package` is Debian's.
///
/// # Errors
/// It is not installed; it says how it is.
pub fn need(program: &str, package: &str) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let further = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut candidates = std::env::split_paths(&folders)
        .chain(further)
        .map(|folder| folder.join(program));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Error::Refused(format!(
            "this needs the program {program}, which is not installed (Debian: apt-get install {package})"
        ))
    })
}

/// A program of SPP: in the folder that is named by `SPP_BIN_DIR`, beside this one, or found by the shell's rules.
///
/// # Errors
/// It is nowhere.
pub(crate) fn of_spp(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.ancestors().skip(1).take(2).map(Path::to_owned);
    let named = std::env::var_os("SPP_BIN_DIR").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = named
        .into_iter()
        .chain(beside)
        .chain(std::env::split_paths(&path));
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Error::Refused(format!(
            "the network needs the program {name}, which is neither beside this program nor in PATH: install SPP, or name its folder with SPP_BIN_DIR"
        ))
    })
}

/// What a program writes. It takes any amount without anybody reading meanwhile.
pub(crate) struct Output(File);

impl Output {
    pub(crate) fn new() -> Result<Self> {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let file = nix::sys::memfd::memfd_create(c"output", flags);
        Ok(Self(
            file.map_err(|e| Error::io("make a file in memory", e))?
                .into(),
        ))
    }

    /// For the program.
    pub(crate) fn stdio(&self) -> Result<Stdio> {
        let copy = self.0.try_clone();
        Ok(copy.map_err(|e| Error::io("copy a descriptor", e))?.into())
    }

    /// What was written, at most `most` bytes. The program has ended.
    pub(crate) fn read(mut self, most: u64) -> Result<String> {
        let mut text = Vec::new();
        self.0
            .rewind()
            .and_then(|()| self.0.take(most).read_to_end(&mut text))
            .map_err(|e| Error::io("read a command's output", e))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Waits for a program until `end`; `None` if it goes on.
///
/// # Errors
/// `stop` was set.
pub(crate) fn wait(
    child: &mut Child,
    end: Instant,
    stop: &AtomicBool,
) -> Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait();
        match status.map_err(|e| Error::io("wait for a command", e))? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= end => return Ok(None),
            None => {
                go_on(stop)?;
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Ends a program at once, if it has not ended by itself.
pub(crate) fn end(child: &mut Child) {
    // It may have ended just now; else it ends with the network at the latest.
    let _ = child.kill().and_then(|()| child.wait().map(|_| ()));
}

/// # Errors
/// `stop` was set.
pub(crate) fn go_on(stop: &AtomicBool) -> Result<()> {
    match stop.load(Ordering::Relaxed) {
        true => Err(Error::Refused("interrupted".into())),
        false => Ok(()),
    }
}
