//! Waiting for a doorbell and for descriptors that belong to somebody else.

use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

/// Most foreign descriptors that one wait looks at.
const MOST: usize = 64;

/// Waits until `bell` or one of `others` is readable, or `limit` has passed (`ppoll(2)`). Descriptors
/// of `others` may be closed by their owner meanwhile; that ends the wait or is not seen, nothing more.
/// Of more than 64 only the first are looked at. True if something is readable.
pub fn wait(bell: impl AsFd, others: &[RawFd], limit: Duration) -> bool {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(1 + others.len().min(MOST));
    fds.push(PollFd::from_borrowed_fd(bell.as_fd(), PollFlags::IN));
    for fd in others.iter().take(MOST).filter(|fd| **fd >= 0) {
        // SAFETY: the descriptor is only handed to ppoll, which reports a closed one as such.
        let borrowed = unsafe { BorrowedFd::borrow_raw(*fd) };
        fds.push(PollFd::from_borrowed_fd(borrowed, PollFlags::IN));
    }
    let limit = Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    };
    rustix::event::poll(&mut fds, Some(&limit)).is_ok_and(|n| n > 0)
}
