//! Copies of packets.

use crate::testing::with_eal;
use crate::tests::{MBUFS, sent_by_a_foreign_process, stocked};
use crate::{BURST, Burst, PoolCache, audit};

/// Bytes that tell where they belong.
pub fn pattern(seed: u32, len: usize) -> Vec<u8> {
    let word = |i: usize| (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed);
    (0..len).map(|i| (word(i / 3) >> 11) as u8).collect()
}

/// A burst of packets of these lengths, each with the pattern of its number.
pub fn packets(lens: &[usize], cache: &mut PoolCache) -> Burst {
    let mut burst = Burst::new();
    for (i, len) in lens.iter().enumerate() {
        assert!(cache.balance());
        assert_eq!(cache.alloc(&mut burst, 1), 1);
        assert!(burst.write_frame(i, &pattern(i as u32, *len), cache, 2048));
    }
    burst
}

/// All bytes of packet `i`.
pub fn content(burst: &Burst, i: usize) -> Vec<u8> {
    let mut bytes = vec![0; 70_000];
    let len = burst.copy_packet(i, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

/// Bytes and segments of a burst are what its packets have.
pub fn assert_sums(burst: &Burst) {
    let bytes: usize = (0..burst.len()).map(|i| content(burst, i).len()).sum();
    assert_eq!(burst.bytes(), bytes as u64);
    let segs = (0..burst.len()).map(|i| burst.mbuf(i).unwrap().segments().count());
    assert_eq!(burst.segments() as usize, segs.sum::<usize>());
}

const LENGTHS: [usize; 12] = [
    0, 1, 60, 64, 1518, 2047, 2048, 2049, 4096, 9018, 65_535, 100,
];

#[test]
fn copies_have_the_same_bytes_over_all_segments() {
    with_eal(
        "tests::copies::copies_have_the_same_bytes_over_all_segments",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = packets(&LENGTHS, &mut cache);
            for snap in [None, Some(0), Some(64), Some(2048), Some(2049), Some(5000)] {
                let mut out = Burst::new();
                let n = burst.copy_into(u64::MAX, &mut out, snap, &mut cache);
                assert_eq!((n, out.len()), (LENGTHS.len(), LENGTHS.len()));
                for (i, len) in LENGTHS.iter().enumerate() {
                    let cut = (*len).min(snap.map_or(usize::MAX, |snap| snap as usize));
                    assert!(
                        content(&out, i) == pattern(i as u32, *len)[..cut],
                        "{len} cut to {snap:?}"
                    );
                }
                assert_sums(&out);
                // Changing one does not change the other.
                out.write_packet(2, 30).unwrap().fill(0xee);
                assert_eq!(content(&burst, 2), pattern(2, 60));
                out.clear(&mut cache);
                cache.balance();
            }
            burst.clear(&mut cache);
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}

#[test]
fn a_packet_is_changed_where_it_lies() {
    with_eal(
        "tests::copies::a_packet_is_changed_where_it_lies",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = packets(&[60, 3000, 0], &mut cache);
            let whole = burst.bytes();
            for (i, (len, first)) in [(60, 60), (3000, 2048), (0, 0)].into_iter().enumerate() {
                let bytes = burst.packet_mut(i).unwrap();
                assert_eq!(bytes.len(), first);
                let mut expected = pattern(i as u32, len);
                assert_eq!(bytes, &expected[..first]);
                if let Some(last) = bytes.last_mut() {
                    *last ^= 0xff;
                    expected[first - 1] ^= 0xff;
                }
                assert_eq!(content(&burst, i), expected);
            }
            assert!(burst.packet_mut(3).is_none());
            assert_sums(&burst);
            assert_eq!(burst.bytes(), whole);
        },
    );
}

#[test]
fn those_that_are_picked_are_copied_behind_what_is_there() {
    with_eal(
        "tests::copies::those_that_are_picked_are_copied_behind_what_is_there",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let burst = packets(&[60; 20], &mut cache);
            let mut out = Burst::new();
            assert_eq!(burst.copy_into(1 << 19, &mut out, None, &mut cache), 1);
            // Bits beyond the end stand for nothing.
            let which = 1 << 2 | 1 << 7 | 1 << 20 | 1 << 63;
            assert_eq!(burst.copy_into(which, &mut out, None, &mut cache), 2);
            let got: Vec<_> = (0..3).map(|i| content(&out, i)).collect();
            assert_eq!(got, [19, 2, 7].map(|n| pattern(n, 60)));
            assert_eq!(burst.copy_into(0, &mut out, None, &mut cache), 0);
            assert_eq!(
                Burst::new().copy_into(u64::MAX, &mut out, None, &mut cache),
                0
            );
            // As many as there is room for.
            let mut copied = 3;
            while out.len() < BURST {
                copied += burst.copy_into(u64::MAX, &mut out, None, &mut cache);
            }
            assert_eq!((copied, out.len()), (BURST, BURST));
            assert_eq!(content(&out, BURST - 1), pattern(0, 60));
        },
    );
}

#[test]
fn when_no_mbufs_are_left_the_first_ones_are_copied_and_some_kept_for_receiving() {
    with_eal(
        "tests::copies::when_no_mbufs_are_left_the_first_ones_are_copied_and_some_kept_for_receiving",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = packets(&[60; BURST], &mut cache);
            let long = packets(&[60_000, 60], &mut cache);
            let mut held: Vec<Burst> = Vec::new();
            loop {
                let mut out = Burst::new();
                let n = burst.copy_into(u64::MAX, &mut out, None, &mut cache);
                assert_eq!(n, out.len());
                (0..n).for_each(|i| assert_eq!(content(&out, i), pattern(i as u32, 60)));
                held.push(out);
                if n < BURST {
                    break;
                }
            }
            let copies: usize = held.iter().map(Burst::len).sum();
            // A worker goes on receiving.
            assert_eq!(copies, MBUFS as usize - BURST - 31 - BURST);
            assert!(cache.balance());
            // Of one that is too long for what is left nothing is begun: 20 more than those are 10 too few.
            if let Some(more) = held.first_mut() {
                more.clear_front(20, &mut cache);
            }
            let mut out = Burst::new();
            let n = long.copy_into(u64::MAX, &mut out, None, &mut cache);
            assert_eq!((n, out.len()), (0, 0));
            let n = long.copy_into(1 << 1, &mut out, None, &mut cache);
            assert_eq!((n, out.len()), (1, 1));
            held.push(out);
            for mut burst in held {
                burst.clear(&mut cache);
                cache.balance();
            }
            burst.clear(&mut cache);
            drop(long);
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}

#[test]
fn many_copies_stay_within_the_bounds_of_the_cache() {
    with_eal(
        "tests::copies::many_copies_stay_within_the_bounds_of_the_cache",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            for lens in [[60; 8], [65_535; 8], [9018; 8]] {
                let mut burst = packets(&lens, &mut cache);
                for _ in 0..20 {
                    cache.balance();
                    let mut out = Burst::new();
                    assert_eq!(burst.copy_into(u64::MAX, &mut out, None, &mut cache), 8);
                    out.clear(&mut cache);
                }
                burst.clear(&mut cache);
                cache.balance();
                // Nothing has gone to DPDK's own ring.
                // SAFETY: a valid pool; reads a count.
                assert_eq!(unsafe { dpdk_sys::spp_mempool_backlog(pool.raw) }, 0);
            }
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}

#[test]
fn packets_of_foreign_processes_are_copied_into_our_pool() {
    with_eal(
        "tests::copies::packets_of_foreign_processes_are_copied_into_our_pool",
        |_, lcore| {
            let (foreign, ring) = sent_by_a_foreign_process(10);
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore).serving(&foreign);
            let (mut burst, mut out) = (Burst::new(), Burst::new());
            let owner = cache.owner();
            assert_eq!(ring.consumer().receive(&lcore, owner, &mut burst), 10);
            for i in 0..10 {
                let bytes = burst.write_packet(i, 80).unwrap();
                bytes.copy_from_slice(&pattern(i as u32, 80));
            }
            assert_eq!(burst.copy_into(u64::MAX, &mut out, None, &mut cache), 10);
            burst.clear(&mut cache);
            cache.balance();
            assert_eq!(foreign.give_back(&lcore), 10);
            (0..10).for_each(|i| assert_eq!(content(&out, i), pattern(i as u32, 80)));
            out.clear(&mut cache);
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}
