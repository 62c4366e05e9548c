//! What the writers of a run have done, for the control thread to read.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counts of all writers of one run, and what they say.
#[derive(Debug, Default)]
pub struct Tally {
    /// Packets in files, also in files that were removed to make room.
    pub written: AtomicU64,
    /// Bytes of these packets as kept, with their headers, before compression.
    pub bytes: AtomicU64,
    /// Packets lost because a file could not be written or was taken away.
    pub lost: AtomicU64,
    /// Files completed.
    pub files: AtomicU64,
    /// Of those, files removed because only so many are kept.
    pub removed_files: AtomicU64,
    /// Packets that were in them.
    pub removed_packets: AtomicU64,
    /// Set when the capture is to stop because of an error, or because nobody reads the stream any more.
    pub failed: AtomicBool,
    error: Mutex<Option<String>>,
}

impl Tally {
    /// Adds to a count.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }

    /// Takes note of an error, which is logged unless it is the same as before.
    pub fn complain(&self, words: String) {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if error.as_ref() != Some(&words) {
            log::error!("{words}");
            *error = Some(words);
        }
    }

    /// The last error.
    pub fn error(&self) -> Option<String> {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.clone()
    }
}
