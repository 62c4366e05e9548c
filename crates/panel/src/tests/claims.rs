//! Patches take effect, claim their ends and give them up, and what is refused changes nothing.

use super::*;
use crate::BoardError;

#[test]
fn a_patch_moves_packets_until_it_is_replaced_or_taken_out() {
    with_eal(
        "tests::claims::a_patch_moves_packets_until_it_is_replaced_or_taken_out",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Adaptive)]);
            board.patch(ring(0), ring(1), None, None).unwrap();
            bench.feed(0, 100);
            wait("packets in ring:1", || bench.rings[1].used() == 100);
            board.patch(ring(0), ring(2), None, None).unwrap();
            assert_eq!(bench.holders(1), (None, None));
            assert_eq!(bench.holders(2), (None, Some(1)));
            bench.feed(0, 50);
            wait("packets in ring:2", || bench.rings[2].used() == 50);
            assert_eq!(bench.rings[1].used(), 100);
            board.unpatch(ring(0)).unwrap();
            assert_eq!(bench.holders(0), (None, None));
            bench.feed(0, 7);
            // A source patched onto itself loops.
            board.patch(ring(3), ring(3), None, None).unwrap();
            assert_eq!(bench.holders(3), (Some(1), Some(1)));
            // Stopped, patches stay and packets wait; the worker has left its burst when this returns.
            board.set_forwarding(false).unwrap();
            board.patch(ring(0), ring(4), None, None).unwrap();
            assert_eq!(bench.rings[0].used(), 7);
            board.set_forwarding(true).unwrap();
            wait("packets in ring:4", || bench.rings[4].used() == 7);
            board.reset().unwrap();
            assert!((0..RINGS).all(|n| bench.holders(n) == (None, None)));
            assert!(board.patches().is_empty());
            assert_eq!(board.unpatch(ring(0)), Err(BoardError::NotPatched(ring(0))));
            board.end();
            assert_eq!([1, 2, 4].map(|n| bench.empty(n)), [100, 50, 7]);
        },
    );
}

#[test]
fn what_others_claim_is_refused_with_their_name_and_changes_nothing() {
    with_eal(
        "tests::claims::what_others_claim_is_refused_with_their_name_and_changes_nothing",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let (hand, told) = bench.listener(2, 0);
            let mut board = bench.board(vec![hand]);
            let other = 77;
            Area::claim(bench.area.ring_ends(1).unwrap(), Direction::Tx, other).unwrap();
            Area::claim(bench.area.ring_ends(5).unwrap(), Direction::Rx, other).unwrap();
            board.patch(ring(0), ring(2), None, None).unwrap();
            // The source was ours to claim, the destination was not; and the other way round.
            for (src, dst, port, direction) in [
                (ring(0), ring(1), ring(1), Direction::Tx),
                (ring(3), ring(1), ring(1), Direction::Tx),
                (ring(5), ring(4), ring(5), Direction::Rx),
            ] {
                let refused = board.patch(src, dst, None, None).unwrap_err();
                let holder = "lcore 77".to_string();
                assert_eq!(
                    refused,
                    BoardError::Claimed {
                        port,
                        direction,
                        holder
                    }
                );
                assert_eq!(bench.holders(0), (Some(2), None));
                assert_eq!(bench.holders(2), (None, Some(2)));
                for n in [3, 4] {
                    assert_eq!(bench.holders(n), (None, None), "ring:{n}");
                }
                wait("the table to be as before", || {
                    *told.lock().unwrap() == [(ring(0), ring(2))]
                });
            }
            assert_eq!(board.patches().len(), 1);
            // The counters of refused patches are given back: there is still room after many.
            for n in 0..3 * crate::area::SLOTS as u16 {
                let refused = board.patch(null(1 + n % NULLS), ring(1), None, None);
                assert!(matches!(refused, Err(BoardError::Claimed { .. })));
            }
            Area::release(bench.area.ring_ends(1).unwrap(), Direction::Tx, other);
            board.patch(ring(0), ring(1), None, None).unwrap();
            board.end();
        },
    );
}

#[test]
fn a_stuck_worker_makes_a_change_fail_with_everything_as_before() {
    with_eal(
        "tests::claims::a_stuck_worker_makes_a_change_fail_with_everything_as_before",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let (listening, told) = bench.listener(2, 0);
            // Nobody ever looks at this hand's tables.
            let (tables, _subscriber) = published(Table::default());
            let stuck = Hand {
                lcore: 3,
                cpu: 9,
                tables,
            };
            let mut board = bench.board(vec![listening, stuck]);
            board.patch(ring(0), ring(1), Some(0), None).unwrap();
            // A new patch on it, and one that would have to move there.
            for (src, dst) in [(ring(2), ring(3)), (ring(0), ring(1))] {
                let refused = board.patch(src, dst, Some(9), None);
                assert_eq!(refused, Err(BoardError::Stuck { cpu: 9 }));
                assert_eq!(bench.holders(0), (Some(2), None));
                assert_eq!(bench.holders(1), (None, Some(2)));
                assert_eq!(bench.holders(2), (None, None));
                assert_eq!(bench.holders(3), (None, None));
                wait("the other's table to be as before", || {
                    *told.lock().unwrap() == [(ring(0), ring(1))]
                });
                assert_eq!(board.patches().len(), 1);
            }
            // The other hand's patches can still be changed.
            board.patch(ring(0), ring(4), Some(0), None).unwrap();
            board.unpatch(ring(0)).unwrap();
            board.end();
        },
    );
}
