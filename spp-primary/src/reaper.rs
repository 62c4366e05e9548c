//! Completing what a dead worker began.

use dpdk::{Audit, Orphans, Pool, Recovered, Ring};
use panel::Area;
use panel::area::Direction;
use process::Error;
use registry::folder::Folder;
use registry::lease::{Slot, dead_leases, holders};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::house::House;

/// What the primary owns and cleans.
#[derive(Clone)]
pub struct Estate {
    /// The panel's shared memory.
    pub area: Area,
    /// The panel's pool.
    pub pool: Pool,
    /// The pool of foreign processes.
    pub foreign: Pool,
    /// Rings, by number.
    pub rings: Vec<Ring>,
    /// What dead workers shared with others that go on; only the housekeeper looks at it.
    pub orphans: Arc<Mutex<Orphans>>,
}

/// What [`Estate::reap`] did.
#[derive(Debug, Clone, Default)]
pub struct Reaped {
    /// Workers that it cleaned up after.
    pub workers: u32,
    /// mbufs that came back.
    pub mbufs: u64,
    /// mbufs of foreign processes that came back.
    pub foreign: u64,
    /// PIDs of their processes.
    pub pids: BTreeSet<u32>,
}

impl Estate {
    /// Looks for workers that died and recovers what they held.
    pub fn reap(&self, folder: &Folder, house: &House) -> Result<Reaped, Error> {
        let mut reaped = Reaped::default();
        for dead in dead_leases(folder)? {
            let (estate, lcore) = (self.clone(), dead.lcore());
            let (found, foreign) = house.run(move |us| estate.bury(lcore, us))?;
            let who = dead.holder().map_or_else(
                || "a process".to_string(),
                |h| format!("{}:{}", h.kind, h.id),
            );
            log::info!(
                "{who} ended: {} mbufs recovered",
                found.mbufs + foreign.mbufs
            );
            let left = found.left + foreign.left;
            if left > 0 {
                log::warn!(
                    "{who}: {left} mbufs may still be in a device's queues and stay out of use"
                );
            }
            reaped.workers += 1;
            reaped.mbufs += u64::from(found.mbufs);
            reaped.foreign += u64::from(foreign.mbufs);
            if let Some(holder) = dead.holder().filter(|h| h.id != 0) {
                reaped.pids.insert(holder.pid);
            }
            dead.finish()?;
        }
        Ok(reaped)
    }

    /// Looks for every mbuf of the pool; `None` if a worker holds some, or may.
    pub fn audit(&self, folder: &Folder, house: &House) -> Result<Option<Audit>, Error> {
        if working(folder)? {
            return Ok(None);
        }
        let estate = self.clone();
        let found = house.run(move |us| {
            estate.tidy(us);
            dpdk::sweep(&estate.pool, us);
            dpdk::audit(&estate.pool, &estate.rings)
        })?;
        // One that has begun meanwhile may have taken some.
        Ok((!working(folder)?).then_some(found))
    }

    /// What was recovered of our pool, and of the foreign processes' one.
    fn bury(&self, lcore: u32, us: &dpdk::Lcore) -> (Recovered, Recovered) {
        for (direction, producer) in [(Direction::Tx, true), (Direction::Rx, false)] {
            for n in self.area.rings_of(lcore, direction) {
                if let Some(ring) = self.rings.get(usize::from(n))
                    && ring.mend(producer)
                {
                    log::info!("ring:{n} was left torn and is whole again");
                }
            }
        }
        let kept = self.area.kept_of(lcore);
        let recover = |pool, orphans: &mut Orphans| {
            dpdk::recover(pool, &self.rings, lcore, kept, orphans, us)
        };
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        let found = recover(&self.pool, &mut orphans);
        // Nobody of ours shares what is of their pool.
        let foreign = recover(&self.foreign, &mut Orphans::default());
        self.area.bury(lcore);
        self.area.release_all(lcore);
        (found, foreign)
    }

    /// Gives back what dead workers shared with others and these have let go of since. Returns how many mbufs that were.
    /// To be called every second.
    pub fn sweep(&self, house: &House) -> Result<u64, Error> {
        let all = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return Ok(0);
        }
        drop(all);
        let estate = self.clone();
        house.run(move |us| {
            let mut orphans = estate
                .orphans
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            u64::from(orphans.sweep(&estate.pool, us))
        })
    }

    /// Takes what foreign processes freed of our pool into its depot, and gives them back what workers freed of
    /// theirs. Returns how many mbufs that were.
    pub fn tidy(&self, us: &dpdk::Lcore) -> u32 {
        self.pool.stock(us) + self.foreign.give_back(us)
    }
}

/// Whether anybody has an lcore with a cache of mbufs, the housekeeper's aside, which is kept empty.
fn working(folder: &Folder) -> Result<bool, Error> {
    let lcores = holders(folder)?
        .into_iter()
        .filter(|held| matches!(held.slot, Slot::Lcore(_)));
    Ok(lcores.count() > 1)
}
