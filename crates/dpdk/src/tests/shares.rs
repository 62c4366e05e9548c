//! Packets that share their data.

use testbed::Random;

use crate::testing::with_eal;
use crate::tests::copies::{assert_sums, content, packets, pattern};
use crate::tests::storm::{assert_intact, frame};
use crate::tests::{MBUFS, sent_by_a_foreign_process, stocked};
use crate::{Audit, BURST, Burst, Kept, Lcore, Orphans, Pool, PoolCache, Ring, SHARE_FROM, audit};
use crate::{recover, sweep};

/// The cache is given back, and every mbuf is there.
fn assert_whole(pool: &Pool, mut cache: PoolCache, lcore: &Lcore) {
    cache.flush();
    pool.stock(lcore);
    assert_eq!(audit(pool, &[]), Audit::default());
    pool.depot.for_each(|m| {
        assert!(!m.is_clone() && m.carrier() == m && m.references() == 1);
    });
    // SAFETY: a valid pool; reads a count.
    assert_eq!(unsafe { dpdk_sys::spp_mempool_backlog(pool.raw) }, 0);
}

fn assert_contents(burst: &Burst, lens: &[usize]) {
    assert_eq!(burst.len(), lens.len());
    for (i, len) in lens.iter().enumerate() {
        assert!(content(burst, i) == pattern(i as u32, *len), "{len}");
    }
    assert_sums(burst);
}

const LENGTHS: [usize; 8] = [60, 255, 256, 1518, 2048, 2049, 9018, 65_535];

#[test]
fn all_who_share_packets_see_the_same_until_the_last_has_freed_them() {
    with_eal(
        "tests::shares::all_who_share_packets_see_the_same_until_the_last_has_freed_them",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            // In every order of freeing.
            for order in [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ] {
                let mut all = vec![packets(&LENGTHS, &mut cache)];
                let mut outs = [Burst::new(), Burst::new()];
                all[0].share_from(256, u64::MAX, &mut outs, None, &mut cache);
                all.extend(outs);
                let mut all: Vec<Option<Burst>> = all.into_iter().map(Some).collect();
                for freed in order {
                    for burst in all.iter().flatten() {
                        assert!(burst.is_shared());
                        assert_contents(burst, &LENGTHS);
                    }
                    // Through the front, the end, and as a whole.
                    let mut burst = all[freed].take().unwrap();
                    assert_eq!(burst.clear_front(1, &mut cache), 60);
                    burst.drop_last();
                    match freed {
                        0 => burst.clear(&mut cache),
                        _ => drop(burst),
                    }
                    cache.balance();
                }
            }
            assert_whole(&pool, cache, &lcore);
        },
    );
}

#[test]
fn short_packets_foreign_ones_and_those_that_are_shared_or_cut_are_copied() {
    with_eal(
        "tests::shares::short_packets_foreign_ones_and_those_that_are_shared_or_cut_are_copied",
        |_, lcore| {
            let (foreign, ring) = sent_by_a_foreign_process(1);
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore).serving(&foreign);
            let clones = |burst: &Burst| -> Vec<bool> {
                let mbufs = (0..burst.len()).filter_map(|i| burst.mbuf(i));
                mbufs.map(|m| m.is_clone()).collect()
            };
            let lens = [SHARE_FROM as usize - 1, SHARE_FROM as usize, 3000];
            let mut burst = packets(&lens, &mut cache);
            let mut outs = [Burst::new()];
            burst.share_into(u64::MAX, &mut outs, Some(2000), &mut cache);
            assert_eq!(clones(&burst), [false, true, false]);
            assert_eq!(clones(&outs[0]), [false, true, false]);
            assert_eq!(content(&outs[0], 2), pattern(2, 3000)[..2000]);
            assert_eq!(content(&burst, 2), pattern(2, 3000));
            // Again: what is shared is copied now, the rest may be shared.
            let mut again = [Burst::new()];
            burst.share_into(u64::MAX, &mut again, None, &mut cache);
            assert_eq!(clones(&burst), [false, true, true]);
            assert_eq!(clones(&again[0]), [false, false, true]);
            assert_contents(&again[0], &lens);
            // Nobody writes into what others see.
            assert!(burst.packet_mut(1).is_none());
            assert!(burst.packet_mut(0).is_some());
            assert!(burst.write_packet(1, 60).is_none());
            assert!(burst.write_packet(0, 60).is_some());

            let mut theirs = Burst::new();
            ring.consumer().receive(&lcore, cache.owner(), &mut theirs);
            theirs.write_packet(0, 1000).unwrap().fill(9);
            let mut ours = [Burst::new()];
            theirs.share_into(u64::MAX, &mut ours, None, &mut cache);
            assert_eq!(
                (clones(&theirs), clones(&ours[0])),
                (vec![false], vec![false])
            );
            assert_eq!(content(&ours[0], 0), [9; 1000]);
            drop((burst, outs, again, theirs, ours));
            assert_whole(&pool, cache, &lcore);
            assert_eq!(foreign.give_back(&lcore), 1);
        },
    );
}

#[test]
fn sharing_fills_each_burst_as_far_as_it_has_room_and_stops_without_mbufs() {
    with_eal(
        "tests::shares::sharing_fills_each_burst_as_far_as_it_has_room_and_stops_without_mbufs",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = packets(&[700; 20], &mut cache);
            let mut outs = [packets(&[60; 55], &mut cache), Burst::new()];
            let which = !(1 << 3);
            burst.share_from(256, which, &mut outs, None, &mut cache);
            assert_eq!((outs[0].len(), outs[1].len()), (BURST, 19));
            let picked: Vec<u32> = (0..20).filter(|i| *i != 3).collect();
            for (k, i) in picked.iter().enumerate() {
                assert_eq!(content(&outs[1], k), pattern(*i, 700));
                if k < 9 {
                    assert_eq!(content(&outs[0], 55 + k), pattern(*i, 700));
                }
            }
            assert_contents(&burst, &[700; 20]);
            drop(outs);
            let mut held: Vec<[Burst; 2]> = Vec::new();
            loop {
                let mut more = packets(&[700; 20], &mut cache);
                let mut outs = [Burst::new(), Burst::new()];
                more.share_from(256, u64::MAX, &mut outs, None, &mut cache);
                assert_contents(&more, &[700; 20]);
                assert_contents(&outs[0], &[700; 20][..outs[0].len()]);
                let n = outs[1].len();
                held.push(outs);
                // Without mbufs for it, our own packets are what they were.
                if n < 20 {
                    break;
                }
                held.push([more, Burst::new()]);
            }
            assert!(cache.balance(), "some are left for receiving");
            drop(burst);
            for [a, b] in &mut held {
                a.clear(&mut cache);
                b.clear(&mut cache);
            }
            assert_whole(&pool, cache, &lcore);
        },
    );
}

#[test]
fn what_goes_to_a_foreign_process_is_its_own() {
    with_eal(
        "tests::shares::what_goes_to_a_foreign_process_is_its_own",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let ring = Ring::create("r", 64).unwrap();
            let mut cache = pool.cache(&lcore);
            let mut burst = packets(&LENGTHS, &mut cache);
            let mut outs = [Burst::new()];
            burst.share_from(256, u64::MAX, &mut outs, None, &mut cache);
            let [mut other] = outs;
            let count = |ring: &Ring| {
                let mut clones = 0;
                ring.for_each(|m| clones += m.segments().filter(|m| m.is_clone()).count());
                clones
            };
            // The first ones are copied; of the others we have the last.
            let (n, bytes) = ring.producer().send(&lcore, &cache, &mut burst, false);
            assert_eq!((n, bytes), (8, LENGTHS.iter().sum::<usize>() as u64));
            assert_eq!(count(&ring), 0);
            cache.balance();
            let (n, _) = ring.producer().send(&lcore, &cache, &mut other, false);
            assert_eq!((n, count(&ring)), (8, 0));
            let mut all = Burst::new();
            ring.consumer().receive(&lcore, cache.owner(), &mut all);
            assert!(!all.is_shared());
            let to = [[0; 8], [1; 8]].concat();
            let mut halves = [Burst::new(), Burst::new()];
            all.deal(&to, &mut halves);
            for half in &mut halves {
                assert_contents(half, &LENGTHS);
                half.clear(&mut cache);
                cache.balance();
            }
            assert_whole(&pool, cache, &lcore);
        },
    );
}

#[test]
fn without_mbufs_to_copy_to_shared_packets_stay_and_are_refused() {
    with_eal(
        "tests::shares::without_mbufs_to_copy_to_shared_packets_stay_and_are_refused",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let ring = Ring::create("r", 64).unwrap();
            let mut cache = pool.cache(&lcore);
            let mut burst = packets(&[300; 10], &mut cache);
            let mut outs = [Burst::new()];
            burst.share_from(256, u64::MAX, &mut outs, None, &mut cache);
            let mut held: Vec<Burst> = Vec::new();
            loop {
                cache.balance();
                let mut all = Burst::new();
                if cache.alloc(&mut all, BURST) == 0 && cache.alloc(&mut all, 1) == 0 {
                    break;
                }
                held.push(all);
            }
            // One mbuf for the first; with its old one another, and so on: half of them are freed by each.
            let (n, _) = ring.producer().send(&lcore, &cache, &mut burst, false);
            assert!((n, burst.len(), burst.is_starved()) == (0, 10, true));
            assert_contents(&burst, &[300; 10]);
            held[0].clear_front(4, &mut cache);
            let (n, _) = ring.producer().send(&lcore, &cache, &mut burst, false);
            assert_eq!(
                (n, burst.is_starved()),
                (10, false),
                "each copy frees a clone"
            );
            assert!(ring.used() == 10 && !burst.is_shared());
            held.iter_mut().for_each(|burst| burst.clear(&mut cache));
            let mut back = Burst::new();
            ring.consumer().receive(&lcore, cache.owner(), &mut back);
            assert_contents(&back, &[300; 10]);
            drop((back, outs));
            assert_whole(&pool, cache, &lcore);
        },
    );
}

#[test]
fn a_dead_worker_s_carriers_come_back_when_the_others_have_freed_their_clones() {
    with_eal(
        "tests::shares::a_dead_worker_s_carriers_come_back_when_the_others_have_freed_their_clones",
        |eal, lcore| {
            let pool = stocked("p", &lcore);
            let ring = Ring::create("r", 64).unwrap();
            let (done, ended) = std::sync::mpsc::channel();
            eal.launch(1, move |other| {
                let mut cache = pool.cache(&other);
                let mut burst = packets(&LENGTHS, &mut cache);
                let mut outs = [Burst::new()];
                burst.share_from(256, u64::MAX, &mut outs, None, &mut cache);
                ring.producer().send(&other, &cache, &mut outs[0], true);
                std::mem::forget(burst);
                done.send(()).unwrap();
            })
            .unwrap();
            ended.recv().unwrap();
            let mut orphans = Orphans::default();
            recover(&pool, &[ring], 1, Kept::Nowhere, &mut orphans, &lcore);
            assert_eq!(audit(&pool, &[ring]), Audit::default());
            assert!(!orphans.is_empty());
            assert_eq!(orphans.sweep(&pool, &lcore), 0, "they are in use");
            let mut cache = pool.cache(&lcore);
            let mut burst = Burst::new();
            ring.consumer().receive(&lcore, cache.owner(), &mut burst);
            assert!(burst.is_shared());
            assert_contents(&burst, &LENGTHS);
            burst.clear(&mut cache);
            cache.flush();
            pool.stock(&lcore);
            // One for each segment that was shared.
            let carriers = 1 + 1 + 1 + 2 + 5 + 32;
            assert_eq!(pool.free(), MBUFS - carriers);
            let swept: u32 = (0..100).map(|_| orphans.sweep(&pool, &lcore)).sum();
            assert_eq!((swept, orphans.is_empty()), (carriers, true));
            assert_eq!(sweep(&pool, &lcore), 0);
            assert_whole(&pool, cache, &lcore);
        },
    );
}

/// What each burst holds, by the model.
fn assert_like(bursts: &[Burst], model: &[Vec<Vec<u8>>]) {
    for (burst, frames) in bursts.iter().zip(model) {
        assert_eq!(burst.len(), frames.len());
        for (i, frame) in frames.iter().enumerate() {
            assert!(content(burst, i) == *frame);
        }
        assert_sums(burst);
    }
}

#[test]
fn any_sequence_of_dealing_copying_sharing_and_freeing_is_like_its_model() {
    with_eal(
        "tests::shares::any_sequence_of_dealing_copying_sharing_and_freeing_is_like_its_model",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let ring = Ring::create("r", 128).unwrap();
            let mut cache = pool.cache(&lcore);
            let mut random = Random(11);
            const N: usize = 5;
            let mut bursts: Vec<Burst> = (0..N).map(|_| Burst::new()).collect();
            let mut model: Vec<Vec<Vec<u8>>> = vec![Vec::new(); N];
            for _ in 0..4000 {
                assert!(cache.balance());
                let at = random.below(N);
                let mut burst = std::mem::take(&mut bursts[at]);
                let mut frames = std::mem::take(&mut model[at]);
                let which = u64::from_le_bytes(random.bytes(8).try_into().unwrap());
                let picked = |frames: &[Vec<u8>]| -> Vec<Vec<u8>> {
                    let picked = frames
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| which >> i & 1 == 1);
                    picked.map(|(_, frame)| frame.clone()).collect()
                };
                match random.below(9) {
                    0 | 1 => {
                        for _ in 0..random.below(10) {
                            let i = burst.len();
                            if i < BURST && cache.alloc(&mut burst, 1) == 1 {
                                let frame = frame(&mut random);
                                assert!(burst.write_frame(i, &frame, &mut cache, 2048));
                                frames.push(frame);
                            }
                        }
                    }
                    2 => {
                        let to: Vec<u8> = (0..burst.len())
                            .map(|_| random.below(N + 1) as u8)
                            .collect();
                        burst.deal(&to, &mut bursts);
                        let mut kept = Vec::new();
                        for (frame, to) in frames.drain(..).zip(to) {
                            match model.get_mut(usize::from(to)) {
                                Some(out) if out.len() < BURST => out.push(frame),
                                _ => kept.push(frame),
                            }
                        }
                        frames = kept;
                    }
                    3 => {
                        let other = random.below(N);
                        let n = frames.len().min(BURST - model[other].len());
                        model[other].extend(frames.drain(..n));
                        bursts[other].append(&mut burst);
                    }
                    4 => {
                        let other = random.below(N);
                        let mut copies = picked(&frames);
                        copies.truncate(BURST - model[other].len());
                        let n = burst.copy_into(which, &mut bursts[other], None, &mut cache);
                        assert_eq!(n, copies.len());
                        model[other].extend(copies);
                    }
                    5 | 6 => {
                        let (from, to) = (random.below(N), random.below(N));
                        let outs = from.min(to)..from.max(to);
                        burst.share_from(256, which, &mut bursts[outs.clone()], None, &mut cache);
                        for out in &mut model[outs] {
                            let mut copies = picked(&frames);
                            copies.truncate(BURST - out.len());
                            out.extend(copies);
                        }
                    }
                    7 => {
                        let n = random.below(BURST);
                        burst.clear_front(n, &mut cache);
                        frames.drain(..n.min(frames.len()));
                    }
                    _ => {
                        // Through a ring, to one of ours or to somebody else.
                        let ours = random.below(2) == 0;
                        ring.producer().send(&lcore, &cache, &mut burst, ours);
                        cache.balance();
                        assert!(burst.is_empty());
                        ring.consumer().receive(&lcore, cache.owner(), &mut burst);
                        assert!(ours || !burst.is_shared());
                    }
                }
                bursts[at].append(&mut burst);
                model[at].append(&mut frames);
                model[at].truncate(BURST);
                burst.clear(&mut cache);
                assert_like(&bursts[at..=at], &model[at..=at]);
            }
            assert_like(&bursts, &model);
            bursts.iter().for_each(assert_intact);
            bursts.iter_mut().for_each(|burst| burst.clear(&mut cache));
            assert_eq!(sweep(&pool, &lcore), 0);
            assert_whole(&pool, cache, &lcore);
        },
    );
}
