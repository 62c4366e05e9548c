//! A doorbell between threads, or processes that pass descriptors (`eventfd(2)`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::{Error, Result};

/// A counter that can be waited for: readable once rung, until drained.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// A new doorbell, not rung (non-blocking, closed on exec).
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn new() -> Result<Self> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Self)
            .map_err(|e| Error::call("open an eventfd", e))
    }

    /// Rings; never waits. Rings that nobody drained add up to one.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn ring(&self) -> Result<()> {
        match rustix::io::write(&self.0, &1u64.to_ne_bytes()) {
            // A full counter is rung already.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(e) => Err(Error::call("ring an eventfd", e)),
        }
    }

    /// Makes it silent again; whether it had been rung.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn drain(&self) -> Result<bool> {
        match rustix::io::read(&self.0, &mut [0u8; 8]) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(e) => Err(Error::call("drain an eventfd", e)),
        }
    }
}

/// Makes a descriptor that a peer gave us as a doorbell non-blocking, so that who rings it does not wait; false if it is none.
/// The peer may change that again.
#[must_use]
pub fn tame(fd: RawFd) -> bool {
    if !is_doorbell(fd) {
        return false;
    }
    // SAFETY: the descriptor is only named for these calls, which fail on a closed one.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let flags = fcntl_getfl(fd).unwrap_or(OFlags::empty());
    flags.contains(OFlags::NONBLOCK) || fcntl_setfl(fd, flags | OFlags::NONBLOCK).is_ok()
}

/// Whether a descriptor of this process is an eventfd.
#[must_use]
pub fn is_doorbell(fd: RawFd) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{fd}"))
        .is_ok_and(|target| target.as_os_str() == "anon_inode:[eventfd]")
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn only_doorbells_are_tamed() {
        let wild = eventfd(0, EventfdFlags::empty()).unwrap();
        assert!(tame(wild.as_fd().as_raw_fd()));
        assert!(fcntl_getfl(&wild).unwrap().contains(OFlags::NONBLOCK));
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(!tame(socket.as_raw_fd()) && !tame(-1));
    }

    #[test]
    fn many_rings_are_one() {
        let bell = EventFd::new().unwrap();
        assert!(!bell.drain().unwrap());
        for _ in 0..3 {
            bell.ring().unwrap();
        }
        assert!(bell.drain().unwrap());
        assert!(!bell.drain().unwrap());
    }
}
