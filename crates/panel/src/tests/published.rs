//! Values that are published to one subscriber.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::published::published;

struct Counted(Arc<AtomicUsize>);
impl Drop for Counted {
    fn drop(&mut self) {
        assert_ne!(
            std::thread::current().name(),
            Some("worker"),
            "dropped on the worker"
        );
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn values_are_dropped_by_the_publisher_after_the_worker_left_them() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut publisher, mut subscriber) = published(Counted(dropped.clone()));
    let one = publisher.publish(Counted(dropped.clone()));
    publisher.collect();
    assert!(!publisher.reached(one));
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    let worker = std::thread::Builder::new().name("worker".into());
    let subscriber = worker
        .spawn(move || {
            subscriber.get();
            subscriber
        })
        .unwrap()
        .join()
        .unwrap();
    assert!(publisher.reached(one));
    publisher.collect();
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    drop(subscriber);
    drop(publisher);
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

#[test]
fn a_worker_always_sees_the_newest_of_many() {
    let (mut publisher, mut subscriber) = published(0u64);
    let worker = std::thread::spawn(move || {
        let mut last = 0;
        while last < 10_000 {
            let now = *subscriber.get();
            assert!(now >= last);
            last = now;
        }
    });
    let mut generation = 0;
    for i in 1..=10_000 {
        generation = publisher.publish(i);
        publisher.collect();
    }
    worker.join().unwrap();
    assert!(publisher.reached(generation));
}

#[test]
fn a_value_that_lies_where_an_older_one_lay_has_another_number() {
    let (mut publisher, mut subscriber) = published(0u64);
    let mut seen = std::collections::HashMap::new();
    let mut again = 0;
    for i in 1..=1000 {
        publisher.publish(i);
        let place = std::ptr::from_ref(subscriber.get());
        publisher.collect();
        let before = seen.insert(place, subscriber.at());
        again += u32::from(before.is_some());
        assert_ne!(before, Some(subscriber.at()));
    }
    assert!(again > 0, "no place was used twice");
}
