//! Random tables and random frames against a plain model of the decision.

use std::collections::{BTreeMap, BTreeSet};

use testbed::Random;

use super::*;

/// The table of packets without a tag.
const UNTAGGED: u16 = 4095;
const MACS: [[u8; 6]; 6] = [
    HOST,
    OTHER,
    [0; 6],
    BROADCAST,
    [0x01, 0x00, 0x5e, 0, 0, 0x05],
    [0x33, 0x33, 0, 0, 0, 0x01],
];
const VLANS: [u16; 5] = [0, 1, 100, 4094, UNTAGGED];

/// An entry: VLAN, address (`None`: default), ring.
type Line = (u16, Option<[u8; 6]>, u16);

/// What should be.
#[derive(Default)]
struct Model {
    /// Rings in the order of their attachment.
    attached: Vec<u16>,
    /// Entries with their hits.
    entries: BTreeMap<Line, u64>,
}

enum Fate {
    To(Vec<u16>),
    Dropped(DropReason),
}

impl Model {
    /// The entry that is in force for something.
    fn in_force(&self, vlan: u16, mac: Option<[u8; 6]>) -> Option<Line> {
        let latest = self.attached.iter().rev();
        let line = latest.map(|ring| (vlan, mac, *ring));
        let mut lines = line.filter(|line| self.entries.contains_key(line));
        lines.next()
    }

    fn ports(&self, vlan: u16) -> BTreeSet<u16> {
        let lines = self.entries.keys().filter(|(v, ..)| *v == vlan);
        let ports = lines.map(|(.., ring)| *ring);
        ports.filter(|ring| self.attached.contains(ring)).collect()
    }

    fn runs(&self) -> bool {
        VLANS.iter().any(|v| !self.ports(*v).is_empty())
    }

    fn by(&mut self, line: Line) -> Fate {
        *self.entries.get_mut(&line).unwrap() += 1;
        Fate::To(vec![line.2])
    }

    /// Where a frame goes, word by word as the specification has it.
    fn fate(&mut self, frame: &[u8]) -> Fate {
        let tagged = frame.len() >= 14 && frame[12] == 0x81 && frame[13] == 0x00;
        if frame.len() < if tagged { 18 } else { 14 } {
            return Fate::Dropped(DropReason::Filtered);
        }
        let vid = || u16::from_be_bytes([frame[14], frame[15]]) % 4096;
        let vlan = if tagged { vid() } else { UNTAGGED };
        let mac: [u8; 6] = frame[..6].try_into().unwrap();
        let is_tagged = vlan != UNTAGGED;
        let general = self.in_force(UNTAGGED, None);
        let mut ports = self.ports(vlan);
        if ports.is_empty() {
            return match general {
                // A group of which only the general default is a member has no entry that decides.
                Some(line) if mac[0] % 2 == 1 => Fate::To(vec![line.2]),
                Some(line) => self.by(line),
                None => Fate::Dropped(DropReason::Filtered),
            };
        }
        if let Some(line) = self.in_force(vlan, Some(mac)) {
            return self.by(line);
        }
        if mac[0] % 2 == 1 {
            if let Some((.., ring)) = general.filter(|_| is_tagged) {
                ports.insert(ring);
            }
            return Fate::To(ports.into_iter().collect());
        }
        if let Some(line) = self.in_force(vlan, None) {
            return self.by(line);
        }
        match general {
            Some(line) => self.by(line),
            None => Fate::Dropped(DropReason::Unknown),
        }
    }

    /// Entries in force in the order in which they are listed, with their hits.
    fn list(&self) -> Vec<(Line, u64)> {
        let in_force = |((vlan, mac, ring), hits): (&Line, &u64)| {
            let line = (*vlan, *mac, *ring);
            (self.in_force(*vlan, *mac) == Some(line)).then_some((line, *hits))
        };
        self.entries.iter().filter_map(in_force).collect()
    }
}

/// A frame of any kind; `number` tells it apart if it is long enough.
fn any_frame(random: &mut Random, number: u32) -> Vec<u8> {
    let mut frame = MACS[random.below(MACS.len())].to_vec();
    frame.extend([0x02, 0xff, 0, 0, 0, 0]);
    match random.below(8) {
        0 | 1 => frame.extend([0x08, 0x00]),
        // The outer tag of IEEE 802.1ad, with one of ours inside.
        2 => frame.extend([0x88, 0xa8, 0x00, 0x64, 0x81, 0x00, 0x00, 0x01, 0x08, 0x00]),
        _ => {
            let vid = [0, 1, 100, 101, 4094, 4095][random.below(6)];
            frame.extend([0x81, 0x00]);
            frame.extend((vid | (random.below(16) as u16) << 12).to_be_bytes());
            frame.extend([0x08, 0x00]);
        }
    }
    frame.extend(number.to_be_bytes());
    let len = match random.below(8) {
        0 => random.below(22),
        1 => 1500 + random.below(7000),
        2 => 200 + random.below(200),
        _ => 60,
    };
    frame.resize(len, number as u8);
    frame
}

fn any_line(random: &mut Random) -> Line {
    let mac = [None, Some(MACS[random.below(MACS.len())])][random.below(4).min(1)];
    let vlan = VLANS[random.below(VLANS.len())];
    (vlan, mac, 1 + random.below(5) as u16)
}

/// Sends frames and compares what comes out of each ring, the drops and the hits with the model.
fn check(bench: &mut Bench, board: &Board, model: &mut Model, frames: &[Vec<u8>], at: &str) {
    let before = [DropReason::Filtered, DropReason::Unknown].map(|r| drops(board, r));
    let mut expected = vec![Vec::new(); usize::from(RINGS)];
    let mut dropped = [0, 0];
    for frame in frames {
        match model.fate(frame) {
            Fate::To(rings) => rings
                .into_iter()
                .for_each(|ring| expected[usize::from(ring)].push(frame.clone())),
            Fate::Dropped(DropReason::Filtered) => dropped[0] += 1,
            Fate::Dropped(_) => dropped[1] += 1,
        }
    }
    let outs = bench.classify(board, frames);
    for (ring, (out, expected)) in outs.iter().zip(&expected).enumerate() {
        assert_eq!(out.len(), expected.len(), "ring:{ring}, {at}");
        assert!(out == expected, "ring:{ring} has other frames, {at}");
    }
    let now = [DropReason::Filtered, DropReason::Unknown].map(|r| drops(board, r));
    assert_eq!([now[0] - before[0], now[1] - before[1]], dropped, "{at}");
    let (listed, all) = board.entries(0, usize::MAX);
    assert_eq!(
        (listed.len(), all),
        (model.entries.len(), model.entries.len())
    );
    let in_force: Vec<(Line, u64)> = listed
        .iter()
        .filter(|e| e.component.is_some())
        .map(|e| {
            let vlan = e.rule.vlan().unwrap_or(UNTAGGED);
            ((vlan, e.rule.mac(), e.port.number()), e.hits)
        })
        .collect();
    assert_eq!(in_force, model.list(), "{at}");
    assert_eq!(board.entries_in_force(), in_force.len());
    // In the order of the list: a page is a part of it.
    assert_eq!(board.entries(3, 4).0, listed[3.min(all)..7.min(all)]);
}

#[test]
fn packets_go_where_a_plain_model_says() {
    with_eal(
        "tests::classifier::decision::packets_go_where_a_plain_model_says",
        |eal, lcore| {
            let mut bench = Bench::new(eal, lcore);
            let mut board = bench.classifier([]);
            let mut model = Model::default();
            let mut random = Random(0x5eed);
            let mut number = 0;
            for step in 0..600 {
                let at = format!("step {step}");
                for _ in 0..=random.below(4) {
                    let ring_of = 1 + random.below(5) as u16;
                    let attached = model.attached.contains(&ring_of);
                    match random.below(12) {
                        0 | 1 if !attached => {
                            let port = ring(ring_of);
                            let to = board.attach("cls", port, Direction::Tx, Vec::new());
                            to.unwrap();
                            model.attached.push(ring_of);
                        }
                        0 if attached => {
                            board.detach("cls", ring(ring_of), Direction::Tx).unwrap();
                            model.attached.retain(|r| *r != ring_of);
                        }
                        2 => {
                            board.clear();
                            model.entries.values_mut().for_each(|hits| *hits = 0);
                        }
                        3..=5 => {
                            let lines: Vec<Line> = model.entries.keys().copied().collect();
                            let some = lines.get(random.below(lines.len() + 1));
                            let line = some.copied().unwrap_or_else(|| any_line(&mut random));
                            let rule = Rule::new(Some(line.0), line.1).unwrap();
                            let gone = board.del_entry(rule, ring(line.2));
                            let was = model.entries.remove(&line);
                            assert_eq!(gone.is_ok(), was.is_some(), "{at}: {gone:?}");
                        }
                        _ => {
                            let line = any_line(&mut random);
                            let rule = Rule::new(Some(line.0), line.1).unwrap();
                            let added = board.add_entry(rule, ring(line.2));
                            let had = model.entries.contains_key(&line);
                            model.entries.entry(line).or_insert(0);
                            assert_eq!(added.is_ok(), !had, "{at}: {added:?}");
                        }
                    }
                }
                let lacks = board.components()[0].lacks;
                assert_eq!(lacks.is_none(), model.runs(), "{at}: {lacks:?}");
                if !model.runs() {
                    continue;
                }
                let frames: Vec<Vec<u8>> = (0..=random.below(BURST))
                    .map(|_| {
                        number += 1;
                        any_frame(&mut random, number)
                    })
                    .collect();
                check(&mut bench, &board, &mut model, &frames, &at);
            }
            board.end();
            bench.cx.cache.flush();
            let whole = dpdk::audit(&bench.pool, &bench.rings);
            assert_eq!(whole, dpdk::Audit::default());
        },
    );
}
