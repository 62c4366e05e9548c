//! Counters only rise, whatever comes and goes.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::Totals;
use crate::area::SLOTS;

/// Whether nothing of `now` is below `before`.
fn not_below(now: &Totals, before: &Totals) -> bool {
    before.since(now) == Totals::default()
}

#[test]
fn counters_never_go_backwards_over_more_patches_than_there_is_room_for() {
    with_eal(
        "tests::counters::counters_never_go_backwards_over_more_patches_than_there_is_room_for",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            let ports: Vec<PortCode> = (0..RINGS).map(ring).chain((1..=NULLS).map(null)).collect();
            let mut seen: Vec<Totals> = vec![Totals::default(); ports.len()];
            let mut panel: Vec<Totals> = vec![Totals::default(); usize::from(RINGS)];
            let pairs: Vec<(PortCode, PortCode)> = (1..=NULLS)
                .flat_map(|src| ports.iter().map(move |dst| (null(src), *dst)))
                .collect();
            assert!(pairs.len() > SLOTS + 100);
            for (i, (src, dst)) in pairs.into_iter().enumerate() {
                board.patch(src, dst, None, None).unwrap();
                // Patches of their own: the one before is still there beside it.
                let at = ports.iter().position(|p| *p == src).unwrap();
                let from = seen[at].rx_packets;
                wait("packets", || board.port_totals(src).rx_packets > from);
                if i % 3 == 0 {
                    board.unpatch(src).unwrap();
                }
                for (code, before) in ports.iter().zip(&mut seen) {
                    let now = board.port_totals(*code);
                    assert!(not_below(&now, before), "{code}: {before:?}, then {now:?}");
                    *before = now;
                }
                for (n, before) in panel.iter_mut().enumerate() {
                    let now = bench.area.panel_totals().ring(n as u16);
                    assert!(
                        not_below(&now, before),
                        "ring:{n}: {before:?}, then {now:?}"
                    );
                    *before = now;
                }
            }
            board.reset().unwrap();
            // What came in went out or was refused: of every packet one or the other is counted.
            let sum = ports.iter().fold(Totals::default(), |sum, code| {
                sum.plus(&board.port_totals(*code))
            });
            let dropped: u64 = sum.drops.iter().sum();
            assert_eq!(sum.rx_packets, sum.tx_packets + dropped);
            assert!((0..RINGS).all(|n| bench.rings[usize::from(n)].used() == 255));

            // A ring's counts outlive the worker; what it held does not.
            let before: Vec<Totals> = (0..RINGS)
                .map(|n| bench.area.panel_totals().ring(n))
                .collect();
            assert!(before.iter().all(|t| t.tx_packets >= 255 && t.drops[0] > 0));
            board.end();
            bench.area.bury(1);
            let after: Vec<Totals> = (0..RINGS)
                .map(|n| bench.area.panel_totals().ring(n))
                .collect();
            assert_eq!(after, before);
            let lost = bench.area.port_totals(null(1), 0..128);
            assert_eq!(lost, Totals::default());
            assert_eq!(bench.empty(0), 255);
        },
    );
}

#[test]
fn what_a_dead_worker_counted_for_a_devices_queues_is_there_once() {
    with_eal(
        "tests::counters::what_a_dead_worker_counted_for_a_devices_queues_is_there_once",
        |eal, lcore| {
            const DEAD: u32 = 70;
            let area = Bench::new(eal, lcore).area;
            let phy = |queue| PortCode::new(PortKind::Phy, 3, queue);
            for (queue, packets) in [(0, 5), (1, 7)] {
                let ends = (Some(phy(queue)), Some(ring(queue.into())));
                let block = area.begin_patch(DEAD, ends, |_, _| ()).unwrap();
                block.rx_packets.store(packets, Relaxed);
                block.tx_packets.store(packets, Relaxed);
            }
            let counted = || {
                let all = area.panel_totals();
                let sent = [0, 1].map(|n| all.ring(n).tx_packets);
                (all.device(3).rx_packets, sent)
            };
            assert_eq!(counted(), (12, [5, 7]));
            // It is killed while it moves counts: whoever looks is not kept waiting for it.
            let moving = &area.layout().workers[DEAD as usize].moving;
            moving.fetch_add(1, Relaxed);
            assert_eq!(counted(), (12, [5, 7]));
            area.bury(DEAD);
            assert_eq!(counted(), (12, [5, 7]));
            assert_eq!(
                moving.load(Relaxed) % 2,
                0,
                "looks at others are sure again"
            );
            assert_eq!(area.port_totals(phy(0), 0..128), Totals::default());
        },
    );
}
