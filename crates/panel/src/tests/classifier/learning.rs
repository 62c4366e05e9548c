//! Learning: from whom, where to, for how long.

use super::*;

const AGEING: Duration = Duration::from_secs(40);

/// A frame from a station to another.
fn from_to(from: [u8; 6], to: [u8; 6], vlan: Option<u16>) -> Vec<u8> {
    let mut frame = frame(to, vlan, 0);
    frame[6..12].copy_from_slice(&from);
    frame
}

fn guest(n: u16) -> PortCode {
    PortCode::new(PortKind::Vhost, n, 0)
}

/// Two guests, each played by a ring: what comes from them is merged into ring:5.
fn guests(bench: &Bench) -> Board {
    let mut board = bench.classifier([]);
    board.start("mgr", Function::Merge, 1).unwrap();
    let attach = |board: &mut Board, name, port, direction| {
        board.attach(name, port, direction, Vec::new()).unwrap();
    };
    for n in 1..=2 {
        let ends = bench.area.ring_ends(n).unwrap();
        let port = Port::ring(guest(n), bench.rings[usize::from(n)], ends);
        board.add(port).unwrap();
        attach(&mut board, "cls", guest(n), Direction::Tx);
        attach(&mut board, "mgr", guest(n), Direction::Rx);
    }
    attach(&mut board, "mgr", ring(5), Direction::Tx);
    board
}

/// The learned entries: rule, port.
fn learned(board: &Board) -> Vec<(Rule, PortCode)> {
    let entries = board.entries(0, usize::MAX).0.into_iter();
    let learned = entries.filter(|e| e.learned);
    learned.map(|e| (e.rule, e.port)).collect()
}

/// Sends a frame from behind a port and waits until it has come through.
fn says(bench: &mut Bench, n: u16, frame: Vec<u8>) {
    bench.put_burst(n, std::slice::from_ref(&frame), None);
    wait("what a guest said", || bench.rings[5].used() == 1);
    assert_eq!(bench.take_all(5), [frame]);
}

#[test]
fn senders_are_learned_followed_and_forgotten() {
    with_eal(
        "tests::classifier::learning::senders_are_learned_followed_and_forgotten",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = guests(&bench);
            let start = Instant::now();
            let at = |seconds: u64| start + Duration::from_secs(seconds);
            // Off by default.
            says(&mut bench, 1, from_to(HOST, BROADCAST, None));
            board.learn(at(0)).unwrap();
            assert_eq!(board.entries(0, 10).1, 0);

            board.set_learning("cls", Some(AGEING)).unwrap();
            assert_eq!(board.learning("cls"), Some(AGEING));
            says(&mut bench, 1, from_to(HOST, BROADCAST, None));
            says(&mut bench, 2, from_to(OTHER, HOST, Some(7)));
            // A group sends nothing.
            says(&mut bench, 2, from_to(BROADCAST, HOST, None));
            assert!(board.components()[0].lacks.is_some());
            board.learn(at(0)).unwrap();
            let both = [(in_vlan(7, OTHER), guest(2)), (untagged(HOST), guest(1))];
            assert_eq!(learned(&board), both);
            assert_eq!(board.components()[0].lacks, None);

            // The station moves, and back at once.
            says(&mut bench, 2, from_to(HOST, BROADCAST, None));
            board.learn(at(1)).unwrap();
            assert_eq!(learned(&board)[1], (untagged(HOST), guest(2)));
            says(&mut bench, 1, from_to(HOST, BROADCAST, None));
            board.learn(at(1)).unwrap();
            assert_eq!(learned(&board), both);

            // Who goes on sending is kept, who does not is forgotten.
            for seconds in [12, 24, 36, 48] {
                board.learn(at(seconds)).unwrap();
                says(&mut bench, 1, from_to(HOST, BROADCAST, None));
                board.learn(at(seconds)).unwrap();
            }
            assert_eq!(learned(&board), both[1..]);
            board.learn(at(48 + 39)).unwrap();
            assert_eq!(learned(&board), both[1..]);
            board.learn(at(48 + 40)).unwrap();
            assert_eq!(learned(&board), []);

            // It is learned again, and all is forgotten when learning ends.
            says(&mut bench, 1, from_to(HOST, BROADCAST, None));
            board.learn(at(100)).unwrap();
            assert_eq!(learned(&board), both[1..]);
            board.set_learning("cls", None).unwrap();
            assert_eq!(board.entries(0, 10).1, 0);
            says(&mut bench, 1, from_to(HOST, BROADCAST, None));
            board.learn(at(101)).unwrap();
            assert_eq!(board.entries(0, 10).1, 0);
            board.end();
        },
    );
}

#[test]
fn entries_of_the_operator_win_over_learned_ones() {
    with_eal(
        "tests::classifier::learning::entries_of_the_operator_win_over_learned_ones",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = guests(&bench);
            let now = Instant::now();
            board.set_learning("cls", Some(AGEING)).unwrap();
            board.add_entry(untagged(HOST), guest(1)).unwrap();
            let in_force = |board: &Board| {
                let (entries, _) = board.entries(0, 10);
                let first = &entries[0];
                (first.rule, first.port, first.learned)
            };
            says(&mut bench, 2, from_to(HOST, BROADCAST, None));
            board.learn(now).unwrap();
            assert_eq!(board.entries(0, 10).1, 1);
            assert_eq!(in_force(&board), (untagged(HOST), guest(1), false));

            // Given to a port behind which it was learned it is no longer forgotten.
            board.del_entry(untagged(HOST), guest(1)).unwrap();
            says(&mut bench, 2, from_to(OTHER, BROADCAST, None));
            board.learn(now).unwrap();
            assert_eq!(in_force(&board), (untagged(OTHER), guest(2), true));
            board.add_entry(untagged(OTHER), guest(2)).unwrap();
            assert_eq!(in_force(&board), (untagged(OTHER), guest(2), false));
            board.learn(now + 2 * AGEING).unwrap();
            assert_eq!(in_force(&board), (untagged(OTHER), guest(2), false));
            assert!(board.add_entry(untagged(OTHER), guest(2)).is_err());

            // One that was learned elsewhere gives way, and what was learned goes with its port.
            says(&mut bench, 2, from_to(HOST, BROADCAST, None));
            board.learn(now + 2 * AGEING).unwrap();
            assert_eq!(learned(&board), [(untagged(HOST), guest(2))]);
            board.add_entry(untagged(HOST), guest(1)).unwrap();
            assert_eq!(in_force(&board), (untagged(HOST), guest(1), false));
            board.detach("cls", guest(2), Direction::Tx).unwrap();
            assert_eq!(learned(&board), []);
            assert_eq!(board.entries(0, 10).1, 2);
            board.end();
        },
    );
}

#[test]
fn a_flood_of_senders_leaves_room_for_the_operator() {
    with_eal(
        "tests::classifier::learning::a_flood_of_senders_leaves_room_for_the_operator",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = guests(&bench);
            let now = Instant::now();
            board.set_learning("cls", Some(AGEING)).unwrap();
            let most = crate::classifier::MOST;
            let mut said = 0u32;
            wait("a table full of senders", || {
                let frames: Vec<Vec<u8>> = (0..BURST as u32)
                    .map(|n| {
                        let [a, b, c, d] = (said + n).to_be_bytes();
                        from_to([0x02, 0xee, a, b, c, d], BROADCAST, None)
                    })
                    .collect();
                said += BURST as u32;
                bench.put_burst(1, &frames, None);
                wait("the senders", || bench.rings[5].used() == BURST as u32);
                bench.empty(5);
                board.learn(now).unwrap();
                board.entries(0, 0).1 == most
            });
            let fixed = untagged(HOST);
            board.add_entry(fixed, guest(2)).unwrap();
            assert_eq!(board.entries(0, 0).1, most);
            assert_eq!(learned(&board).len(), most - 1);
            // The classifier goes by it.
            let hits = |board: &Board| {
                board
                    .entries(0, usize::MAX)
                    .0
                    .iter()
                    .map(|e| e.hits)
                    .sum::<u64>()
            };
            assert_eq!(hits(&board), 0);
            bench.put_burst(0, &[frame(HOST, None, 1)], None);
            wait("the packet", || hits(&board) == 1);
            let (entries, _) = board.entries(0, usize::MAX);
            let hit = entries.iter().find(|e| e.hits == 1).unwrap();
            assert_eq!((hit.rule, hit.port), (fixed, guest(2)));
            board.end();
        },
    );
}

#[test]
fn what_cannot_learn_says_so() {
    with_eal(
        "tests::classifier::learning::what_cannot_learn_says_so",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let mut board = guests(&bench);
            let refused = board.set_learning("mgr", Some(AGEING)).unwrap_err();
            assert_eq!(refused, EntryError::NoClassifier("mgr".into()));
            let refused = board.set_learning("nobody", Some(AGEING)).unwrap_err();
            assert!(matches!(
                refused,
                EntryError::Board(BoardError::NoComponent(_))
            ));
            for seconds in [0, 1_000_001] {
                let ageing = Duration::from_secs(seconds);
                let refused = board.set_learning("cls", Some(ageing)).unwrap_err();
                assert_eq!(refused, EntryError::Ageing(seconds));
            }
            assert_eq!(board.learning("cls"), None);
            board.set_learning("cls", None).unwrap();
            board.end();
        },
    );
}

#[test]
fn nothing_is_learned_from_rings() {
    with_eal(
        "tests::classifier::learning::nothing_is_learned_from_rings",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier([1]);
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            board.set_learning("cls", Some(AGEING)).unwrap();
            // What the classifier has sent is passed on: its sender is not behind the ring.
            board.start("fwd", Function::Forward, 1).unwrap();
            let mut attach = |port, direction| board.attach("fwd", port, direction, Vec::new());
            attach(ring(1), Direction::Rx).unwrap();
            attach(ring(5), Direction::Tx).unwrap();
            bench.put_burst(0, &[from_to(OTHER, HOST, None)], None);
            wait("the packet", || bench.rings[5].used() == 1);
            board.learn(Instant::now()).unwrap();
            assert_eq!(learned(&board), []);
            bench.empty(5);
            board.end();
        },
    );
}
