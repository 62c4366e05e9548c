//! Latencies and traces: what they say, and that nothing else changes by them.

use std::sync::Arc;

use dpdk::Stamps;

use super::*;
use crate::area::{DropReason, PatchBlock, REASONS};
use crate::latency::Path;
use crate::line::{Element, Line, Outlet, Pace, Stage, Way};
use crate::trace::{Fate, Record, Traced, Tracer};
use crate::{BoardError, Function};

const PATH: fn(u16, u16) -> Path = |src, dst| Path {
    src: ring(src),
    dst: ring(dst),
};

/// Sends numbered packets of 64 bytes into a ring.
fn feed_numbered(bench: &mut Bench, n: u16, numbers: std::ops::Range<u32>) {
    let port = bench.port(ring(n));
    for number in numbers {
        bench.cx.cache.balance();
        let mut burst = Burst::new();
        assert_eq!(bench.cx.cache.alloc(&mut burst, 1), 1);
        let data = burst.write_packet(0, 64).unwrap();
        data.fill(0);
        data[..4].copy_from_slice(&number.to_be_bytes());
        while port.send(&mut bench.cx, &mut burst).0 == 0 {
            std::thread::yield_now();
        }
    }
}

fn number(data: &[u8]) -> u32 {
    u32::from_be_bytes(data[..4].try_into().unwrap())
}

/// Takes all packets out of a ring and gives their numbers.
fn numbers(bench: &mut Bench, n: u16) -> Vec<u32> {
    let port = bench.port(ring(n));
    let mut all = Vec::new();
    loop {
        bench.cx.cache.balance();
        let mut burst = Burst::new();
        let count = port.receive(&mut bench.cx, &mut burst, BURST);
        all.extend((0..count).map(|i| number(burst.packet(i).unwrap())));
        burst.clear(&mut bench.cx.cache);
        if count == 0 {
            return all;
        }
    }
}

/// Whether nothing is on any line of the only worker.
fn plain(board: &Board) -> bool {
    let lines = board.wiring().lines(0, |code| board.port(code).cloned());
    lines.iter().all(|line| {
        line.stages.is_empty()
            && !matches!(line.way, Way::Traced(_))
            && line.outlets().iter().all(|o| o.stages.is_empty())
    })
}

fn samples(board: &Board) -> (u64, u64) {
    let view = &board.latencies()[0];
    let stamped = view.start.map_or(0, |(_, stamped)| stamped);
    (stamped, view.end.as_ref().map_or(0, |t| t.samples))
}

#[test]
fn every_so_many_packets_of_a_path_over_two_patches_are_timed() {
    with_eal(
        "tests::probes::every_so_many_packets_of_a_path_over_two_patches_are_timed",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let stamps = Stamps::find().unwrap();
            assert_eq!(Stamps::find().unwrap(), stamps);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.patch(ring(0), ring(1), None, None).unwrap();
            board.patch(ring(1), ring(2), None, None).unwrap();
            assert!(plain(&board));
            board.measure(stamps, PATH(0, 2), Some(10), true).unwrap();
            assert!(!plain(&board));
            for _ in 0..10 {
                bench.feed(0, 100);
                wait("packets in ring:2", || bench.rings[2].used() == 100);
                bench.empty(2);
            }
            assert_eq!(samples(&board), (100, 100));
            let end = board.latencies()[0].end.clone().unwrap();
            let [p50, p99] = end.quantiles([0.5, 0.99]);
            assert!(0 < p50 && p50 <= p99 && p99 <= end.longest_ns, "{end:?}");
            assert_eq!(end.backward, 0);

            board.clear();
            assert_eq!(samples(&board), (0, 0));
            board.measure(stamps, PATH(0, 2), Some(1), true).unwrap();
            bench.feed(0, 100);
            wait("packets in ring:2", || bench.rings[2].used() == 100);
            assert_eq!(samples(&board), (100, 100));
            bench.empty(2);

            board.unmeasure(PATH(0, 2)).unwrap();
            assert!(plain(&board) && board.latencies().is_empty());
            let again = board.unmeasure(PATH(0, 2));
            assert_eq!(again, Err(BoardError::NotMeasured(ring(0), ring(2))));
            let far = PortCode::new(PortKind::Vhost, 3, 0);
            let path = Path { src: far, dst: far };
            let closed = board.measure(stamps, path, Some(1), false);
            assert_eq!(closed, Err(BoardError::NoPort(far)));
            board.end();
        },
    );
}

#[test]
fn time_in_a_ring_is_counted_and_the_stamp_of_an_earlier_packet_is_not() {
    with_eal(
        "tests::probes::time_in_a_ring_is_counted_and_the_stamp_of_an_earlier_packet_is_not",
        |eal, lcore| {
            const HELD: Duration = Duration::from_millis(50);
            let mut bench = Bench::new(eal, lcore);
            let stamps = Stamps::find().unwrap();
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.patch(ring(0), ring(1), None, None).unwrap();
            board.measure(stamps, PATH(0, 2), Some(1), true).unwrap();
            bench.feed(0, 20);
            wait("packets in ring:1", || bench.rings[1].used() == 20);
            let start = Instant::now();
            wait("a while", || start.elapsed() >= HELD);
            board.patch(ring(1), ring(2), None, None).unwrap();
            wait("packets in ring:2", || bench.rings[2].used() == 20);
            let end = board.latencies()[0].end.clone().unwrap();
            let [fastest] = end.quantiles([0.0]);
            // The counter's frequency is known to a percent.
            let held = HELD.as_nanos() as u64 * 99 / 100;
            assert!(fastest >= held && end.samples == 20, "{end:?}");
            bench.empty(2);

            // Stamped and never read: then the mbufs serve for others, every one of the pool.
            board.unmeasure(PATH(0, 2)).unwrap();
            board.measure(stamps, PATH(0, 2), Some(1), false).unwrap();
            for _ in 0..50 {
                bench.feed(0, 200);
                wait("packets in ring:2", || bench.rings[2].used() == 200);
                bench.empty(2);
            }
            assert_eq!(samples(&board).0, 10_000);
            board.unmeasure(PATH(0, 2)).unwrap();
            board.measure(stamps, PATH(0, 2), None, true).unwrap();
            for _ in 0..40 {
                bench.feed(0, 200);
                wait("packets in ring:2", || bench.rings[2].used() == 200);
                bench.empty(2);
            }
            assert_eq!(samples(&board).1, 0);
            board.end();
        },
    );
}

#[test]
fn paths_from_one_source_share_its_packets() {
    with_eal(
        "tests::probes::paths_from_one_source_share_its_packets",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let stamps = Stamps::find().unwrap();
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.patch(ring(0), ring(1), None, None).unwrap();
            board.patch(ring(1), ring(2), None, None).unwrap();
            board.measure(stamps, PATH(0, 1), Some(4), true).unwrap();
            board.measure(stamps, PATH(0, 2), Some(4), true).unwrap();
            bench.feed(0, 200);
            wait("packets in ring:2", || bench.rings[2].used() == 200);
            for view in board.latencies() {
                let count = view.start.unwrap().1;
                assert!((49..=51).contains(&count), "{view:?}");
                assert_eq!(view.end.unwrap().samples, count);
            }
            bench.empty(2);
            // A port that goes takes its measurements along.
            board.del(ring(0)).unwrap();
            assert!(board.latencies().iter().all(|view| view.start.is_none()));
            board.end();
        },
    );
}

#[test]
fn a_trace_tells_what_becomes_of_each_packet() {
    with_eal(
        "tests::probes::a_trace_tells_what_becomes_of_each_packet",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            assert_eq!(
                board.trace(ring(0), 5, false).err(),
                Some(BoardError::NoSource(ring(0)))
            );
            board.patch(ring(0), ring(1), None, None).unwrap();
            for count in [0, 10_001] {
                let refused = board.trace(ring(0), count, false).err();
                let most = 10_000;
                assert_eq!(refused, Some(BoardError::TraceCount { count, most }));
            }
            // ring:1 has room for 255.
            let tracer = board.trace(ring(0), 300, false).unwrap();
            assert_eq!(
                board.trace(ring(0), 5, false).err(),
                Some(BoardError::Traced(ring(0)))
            );
            feed_numbered(&mut bench, 0, 0..400);
            wait("packets to be taken", || {
                board.patches()[0].totals.rx_packets == 400
            });
            assert!(tracer.is_full());
            let mut last = 0;
            for expected in 0..300 {
                let record = tracer.next().unwrap();
                assert_eq!(number(&record.data), expected);
                assert_eq!((record.len, record.data.len()), (64, 64));
                assert!(record.tsc >= last);
                last = record.tsc;
                let fates: Vec<Fate> = record.fates().collect();
                if expected < 255 {
                    assert_eq!(fates, [Fate::Sent(ring(1))]);
                } else {
                    assert_eq!(fates, [Fate::Dropped(Some(ring(1)), DropReason::Full)]);
                }
            }
            assert!(tracer.next().is_none());
            let totals = board.patches()[0].totals;
            assert_eq!(totals.drops[DropReason::Full as usize], 145);
            board.untrace(ring(0)).unwrap();
            board.untrace(ring(0)).unwrap();
            assert!(plain(&board));
            assert_eq!(numbers(&mut bench, 1), (0..255).collect::<Vec<_>>());
            board.end();
        },
    );
}

#[test]
fn a_component_can_be_traced_and_measured() {
    with_eal(
        "tests::probes::a_component_can_be_traced_and_measured",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let stamps = Stamps::find().unwrap();
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.start("m", Function::Merge, 1).unwrap();
            for n in [0, 1] {
                board
                    .attach("m", ring(n), Direction::Rx, Vec::new())
                    .unwrap();
            }
            let incomplete = board.trace(ring(1), 5, true).err();
            assert_eq!(incomplete, Some(BoardError::NoSource(ring(1))));
            board
                .attach("m", ring(2), Direction::Tx, Vec::new())
                .unwrap();
            board.measure(stamps, PATH(1, 2), Some(1), true).unwrap();
            let tracer = board.trace(ring(1), 5, true).unwrap();
            bench.feed(0, 10);
            bench.feed(1, 10);
            wait("packets in ring:2", || bench.rings[2].used() == 20);
            assert_eq!(samples(&board), (10, 10));
            let records: Vec<_> = std::iter::from_fn(|| tracer.next()).collect();
            assert_eq!(records.len(), 5);
            for record in records {
                assert_eq!(record.fates().collect::<Vec<_>>(), [Fate::Sent(ring(2))]);
            }
            bench.empty(2);
            board.end();
        },
    );
}

/// Drops every fourth packet.
struct Fourth;

impl Stage for Fourth {
    fn run(&self, cx: &mut Context, burst: &mut Burst, counters: &PatchBlock) {
        let mut rest = Burst::new();
        while let Some(number) = burst.packet(0).map(number) {
            let mut one = Burst::new();
            burst.move_first(&mut one);
            if number % 4 == 3 {
                counters.drop_of(DropReason::Filtered, 1);
                one.clear(&mut cx.cache);
            } else {
                one.move_first(&mut rest);
            }
        }
        while rest.move_first(burst) {}
    }
}

/// Deals even numbers to the first out and odd ones to the second; knows nothing of 9 and more.
struct Parity;

impl Element for Parity {
    fn split(
        &self,
        cx: &mut Context,
        burst: &mut Burst,
        outs: &mut [Burst],
        counters: &PatchBlock,
    ) {
        while let Some(number) = burst.packet(0).map(number) {
            let mut one = Burst::new();
            burst.move_first(&mut one);
            if number >= 9 {
                counters.drop_of(DropReason::Unknown, 1);
                one.clear(&mut cx.cache);
            } else {
                one.move_first(&mut outs[(number % 2) as usize]);
            }
        }
    }
}

#[test]
fn decisions_and_reasons_are_those_of_elements_and_stages() {
    with_eal(
        "tests::probes::decisions_and_reasons_are_those_of_elements_and_stages",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let counters = |n: u32| &bench.area.layout().patches[1][n as usize];
            let outlet = |n: u16, stages| Outlet {
                dst: Arc::new(bench.port(ring(n))),
                counters: counters(u32::from(n)),
                stages,
                impaired: None,
            };
            let line = Line {
                src: Arc::new(bench.port(ring(0))),
                entry: counters(0),
                stages: Vec::new(),
                way: Way::Dealt(
                    Arc::new(Parity),
                    vec![outlet(1, Vec::new()), outlet(2, vec![Arc::new(Fourth)])],
                ),
            };
            let tracer = Arc::new(Tracer::new(12, 6));
            let traced = Line {
                way: Way::Traced(Arc::new(Traced {
                    tracer: tracer.clone(),
                    line: line.clone(),
                })),
                ..line
            };
            assert_eq!(traced.outs(), 2);
            feed_numbered(&mut bench, 0, 0..12);
            let (mut burst, mut outs) = (Burst::new(), vec![Burst::new(), Burst::new()]);
            let got = traced.carry(&mut bench.cx, &mut burst, &mut outs, &mut Pace::default());
            assert_eq!(got, 12);
            assert!(burst.is_empty() && outs.iter().all(Burst::is_empty));
            let records: Vec<Box<Record>> = std::iter::from_fn(|| tracer.next()).collect();
            assert_eq!(records.len(), 12);
            for (i, record) in records.iter().enumerate() {
                let fate = match i {
                    9.. => Fate::Dropped(None, DropReason::Unknown),
                    i if i % 4 == 3 => Fate::Dropped(Some(ring(2)), DropReason::Filtered),
                    i if i % 2 == 1 => Fate::Sent(ring(2)),
                    _ => Fate::Sent(ring(1)),
                };
                assert_eq!(record.fates().collect::<Vec<_>>(), [fate], "{i}");
                assert_eq!((record.data.len(), record.more), (6, 0));
            }
            assert_eq!(numbers(&mut bench, 1), [0, 2, 4, 6, 8]);
            assert_eq!(numbers(&mut bench, 2), [1, 5]);
        },
    );
}

#[test]
fn switching_probes_a_thousand_times_loses_and_reorders_nothing() {
    with_eal(
        "tests::probes::switching_probes_a_thousand_times_loses_and_reorders_nothing",
        |eal, lcore| {
            const SWITCHES: u32 = 1000;
            let mut bench = Bench::new(eal, lcore);
            let stamps = Stamps::find().unwrap();
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            board.patch(ring(0), ring(1), None, None).unwrap();
            let (mut sent, mut got, mut seen) = (0, 0, 0);
            for i in 0..SWITCHES {
                feed_numbered(&mut bench, 0, sent..sent + 20);
                sent += 20;
                let tracer = match i % 4 {
                    0 => {
                        board.measure(stamps, PATH(0, 1), Some(3), true).unwrap();
                        None
                    }
                    1 => Some(board.trace(ring(0), 10, false).unwrap()),
                    2 => {
                        board.unmeasure(PATH(0, 1)).unwrap();
                        None
                    }
                    _ => {
                        board.untrace(ring(0)).unwrap();
                        None
                    }
                };
                let mut before = None;
                feed_numbered(&mut bench, 0, sent..sent + 20);
                sent += 20;
                for number in numbers(&mut bench, 1) {
                    assert_eq!(number, got, "at switch {i}");
                    got += 1;
                }
                if let Some(tracer) = tracer {
                    wait("the traced packets", || tracer.is_full());
                    while let Some(record) = tracer.next() {
                        let number = number(&record.data);
                        assert!(before.is_none_or(|before| number == before + 1));
                        before = Some(number);
                        seen += 1;
                    }
                }
            }
            wait("the rest", || {
                for number in numbers(&mut bench, 1) {
                    assert_eq!(number, got);
                    got += 1;
                }
                got == sent
            });
            assert!(plain(&board));
            assert!(seen > 2000, "{seen}");
            assert_eq!(board.patches()[0].totals.drops, [0; REASONS]);
            board.end();
        },
    );
}
