//! Handing a new value to a worker, which looks for it with one load.
//!
//! The crate `orderings` tries it in every order in which the two threads can meet.

use super::sync::atomic::{AtomicU64, Ordering};
use super::sync::{Arc, Mutex, PoisonError};

struct Common<T> {
    generation: AtomicU64,
    seen: AtomicU64,
    newest: Mutex<(u64, Arc<T>)>,
}

/// The side that publishes: the control thread.
pub struct Publisher<T> {
    common: Arc<Common<T>>,
    /// Values that the subscriber may still use, with the generation that replaces them.
    retired: Vec<(u64, Arc<T>)>,
}

/// The side that uses the newest value: one worker.
pub struct Subscriber<T> {
    common: Arc<Common<T>>,
    at: u64,
    value: Arc<T>,
}

/// Both sides, starting with `value`.
pub fn published<T>(value: T) -> (Publisher<T>, Subscriber<T>) {
    let value = Arc::new(value);
    let common = Arc::new(Common {
        generation: AtomicU64::new(0),
        seen: AtomicU64::new(0),
        newest: Mutex::new((0, value.clone())),
    });
    let subscriber = Subscriber {
        common: common.clone(),
        at: 0,
        value,
    };
    (
        Publisher {
            common,
            retired: Vec::new(),
        },
        subscriber,
    )
}

impl<T> Publisher<T> {
    /// Publishes `value`; returns its generation.
    pub fn publish(&mut self, value: T) -> u64 {
        let mut newest = self
            .common
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let generation = newest.0 + 1;
        let old = std::mem::replace(&mut *newest, (generation, Arc::new(value)));
        drop(newest);
        self.retired.push((generation, old.1));
        self.common.generation.store(generation, Ordering::Release);
        generation
    }

    /// True once the worker uses `generation` or a later one, and so nothing older.
    pub fn reached(&self, generation: u64) -> bool {
        self.common.seen.load(Ordering::Acquire) >= generation
    }

    /// Drops the values that the worker has left behind, here and not on the worker.
    pub fn collect(&mut self) {
        let seen = self.common.seen.load(Ordering::Acquire);
        self.retired.retain(|(generation, _)| *generation > seen);
    }
}

impl<T> Subscriber<T> {
    /// The newest value. The check for a new one is one load; the worker holds the reference for
    /// one round at most, so that asking again says that the old value is no longer in use.
    #[inline(always)]
    pub fn get(&mut self) -> &T {
        if self.advance() {
            self.settle();
        }
        &self.value
    }

    /// Takes over the newest value; true if it is another one. What was done by the old one may still have to be brought to an end:
    /// the publisher learns from [`Subscriber::settle`] that it is.
    #[inline(always)]
    pub fn advance(&mut self) -> bool {
        self.changed() && self.refresh()
    }

    /// Says that nothing is done any more by an older value than the one in use.
    pub fn settle(&self) {
        self.common.seen.store(self.at, Ordering::Release);
    }

    /// The value in use, whether or not there is a newer one.
    #[inline(always)]
    pub fn current(&self) -> &T {
        &self.value
    }

    /// Number of the value in use: another one with every value. (Its address may come again.)
    #[inline(always)]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Whether a newer value than the one in use was published.
    pub fn changed(&self) -> bool {
        self.common.generation.load(Ordering::Acquire) != self.at
    }

    #[cold]
    fn refresh(&mut self) -> bool {
        // The publisher holds the lock for an assignment; a worker never waits for it.
        let Ok(newest) = self.common.newest.try_lock() else {
            return false;
        };
        (self.at, self.value) = (newest.0, newest.1.clone());
        true
    }
}
