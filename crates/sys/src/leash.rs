//! A leash: a FIFO by which a process hangs on another one. Whoever holds its other end says by a byte that it may go on; when nobody
//! holds it any more, however that came about, the process is to end.

use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{mkfifo, read, write};

use crate::signal::{Signal, SignalFd};
use crate::{Error, Result};

/// How long one look takes that nothing ends.
const GLANCE: Duration = Duration::from_secs(1);

/// The end that a process hangs on.
#[derive(Debug)]
pub struct Leash(OwnedFd);

/// What comes by a leash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    GoOn,
    Nothing,
    /// Nobody holds it.
    End,
}

impl Leash {
    /// Opens a FIFO. Nobody need hold its other end, which is then seen at once.
    ///
    /// # Errors
    /// It is not there, or not ours to read.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        open(path, flags, Mode::empty())
            .map(Self)
            .map_err(|e| Error::call(format!("open {}", path.display()), e))
    }

    /// Waits for the word to go on. False if this process is to end: nobody holds the leash, or a signal says so. Signals are to be
    /// blocked.
    ///
    /// # Errors
    /// There is no descriptor for signals to be had.
    pub fn wait(&self) -> Result<bool> {
        let signals = SignalFd::new()?;
        loop {
            match self.word() {
                Word::GoOn => return Ok(true),
                Word::End => return Ok(false),
                Word::Nothing => {}
            }
            crate::poll::wait(&signals, &[self.number()], GLANCE);
            while let Some(signal) = signals.read()? {
                if matches!(signal, Signal::Terminate | Signal::Interrupt) {
                    return Ok(false);
                }
            }
        }
    }

    /// Nobody holds it any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.word() == Word::End
    }

    /// To be polled.
    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn word(&self) -> Word {
        match read(&self.0, &mut [0]) {
            Ok(0) => Word::End,
            Ok(_) => Word::GoOn,
            // Nothing was written, and somebody could.
            Err(_) => Word::Nothing,
        }
    }
}

/// Makes a FIFO that everybody may read, and holds it: the other end of a leash, under a number of 3 or above, so that it can be
/// [kept](crate::keeper::Keeper::start).
///
/// # Errors
/// It is there already, or the folder is not.
pub fn hold(path: &Path) -> Result<OwnedFd> {
    let failed = |e| Error::call(format!("make the FIFO {}", path.display()), e);
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).map_err(failed)?;
    // To open it for writing only would wait for a reader.
    let held = open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed)?;
    // Not as its mode: the mask of this process would take something away.
    fchmod(&held, Mode::from_bits_truncate(0o644)).map_err(failed)?;
    crate::keeper::above_standard(held)
}

/// Tells who hangs on a leash to go on.
///
/// # Errors
/// The FIFO is not there any more.
pub fn let_go_on(path: &Path) -> Result<()> {
    let failed = |e| Error::call(format!("write to {}", path.display()), e);
    let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let end = open(path, flags, Mode::empty()).map_err(failed)?;
    write(&end, b"1").map(|_| ()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_to_go_on_once_and_to_end_when_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leash");
        let held = hold(&path).unwrap();
        let leash = Leash::open(&path).unwrap();
        assert_eq!(leash.word(), Word::Nothing);
        let_go_on(&path).unwrap();
        assert!(leash.wait().unwrap());
        assert!(!leash.is_gone());
        drop(held);
        assert!(leash.is_gone());
        assert!(!leash.wait().unwrap());
        // Who comes after that sees it, too.
        assert!(Leash::open(&path).unwrap().is_gone());
    }
}
