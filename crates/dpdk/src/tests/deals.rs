//! Packets dealt from one burst to others.

use crate::testing::with_eal;
use crate::tests::stocked;
use crate::{BURST, Burst, KEEP, PoolCache};

/// A burst of packets with these numbers as their first byte, every third one a chain.
fn numbered(numbers: std::ops::Range<u8>, cache: &mut PoolCache) -> Burst {
    let mut burst = Burst::new();
    for (i, number) in numbers.enumerate() {
        assert!(cache.balance());
        assert_eq!(cache.alloc(&mut burst, 1), 1);
        let len = if number % 3 == 0 { 3000 } else { 60 };
        assert!(burst.write_frame(i, &vec![number; len], cache, 2048));
    }
    burst
}

/// The numbers of a burst, whose bytes and segments must be right.
fn numbers(burst: &Burst) -> Vec<u8> {
    let numbers: Vec<u8> = (0..burst.len())
        .map(|i| burst.packet(i).unwrap()[0])
        .collect();
    let (mut bytes, mut segs) = (0, 0);
    for number in &numbers {
        (bytes, segs) = if number % 3 == 0 {
            (bytes + 3000, segs + 2)
        } else {
            (bytes + 60, segs + 1)
        };
    }
    assert_eq!((burst.bytes(), burst.segments()), (bytes, segs));
    numbers
}

#[test]
fn packets_are_dealt_in_order_and_the_rest_stays() {
    with_eal(
        "tests::deals::packets_are_dealt_in_order_and_the_rest_stays",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = numbered(0..10, &mut cache);
            let mut outs = [Burst::new(), Burst::new(), Burst::new()];
            // 7 is no burst, and the last packet has no number at all.
            burst.deal(&[0, 2, KEEP, 0, 2, 2, 7, 0, KEEP], &mut outs);
            assert_eq!(numbers(&outs[0]), [0, 3, 7]);
            assert!(numbers(&outs[1]).is_empty());
            assert_eq!(numbers(&outs[2]), [1, 4, 5]);
            assert_eq!(numbers(&burst), [2, 6, 8, 9]);
            // A second one behind the first.
            let mut more = numbered(10..14, &mut cache);
            more.deal(&[0; 4], &mut outs);
            assert_eq!(numbers(&outs[0]), [0, 3, 7, 10, 11, 12, 13]);
            assert!(more.is_empty());
            assert!(numbers(&more).is_empty());
            for out in &mut outs {
                out.clear(&mut cache);
            }
            burst.clear(&mut cache);
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(pool.free(), pool.size());
        },
    );
}

#[test]
fn a_burst_takes_no_more_than_it_has_room_for() {
    with_eal(
        "tests::deals::a_burst_takes_no_more_than_it_has_room_for",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut outs = [numbered(0..60, &mut cache), Burst::new()];
            let mut burst = numbered(100..110, &mut cache);
            burst.deal(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0], &mut outs);
            let filled: Vec<u8> = (0..60).chain([100, 101, 102, 104]).collect();
            assert_eq!(numbers(&outs[0]), filled);
            assert_eq!(numbers(&outs[1]), [103, 107]);
            assert_eq!(numbers(&burst), [105, 106, 108, 109]);

            let [mut full, mut few] = outs;
            few.append(&mut burst);
            assert_eq!(numbers(&few), [103, 107, 105, 106, 108, 109]);
            assert!(burst.is_empty());
            few.append(&mut full);
            assert_eq!(few.len(), BURST);
            assert_eq!(numbers(&few)[6..], filled[..58]);
            assert_eq!(numbers(&full), filled[58..]);
            few.append(&mut full);
            assert_eq!(numbers(&full), filled[58..]);
            few.prefetch_heads();
        },
    );
}
