//! Classifiers: where packets go, how entries come and go while they do.

mod decision;
mod learning;
mod load;

use super::frames::content;
use super::*;
use crate::area::DropReason;
use crate::{BoardError, Classifier, EntryError, Function, Rule};

const HOST: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const BROADCAST: [u8; 6] = [0xff; 6];

fn untagged(mac: [u8; 6]) -> Rule {
    Rule::new(None, Some(mac)).unwrap()
}

fn in_vlan(vlan: u16, mac: [u8; 6]) -> Rule {
    Rule::new(Some(vlan), Some(mac)).unwrap()
}

fn default(vlan: Option<u16>) -> Rule {
    Rule::new(vlan, None).unwrap()
}

/// A frame of 64 bytes for an address, with a tag if a VLAN is given and a number at its end.
fn frame(mac: [u8; 6], vlan: Option<u16>, number: u32) -> Vec<u8> {
    let mut frame = mac.to_vec();
    frame.extend([0x02, 0xff, 0, 0, 0, 0]);
    if let Some(vlan) = vlan {
        frame.extend([0x81, 0x00]);
        frame.extend((0x6000 | vlan).to_be_bytes());
    }
    frame.extend([0x88, 0xb5]);
    frame.resize(60, 0);
    frame.extend(number.to_be_bytes());
    frame
}

impl Bench {
    /// A board with a classifier from ring:0 to some of the other rings.
    fn classifier(&self, outlets: impl IntoIterator<Item = u16>) -> Board {
        let mut board = self.board(vec![self.worker(Poll::Busy)]);
        let function = Function::Classifier(Classifier::new());
        board.start("cls", function, 1).unwrap();
        let mut attach = |port, direction| board.attach("cls", port, direction, Vec::new());
        attach(ring(0), Direction::Rx).unwrap();
        for n in outlets {
            attach(ring(n), Direction::Tx).unwrap();
        }
        board
    }

    /// Puts frames into a ring as one burst; the first is cut into two segments at `cut`, if that is given.
    fn put_burst(&mut self, n: u16, frames: &[Vec<u8>], cut: Option<usize>) {
        let port = self.port(ring(n));
        self.cx.cache.balance();
        let mut burst = Burst::new();
        assert_eq!(self.cx.cache.alloc(&mut burst, frames.len()), frames.len());
        for (i, frame) in frames.iter().enumerate() {
            let room = cut.filter(|_| i == 0).unwrap_or(2048);
            assert!(burst.write_frame(i, frame, &mut self.cx.cache, room));
        }
        assert_eq!(port.send(&mut self.cx, &mut burst).0, frames.len());
    }

    /// All frames that lie in a ring.
    fn take_all(&mut self, n: u16) -> Vec<Vec<u8>> {
        let port = self.port(ring(n));
        let mut frames = Vec::new();
        loop {
            self.cx.cache.balance();
            let mut burst = Burst::new();
            if port.receive(&mut self.cx, &mut burst, BURST) == 0 {
                return frames;
            }
            frames.extend((0..burst.len()).map(|i| content(&burst, i)));
            burst.clear(&mut self.cx.cache);
        }
    }

    /// Sends frames through the classifier; gives what came out of each ring, once all of them have been looked at.
    fn classify(&mut self, board: &Board, frames: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
        let seen = |board: &Board| board.components()[0].rx[0].totals.rx_packets;
        let before = seen(board);
        let mut outs = vec![Vec::new(); usize::from(RINGS)];
        for (n, frames) in frames.chunks(BURST).enumerate() {
            self.put_burst(0, frames, None);
            let all = before + (n * BURST + frames.len()) as u64;
            wait("the classifier", || seen(board) == all);
            self.round();
            for ring in 1..RINGS {
                outs[usize::from(ring)].extend(self.take_all(ring));
            }
        }
        outs
    }

    /// Waits until the worker has finished what it was at.
    fn round(&self) {
        let rounds = || {
            self.area.layout().workers[1]
                .rounds
                .load(std::sync::atomic::Ordering::Acquire)
        };
        let now = rounds();
        wait("the worker", || rounds() > now + 1);
    }
}

fn drops(board: &Board, reason: DropReason) -> u64 {
    board.components()[0].rx[0].totals.drops[reason as usize]
}

#[test]
fn a_classifier_says_what_it_lacks_and_runs_once_it_has_an_entry() {
    with_eal(
        "tests::classifier::a_classifier_says_what_it_lacks_and_runs_once_it_has_an_entry",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.board(vec![bench.worker(Poll::Busy)]);
            let function = Function::Classifier(Classifier::new());
            board.start("cls", function, 1).unwrap();
            let lacks = |board: &Board| board.components()[0].lacks;
            assert!(lacks(&board).is_some());
            let attach = |board: &mut Board, port, direction| {
                board.attach("cls", port, direction, Vec::new()).unwrap();
            };
            attach(&mut board, ring(0), Direction::Rx);
            assert!(lacks(&board).is_some());
            attach(&mut board, ring(1), Direction::Tx);
            attach(&mut board, ring(2), Direction::Tx);
            assert_eq!(lacks(&board), Some("a table entry of a port to send to"));
            bench.put_burst(0, &[frame(HOST, None, 1)], None);
            // An entry of a port that is not its own is not enough.
            board.add_entry(untagged(HOST), ring(3)).unwrap();
            assert!(lacks(&board).is_some());
            assert_eq!(bench.rings[0].used(), 1);
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            assert_eq!(lacks(&board), None);
            wait("the packet that waited", || bench.rings[1].used() == 1);
            board.del_entry(untagged(HOST), ring(1)).unwrap();
            assert!(lacks(&board).is_some());
            board.end();
        },
    );
}

#[test]
fn packets_go_where_entries_of_their_vlan_say() {
    with_eal(
        "tests::classifier::packets_go_where_entries_of_their_vlan_say",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier(1..=4);
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            board.add_entry(in_vlan(100, HOST), ring(2)).unwrap();
            board.add_entry(default(Some(200)), ring(3)).unwrap();
            let sent = [
                frame(HOST, None, 0),
                frame(HOST, Some(100), 1),
                frame(HOST, Some(200), 2),
                frame(OTHER, None, 3),
                frame(OTHER, Some(100), 4),
                frame(OTHER, Some(200), 5),
                frame(HOST, Some(300), 6),
                frame(BROADCAST, None, 7),
                frame(BROADCAST, Some(100), 8),
                frame(BROADCAST, Some(200), 9),
                frame(BROADCAST, Some(300), 10),
                vec![0xff; 13],
            ];
            let of = |numbers: &[usize]| -> Vec<Vec<u8>> {
                numbers.iter().map(|n| sent[*n].clone()).collect()
            };
            let outs = bench.classify(&board, &sent);
            assert_eq!(outs[1], of(&[0, 7]));
            assert_eq!(outs[2], of(&[1, 8]));
            assert_eq!(outs[3], of(&[2, 5, 9]));
            assert_eq!(outs[4], of(&[]));
            assert_eq!(drops(&board, DropReason::Unknown), 2);
            assert_eq!(drops(&board, DropReason::Filtered), 3);

            // With a default for untagged packets nobody is unknown, and tagged groups reach it, too.
            board.add_entry(default(None), ring(4)).unwrap();
            let outs = bench.classify(&board, &sent);
            assert_eq!(outs[1], of(&[0, 7]));
            assert_eq!(outs[2], of(&[1, 8]));
            assert_eq!(outs[3], of(&[2, 5, 9]));
            assert_eq!(outs[4], of(&[3, 4, 6, 7, 8, 9, 10]));
            assert_eq!(drops(&board, DropReason::Unknown), 2);
            assert_eq!(drops(&board, DropReason::Filtered), 4);
            let hits: Vec<u64> = board.entries(0, 10).0.iter().map(|e| e.hits).collect();
            assert_eq!(hits, [2, 4, 3, 2]);
            board.end();
        },
    );
}

#[test]
fn entries_that_cannot_be_are_refused_and_change_nothing() {
    with_eal(
        "tests::classifier::entries_that_cannot_be_are_refused_and_change_nothing",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            let mut board = bench.classifier(1..=2);
            board.add_entry(untagged(HOST), ring(1)).unwrap();
            let vhost = PortCode::new(PortKind::Vhost, 1, 0);
            let (rule, port) = (untagged(HOST), ring(1));
            let refused = board.add_entry(rule, port).unwrap_err();
            assert_eq!(refused, EntryError::Exists { rule, port });
            let refused = board.add_entry(rule, vhost).unwrap_err();
            assert_eq!(refused, EntryError::Board(BoardError::NoPort(vhost)));
            let refused = board.del_entry(rule, vhost).unwrap_err();
            assert_eq!(refused, EntryError::Board(BoardError::NoPort(vhost)));
            let (rule, port) = (untagged(OTHER), ring(1));
            let refused = board.del_entry(rule, port).unwrap_err();
            assert_eq!(refused, EntryError::NotFound { rule, port });
            let refused = board.del_entry(untagged(HOST), ring(2)).unwrap_err();
            assert!(matches!(refused, EntryError::NotFound { .. }));
            let (entries, all) = board.entries(0, 10);
            assert_eq!((entries.len(), all), (1, 1));
            assert_eq!(entries[0].component.as_deref(), Some("cls"));
            board.end();
        },
    );
}
