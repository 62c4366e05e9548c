//! Whether a worker sleeps, as far as those have to know who pass packets on to it.
//!
//! Nobody may find it awake whose packets it has not seen when it falls asleep. The crate `orderings` tries this in every
//! order in which the threads can meet.

use super::sync::atomic::{AtomicU32, Ordering, fence};

/// Says that it sleeps from now on. Whoever passes packets on after this sees it; what came before has to be looked for once
/// more before it really does.
pub fn lie_down(asleep: &AtomicU32) {
    asleep.store(1, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}

/// Says that it is awake.
pub fn get_up(asleep: &AtomicU32) {
    asleep.store(0, Ordering::SeqCst);
}

/// Whether it has to be woken. To be asked after what it shall find has been put in place.
#[inline(always)]
pub fn is_asleep(asleep: &AtomicU32) -> bool {
    // Orders what was put in place before the look at the flag; the sleeper does the reverse.
    fence(Ordering::SeqCst);
    asleep.load(Ordering::Relaxed) != 0
}
