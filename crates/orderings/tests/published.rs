//! A table that is published while a worker runs.

#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use orderings::published::published;

/// A value that says when it has been dropped, by no atomic that would order anything.
struct Value {
    number: usize,
    dropped: Arc<AtomicUsize>,
    made_by: thread::ThreadId,
}

impl Drop for Value {
    fn drop(&mut self) {
        let us = thread::current().id();
        assert_eq!(us, self.made_by, "dropped by the worker");
        self.dropped.fetch_add(1 << (8 * self.number), Relaxed);
    }
}

#[test]
fn a_worker_uses_no_value_that_was_dropped_and_comes_to_the_newest() {
    loom::model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let value = |number| Value {
            number,
            dropped: dropped.clone(),
            made_by: thread::current().id(),
        };
        let (mut publisher, mut subscriber) = published(value(0));
        let seen = dropped.clone();
        let worker = thread::spawn(move || {
            let mut last = 0;
            for _ in 0..2 {
                let (at, number) = {
                    let value = subscriber.get();
                    let gone = seen.load(Relaxed) >> (8 * value.number) & 0xff;
                    assert_eq!(gone, 0, "value {} is in use", value.number);
                    (value.number, value.number)
                };
                assert_eq!(subscriber.at() as usize, at);
                assert!(number >= last, "{number} after {last}");
                last = number;
            }
            subscriber
        });
        let mut generation = 0;
        for number in 1..=2 {
            generation = publisher.publish(value(number));
            publisher.collect();
        }
        let mut subscriber = worker.join().unwrap();
        assert_eq!(subscriber.get().number, 2);
        assert!(publisher.reached(generation));
        publisher.collect();
        assert_eq!(dropped.load(Relaxed), 0x0101, "both old values, once each");
    });
}

#[test]
fn what_was_reached_is_not_in_use_before() {
    loom::model(|| {
        let (mut publisher, mut subscriber) = published(());
        let in_use = Arc::new(AtomicUsize::new(0));
        let works = in_use.clone();
        let worker = thread::spawn(move || {
            // A round with the value in use, and a look for a new one after it.
            works.store(1, Relaxed);
            works.store(0, Relaxed);
            subscriber.get();
        });
        let generation = publisher.publish(());
        if publisher.reached(generation) {
            assert_eq!(in_use.load(Relaxed), 0, "the round before is over");
        }
        worker.join().unwrap();
    });
}
