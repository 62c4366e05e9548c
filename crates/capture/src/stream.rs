//! A capture that somebody reads while it is made, through a pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// `O_NONBLOCK`: a pipe without a reader refuses instead of waiting, and a full one too.
const NO_WAIT: i32 = 0o4000;
/// `ENXIO`: a pipe that nobody reads.
const NO_READER: i32 = 6;
/// Between two attempts to open or write a pipe.
const AGAIN: Duration = Duration::from_millis(1);
/// How long a reader may keep a full pipe, or may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pipe, a file or standard output.
pub struct Stream {
    path: PathBuf,
    file: Option<File>,
    beginning: Vec<u8>,
}

impl Stream {
    /// To what is at `path`, which is opened by the first write: a reader may come later.
    pub fn to(path: PathBuf, beginning: Vec<u8>) -> Self {
        Stream {
            path,
            file: None,
            beginning,
        }
    }

    /// To standard output.
    ///
    /// # Errors
    /// There is none.
    pub fn to_output(beginning: Vec<u8>) -> io::Result<Self> {
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Stream {
            path: "-".into(),
            file: Some(File::from(output)),
            beginning,
        })
    }

    /// Whether not even the beginning has been written.
    pub fn is_new(&self) -> bool {
        !self.beginning.is_empty()
    }

    fn open(&mut self, given_up: &AtomicBool) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.file.is_none() {
            let mut options = OpenOptions::new();
            match options.write(true).custom_flags(NO_WAIT).open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(e) if e.raw_os_error() == Some(NO_READER) => wait(until, given_up)?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes what the stream begins with, once, and `bytes`. Waits for a reader until `given_up`.
    ///
    /// # Errors
    /// Nobody reads.
    pub fn write(&mut self, bytes: &[u8], given_up: &AtomicBool) -> io::Result<()> {
        self.open(given_up)?;
        let beginning = std::mem::take(&mut self.beginning);
        for mut rest in [&beginning[..], bytes] {
            let mut until = Instant::now() + PATIENCE;
            while let (false, Some(file)) = (rest.is_empty(), &mut self.file) {
                match file.write(rest) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(n) => {
                        rest = &rest[n..];
                        until = Instant::now() + PATIENCE;
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => wait(until, given_up)?,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }
}

fn wait(until: Instant, given_up: &AtomicBool) -> io::Result<()> {
    if given_up.load(Relaxed) || Instant::now() > until {
        return Err(io::Error::new(ErrorKind::TimedOut, "nobody reads it"));
    }
    std::thread::sleep(AGAIN);
    Ok(())
}
