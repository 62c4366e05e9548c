//! Packets that are passed on to a worker that is about to sleep.

#![allow(clippy::unwrap_used)]

use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::sync::{Arc, Notify};
use loom::thread;
use orderings::doze;

struct Shared {
    asleep: AtomicU32,
    packets: AtomicU32,
    bell: Notify,
}

/// loom ends a model in which all threads wait for ever with a failure: a worker that nobody wakes is one. A thread is
/// interrupted at most `interruptions` times, if that is given: of more threads there are too many orders.
fn nobody_sleeps_through_packets(producers: u32, interruptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = interruptions;
    model.check(move || {
        let shared = Arc::new(Shared {
            asleep: AtomicU32::new(0),
            packets: AtomicU32::new(0),
            bell: Notify::new(),
        });
        let producers: Vec<_> = (0..producers)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.packets.fetch_add(1, Relaxed);
                    if doze::is_asleep(&shared.asleep) {
                        shared.bell.notify();
                    }
                })
            })
            .collect();
        let mut found = 0;
        while found < producers.len() as u32 {
            doze::lie_down(&shared.asleep);
            found += shared.packets.swap(0, Relaxed);
            if found < producers.len() as u32 {
                shared.bell.wait();
                found += shared.packets.swap(0, Relaxed);
            }
            doze::get_up(&shared.asleep);
        }
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn nobody_sleeps_through_packets_of_one_producer() {
    nobody_sleeps_through_packets(1, None);
}

#[test]
fn nobody_sleeps_through_packets_of_two_producers() {
    nobody_sleeps_through_packets(2, Some(2));
}
