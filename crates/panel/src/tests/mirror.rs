//! The mirror: what is copied, and that the main path does not notice.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering::Relaxed;

use protocol::command::component::VlanTag;

use super::frames::{content, frame, mixture, tagged};
use super::*;
use crate::area::DropReason;
use crate::line::{Line, Outlet, Pace, Way};
use crate::rack::{ComponentView, SocketView};
use crate::vlan::Vlan;
use crate::{BoardError, CopyMode, Function, MirrorOptions, Totals};

const MAIN: u16 = 1;
const COPIES: [u16; 3] = [2, 3, 4];

fn deep() -> MirrorOptions {
    MirrorOptions {
        mode: CopyMode::Deep,
        ..MirrorOptions::default()
    }
}

/// A mirror from ring:0 to ring:1 with so many copies, from ring:2 on.
fn mirror(bench: &Bench, options: MirrorOptions, copies: usize) -> Board {
    claim(bench, &[MAIN, 2, 3, 4], true);
    let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
    board.start("m", Function::Mirror(options), 1).unwrap();
    board
        .attach("m", ring(0), Direction::Rx, Vec::new())
        .unwrap();
    for n in [MAIN].iter().chain(&COPIES[..copies]) {
        board
            .attach("m", ring(*n), Direction::Tx, Vec::new())
            .unwrap();
    }
    board
}

/// The component as it is when all that has come out of it is counted.
fn counted(board: &mut Board) -> ComponentView<'_> {
    // Another table: the worker has left the former one.
    board
        .equip("m", ring(0), Direction::Rx, Vec::new())
        .unwrap();
    board.components().remove(0)
}

/// As another process of the panel does that takes packets out of these rings.
fn claim(bench: &Bench, rings: &[u16], claimed: bool) {
    for n in rings {
        let ends = bench.area.ring_ends(*n).unwrap();
        if claimed {
            Area::claim(ends, Direction::Rx, 0).unwrap();
        } else {
            Area::release(ends, Direction::Rx, 0);
        }
    }
}

fn all(totals: &Totals) -> u64 {
    totals.tx_packets + totals.drops.iter().sum::<u64>()
}

#[test]
fn every_port_gets_the_same_packets_in_the_same_order() {
    with_eal(
        "tests::mirror::every_port_gets_the_same_packets_in_the_same_order",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), COPIES.len());
            let frames = mixture(100);
            // Which ports take packets that share their data.
            let shared: [&[u16]; 4] = [&[], &[1, 2, 3, 4], &[1, 2, 4], &[2, 3, 4]];
            for (options, claimed) in shared
                .map(|c| (MirrorOptions::default(), c))
                .into_iter()
                .chain([(deep(), &[1, 2, 3, 4][..])])
            {
                board.set_mirror("m", options.clone()).unwrap();
                claim(&bench, &[MAIN, 2, 3, 4], false);
                claim(&bench, claimed, true);
                for _ in 0..4 {
                    bench.put(0, &frames, 2048);
                    for n in [MAIN].iter().chain(&COPIES) {
                        let got = bench.take(*n, 100);
                        assert!(got == frames, "ring:{n}, {options:?}, {claimed:?}");
                    }
                }
            }
            let view = counted(&mut board);
            for socket in &view.tx {
                assert_eq!(all(&socket.totals), 2000);
                assert_eq!(socket.totals.tx_packets, 2000);
                assert_eq!(socket.totals.tx_bytes, view.rx[0].totals.rx_bytes);
            }
            bench.assert_whole(board);
        },
    );
}

#[test]
fn only_what_is_wanted_is_copied() {
    with_eal(
        "tests::mirror::only_what_is_wanted_is_copied",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), 1);
            let mut frames = mixture(50);
            let tags = (0..50).map(|n| tagged(&frame(n, 700), 0x2000 | (n as u16 & 1)));
            frames.extend(tags);
            for mode in [CopyMode::Shallow, CopyMode::Deep] {
                for snap in [None, NonZeroU32::new(100), NonZeroU32::new(3000)] {
                    for (filter, wanted) in [(None, None), (Some("vlan 1"), Some(25))] {
                        let filter = filter.map(|f: &str| f.parse().unwrap());
                        let options = MirrorOptions { mode, snap, filter };
                        board.set_mirror("m", options).unwrap();
                        bench.put(0, &frames, 2048);
                        let mut want: Vec<Vec<u8>> = frames.clone();
                        if wanted.is_some() {
                            want.retain(|f| f.len() == 704 && f[15] == 1);
                        }
                        let most = snap.map_or(usize::MAX, |s| s.get() as usize);
                        want.iter_mut().for_each(|f| f.truncate(most));
                        assert_eq!(want.len(), wanted.unwrap_or(100));
                        assert!(bench.take(MAIN, 100) == frames, "{mode:?} {snap:?}");
                        let got = bench.take(COPIES[0], want.len());
                        assert!(got == want, "{mode:?} {snap:?} {wanted:?}");
                    }
                }
            }
            let view = counted(&mut board);
            assert_eq!(all(&view.tx[1].totals), 6 * 125);
            assert_eq!(view.rx[0].totals.drops, [0; crate::area::REASONS]);
            bench.assert_whole(board);
        },
    );
}

#[test]
fn a_copy_that_is_changed_does_not_change_the_original() {
    with_eal(
        "tests::mirror::a_copy_that_is_changed_does_not_change_the_original",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), 2);
            let tag = |id| Arc::new(Vlan::new(&VlanTag::add(id, 0).unwrap()));
            let (first, second) = (ring(COPIES[0]), ring(COPIES[1]));
            board
                .equip("m", first, Direction::Tx, vec![tag(5)])
                .unwrap();
            let frames = mixture(100);
            let with = |tci| frames.iter().map(|f| tagged(f, tci)).collect::<Vec<_>>();
            bench.put(0, &frames, 2048);
            assert!(bench.take(MAIN, 100) == frames);
            assert!(bench.take(COPIES[0], 100) == with(5));
            assert!(bench.take(COPIES[1], 100) == frames);
            // The original is changed: not the copies.
            board
                .equip("m", ring(MAIN), Direction::Tx, vec![tag(6)])
                .unwrap();
            board
                .equip("m", second, Direction::Tx, vec![tag(7)])
                .unwrap();
            board.equip("m", first, Direction::Tx, Vec::new()).unwrap();
            bench.put(0, &frames, 2048);
            assert!(bench.take(MAIN, 100) == with(6));
            assert!(bench.take(COPIES[0], 100) == frames);
            assert!(bench.take(COPIES[1], 100) == with(7));
            bench.assert_whole(board);
        },
    );
}

/// Sends 64 packets, and what comes out of the main path into the mirror again, until so many have come and `done` says so;
/// their numbers are in order, and none is lost.
fn circle(bench: &mut Bench, count: usize, mut done: impl FnMut(&mut Bench) -> bool) {
    let frames: Vec<_> = (0..64).map(|n| frame(n, 60 + 27 * n as usize)).collect();
    bench.put(0, &frames, 2048);
    let (source, sink) = (bench.port(ring(0)), bench.port(ring(MAIN)));
    let (mut seen, mut next) = (0, 0);
    let end = Instant::now() + LIMIT;
    while !done(bench) || seen < count {
        assert!(Instant::now() < end, "only {seen} of {count} came");
        bench.cx.cache.balance();
        let mut burst = Burst::new();
        sink.receive(&mut bench.cx, &mut burst, BURST);
        for i in 0..burst.len() {
            let bytes = content(&burst, i);
            assert_eq!(bytes, frame(next, bytes.len()));
            next = (next + 1) % 64;
        }
        seen += burst.len();
        source.send(&mut bench.cx, &mut burst);
        assert!(burst.is_empty());
    }
    let left = bench.take(MAIN, 64);
    let numbers = (0..64).map(|n| (next + n) % 64);
    assert!(
        left.iter()
            .zip(numbers)
            .all(|(f, n)| *f == frame(n, f.len()))
    );
    assert_eq!(left.len(), 64);
}

#[test]
fn a_copy_that_nobody_takes_costs_the_main_path_nothing() {
    with_eal(
        "tests::mirror::a_copy_that_nobody_takes_costs_the_main_path_nothing",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), 2);
            for options in [MirrorOptions::default(), deep()] {
                board.set_mirror("m", options).unwrap();
                // One takes copies, one does not.
                circle(&mut bench, 20_000, |bench| {
                    bench.empty(COPIES[1]);
                    true
                });
                let view = counted(&mut board);
                let count = view.rx[0].totals.rx_packets;
                assert_eq!(view.tx[0].totals.tx_packets, count);
                let dead = &view.tx[1].totals;
                assert_eq!(dead.tx_packets, 255);
                assert_eq!(dead.drops[DropReason::Full as usize], count - 255);
                let taken = &view.tx[2].totals;
                assert_eq!(all(taken), count);
                assert!(taken.tx_packets > 1000, "{taken:?}");
            }
            bench.assert_whole(board);
        },
    );
}

#[test]
fn without_mbufs_there_are_no_copies_and_the_main_path_goes_on() {
    with_eal(
        "tests::mirror::without_mbufs_there_are_no_copies_and_the_main_path_goes_on",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), COPIES.len());
            // It copies what it is shown.
            board
                .attach("m", null(1), Direction::Tx, Vec::new())
                .unwrap();
            // A worker that has begun; then all but the packets of the circle are held here.
            circle(&mut bench, 64, |_| true);
            let mut held: Vec<Burst> = Vec::new();
            while bench.cx.cache.balance() {
                let mut burst = Burst::new();
                if bench.cx.cache.alloc(&mut burst, BURST) == 0 {
                    break;
                }
                held.push(burst);
            }
            held.pop().unwrap().clear(&mut bench.cx.cache);
            for options in [MirrorOptions::default(), deep()] {
                board.set_mirror("m", options).unwrap();
                let none = |view: &ComponentView| {
                    let of = |s: &SocketView| s.totals.drops[DropReason::NoMbuf as usize];
                    view.tx[1..4].iter().map(of).collect::<Vec<_>>()
                };
                let before = none(&counted(&mut board));
                circle(&mut bench, 20_000, |_| true);
                let view = counted(&mut board);
                let count = view.rx[0].totals.rx_packets;
                assert_eq!(view.tx[0].totals.tx_packets, count);
                for socket in &view.tx[1..] {
                    assert_eq!(all(&socket.totals), count, "{:?}", socket.totals);
                }
                let mut grown = none(&view).into_iter().zip(before);
                assert!(grown.all(|(now, before)| now > before + 1000));
                assert_eq!(view.tx[4].totals.tx_packets, count);
            }
            for mut burst in held {
                bench.cx.cache.balance();
                burst.clear(&mut bench.cx.cache);
            }
            bench.assert_whole(board);
        },
    );
}

#[test]
fn what_is_shared_and_cannot_be_copied_for_a_foreign_process_is_counted() {
    with_eal(
        "tests::mirror::what_is_shared_and_cannot_be_copied_for_a_foreign_process_is_counted",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), 1);
            let frames: Vec<_> = (0..20).map(|n| frame(n, 1500)).collect();
            bench.put(0, &frames, 2048);
            let used = |n: u16| bench.rings[usize::from(n)].used();
            wait("copies", || used(MAIN) == 20 && used(COPIES[0]) == 20);
            board.stop("m").unwrap();
            let mut held: Vec<Burst> = Vec::new();
            let mut most = BURST;
            loop {
                bench.cx.cache.balance();
                let mut burst = Burst::new();
                if bench.cx.cache.alloc(&mut burst, most) > 0 {
                    held.push(burst);
                } else if most > 1 {
                    most = 1;
                } else {
                    break;
                }
            }
            // Nobody of the panel takes packets out of ring:5.
            let counters = &bench.area.layout().patches[0][0];
            let line = Line {
                src: Arc::new(bench.port(ring(MAIN))),
                entry: counters,
                stages: Vec::new(),
                way: Way::Straight(Outlet {
                    dst: Arc::new(bench.port(ring(5))),
                    counters,
                    stages: Vec::new(),
                    impaired: None,
                }),
            };
            let mut burst = Burst::new();
            let n = line.carry(&mut bench.cx, &mut burst, &mut [], &mut Pace::default());
            assert_eq!((n, burst.len()), (20, 0));
            let none = counters.drops[DropReason::NoMbuf as usize].load(Relaxed);
            let sent = counters.tx_packets.load(Relaxed);
            // What is dropped leaves its mbuf to the next one.
            assert!(none > 0 && none + sent == 20 && sent > 10, "{none} {sent}");
            assert!(bench.take(5, sent as usize) == frames[none as usize..]);
            assert!(bench.take(COPIES[0], 20) == frames);
            for mut burst in held {
                burst.clear(&mut bench.cx.cache);
            }
            bench.assert_whole(board);
        },
    );
}

#[test]
fn what_is_copied_may_change_under_load() {
    with_eal(
        "tests::mirror::what_is_copied_may_change_under_load",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), 2);
            // As fast as it goes, beside it.
            let full = Function::Mirror(MirrorOptions::default());
            board.start("full", full, 1).unwrap();
            let ends = [
                (null(1), Direction::Rx),
                (null(2), Direction::Tx),
                (null(3), Direction::Tx),
            ];
            for (port, direction) in ends {
                board.attach("full", port, direction, Vec::new()).unwrap();
            }
            let filter = |text: &str| Some(text.parse().unwrap());
            let mut changes = 0;
            circle(&mut bench, 20_000, |bench| {
                bench.empty(COPIES[0]);
                bench.empty(COPIES[1]);
                if changes >= 1000 {
                    return true;
                }
                changes += 1;
                let options = MirrorOptions {
                    mode: [CopyMode::Shallow, CopyMode::Deep][changes % 2],
                    snap: NonZeroU32::new([0, 64, 300][changes % 3]),
                    filter: [None, filter("ethertype 0x88b5"), filter("vlan 5")][changes / 2 % 3]
                        .clone(),
                };
                let name = ["m", "full"][changes / 3 % 2];
                board.set_mirror(name, options).unwrap();
                false
            });
            board.stop("full").unwrap();
            let count = |port, of: fn(&Totals) -> u64| of(&board.port_totals(port));
            let came = count(null(1), |t| t.rx_packets);
            assert!(came > 100_000, "{came}");
            assert_eq!(count(null(2), |t| t.tx_packets), came);
            assert_eq!(count(null(2), |t| t.drops.iter().sum()), 0);
            let copied = count(null(3), |t| t.tx_packets);
            assert!(copied > 0 && copied < came, "{copied} of {came}");
            bench.assert_whole(board);
        },
    );
}

#[test]
fn a_mirror_needs_two_ports_to_send_to_and_says_so() {
    with_eal(
        "tests::mirror::a_mirror_needs_two_ports_to_send_to_and_says_so",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = mirror(&bench, MirrorOptions::default(), 0);
            let lacks = board.components()[0].lacks;
            assert_eq!(lacks, Some("a second port to send to"));
            bench.put(0, &mixture(3), 2048);
            let more = board.attach("m", ring(5), Direction::Rx, Vec::new());
            assert!(matches!(more, Err(BoardError::TooManyPorts { .. })));
            board.start("f", Function::Forward, 1).unwrap();
            let wrong = board.set_mirror("f", deep());
            assert_eq!(wrong, Err(BoardError::NoMirror("f".into())));
            let none = board.set_mirror("x", deep());
            assert_eq!(none, Err(BoardError::NoComponent("x".into())));
            assert_eq!(bench.rings[0].used(), 3);
            let copy = ring(COPIES[0]);
            board.attach("m", copy, Direction::Tx, Vec::new()).unwrap();
            assert_eq!(board.components()[0].lacks, None);
            assert!(bench.take(MAIN, 3) == mixture(3));
            assert!(bench.take(COPIES[0], 3) == mixture(3));
            // The first port is gone: the second is the main one then, and lacks another.
            board.detach("m", ring(MAIN), Direction::Tx).unwrap();
            let lacks = board.components()[0].lacks;
            assert_eq!(lacks, Some("a second port to send to"));
            bench.assert_whole(board);
        },
    );
}
