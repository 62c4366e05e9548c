//! Counters that are read while their only writer counts.

#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use orderings::tally::add;

#[test]
fn a_counter_never_goes_back_and_ends_at_the_sum_over_all_its_writers() {
    loom::model(|| {
        let counter = Arc::new(AtomicU64::new(0));
        let counts = counter.clone();
        let writer = thread::spawn(move || {
            add(&counts, 3);
            add(&counts, 4);
            // Another worker goes on where this one ended.
            let next = counts.clone();
            thread::spawn(move || add(&next, 5)).join().unwrap();
        });
        let seen = [0; 3].map(|_: u8| counter.load(Relaxed));
        assert!(seen.is_sorted(), "{seen:?}");
        assert!(seen.iter().all(|n| [0, 3, 7, 12].contains(n)), "{seen:?}");
        writer.join().unwrap();
        assert_eq!(counter.load(Relaxed), 12);
    });
}
