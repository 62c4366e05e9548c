//! Cables on a board: patches from one port to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::impair::Impairment;

use crate::area::{Direction, PatchBlock, Totals};
use crate::board::{Board, BoardError};
use crate::code::PortCode;
use crate::impair::{Counts, Impaired};
use crate::wiring::Cable;

/// A patch as it is shown.
#[derive(Clone)]
pub struct PatchView {
    /// Source.
    pub src: PortCode,
    /// Destination.
    pub dst: PortCode,
    /// CPU of its worker.
    pub cpu: u32,
    /// Its counts since the last clear.
    pub totals: Totals,
    /// What holds packets back, with its counts since the last clear.
    pub impaired: Option<(Impairment, Counts)>,
}

impl Board {
    /// Patches `src` to `dst`, replacing the former patch of `src`. All patches into one destination are
    /// run by one worker: `on` (a CPU) names it and moves the others along; without it a new destination goes
    /// to the worker with the fewest patches. Packets are held back `with` what is given; what the former patch of
    /// `src` holds on the same worker goes on, if it is to be held back, too.
    pub fn patch(
        &mut self,
        src: PortCode,
        dst: PortCode,
        on: Option<u32>,
        with: Option<Impairment>,
    ) -> Result<(), BoardError> {
        self.required(src)?;
        self.required(dst)?;
        self.free_of_components(src, Direction::Rx)?;
        self.free_of_components(dst, Direction::Tx)?;
        let cables = &self.wiring().cables;
        let mates = cables.iter().filter(|(s, c)| c.dst == dst && **s != src);
        let mates: Vec<PortCode> = mates.map(|(s, _)| *s).collect();
        let hand = match on {
            Some(cpu) => self.hand_on(cpu)?,
            None => match mates.first().or(Some(&src)).and_then(|s| cables.get(s)) {
                Some(cable) => cable.hand,
                None => self.least_loaded(),
            },
        };
        let mut wiring = self.wiring().clone();
        let mut begun: Vec<&'static PatchBlock> = Vec::new();
        for mate in mates.into_iter().chain([src]) {
            let same = self.wiring().cables.get(&mate);
            let same = same.filter(|c| c.hand == hand && c.dst == dst);
            let block = match same.map(|cable| cable.block) {
                Some(block) => block,
                None => match self.counters(hand, (Some(mate), Some(dst))) {
                    Ok(block) => {
                        begun.push(block);
                        block
                    }
                    Err(e) => {
                        begun.into_iter().for_each(|b| self.end_counters(b));
                        return Err(e);
                    }
                },
            };
            let known = self.wiring().cables.get(&mate);
            let before = known.and_then(|c| Some((c.impaired.clone()?, c.hand == hand)));
            let wanted = if mate == src {
                with
            } else {
                before.as_ref().map(|(impaired, _)| *impaired.with())
            };
            let before = before.filter(|(_, stays)| *stays).map(|(same, _)| same);
            let impaired = wanted.map(|with| match before {
                Some(same) if *same.with() == with => same,
                before => {
                    let edition = self.next_edition();
                    Arc::new(Impaired::new(with, edition, before.as_deref()))
                }
            });
            let cable = Cable {
                dst,
                hand,
                block,
                impaired,
            };
            wiring.cables.insert(mate, cable);
        }
        self.change(wiring)
    }

    fn free_of_components(&self, port: PortCode, direction: Direction) -> Result<(), BoardError> {
        match self.wiring().component_of(port, direction) {
            None => Ok(()),
            Some(name) => Err(BoardError::InUse {
                port,
                direction,
                by: format!("component {name}"),
            }),
        }
    }

    fn least_loaded(&self) -> usize {
        let cables = &self.wiring().cables;
        let load = |hand: usize| cables.values().filter(|c| c.hand == hand).count();
        (0..self.hands().len())
            .min_by_key(|h| load(*h))
            .unwrap_or(0)
    }

    /// Takes the patch of `src` out.
    pub fn unpatch(&mut self, src: PortCode) -> Result<(), BoardError> {
        self.required(src)?;
        let mut wiring = self.wiring().clone();
        if wiring.cables.remove(&src).is_none() {
            return Err(BoardError::NotPatched(src));
        }
        self.change(wiring)
    }

    /// Takes all patches out.
    pub fn reset(&mut self) -> Result<(), BoardError> {
        let mut wiring = self.wiring().clone();
        wiring.cables = BTreeMap::new();
        self.change(wiring)
    }

    /// The patches, by source.
    pub fn patches(&self) -> Vec<PatchView> {
        let view = |(src, cable): (&PortCode, &Cable)| PatchView {
            src: *src,
            dst: cable.dst,
            cpu: self.hands()[cable.hand].cpu,
            totals: self.block_totals((Some(*src), Some(cable.dst))),
            impaired: cable.impaired.as_ref().map(|i| (*i.with(), i.counts())),
        };
        self.wiring().cables.iter().map(view).collect()
    }
}
