//! Sums over counts that move while they are added up.

#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use orderings::moves::{given_up, looked, moved};

/// What a worker has counted, and what is kept of it for its port.
#[derive(Default)]
struct Counts {
    moving: [AtomicU64; 2],
    blocks: [AtomicU64; 2],
    past: AtomicU64,
}

impl Counts {
    fn new() -> Arc<Self> {
        let counts = Self::default();
        counts.blocks[0].store(3, Relaxed);
        counts.blocks[1].store(4, Relaxed);
        Arc::new(counts)
    }

    fn retire(&self, worker: usize) {
        moved(&self.moving[worker], || {
            let block = &self.blocks[worker];
            self.past.fetch_add(block.load(Relaxed), Relaxed);
            block.store(0, Relaxed);
        });
    }

    fn look(&self) -> (u64, bool) {
        looked(self.moving.iter(), || {
            let blocks = self.blocks.iter().map(|block| block.load(Relaxed));
            blocks.sum::<u64>() + self.past.load(Relaxed)
        })
    }
}

#[test]
fn a_sum_that_is_taken_for_sure_has_each_count_once() {
    loom::model(|| {
        let counts = Counts::new();
        let movers = [0, 1].map(|worker| {
            let counts = counts.clone();
            thread::spawn(move || counts.retire(worker))
        });
        if let (sum, true) = counts.look() {
            assert_eq!(sum, 7);
        }
        for mover in movers {
            mover.join().unwrap();
        }
        assert_eq!(counts.look(), (7, true));
    });
}

#[test]
fn after_one_that_died_while_it_moved_counts_nothing_is_sure_until_it_is_buried() {
    loom::model(|| {
        let counts = Counts::new();
        counts.moving[0].store(5, Relaxed);
        let other = counts.clone();
        let mover = thread::spawn(move || other.retire(1));
        assert!(!counts.look().1);
        mover.join().unwrap();
        given_up(&counts.moving[0]);
        assert_eq!(counts.look(), (7, true));
    });
}
