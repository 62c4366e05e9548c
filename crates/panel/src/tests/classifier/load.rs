//! Entries that come and go while packets flow.

use super::*;

#[test]
fn entries_come_and_go_under_load_and_the_others_lose_nothing() {
    with_eal(
        "tests::classifier::load::entries_come_and_go_under_load_and_the_others_lose_nothing",
        |eal, lcore| {
            const CHANGES: u32 = 1000;
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier(1..=3);
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            let mut next = 0u32;
            let mut came = 0u32;
            // Bursts to the host, each looked at as it comes out, numbers in order.
            let mut flow = |bench: &mut Bench| {
                let frames: Vec<Vec<u8>> = (0..32).map(|i| frame(HOST, None, next + i)).collect();
                next += 32;
                bench.put_burst(0, &frames, None);
            };
            let look = |bench: &mut Bench, came: &mut u32| {
                for got in bench.take_all(1) {
                    assert_eq!(got, frame(HOST, None, *came));
                    *came += 1;
                }
            };
            for n in 0..CHANGES {
                let [.., a, b] = (n / 2).to_be_bytes();
                let (vlan, mac) = ((n / 2 % 3) as u16, [0x02, 1, 0, 0, a, b]);
                let rule = Rule::new((vlan > 0).then_some(vlan), Some(mac)).unwrap();
                let port = ring(2 + vlan % 2);
                if n % 4 == 0 {
                    flow(&mut bench);
                }
                match n % 2 {
                    0 => board.add_entry(rule, port).unwrap(),
                    _ => board.del_entry(rule, port).unwrap(),
                }
                if n % 4 == 3 {
                    wait("the host's packets", || {
                        look(&mut bench, &mut came);
                        came == 8 * (n + 1)
                    });
                }
            }
            let (entries, all) = board.entries(0, 10);
            assert_eq!((entries.len(), all), (1, 1));
            assert_eq!(entries[0].hits, u64::from(came));
            assert_eq!(drops(&board, DropReason::Unknown), 0);
            assert_eq!(board.port_totals(ring(1)).tx_packets, u64::from(came));
            board.end();
        },
    );
}

#[test]
fn as_many_entries_as_there_can_be_are_added_one_by_one_while_packets_flow() {
    with_eal(
        "tests::classifier::load::as_many_entries_as_there_can_be_are_added_one_by_one_while_packets_flow",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board
                .start("cls", Function::Classifier(Classifier::new()), 1)
                .unwrap();
            for (port, direction) in [
                (null(1), Direction::Rx),
                (null(2), Direction::Tx),
                (null(3), Direction::Tx),
            ] {
                board.attach("cls", port, direction, Vec::new()).unwrap();
            }
            // The address of all that the source gives.
            board.add_entry(untagged([0; 6]), null(2)).unwrap();
            let numbered = |n: usize| {
                let [.., a, b, c] = n.to_be_bytes();
                Rule::new(Some((n % 4095) as u16), Some([2, 0, 0, a, b, c])).unwrap()
            };
            let most = crate::classifier::MOST;
            for n in 1..most {
                board.add_entry(numbered(n), null(3)).unwrap();
            }
            let refused = board.add_entry(numbered(most), null(3)).unwrap_err();
            assert!(matches!(refused, EntryError::Full { .. }), "{refused}");
            assert_eq!(board.entries(0, 0).1, most);
            assert_eq!(board.entries_in_force(), most);
            let page = board.entries(most - 2, 10).0;
            assert_eq!(page.len(), 2);
            assert_eq!(page[1].rule, untagged([0; 6]));
            for n in 1..most {
                board.del_entry(numbered(n), null(3)).unwrap();
            }
            let sent = || board.port_totals(null(2)).tx_packets;
            let before = sent();
            wait("further packets", || sent() > before);
            board.set_forwarding(false).unwrap();
            let view = &board.components()[0];
            let came = view.rx[0].totals;
            assert_eq!(came.drops.iter().sum::<u64>(), 0);
            assert_eq!(came.rx_packets, view.tx[0].totals.tx_packets);
            assert_eq!(board.entries(0, 10).0[0].hits, came.rx_packets);
            board.end();
        },
    );
}

#[test]
fn the_port_that_was_attached_later_has_the_address() {
    with_eal(
        "tests::classifier::load::the_port_that_was_attached_later_has_the_address",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier([1]);
            board.add_entry(untagged(HOST), ring(2)).unwrap();
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            let sent = [frame(HOST, None, 0)];
            let mut goes_to = |board: &Board| {
                let outs = bench.classify(board, &sent);
                let full = outs.iter().position(|out| !out.is_empty()).unwrap();
                assert_eq!(outs.iter().map(Vec::len).sum::<usize>(), 1);
                full
            };
            assert_eq!(goes_to(&board), 1);
            board
                .attach("cls", ring(2), Direction::Tx, Vec::new())
                .unwrap();
            assert_eq!(goes_to(&board), 2);
            board.detach("cls", ring(1), Direction::Tx).unwrap();
            assert_eq!(goes_to(&board), 2);
            board
                .attach("cls", ring(1), Direction::Tx, Vec::new())
                .unwrap();
            assert_eq!(goes_to(&board), 1);
            board.del_entry(untagged(HOST), ring(1)).unwrap();
            assert_eq!(goes_to(&board), 2);
            // What is not in force is listed last, with what it once counted.
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            assert_eq!(goes_to(&board), 1);
            let (entries, _) = board.entries(0, 10);
            let shown: Vec<_> = entries
                .iter()
                .map(|e| (e.port, e.component.is_some(), e.hits))
                .collect();
            assert_eq!(shown, [(ring(1), true, 1), (ring(2), false, 3)]);
            // With its port an entry goes.
            board.del(ring(1)).unwrap();
            assert_eq!(board.entries(0, 10).1, 1);
            assert_eq!(goes_to(&board), 2);
            board.end();
        },
    );
}

#[test]
fn a_header_over_two_segments_is_read_whole() {
    with_eal(
        "tests::classifier::load::a_header_over_two_segments_is_read_whole",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier(1..=2);
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            board.add_entry(in_vlan(7, HOST), ring(2)).unwrap();
            for cut in 1..20 {
                for (vlan, to) in [(None, 1), (Some(7), 2)] {
                    let sent = frame(HOST, vlan, cut as u32);
                    bench.put_burst(0, std::slice::from_ref(&sent), Some(cut));
                    wait("the frame", || bench.rings[to].used() == 1);
                    assert_eq!(bench.take_all(to as u16), [sent]);
                }
            }
            board.end();
        },
    );
}

#[test]
fn groups_go_to_as_many_as_there_are_mbufs_for_and_the_rest_is_counted() {
    with_eal(
        "tests::classifier::load::groups_go_to_as_many_as_there_are_mbufs_for_and_the_rest_is_counted",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier(1..=6);
            for n in 1..=6u16 {
                let [.., low] = n.to_be_bytes();
                board
                    .add_entry(untagged([2, 0, 0, 0, 0, low]), ring(n))
                    .unwrap();
            }
            let sent: Vec<Vec<u8>> = (0..BURST as u32)
                .map(|n| frame(BROADCAST, None, n))
                .collect();
            // The test's own store: what it keeps the worker cannot have.
            let mut kept: Vec<Burst> = Vec::new();
            loop {
                bench.cx.cache.balance();
                let mut burst = Burst::new();
                if bench.cx.cache.alloc(&mut burst, BURST) < BURST {
                    bench.cx.cache.balance();
                    kept.push(burst);
                    break;
                }
                kept.push(burst);
            }
            kept.truncate(kept.len() - 3);
            bench.put_burst(0, &sent, None);
            let seen = |board: &Board| board.components()[0].rx[0].totals.rx_packets;
            wait("the burst", || seen(&board) == BURST as u64);
            bench.round();
            for mut burst in kept {
                burst.clear(&mut bench.cx.cache);
                bench.cx.cache.balance();
            }
            let outs: Vec<usize> = (1..=6).map(|n| bench.take_all(n).len()).collect();
            let missing = drops(&board, DropReason::NoMbuf);
            assert!(missing > 0, "{outs:?}");
            assert_eq!(
                outs.iter().sum::<usize>() as u64 + missing,
                6 * BURST as u64
            );
            // The packets themselves went somewhere.
            assert!(outs.contains(&BURST), "{outs:?}");
            board.end();
            bench.cx.cache.flush();
            let whole = dpdk::audit(&bench.pool, &bench.rings);
            assert_eq!(whole, dpdk::Audit::default());
        },
    );
}
