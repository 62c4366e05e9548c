//! Counting where others read.

use super::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts, as the only writer: a plain load and store. Who reads meanwhile never sees it go back.
#[inline(always)]
pub fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}
