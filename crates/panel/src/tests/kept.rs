//! What is known of mbufs that drivers keep of a dead worker's.

use std::sync::atomic::Ordering::Relaxed;

use dpdk::Kept;

use super::*;

const DEAD: u32 = 70;
const OTHER: u32 = 71;

/// In a panel in which [`DEAD`] has received from devices 0 and 3, after `change`.
fn kept(name: &str, change: impl FnOnce(&Area), expected: Kept) {
    with_eal(name, |eal, lcore| {
        let bench = Bench::new(eal, lcore);
        let area = bench.area;
        let block = &area.layout().workers[DEAD as usize];
        block.received_from.store(1 | 1 << 3, Relaxed);
        change(&area);
        assert_eq!(area.kept_of(DEAD), expected);
        // Nobody else takes the queues over before what it had is found.
        let claim = |device, queue| {
            let ends = area.queue_ends(device, queue).unwrap();
            Area::claim(ends, Direction::Rx, OTHER).is_ok()
        };
        if expected == Kept::InQueues {
            assert!(!claim(0, 0) && !claim(3, 15));
        }
        assert!(claim(1, 0), "another device is not concerned");
        area.bury(DEAD);
        area.release_all(DEAD);
        assert_eq!(area.kept_of(DEAD), Kept::Nowhere);
        if expected == Kept::InQueues {
            assert!(claim(0, 0) && claim(3, 15));
        }
    });
}

#[test]
fn what_only_the_dead_one_used_can_be_looked_through() {
    kept(
        "tests::kept::what_only_the_dead_one_used_can_be_looked_through",
        |area| {
            let ends = area.queue_ends(3, 0).unwrap();
            Area::claim(ends, Direction::Rx, DEAD).unwrap();
        },
        Kept::InQueues,
    );
}

#[test]
fn what_another_one_used_too_may_be_anywhere() {
    kept(
        "tests::kept::what_another_one_used_too_may_be_anywhere",
        |area| {
            let other = &area.layout().workers[OTHER as usize];
            other.received_from.store(1 << 3, Relaxed);
        },
        Kept::Anywhere,
    );
}

#[test]
fn what_another_one_is_about_to_use_may_be_anywhere() {
    kept(
        "tests::kept::what_another_one_is_about_to_use_may_be_anywhere",
        |area| {
            let ends = area.queue_ends(0, 2).unwrap();
            Area::claim(ends, Direction::Rx, OTHER).unwrap();
        },
        Kept::Anywhere,
    );
}

#[test]
fn what_any_other_driver_keeps_may_be_anywhere() {
    kept(
        "tests::kept::what_any_other_driver_keeps_may_be_anywhere",
        |area| {
            let block = &area.layout().workers[DEAD as usize];
            block.driver_held.store(1, Relaxed);
        },
        Kept::Anywhere,
    );
}
