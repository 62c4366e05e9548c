//! Waiting for descriptors with limits finer than a millisecond (`epoll_pwait2(2)`).

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::{Error, Result};

/// Descriptors told of in one call; the others are told of in the next.
const BATCH: usize = 64;

/// A set of descriptors to wait for, each with a number of the caller's choice. Level-triggered:
/// a descriptor is told of again until what it had to say has been read.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<Event>,
}

impl Epoll {
    /// An empty set (closed on exec).
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn new() -> Result<Self> {
        let fd = epoll::create(CreateFlags::CLOEXEC).map_err(|e| Error::call("open epoll", e))?;
        Ok(Self {
            fd,
            events: Vec::with_capacity(BATCH),
        })
    }

    /// Adds a descriptor: `token` is given back when it can be read or its other side hung up.
    /// A descriptor leaves the set when it is closed.
    ///
    /// # Errors
    /// It is in the set already, or is of a kind that cannot be waited for (a plain file).
    pub fn add(&self, source: impl AsFd, token: u64) -> Result<()> {
        epoll::add(&self.fd, source, EventData::new_u64(token), EventFlags::IN)
            .map_err(|e| Error::call("wait for a descriptor by epoll", e))
    }

    /// Takes a descriptor out without closing it.
    ///
    /// # Errors
    /// It is not in the set.
    pub fn remove(&self, source: impl AsFd) -> Result<()> {
        epoll::delete(&self.fd, source).map_err(|e| Error::call("leave epoll", e))
    }

    /// Waits until a descriptor is ready or `limit` is over (`None`: without end); `ready` holds
    /// the tokens of those that are, and is empty when time is over or a signal came first. It
    /// allocates nothing once `ready` has grown.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn wait(&mut self, ready: &mut Vec<u64>, limit: Option<Duration>) -> Result<()> {
        ready.clear();
        self.events.clear();
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        match epoll::wait(&self.fd, spare_capacity(&mut self.events), limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::call("wait by epoll", e)),
        }
        ready.extend(self.events.iter().map(|event| event.data.u64()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventfd::EventFd;
    use std::time::Instant;

    #[test]
    fn the_ready_ones_are_named_and_only_they() {
        let (a, b) = (EventFd::new().unwrap(), EventFd::new().unwrap());
        let mut epoll = Epoll::new().unwrap();
        epoll.add(&a, 1).unwrap();
        epoll.add(&b, u64::MAX).unwrap();
        let mut ready = vec![9];
        epoll.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert!(ready.is_empty());
        b.ring().unwrap();
        epoll.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [u64::MAX]);
        epoll.remove(&b).unwrap();
        epoll.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert!(ready.is_empty());
        assert!(epoll.remove(&b).is_err());
        assert!(epoll.add(&a, 2).is_err());
    }

    #[test]
    fn limits_below_a_millisecond_are_kept() {
        let mut epoll = Epoll::new().unwrap();
        let limit = Duration::from_micros(200);
        let mut shortest = Duration::MAX;
        for _ in 0..100 {
            let start = Instant::now();
            epoll.wait(&mut Vec::new(), Some(limit)).unwrap();
            let took = start.elapsed();
            assert!(took >= limit, "{took:?}");
            shortest = shortest.min(took);
        }
        assert!(
            shortest < Duration::from_micros(900),
            "rounded up to {shortest:?}"
        );
    }
}
