//! Counts that move from one place to another while others add up both.
//!
//! Nobody may take a sum for sure in which some are twice or not at all. The crate `orderings` tries this in every order in which
//! the threads can meet.

use super::sync::atomic::{AtomicU64, Ordering, fence};

/// Moves counts by `work`. `moving`, which is odd meanwhile, is written by one at a time.
pub fn moved(moving: &AtomicU64, work: impl FnOnce()) {
    let before = moving.load(Ordering::Relaxed);
    moving.store(before.wrapping_add(1), Ordering::Relaxed);
    // Who sees anything of the work sees this number, too.
    fence(Ordering::Release);
    work();
    moving.store(before.wrapping_add(2), Ordering::Release);
}

/// Whoever moved counts has died: says that nobody moves any.
pub fn given_up(moving: &AtomicU64) {
    moving.fetch_and(!1, Ordering::SeqCst);
}

/// Adds up by `look`. True if nothing moved meanwhile, by all that are `moving`.
pub fn looked<'a, T>(
    moving: impl Iterator<Item = &'a AtomicU64> + Clone,
    look: impl FnOnce() -> T,
) -> (T, bool) {
    let before = sum(moving.clone(), Ordering::Acquire);
    let seen = look();
    // What was seen was there before these numbers are.
    fence(Ordering::Acquire);
    let sure = before.is_some() && sum(moving, Ordering::Relaxed) == before;
    (seen, sure)
}

/// How often counts began or ended to move; `None` while some do.
fn sum<'a>(mut moving: impl Iterator<Item = &'a AtomicU64>, order: Ordering) -> Option<u64> {
    moving.try_fold(0u64, |sum, moving| {
        let moves = moving.load(order);
        moves.is_multiple_of(2).then(|| sum.wrapping_add(moves))
    })
}
