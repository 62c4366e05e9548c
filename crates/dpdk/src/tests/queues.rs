//! What a driver has in its queues when the worker dies that it worked for.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::mbuf::Mbuf;
use crate::testing::with_eal;
use crate::tests::{MBUFS, stocked};
use crate::{Burst, Kept, Memzone, Orphans, Pool, Recovered, Ring, recover, shared_struct};

shared_struct! {
    /// A receive queue as a driver may have one.
    struct Queue {
        /// Address of the first mbuf of a chain.
        chain: AtomicU64,
        /// Addresses of buffers.
        buffers: [AtomicU64; 3],
    }
}

/// What a dead worker had that is in no queue: all but a chain of five and three others.
const LEFT: u32 = 8;

/// Has lcore 1 fill a queue and die with more mbufs in its hands, one of which has the address of another in its data.
fn die(eal: &crate::Eal, pool: Pool, ring: Ring) -> Memzone<Queue> {
    let zone = Memzone::<Queue>::create("queue", 1).unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    eal.launch(1, move |other| {
        let mut cache = pool.cache(&other);
        cache.balance();
        let mut burst = Burst::new();
        assert_eq!(cache.alloc(&mut burst, 6), 6);
        assert!(burst.write_frame(0, &[7; 9018], &mut cache, 2048));
        let mbufs = burst.mbufs().to_vec();
        zone.chain.store(mbufs[0] as u64, Ordering::Relaxed);
        for (place, m) in zone.buffers.iter().zip(&mbufs[1..4]) {
            let buffer = Mbuf(*m).first().as_ptr() as u64;
            place.store(buffer + 100, Ordering::Relaxed);
        }
        let word = (mbufs[4] as u64).to_ne_bytes();
        burst
            .write_packet(5, 64)
            .unwrap()
            .copy_from_slice(&word.repeat(8));
        // What a ring once held it does not hold for ever, though its slots do.
        let mut sent = Burst::new();
        assert_eq!(cache.alloc(&mut sent, 10), 10);
        ring.producer().send(&other, &cache, &mut sent, true);
        ring.consumer().receive(&other, cache.owner(), &mut sent);
        std::mem::forget((burst, sent));
        done.send(()).unwrap();
    })
    .unwrap();
    ended.recv().unwrap();
    zone
}

#[test]
fn what_lies_in_a_queue_stays_there_and_all_else_comes_back() {
    with_eal(
        "tests::queues::what_lies_in_a_queue_stays_there_and_all_else_comes_back",
        |eal, lcore| {
            let (pool, ring) = (stocked("p", &lcore), Ring::create("r", 128).unwrap());
            let zone = die(&eal, pool, ring);
            let recover = |kept| {
                let mut orphans = Orphans::default();
                recover(&pool, &[ring], 1, kept, &mut orphans, &lcore)
            };
            let taken = MBUFS - pool.free();
            let found = recover(Kept::InQueues);
            assert_eq!((found.mbufs, found.left), (taken - LEFT, 0));
            assert_eq!(pool.free(), MBUFS - LEFT);
            // They are the queue's: the next worker with this id has no claim to them, whatever it used.
            for kept in [Kept::InQueues, Kept::Nowhere] {
                assert_eq!(recover(kept), Recovered::default());
            }
            let chain = Mbuf(zone.chain.load(Ordering::Relaxed) as *mut dpdk_sys::rte_mbuf);
            assert_eq!(chain.segments().count(), 5);
        },
    );
}
