//! Random commands against a plain model of the board.

use std::collections::{BTreeMap, BTreeSet};

use testbed::Random;

use super::*;
use crate::BoardError;

/// Who else claims ends here.
const OTHER: u32 = 77;
/// Lcore ids and CPUs of the hands.
const HANDS: [(u32, u32); 3] = [(2, 4), (3, 5), (4, 6)];

/// What should be.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    ports: BTreeSet<PortCode>,
    /// Destination and hand by source.
    cables: BTreeMap<PortCode, (PortCode, usize)>,
    others: BTreeSet<(PortCode, bool)>,
    forwarding: bool,
}

impl Model {
    /// Whether somebody else has the end that a new patch would need: the smallest one.
    fn claimed(&self, cables: &BTreeMap<PortCode, (PortCode, usize)>) -> bool {
        let needed = cables
            .iter()
            .flat_map(|(src, (dst, _))| [(*src, false), (*dst, true)]);
        needed.into_iter().any(|end| self.others.contains(&end))
    }

    /// The state after a patch, or why there is none.
    fn patch(&self, src: PortCode, dst: PortCode, on: Option<u32>) -> Result<Model, &'static str> {
        if !self.ports.contains(&src) || !self.ports.contains(&dst) {
            return Err("no port");
        }
        let mates: Vec<PortCode> = self
            .cables
            .iter()
            .filter(|(s, (d, _))| *d == dst && **s != src)
            .map(|(s, _)| *s)
            .collect();
        let load = |hand: &usize| self.cables.values().filter(|(_, h)| h == hand).count();
        let hand = match on {
            Some(cpu) => HANDS
                .iter()
                .position(|(_, c)| *c == cpu)
                .ok_or("no worker")?,
            None => match mates
                .first()
                .or(Some(&src))
                .and_then(|s| self.cables.get(s))
            {
                Some((_, hand)) => *hand,
                None => (0..HANDS.len()).min_by_key(load).unwrap(),
            },
        };
        let mut next = self.clone();
        for source in mates.into_iter().chain([src]) {
            next.cables.insert(source, (dst, hand));
        }
        if self.claimed(&next.cables) {
            return Err("claimed");
        }
        Ok(next)
    }

    fn holder(&self, end: (PortCode, bool)) -> Option<u32> {
        if self.others.contains(&end) {
            return Some(OTHER);
        }
        let (port, tx) = end;
        let hand = if tx {
            self.cables
                .values()
                .find(|(dst, _)| *dst == port)
                .map(|(_, hand)| *hand)
        } else {
            self.cables.get(&port).map(|(_, hand)| *hand)
        };
        hand.map(|hand| HANDS[hand].0)
    }
}

fn reason(error: &BoardError) -> &'static str {
    match error {
        BoardError::NoPort(_) => "no port",
        BoardError::Exists(_) => "exists",
        BoardError::Gone(_) => "gone",
        BoardError::NotPatched(_) => "not patched",
        BoardError::Claimed { .. } => "claimed",
        BoardError::NoWorker { .. } => "no worker",
        BoardError::Stuck { .. } => "stuck",
        BoardError::Full { .. } => "full",
        BoardError::Reserved { .. } => "reserved",
        BoardError::NoComponent(_)
        | BoardError::ComponentExists(_)
        | BoardError::InUse { .. }
        | BoardError::TooManyPorts { .. }
        | BoardError::NotAttached { .. }
        | BoardError::NotMeasured(..)
        | BoardError::NoSource(_)
        | BoardError::Traced(_)
        | BoardError::TraceCount { .. }
        | BoardError::NoMirror(_) => "component",
    }
}

fn step(bench: &Bench, board: &mut Board, model: &Model, random: &mut Random) -> Model {
    let mut port = || match random.below(7) {
        n @ 0..5 => ring(n as u16),
        n => null(n as u16 - 4),
    };
    let (a, b) = (port(), port());
    let mut next = model.clone();
    let (done, expected): (Result<(), BoardError>, Result<(), &str>) = match random.below(20) {
        0 => {
            let expected = if next.ports.insert(a) {
                Ok(())
            } else {
                Err("exists")
            };
            (board.add(bench.port(a)), expected)
        }
        1 => {
            let expected = if next.ports.remove(&a) {
                Ok(())
            } else {
                Err("no port")
            };
            if expected.is_ok() {
                next.cables.retain(|src, (dst, _)| *src != a && *dst != a);
            }
            (board.del(a).map(drop), expected)
        }
        2..5 => {
            let expected = match model.ports.contains(&a) {
                false => Err("no port"),
                true if next.cables.remove(&a).is_none() => Err("not patched"),
                true => Ok(()),
            };
            (board.unpatch(a), expected)
        }
        5 => {
            next.cables.clear();
            (board.reset(), Ok(()))
        }
        6 => {
            next.forwarding = !model.forwarding;
            (board.set_forwarding(next.forwarding), Ok(()))
        }
        7..9 => {
            // Somebody else claims an end, or gives one up.
            if let Some(ends) = bench.port(a).ends() {
                let tx = random.below(2) == 1;
                let direction = if tx { Direction::Tx } else { Direction::Rx };
                if next.others.remove(&(a, tx)) {
                    Area::release(ends, direction, OTHER);
                } else {
                    let free = model.holder((a, tx)).is_none();
                    assert_eq!(Area::claim(ends, direction, OTHER).is_ok(), free);
                    if free {
                        next.others.insert((a, tx));
                    }
                }
            }
            (Ok(()), Ok(()))
        }
        _ => {
            let on = [None, None, Some(4), Some(5), Some(6), Some(7)][random.below(6)];
            let expected = model.patch(a, b, on).map(|patched| next = patched);
            (board.patch(a, b, on, None), expected)
        }
    };
    assert_eq!(
        done.map_err(|e| reason(&e)),
        expected,
        "{a} {b} on {model:?}"
    );
    if expected.is_err() {
        model.clone()
    } else {
        next
    }
}

#[test]
fn a_board_behaves_as_a_plain_model_says() {
    with_eal(
        "tests::model::a_board_behaves_as_a_plain_model_says",
        |eal, lcore| {
            let bench = Bench::new(eal, lcore);
            for seed in 1..=6 {
                let mut random = Random(seed);
                let (hands, told): (Vec<Hand>, Vec<Told>) = HANDS
                    .iter()
                    .map(|(lcore, cpu)| bench.listener(*lcore, *cpu))
                    .unzip();
                let holder = Box::new(|lcore| format!("lcore {lcore}"));
                let mut board =
                    Board::new(bench.area, bench.cx.ringer.clone(), hands, true, holder);
                let mut model = Model {
                    forwarding: true,
                    ..Model::default()
                };
                for n in 0..400 {
                    model = step(&bench, &mut board, &model, &mut random);
                    let shown: BTreeMap<PortCode, (PortCode, u32)> = board
                        .patches()
                        .iter()
                        .map(|p| (p.src, (p.dst, p.cpu)))
                        .collect();
                    let expected = model
                        .cables
                        .iter()
                        .map(|(s, (d, h))| (*s, (*d, HANDS[*h].1)));
                    assert_eq!(shown, expected.collect(), "seed {seed}, command {n}");
                    let ports: BTreeSet<PortCode> =
                        board.ports().iter().map(|p| p.code()).collect();
                    assert_eq!(ports, model.ports);
                    for i in 0..5 {
                        let expected = [false, true].map(|tx| model.holder((ring(i), tx)));
                        let (rx, tx) = bench.holders(i);
                        assert_eq!([rx, tx], expected, "ring:{i}, seed {seed}, command {n}");
                    }
                    for (hand, told) in told.iter().enumerate() {
                        let of_hand: Vec<(PortCode, PortCode)> = model
                            .cables
                            .iter()
                            .filter(|(_, (_, h))| *h == hand && model.forwarding)
                            .map(|(s, (d, _))| (*s, *d))
                            .collect();
                        // Lines into one port stand together, so their order is not that of the model.
                        wait("the table of a hand", || {
                            let mut told = told.lock().unwrap().clone();
                            told.sort_unstable();
                            told == of_hand
                        });
                    }
                }
                for i in 0..5 {
                    let ends = bench.area.ring_ends(i).unwrap();
                    Area::release(ends, Direction::Rx, OTHER);
                    Area::release(ends, Direction::Tx, OTHER);
                }
                board.reset().unwrap();
                board.end();
            }
        },
    );
}
