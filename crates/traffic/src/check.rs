//! Accounts for what arrives.

use crate::frame::MODULUS;
use crate::frames::Frames;
use crate::window::{Place, WINDOW, Window};

/// What came of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Received in order.
    Received {
        /// How long ago it was made, in nanoseconds modulo 2⁴⁸.
        age_ns: u64,
    },
    /// Received behind a later one.
    Reordered {
        /// How long ago it was made, in nanoseconds modulo 2⁴⁸.
        age_ns: u64,
    },
    /// Received before already.
    Duplicate,
    /// So late that nobody knows whether it was received before.
    Unplaced,
    /// One of ours, but not as it was sent.
    Bad,
    /// Of no flow that is checked here.
    Foreign,
}

/// Why frames cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// One flow is described twice.
    #[error("flow {0} is described twice: give each flow a number of its own")]
    Twice(u16),
    /// The flow is not checked here.
    #[error("flow {0} is not checked here")]
    Unknown(u16),
    /// More was received than sent.
    #[error(
        "flow {flow}: frame {highest} was received, but only {sent} were sent (0 is the first)"
    )]
    NeverSent {
        /// The flow.
        flow: u16,
        /// The highest number received.
        highest: u64,
        /// How many frames were sent.
        sent: u64,
    },
}

/// What was received of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTotals {
    /// Different frames received.
    pub received: u64,
    /// Frames that are missing: of those sent, or, as long as that is not known, of those up to
    /// the highest received.
    pub lost: u64,
    /// Copies of frames received before.
    pub duplicated: u64,
    /// Of the received, those that came behind a later one.
    pub reordered: u64,
    /// Frames that were damaged on the way; their numbers are lost.
    pub bad: u64,
    /// Frames that came more than 65,536 numbers behind. Each is either a duplicate or one of
    /// those counted as lost; if there is none, all other figures are exact.
    pub unplaced: u64,
}

impl FlowTotals {
    /// Whether each frame arrived once, whole and in order, and nothing else did.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        *self
            == Self {
                received: self.received,
                ..Self::default()
            }
    }
}

struct Flow {
    frames: Frames,
    window: Window,
    totals: FlowTotals,
}

/// Checks the frames of some flows. Its memory depends on their number and sizes only.
pub struct Checker {
    flows: Vec<Flow>,
    /// For each flow's number its place in `flows`.
    places: Vec<Option<u16>>,
    /// Whether frames are made by descriptions.
    crafted: bool,
    foreign: u64,
}

impl Checker {
    /// A checker of these flows, all of one kind, which begin with frame 0.
    ///
    /// # Errors
    /// [`CheckError::Twice`].
    pub fn new(flows: Vec<Frames>) -> Result<Self, CheckError> {
        let mut checker = Self {
            flows: Vec::new(),
            places: Vec::new(),
            crafted: flows.first().is_some_and(Frames::is_crafted),
            foreign: 0,
        };
        for frames in flows {
            let flow = frames.flow();
            let number = usize::from(flow);
            if checker.places.len() <= number {
                checker.places.resize(number + 1, None);
            }
            // No number comes twice, so there are no more than fit.
            let place = checker.flows.len() as u16;
            if checker.places[number].replace(place).is_some() {
                return Err(CheckError::Twice(flow));
            }
            let (window, totals) = (Window::new(), FlowTotals::default());
            checker.flows.push(Flow {
                frames,
                window,
                totals,
            });
        }
        Ok(checker)
    }

    /// Takes in a frame (from its destination address on, without FCS) that arrived at `now_ns`
    /// by the generator's clock.
    pub fn check(&mut self, frame: &[u8], now_ns: u64) -> Verdict {
        let Some(flow) = Frames::flow_of(self.crafted, frame).and_then(|flow| self.place(flow))
        else {
            self.foreign += 1;
            return Verdict::Foreign;
        };
        let Flow {
            frames,
            window,
            totals,
        } = &mut self.flows[flow];
        let Some(stamp) = frames.read(frame) else {
            totals.bad += 1;
            return Verdict::Bad;
        };
        let age_ns = now_ns.wrapping_sub(stamp.time_ns) % MODULUS;
        match window.place(stamp.sequence) {
            Place::Ahead => {
                totals.received += 1;
                Verdict::Received { age_ns }
            }
            Place::Behind => {
                totals.received += 1;
                totals.reordered += 1;
                Verdict::Reordered { age_ns }
            }
            Place::Again => {
                totals.duplicated += 1;
                Verdict::Duplicate
            }
            Place::Unknown => {
                totals.unplaced += 1;
                Verdict::Unplaced
            }
        }
    }

    /// Flow and number of a frame of ours; `None` if it is of no flow that is checked here, or damaged. Nothing is counted.
    pub fn number(&mut self, frame: &[u8]) -> Option<(u16, u64)> {
        let flow = Frames::flow_of(self.crafted, frame)?;
        let place = self.place(flow)?;
        let stamp = self.flows[place].frames.read(frame)?;
        Some((flow, stamp.sequence))
    }

    /// What was received of a flow so far.
    ///
    /// # Errors
    /// [`CheckError::Unknown`].
    pub fn so_far(&self, flow: u16) -> Result<FlowTotals, CheckError> {
        let flow = &self.flows[self.place(flow).ok_or(CheckError::Unknown(flow))?];
        Ok(FlowTotals {
            lost: flow.window.next() - flow.totals.received,
            ..flow.totals
        })
    }

    /// What was received of a flow of which `sent` frames were sent.
    ///
    /// # Errors
    /// [`CheckError::Unknown`], [`CheckError::NeverSent`].
    pub fn totals(&self, flow: u16, sent: u64) -> Result<FlowTotals, CheckError> {
        let totals = self.so_far(flow)?;
        match (totals.received + totals.lost).checked_sub(1) {
            Some(highest) if highest >= sent => Err(CheckError::NeverSent {
                flow,
                highest,
                sent,
            }),
            _ => Ok(FlowTotals {
                lost: sent - totals.received,
                ..totals
            }),
        }
    }

    /// Frames that are missing so far, of all flows.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let missing = |flow: &Flow| flow.window.next() - flow.totals.received;
        self.flows.iter().map(missing).sum()
    }

    /// Frames of no flow that is checked here.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// How far behind the highest a number may come and still be told from a duplicate.
    #[must_use]
    pub fn window() -> u64 {
        WINDOW
    }

    fn place(&self, flow: u16) -> Option<usize> {
        self.places
            .get(usize::from(flow))
            .copied()
            .flatten()
            .map(usize::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;
    use crate::frame::{FrameSpec, Stamp, Template};
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    fn spec(flow: u16) -> FrameSpec {
        let spec = FrameSpec::new(flow, 60 + usize::from(flow) * 700);
        if flow.is_multiple_of(2) {
            spec
        } else {
            spec.in_vlan(flow)
        }
    }

    fn frames(flows: &[u16]) -> Vec<Frames> {
        let template = |flow: &u16| Template::new(&spec(*flow)).unwrap().into();
        flows.iter().map(template).collect()
    }

    fn frame(flow: u16, sequence: u64) -> Vec<u8> {
        let mut room = vec![0; spec(flow).size];
        let stamp = Stamp {
            sequence,
            time_ns: 1000,
        };
        Template::new(&spec(flow))
            .unwrap()
            .write_into(&mut room, stamp)
            .unwrap();
        room
    }

    #[test]
    fn an_undisturbed_flow_is_perfect() {
        let mut generator = Generator::new(frames(&[3]).remove(0));
        let mut checker = Checker::new(frames(&[2, 3])).unwrap();
        let mut room = vec![0; 9600];
        for now in 0..200_000u64 {
            let size = generator.next_into(&mut room, now).unwrap();
            let verdict = checker.check(&room[..size], now + 70);
            assert_eq!(verdict, Verdict::Received { age_ns: 70 });
        }
        let totals = checker.totals(3, generator.sent()).unwrap();
        assert!(
            totals.is_perfect() && totals.received == 200_000,
            "{totals:?}"
        );
        assert_eq!(
            checker.totals(2, 5).unwrap(),
            FlowTotals {
                lost: 5,
                ..Default::default()
            }
        );
    }

    #[test]
    fn each_verdict() {
        let mut checker = Checker::new(frames(&[0, 1])).unwrap();
        let mut check = |frame: &[u8]| checker.check(frame, 1500);
        let age_ns = 500;
        assert_eq!(check(&frame(1, 3)), Verdict::Received { age_ns });
        assert_eq!(check(&frame(1, 1)), Verdict::Reordered { age_ns });
        assert_eq!(check(&frame(1, 1)), Verdict::Duplicate);
        assert_eq!(check(&frame(1, 70_000)), Verdict::Received { age_ns });
        assert_eq!(check(&frame(1, 2)), Verdict::Unplaced);
        assert_eq!(check(&frame(2, 2)), Verdict::Foreign);
        assert_eq!(check(&[0xff; 60]), Verdict::Foreign);
        assert_eq!(check(&[]), Verdict::Foreign);
        let mut damaged = frame(1, 70_001);
        damaged[300] ^= 1;
        assert_eq!(check(&damaged), Verdict::Bad);
        assert_eq!(check(&frame(1, 70_001)[..200]), Verdict::Bad);
        let totals = FlowTotals {
            received: 3,
            lost: 69_998,
            duplicated: 1,
            reordered: 1,
            bad: 2,
            unplaced: 1,
        };
        assert_eq!(checker.so_far(1), Ok(totals));
        assert_eq!(checker.totals(1, 70_011).unwrap().lost, 70_008);
        assert_eq!(checker.foreign(), 3);
        assert!(!totals.is_perfect());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(
            Checker::new(frames(&[1, 1])).err(),
            Some(CheckError::Twice(1))
        );
        let mut checker = Checker::new(frames(&[5])).unwrap();
        checker.check(&frame(5, 10), 0);
        assert_eq!(checker.totals(4, 1), Err(CheckError::Unknown(4)));
        let refused = checker.totals(5, 10);
        assert_eq!(
            refused,
            Err(CheckError::NeverSent {
                flow: 5,
                highest: 10,
                sent: 10
            })
        );
        assert_eq!(checker.totals(5, 11).unwrap().lost, 10);
    }

    proptest! {
        /// A path that loses, doubles, delays and damages, and a plain account of what it did.
        #[test]
        fn every_frame_is_accounted_for(
            fates in prop::collection::vec((0..3u16, 0..10u8, 0..50usize), 0..300)
        ) {
            let mut next = HashMap::new();
            let mut path: Vec<(usize, u16, u64, bool)> = Vec::new();
            for (at, (flow, fate, delay)) in fates.into_iter().enumerate() {
                let number: &mut u64 = next.entry(flow).or_default();
                match fate {
                    0 => {}
                    1 => path.extend([(at, flow, *number, true), (at + delay, flow, *number, true)]),
                    2 => path.push((at + delay, flow, *number, true)),
                    3 => path.push((at, flow, *number, false)),
                    _ => path.push((at, flow, *number, true)),
                }
                *number += 1;
            }
            path.sort_by_key(|&(at, ..)| at);

            let mut checker = Checker::new(frames(&[0, 1, 2])).unwrap();
            let mut seen: HashSet<(u16, u64)> = HashSet::new();
            let mut highest: HashMap<u16, u64> = HashMap::new();
            let mut model = [FlowTotals::default(); 3];
            for (_, flow, number, sound) in path {
                let mut bytes = frame(flow, number);
                let totals = &mut model[usize::from(flow)];
                if !sound {
                    bytes[50] ^= 0x10;
                    totals.bad += 1;
                } else if !seen.insert((flow, number)) {
                    totals.duplicated += 1;
                } else {
                    totals.received += 1;
                    let last = highest.entry(flow).or_insert(number);
                    totals.reordered += u64::from(number < *last);
                    *last = number.max(*last);
                }
                checker.check(&bytes, 0);
            }
            for flow in 0..3u16 {
                let sent = next.get(&flow).copied().unwrap_or(0);
                let totals = &mut model[usize::from(flow)];
                totals.lost = sent - totals.received;
                prop_assert_eq!(checker.totals(flow, sent).unwrap(), *totals);
            }
            prop_assert_eq!(checker.foreign(), 0);
        }
    }
}
