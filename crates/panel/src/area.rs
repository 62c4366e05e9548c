//! The panel's shared memory: who claims which end, what workers count, who sleeps.
//!
//! Counters have one writer, the worker with the lcore id that indexes them; anyone reads them at
//! any time, also after the writer died. Ends are claimed by compare-and-swap with the lcore id.

mod layout;
mod totals;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

use dpdk::Memzone;

use crate::code::{PortCode, PortKind};
use crate::moves::{given_up, moved};

pub use layout::*;
pub use totals::{BlockEnds, PanelTotals, Totals};

/// An end that somebody else claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The lcore id of the holder.
    pub lcore: u32,
}

/// Too many mbufs were to be held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// mbufs that all patches of the panel may hold back together.
    pub most: u32,
    /// mbufs of them that nobody has reserved.
    pub left: u32,
}

/// The direction of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Packets come out of the port.
    Rx,
    /// Packets go into the port.
    Tx,
}

/// The panel's shared memory. A handle: copies are the same area.
#[derive(Clone, Copy)]
pub struct Area(Memzone<Layout>);

impl Area {
    /// Reserves it (primary only).
    pub fn create() -> Result<Self, dpdk::Error> {
        Ok(Area(Memzone::create(NAME, LAYOUT)?))
    }

    /// Finds it.
    pub fn lookup() -> Result<Self, dpdk::Error> {
        Ok(Area(Memzone::lookup(NAME, LAYOUT)?))
    }

    /// The fields.
    pub fn layout(&self) -> &'static Layout {
        self.0.get()
    }

    /// The two ends of the queue of device `port` (DPDK's port id).
    pub fn queue_ends(&self, port: u16, queue: u16) -> Option<&'static Ends> {
        self.layout()
            .queues
            .get(usize::from(port))?
            .get(usize::from(queue))
    }

    /// The two ends of ring `number`.
    pub fn ring_ends(&self, number: u16) -> Option<&'static Ends> {
        self.layout().rings.get(usize::from(number))
    }

    fn side(ends: &Ends, direction: Direction) -> &AtomicU32 {
        match direction {
            Direction::Rx => &ends.consumer,
            Direction::Tx => &ends.producer,
        }
    }

    /// Claims one end for `lcore`; claiming it again changes nothing.
    pub fn claim(ends: &Ends, direction: Direction, lcore: u32) -> Result<(), Held> {
        match Self::side(ends, direction).compare_exchange(0, lcore + 1, SeqCst, SeqCst) {
            Ok(_) => Ok(()),
            Err(holder) if holder == lcore + 1 => Ok(()),
            Err(holder) => Err(Held { lcore: holder - 1 }),
        }
    }

    /// Gives an end up if `lcore` holds it.
    pub fn release(ends: &Ends, direction: Direction, lcore: u32) {
        let _ = Self::side(ends, direction).compare_exchange(lcore + 1, 0, SeqCst, SeqCst);
    }

    /// The lcore id that claims an end.
    pub fn holder(ends: &Ends, direction: Direction) -> Option<u32> {
        Self::side(ends, direction).load(SeqCst).checked_sub(1)
    }

    /// Numbers of the rings of which `lcore` claims the end.
    pub fn rings_of(&self, lcore: u32, direction: Direction) -> Vec<u16> {
        let rings = self.layout().rings.iter().enumerate();
        rings
            .filter(|(_, e)| Self::holder(e, direction) == Some(lcore))
            .map(|(i, _)| i as u16)
            .collect()
    }

    /// Takes every claim of a dead worker away.
    pub fn release_all(&self, lcore: u32) {
        let layout = self.layout();
        for ends in layout.rings.iter().chain(layout.queues.iter().flatten()) {
            Self::release(ends, Direction::Rx, lcore);
            Self::release(ends, Direction::Tx, lcore);
        }
    }

    /// Counters for a patch of the worker `lcore`, or for a port of its component: those that it had before,
    /// or free ones. Only the process that leases `lcore` calls this. `None` if all are in use. Where a former
    /// patch had to make room, `evicted` gets its ends and counts.
    pub fn begin_patch(
        &self,
        lcore: u32,
        ends: BlockEnds,
        evicted: impl FnOnce(BlockEnds, Totals),
    ) -> Option<&'static PatchBlock> {
        let blocks = self.layout().patches.get(lcore as usize)?;
        let same = |b: &&PatchBlock| b.ends() == Some(ends);
        if let Some(block) = blocks.iter().find(same) {
            block.state.store(LIVE, SeqCst);
            return Some(block);
        }
        let worker = self.layout().workers.get(lcore as usize)?;
        let in_state = |state| blocks.iter().position(|b| b.state.load(SeqCst) == state);
        let at = match in_state(FREE) {
            Some(at) => at,
            None => {
                let at = in_state(RETIRED)?;
                if let Some(ends) = blocks[at].ends() {
                    evicted(ends, blocks[at].totals());
                }
                self.clear_block(worker, &blocks[at]);
                at
            }
        };
        let block = &blocks[at];
        let raw = |code: Option<PortCode>| code.map_or(0, PortCode::raw);
        worker.blocks.fetch_max(at as u32 + 1, SeqCst);
        block.src.store(raw(ends.0), Relaxed);
        block.dst.store(raw(ends.1), Relaxed);
        block.state.store(LIVE, SeqCst);
        Some(block)
    }

    /// Says that no worker writes to the block any more; its counts stay.
    pub fn end_patch(&self, block: &PatchBlock) {
        block.state.store(RETIRED, SeqCst);
    }

    /// From now on patches may hold back so many of the pool's `mbufs` together that others have as many (primary only).
    pub fn share_mbufs(&self, mbufs: u32) {
        self.layout().may_hold.store(mbufs / 2, SeqCst);
    }

    /// Says that the patches of the worker `lcore` may hold back `mbufs` mbufs together from now on. Only the process that leases
    /// `lcore` calls this.
    ///
    /// # Errors
    /// That would be more than there are for this: nothing has changed. Of two processes that ask for the last ones at the same time both
    /// may be refused.
    pub fn reserve(&self, lcore: u32, mbufs: u32) -> Result<(), Reserved> {
        let layout = self.layout();
        let Some(worker) = layout.workers.get(lcore as usize) else {
            return Ok(());
        };
        let before = worker.may_hold.swap(mbufs, SeqCst);
        let most = layout.may_hold.load(SeqCst);
        let workers = layout.workers.iter();
        let all = workers.fold(0u32, |sum, w| sum.saturating_add(w.may_hold.load(SeqCst)));
        if mbufs <= before || all <= most {
            return Ok(());
        }
        worker.may_hold.store(before, SeqCst);
        Err(Reserved {
            most,
            left: most.saturating_sub(all - mbufs + before),
        })
    }

    fn past_of(&self, code: PortCode) -> Option<&'static Past> {
        let number = usize::from(code.number());
        match code.kind() {
            PortKind::Ring => self.layout().ring_past.get(number),
            PortKind::Phy => self.layout().device_past.get(number),
            _ => None,
        }
    }

    /// Moves the counts of a block of `worker` to the pasts of its ports, as one step for readers.
    fn clear_block(&self, worker: &WorkerBlock, block: &PatchBlock) {
        let Some((src, dst)) = block.ends() else {
            return;
        };
        let totals = block.totals();
        moved(&worker.moving, || {
            if let Some(past) = src.and_then(|src| self.past_of(src)) {
                past.add(&totals.of_src(dst));
            }
            if let Some(past) = dst.and_then(|dst| self.past_of(dst)) {
                past.add(&totals.sent());
            }
            block.clear();
        });
    }

    /// Clears all blocks of a worker that is dead, keeping their counts for rings and devices.
    pub fn bury(&self, lcore: u32) {
        let Some(blocks) = self.layout().patches.get(lcore as usize) else {
            return;
        };
        let Some(worker) = self.layout().workers.get(lcore as usize) else {
            return;
        };
        // It died while it moved counts: those of one block may be there twice.
        given_up(&worker.moving);
        blocks.iter().for_each(|b| self.clear_block(worker, b));
        worker.blocks.store(0, SeqCst);
        for counter in [
            &worker.rounds,
            &worker.busy_cycles,
            &worker.polls,
            &worker.empty_polls,
            &worker.packets,
            &worker.rests,
            &worker.started,
        ] {
            counter.store(0, Relaxed);
        }
        worker.may_hold.store(0, SeqCst);
        worker.driver_held.store(0, Relaxed);
        worker.received_from.store(0, Relaxed);
        self.layout().pulses[lcore as usize].still();
        self.layout().sleep[lcore as usize].asleep.store(0, SeqCst);
    }
}
