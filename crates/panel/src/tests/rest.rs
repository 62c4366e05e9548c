//! A resting worker is woken by who feeds its ring.

use std::sync::atomic::Ordering::SeqCst;

use super::*;

#[test]
fn a_producer_wakes_a_resting_consumer() {
    with_eal(
        "tests::rest::a_producer_wakes_a_resting_consumer",
        |eal, lcore| {
            const ROUNDS: usize = 100;
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Adaptive)]);
            // Only a producer that has claimed its end rings.
            let us = bench.cx.lcore.id();
            Area::claim(bench.area.ring_ends(0).unwrap(), Direction::Tx, us).unwrap();
            board.patch(ring(0), ring(1), None, None).unwrap();
            let mut soon = 0;
            for round in 0..ROUNDS {
                let asleep = &bench.area.layout().sleep[1].asleep;
                wait("the worker to rest", || asleep.load(SeqCst) == 1);
                let fed = Instant::now();
                bench.feed(0, 3);
                wait("what woke it to have been moved", || {
                    bench.rings[1].used() == 3
                });
                // Without a bell it would have slept on for most of its longest rest, 200 ms.
                soon += usize::from(fed.elapsed() < Duration::from_millis(100));
                assert_eq!(bench.empty(1), 3, "round {round}");
            }
            assert!(soon > ROUNDS / 2, "{soon} of {ROUNDS} times it was woken");
            board.end();
        },
    );
}

#[test]
fn a_busy_worker_does_not_rest() {
    with_eal("tests::rest::a_busy_worker_does_not_rest", |eal, lcore| {
        let bench = Bench::new(eal, lcore);
        let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
        board.patch(ring(0), ring(1), None, None).unwrap();
        let block = &bench.area.layout().workers[1];
        wait("many rounds", || block.rounds.load(SeqCst) > 100_000);
        assert_eq!(block.rests.load(SeqCst), 0);
        board.end();
    });
}
