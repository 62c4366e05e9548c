//! Pools, rings and recovery on a real EAL.

mod copies;
mod deals;
mod every_instruction;
mod operations;
mod queues;
mod shares;
mod stepper;
mod storm;
mod vlans;

use crate::depot::{HIGH, LOW, MAGAZINE};
use crate::mbuf::Mbuf;
use crate::pool::Owner;
use crate::testing::with_eal;
use crate::{BURST, Burst, Kept, Memzone, Orphans, Pool, Ring, audit, recover, shared_struct};
use std::sync::atomic::{AtomicU64, Ordering};

const MBUFS: u32 = 4096;

fn stocked(name: &str, lcore: &crate::Lcore) -> Pool {
    let pool = Pool::create(name, MBUFS, 2176).unwrap();
    assert_eq!(pool.stock(lcore), MBUFS);
    assert_eq!(pool.free(), MBUFS);
    pool
}

#[test]
fn the_cache_stays_within_its_bounds_and_nothing_is_lost() {
    with_eal(
        "tests::the_cache_stays_within_its_bounds_and_nothing_is_lost",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut held: Vec<Burst> = Vec::new();
            for _ in 0..40 {
                assert!(cache.balance());
                let mut burst = Burst::new();
                assert_eq!(cache.alloc(&mut burst, BURST), BURST);
                held.push(burst);
            }
            for mut burst in held.drain(..) {
                cache.balance();
                burst.clear(&mut cache);
            }
            cache.balance();
            let kept = MBUFS - pool.free();
            assert!((LOW..=HIGH).contains(&kept), "{kept} mbufs in the cache");
            assert_eq!(kept as usize % MAGAZINE, 0);
        },
    );
}

#[test]
fn an_exhausted_pool_says_so_and_recovers() {
    with_eal(
        "tests::an_exhausted_pool_says_so_and_recovers",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut held: Vec<Burst> = Vec::new();
            while cache.balance() {
                let mut burst = Burst::new();
                if cache.alloc(&mut burst, BURST) == 0 {
                    break;
                }
                held.push(burst);
            }
            assert_eq!(held.len() * BURST, MBUFS as usize);
            assert_eq!(pool.free(), 0);
            drop(held.pop());
            assert!(cache.balance());
            assert_eq!(cache.alloc(&mut Burst::new(), BURST), BURST);
        },
    );
}

#[test]
fn a_pool_whose_caches_are_flushed_too_early_is_refused() {
    with_eal(
        "tests::a_pool_whose_caches_are_flushed_too_early_is_refused",
        |_, _lcore| {
            // SAFETY: valid strings; the pool is not used.
            let pool = unsafe {
                dpdk_sys::rte_pktmbuf_pool_create_by_ops(
                    c"small".as_ptr(),
                    1024,
                    256,
                    0,
                    2176,
                    -1,
                    c"ring_mp_mc".as_ptr(),
                )
            };
            assert!(!pool.is_null());
            let refused = Pool::lookup("small").err().unwrap().to_string();
            assert!(refused.contains("768 are needed"), "{refused}");
        },
    );
}

#[test]
fn a_ring_keeps_order_and_counts_bytes() {
    with_eal("tests::a_ring_keeps_order_and_counts_bytes", |_, lcore| {
        let pool = stocked("p", &lcore);
        let mut cache = pool.cache(&lcore);
        let ring = Ring::create("r", 128).unwrap();
        let (producer, consumer) = (ring.producer(), ring.consumer());
        let mut burst = Burst::new();
        let mut sent = 0u8;
        for round in 0..3 {
            cache.balance();
            cache.alloc(&mut burst, BURST);
            for i in 0..BURST {
                burst.write_packet(i, 60 + i).unwrap()[0] = sent;
                sent += 1;
            }
            let (n, bytes) = producer.send(&lcore, &cache, &mut burst, true);
            if round < 1 {
                assert_eq!((n, bytes), (BURST, (0..BURST as u64).map(|i| 60 + i).sum()));
            }
            if round == 2 {
                // 127 fit: the third burst is refused as a whole, and stays ours.
                assert_eq!(n, 0);
                assert_eq!(burst.len(), BURST);
            }
            burst.clear(&mut cache);
        }
        let mut got = 0u8;
        while consumer.receive(&lcore, cache.owner(), &mut burst) > 0 {
            for i in 0..burst.len() {
                assert_eq!(burst.packet(i).unwrap()[0], got);
                got += 1;
            }
            burst.clear(&mut cache);
        }
        assert_eq!(got, 127);
    });
}

#[test]
fn recovery_finds_what_the_dead_held_and_nothing_else() {
    with_eal(
        "tests::recovery_finds_what_the_dead_held_and_nothing_else",
        |eal, lcore| {
            let pool = stocked("p", &lcore);
            let ring = Ring::create("r", 1024).unwrap();
            let (done, ended) = std::sync::mpsc::channel();
            // The other lcore takes mbufs, leaves some in the ring, some in its hands, some in its cache, and "dies".
            eal.launch(1, move |other| {
                let mut cache = pool.cache(&other);
                for _ in 0..3 {
                    cache.balance();
                    let mut burst = Burst::new();
                    assert_eq!(cache.alloc(&mut burst, BURST), BURST);
                    if ring.used() < 100 {
                        ring.producer().send(&other, &cache, &mut burst, true);
                    }
                    std::mem::forget(burst);
                }
                done.send(()).unwrap();
            })
            .unwrap();
            ended.recv().unwrap();
            assert_eq!(ring.used(), 128);
            let found = recover(
                &pool,
                &[ring],
                1,
                Kept::Nowhere,
                &mut Orphans::default(),
                &lcore,
            );
            assert_eq!(found.left, 0);
            assert_eq!(pool.free() + ring.used(), MBUFS, "{found:?}");
            // What was in the ring is whole and can be received by somebody else.
            let mut cache = pool.cache(&lcore);
            let mut burst = Burst::new();
            while ring.consumer().receive(&lcore, cache.owner(), &mut burst) > 0 {
                cache.balance();
                burst.clear(&mut cache);
            }
            assert_eq!(
                recover(
                    &pool,
                    &[ring],
                    1,
                    Kept::Nowhere,
                    &mut Orphans::default(),
                    &lcore
                ),
                crate::Recovered::default()
            );
        },
    );
}

#[test]
fn a_chain_in_a_ring_that_is_half_tagged_stays_whole() {
    with_eal(
        "tests::a_chain_in_a_ring_that_is_half_tagged_stays_whole",
        |_, lcore| {
            let (pool, ring) = (stocked("p", &lcore), Ring::create("r", 64).unwrap());
            let mut cache = pool.cache(&lcore);
            let (dead, alive) = (Owner::lcore(1).tag(), Owner::lcore(2).tag());
            // Which of the five mbufs of a chain the dead one owned, whoever tags it when it dies: the producer
            // before, the consumer in any order.
            for ours in 0..32u32 {
                cache.balance();
                let mut burst = Burst::new();
                assert_eq!(cache.alloc(&mut burst, 1), 1);
                assert!(burst.write_frame(0, &[7; 9018], &mut cache, 2048));
                let head = Mbuf(burst.mbufs()[0]);
                assert_eq!(ring.producer().send(&lcore, &cache, &mut burst, true).0, 1);
                for (i, m) in head.segments().enumerate() {
                    let tag = if ours >> i & 1 == 1 { dead } else { alive };
                    m.tag().store(tag, Ordering::Relaxed);
                }
                let before = pool.free();
                assert_eq!(
                    recover(
                        &pool,
                        &[ring],
                        1,
                        Kept::Nowhere,
                        &mut Orphans::default(),
                        &lcore
                    ),
                    crate::Recovered::default(),
                    "tags {ours:05b}"
                );
                assert_eq!((pool.free(), audit(&pool, &[ring]).twice), (before, 0));
                assert_eq!(
                    ring.consumer().receive(&lcore, cache.owner(), &mut burst),
                    1
                );
                assert_eq!((burst.bytes(), burst.segments()), (9018, 5));
                burst.clear(&mut cache);
            }
        },
    );
}

#[test]
fn no_part_of_a_chain_that_a_foreign_process_has_is_recovered() {
    with_eal(
        "tests::no_part_of_a_chain_that_a_foreign_process_has_is_recovered",
        |_, lcore| {
            let (pool, ring) = (stocked("p", &lcore), Ring::create("r", 4).unwrap());
            let mut cache = pool.cache(&lcore);
            cache.balance();
            let mut burst = Burst::new();
            assert_eq!(cache.alloc(&mut burst, 4), 4);
            for i in 0..4 {
                assert!(burst.write_frame(i, &[7; 9018], &mut cache, 2048));
            }
            let chains = burst.mbufs().to_vec();
            let (sent, _) = ring.producer().send(&lcore, &cache, &mut burst, false);
            assert_eq!(sent, 3);
            let tags = |m: &*mut dpdk_sys::rte_mbuf| -> Vec<u32> {
                let segments = Mbuf(*m).segments();
                segments.map(|s| s.tag().load(Ordering::Relaxed)).collect()
            };
            assert!(chains[..3].iter().all(|m| tags(m) == [0; 5]));
            // What did not fit is still ours.
            assert_eq!(tags(&chains[3]), [cache.owner().tag(); 5]);
        },
    );
}

#[test]
fn what_a_driver_may_hold_is_left_to_it_for_good() {
    with_eal(
        "tests::what_a_driver_may_hold_is_left_to_it_for_good",
        |eal, lcore| {
            let pool = stocked("p", &lcore);
            let (done, ended) = std::sync::mpsc::channel();
            eal.launch(1, move |other| {
                let mut cache = pool.cache(&other);
                cache.balance();
                done.send(()).unwrap();
            })
            .unwrap();
            ended.recv().unwrap();
            let first = recover(
                &pool,
                &[],
                1,
                Kept::Anywhere,
                &mut Orphans::default(),
                &lcore,
            );
            assert_eq!((first.mbufs, first.left), (0, MAGAZINE as u32));
            // The next worker with this id uses no device: what it left is recovered, the driver's is not.
            let next = recover(
                &pool,
                &[],
                1,
                Kept::Nowhere,
                &mut Orphans::default(),
                &lcore,
            );
            assert_eq!(next, crate::Recovered::default());
            assert_eq!(pool.free(), MBUFS - MAGAZINE as u32);
        },
    );
}

#[test]
fn an_audit_finds_what_is_missing_and_what_is_in_two_places() {
    with_eal(
        "tests::an_audit_finds_what_is_missing_and_what_is_in_two_places",
        |_, lcore| {
            let (pool, ring) = (stocked("p", &lcore), Ring::create("r", 64).unwrap());
            let other = Ring::create("s", 64).unwrap();
            assert_eq!(audit(&pool, &[ring, other]), crate::Audit::default());
            let mut cache = pool.cache(&lcore);
            cache.balance();
            let mut burst = Burst::new();
            assert_eq!(cache.alloc(&mut burst, 8), 8);
            let copies = burst.mbufs().to_vec();
            assert_eq!(ring.producer().send(&lcore, &cache, &mut burst, true).0, 8);
            let found = audit(&pool, &[ring, other]);
            let missing = MAGAZINE as u32 - 8;
            assert_eq!((found.missing, found.twice), (missing, 0));
            assert_eq!(found.owners[&Some(lcore.id())], missing);
            // The same three in another ring: what must never be.
            let mut again = Burst::new();
            again.room()[..3].copy_from_slice(&copies[..3]);
            again.received_own(3);
            assert_eq!(other.producer().send(&lcore, &cache, &mut again, true).0, 3);
            assert_eq!(audit(&pool, &[ring, other]).twice, 3);
        },
    );
}

#[test]
fn long_frames_become_chains_and_come_back_whole() {
    with_eal(
        "tests::long_frames_become_chains_and_come_back_whole",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = Burst::new();
            let frame: Vec<u8> = (0..9018u32).map(|i| i as u8).collect();
            for _ in 0..200 {
                assert!(cache.balance());
                assert_eq!(cache.alloc(&mut burst, 1), 1);
                assert!(burst.write_frame(0, &frame, &mut cache, 2048));
                assert_eq!((burst.bytes(), burst.segments()), (9018, 5));
                let mut out = vec![0; 10_000];
                assert_eq!(burst.copy_packet(0, &mut out), Some(9018));
                assert_eq!(&out[..9018], &frame[..]);
                burst.clear(&mut cache);
            }
            cache.balance();
            assert!(MBUFS - pool.free() <= HIGH);
        },
    );
}

shared_struct! {
    struct Two { a: AtomicU64, b: [AtomicU64; 4] }
}

#[test]
fn a_memzone_of_another_layout_is_refused() {
    with_eal(
        "tests::a_memzone_of_another_layout_is_refused",
        |_, _lcore| {
            let zone = Memzone::<Two>::create("z", 3).unwrap();
            zone.b[2].store(7, Ordering::Relaxed);
            assert_eq!(
                Memzone::<Two>::lookup("z", 3).unwrap().b[2].load(Ordering::Relaxed),
                7
            );
            let wrong = Memzone::<Two>::lookup("z", 4).err().unwrap().to_string();
            assert!(wrong.contains("layout 3"), "{wrong}");
            assert!(Memzone::<Two>::lookup("y", 3).is_err());
            assert_eq!(zone.a.load(Ordering::Relaxed), 0);
        },
    );
}

#[test]
fn a_worker_that_ends_gives_everything_back() {
    with_eal(
        "tests::a_worker_that_ends_gives_everything_back",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            for n in [1, 100, 255, 256, 257] {
                let mut cache = pool.cache(&lcore);
                let mut held = Burst::new();
                cache.balance();
                cache.alloc(&mut held, n.min(BURST));
                drop(held);
                cache.flush();
                assert_eq!(pool.free(), MBUFS);
                assert_eq!(
                    recover(
                        &pool,
                        &[],
                        lcore.id(),
                        Kept::Nowhere,
                        &mut Orphans::default(),
                        &lcore
                    )
                    .mbufs,
                    0
                );
                pool.stock(&lcore);
                assert_eq!(pool.free(), MBUFS);
            }
        },
    );
}

/// A pool of foreign processes, and `n` of its mbufs in a ring as one of those has sent them.
fn sent_by_a_foreign_process(n: usize) -> (Pool, Ring) {
    let foreign = Pool::create_foreign("foreign", 1024, 2176).unwrap();
    let ring = Ring::create("r", 128).unwrap();
    let mut mbufs: Vec<*mut dpdk_sys::rte_mbuf> = vec![std::ptr::null_mut(); n];
    // SAFETY: room for n pointers, which the ring has, too; they become empty packets in between.
    unsafe {
        let taken =
            dpdk_sys::spp_mempool_try_take(foreign.raw, mbufs.as_mut_ptr().cast(), n as u32);
        assert_eq!(taken, 0);
        for m in &mbufs {
            dpdk_sys::spp_mbuf_renew(*m);
        }
        let raw = dpdk_sys::rte_ring_lookup(c"r".as_ptr());
        let sent = dpdk_sys::spp_ring_enqueue(raw, mbufs.as_mut_ptr(), n as u32);
        assert_eq!(sent, n as u32);
    }
    (foreign, ring)
}

#[test]
fn what_is_freed_of_a_foreign_pool_passes_through_its_depot() {
    with_eal(
        "tests::what_is_freed_of_a_foreign_pool_passes_through_its_depot",
        |_, lcore| {
            let (foreign, ring) = sent_by_a_foreign_process(100);
            let mut cache = stocked("p", &lcore).cache(&lcore).serving(&foreign);
            let (consumer, mut burst) = (ring.consumer(), Burst::new());
            assert_eq!(foreign.free_foreign(), 924);
            for freed in [64, 100] {
                consumer.receive(&lcore, cache.owner(), &mut burst);
                drop(std::mem::take(&mut burst));
                assert_ne!(foreign.free(), freed, "still in the lcore's cache");
                cache.balance();
                assert_eq!(foreign.free(), freed, "in the depot, in one magazine");
            }
            assert_eq!(foreign.give_back(&lcore), 100);
            assert_eq!((foreign.free(), foreign.free_foreign()), (0, 1024));
            // Nobody of ours owns what is theirs again.
            let found = recover(
                &foreign,
                &[ring],
                lcore.id(),
                Kept::Nowhere,
                &mut Orphans::default(),
                &lcore,
            );
            assert_eq!(found, crate::Recovered::default());
            assert_eq!(foreign.give_back(&lcore), 0);
        },
    );
}

#[test]
fn a_magazine_that_a_dead_worker_was_adding_to_keeps_what_it_held() {
    with_eal(
        "tests::a_magazine_that_a_dead_worker_was_adding_to_keeps_what_it_held",
        |_, lcore| {
            let (foreign, ring) = sent_by_a_foreign_process(100);
            let mut cache = stocked("p", &lcore).cache(&lcore).serving(&foreign);
            let (consumer, mut burst) = (ring.consumer(), Burst::new());
            consumer.receive(&lcore, cache.owner(), &mut burst);
            burst.clear(&mut cache);
            cache.balance();
            // One that dies with 36 freed and the magazine claimed.
            assert_eq!(
                consumer.receive(&lcore, Owner::lcore(5), &mut burst),
                36,
                "the rest"
            );
            assert_eq!(foreign.depot.claim_room(5), Some((0, 64)));
            assert_eq!(foreign.give_back(&lcore), 0, "nobody waits for it");
            // The first one's end does not take what lies in the magazine meanwhile.
            let found = recover(
                &foreign,
                &[ring],
                lcore.id(),
                Kept::Nowhere,
                &mut Orphans::default(),
                &lcore,
            );
            assert_eq!(found.mbufs, 0);
            let found = recover(
                &foreign,
                &[ring],
                5,
                Kept::Nowhere,
                &mut Orphans::default(),
                &lcore,
            );
            assert_eq!((found.mbufs, found.left), (36, 0));
            std::mem::forget(burst);
            assert_eq!(foreign.free(), 100);
            assert_eq!(foreign.give_back(&lcore), 100);
            assert_eq!(foreign.free_foreign(), 1024);
        },
    );
}
