//! A doorbell between processes that share nothing but a folder (`fifo(7)`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, mkfifoat};
use rustix::io::Errno;

use crate::{Error, Result};

/// The side that is woken.
#[derive(Debug)]
pub struct FifoReader {
    fd: OwnedFd,
    path: PathBuf,
}

impl FifoReader {
    /// Makes the named pipe (mode 0600) if it is not there, and opens it.
    ///
    /// It is opened for writing too, so it never ends: an epoll on it stays silent while no
    /// writer is there. The file stays when this is dropped.
    ///
    /// # Errors
    /// The folder is missing or not ours, or something that is not a pipe has that name.
    pub fn create(path: &Path) -> Result<Self> {
        match mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(Error::call(format!("make the pipe {}", path.display()), e)),
        }
        let fd = open(path, OFlags::RDWR)
            .map_err(|e| Error::call(format!("open the pipe {}", path.display()), e))?;
        require_pipe(&fd, path)?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// Takes out all that was rung; whether there was anything. Never waits.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn drain(&self) -> Result<bool> {
        let mut buffer = [0u8; 4096];
        let mut rung = false;
        loop {
            match rustix::io::read(&self.fd, &mut buffer) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(rung),
                // A short read emptied it: what comes later wakes again.
                Ok(n) if n < buffer.len() => return Ok(true),
                Ok(_) => rung = true,
                Err(Errno::INTR) => {}
                Err(e) => {
                    return Err(Error::call(
                        format!("read the pipe {}", self.path.display()),
                        e,
                    ));
                }
            }
        }
    }

    /// Where the pipe is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for FifoReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The side that wakes. The process must ignore or block SIGPIPE, as Rust programs do.
#[derive(Debug)]
pub struct FifoWriter {
    fd: OwnedFd,
    path: PathBuf,
}

impl FifoWriter {
    /// Opens the pipe; `None` if nobody reads it now (no such file, or no reader).
    ///
    /// # Errors
    /// We may not open it, or it is not a pipe.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let fd = match open(path, OFlags::WRONLY) {
            Ok(fd) => fd,
            Err(Errno::NXIO | Errno::NOENT) => return Ok(None),
            Err(e) => return Err(Error::call(format!("open the pipe {}", path.display()), e)),
        };
        require_pipe(&fd, path)?;
        Ok(Some(Self {
            fd,
            path: path.to_owned(),
        }))
    }

    /// Writes one byte, never waits; `false` if the reader is gone (open again later). A full
    /// pipe has rung often enough.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn ring(&self) -> Result<bool> {
        match rustix::io::write(&self.fd, &[1]) {
            Ok(_) | Err(Errno::AGAIN) => Ok(true),
            Err(Errno::PIPE) => Ok(false),
            Err(e) => Err(Error::call(
                format!("ring the pipe {}", self.path.display()),
                e,
            )),
        }
    }
}

fn open(path: &Path, access: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::empty())
}

fn require_pipe(fd: &OwnedFd, path: &Path) -> Result<()> {
    let stat = fstat(fd).map_err(|e| Error::call(format!("examine {}", path.display()), e))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "{} is not a named pipe: something else made it; remove it",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoll::Epoll;
    use std::time::Duration;

    #[test]
    fn a_ring_wakes_and_a_full_pipe_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bell");
        let reader = FifoReader::create(&path).unwrap();
        let mut epoll = Epoll::new().unwrap();
        epoll.add(&reader, 1).unwrap();
        let writer = FifoWriter::open(&path).unwrap().unwrap();
        let mut ready = Vec::new();
        for _ in 0..100_000 {
            assert!(writer.ring().unwrap());
        }
        epoll
            .wait(&mut ready, Some(Duration::from_secs(5)))
            .unwrap();
        assert_eq!(ready, [1]);
        assert!(reader.drain().unwrap());
        assert!(!reader.drain().unwrap());
        drop(writer);
        epoll.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert!(
            ready.is_empty(),
            "a writer that left must not look like a ring"
        );
    }

    #[test]
    fn nobody_there_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bell");
        assert!(FifoWriter::open(&path).unwrap().is_none());
        let reader = FifoReader::create(&path).unwrap();
        let writer = FifoWriter::open(&path).unwrap().unwrap();
        drop(reader);
        assert!(!writer.ring().unwrap());
        assert!(FifoWriter::open(&path).unwrap().is_none());
        let again = FifoReader::create(&path).unwrap();
        assert!(FifoWriter::open(&path).unwrap().unwrap().ring().unwrap());
        assert!(again.drain().unwrap());
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bell");
        std::fs::write(&path, "x").unwrap();
        assert!(
            FifoReader::create(&path)
                .unwrap_err()
                .to_string()
                .contains("not a named pipe")
        );
        assert!(
            FifoWriter::open(&path)
                .unwrap_err()
                .to_string()
                .contains("not a named pipe")
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(FifoReader::create(&link).is_err());
    }
}
