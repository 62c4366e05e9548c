//! Components: what they carry, what they lack, what is refused.

use super::*;
use crate::area::DropReason;
use crate::{BoardError, Function, Totals};

fn attach(
    board: &mut Board,
    name: &str,
    port: PortCode,
    direction: Direction,
) -> Result<(), BoardError> {
    board.attach(name, port, direction, Vec::new())
}

#[test]
fn a_forwarder_moves_packets_once_both_sides_are_there() {
    with_eal(
        "tests::rack::a_forwarder_moves_packets_once_both_sides_are_there",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.start("fwd", Function::Forward, 1).unwrap();
            assert!(board.components()[0].lacks.is_some());
            attach(&mut board, "fwd", ring(0), Direction::Rx).unwrap();
            let lacks = board.components()[0].lacks;
            assert_eq!(lacks, Some("a port to send to"));
            bench.feed(0, 5);
            assert_eq!(bench.rings[0].used(), 5);
            attach(&mut board, "fwd", ring(1), Direction::Tx).unwrap();
            assert_eq!(board.components()[0].lacks, None);
            wait("packets in ring:1", || bench.rings[1].used() == 5);
            let view = &board.components()[0];
            assert_eq!(view.rx[0].totals.rx_packets, 5);
            assert_eq!(view.tx[0].totals.tx_packets, 5);
            assert_eq!(board.port_totals(ring(0)).rx_packets, 5);
            assert_eq!(board.port_totals(ring(1)).tx_packets, 5);

            board.detach("fwd", ring(0), Direction::Rx).unwrap();
            bench.feed(0, 2);
            assert_eq!(bench.rings[0].used(), 2);
            board.stop("fwd").unwrap();
            assert!(board.components().is_empty());
            // The ends are free again, also for a patch.
            board.patch(ring(0), ring(1), None, None).unwrap();
            wait("packets in ring:1", || bench.rings[1].used() == 7);
            assert_eq!(bench.empty(1), 7);
            board.end();
        },
    );
}

#[test]
fn many_inputs_of_a_merge_are_polled_alike_and_nothing_is_uncounted() {
    with_eal(
        "tests::rack::many_inputs_of_a_merge_are_polled_alike_and_nothing_is_uncounted",
        |eal, lcore| {
            const INPUTS: u16 = 8;
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.start("mgr", Function::Merge, 1).unwrap();
            for n in 1..=INPUTS {
                attach(&mut board, "mgr", null(n), Direction::Rx).unwrap();
            }
            attach(&mut board, "mgr", ring(0), Direction::Tx).unwrap();
            let sent = |board: &Board| board.port_totals(ring(0)).tx_packets;
            let full = |board: &Board| board.port_totals(ring(0)).drops[DropReason::Full as usize];
            wait("an overload", || {
                bench.empty(0);
                sent(&board) > 50_000 && full(&board) > 50_000
            });
            let view = &board.components()[0];
            let came: Vec<u64> = view.rx.iter().map(|s| s.totals.rx_packets).collect();
            assert_eq!(came.len(), usize::from(INPUTS));
            let (least, most) = (came.iter().min().unwrap(), came.iter().max().unwrap());
            assert!(most - least <= 2 * BURST as u64, "{came:?}");
            board.stop("mgr").unwrap();
            let all = (1..=INPUTS).fold(Totals::default(), |sum, n| {
                sum.plus(&board.port_totals(null(n)))
            });
            assert_eq!(all.rx_packets, sent(&board) + full(&board));
            bench.empty(0);
            board.end();
        },
    );
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    with_eal(
        "tests::rack::what_cannot_be_is_refused_and_changes_nothing",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.start("a", Function::Forward, 1).unwrap();
            attach(&mut board, "a", ring(0), Direction::Rx).unwrap();
            let refused = [
                board.start("a", Function::Merge, 1),
                board.start("b", Function::Merge, 7),
                board.stop("b"),
                attach(&mut board, "b", ring(1), Direction::Rx),
                attach(&mut board, "a", ring(0), Direction::Rx),
                attach(&mut board, "a", ring(1), Direction::Rx),
                attach(
                    &mut board,
                    "a",
                    PortCode::new(PortKind::Vhost, 1, 0),
                    Direction::Tx,
                ),
                board.detach("a", ring(1), Direction::Rx),
                board.detach("a", ring(0), Direction::Tx),
                board.patch(ring(0), ring(1), None, None),
            ];
            let words: Vec<String> = refused.map(|r| r.unwrap_err().to_string()).into();
            for (text, word) in words.iter().zip([
                "started already",
                "CPU 7",
                "component b does not exist",
                "component b does not exist",
                "component a",
                "1 is the most",
                "vhost:1 is not added",
                "ring:1 is not attached",
                "as a destination",
                "component a",
            ]) {
                assert!(text.contains(word), "{text:?} without {word:?}");
            }
            let held = Area::claim(bench.area.ring_ends(1).unwrap(), Direction::Tx, 0);
            held.unwrap();
            let claimed = attach(&mut board, "a", ring(1), Direction::Tx);
            assert!(matches!(claimed, Err(BoardError::Claimed { .. })));
            let view = &board.components()[0];
            assert_eq!((view.rx.len(), view.tx.len()), (1, 0));
            board.end();
        },
    );
}

#[test]
fn a_deleted_port_leaves_its_component() {
    with_eal(
        "tests::rack::a_deleted_port_leaves_its_component",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.start("a", Function::Forward, 1).unwrap();
            attach(&mut board, "a", ring(0), Direction::Rx).unwrap();
            attach(&mut board, "a", ring(1), Direction::Tx).unwrap();
            board.del(ring(1)).unwrap();
            let view = &board.components()[0];
            assert_eq!(view.lacks, Some("a port to send to"));
            assert!(Area::holder(bench.area.ring_ends(1).unwrap(), Direction::Tx).is_none());
            board.end();
        },
    );
}
