//! Completing what a dead worker began.

use dpdk::{Pool, Recovered, Ring};
use panel::Area;
use panel::area::Direction;
use process::Error;
use registry::folder::Folder;
use registry::lease::dead_leases;
use std::sync::atomic::Ordering;

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
}

impl Estate {
    /// Looks for workers that died and recovers what they held. Returns how many mbufs came back.
    pub fn reap(&self, folder: &Folder, house: &House) -> Result<u64, Error> {
        let mut recovered = 0;
        for dead in dead_leases(folder)? {
            let (estate, lcore) = (self.clone(), dead.lcore());
            let found = house.run(move |us| estate.bury(lcore, us))?;
            let who = dead.holder().map_or_else(
                || "a process".to_string(),
                |h| format!("{}:{}", h.kind, h.id),
            );
            log::info!("{who} ended: {} mbufs recovered", found.mbufs);
            if found.left > 0 {
                log::warn!(
                    "{who}: {} mbufs may still be in a device's queues and stay out of use",
                    found.left
                );
            }
            recovered += u64::from(found.mbufs);
            dead.finish()?;
        }
        Ok(recovered)
    }

    fn bury(&self, lcore: u32, us: &dpdk::Lcore) -> Recovered {
        for (direction, producer) in [(Direction::Tx, true), (Direction::Rx, false)] {
            for n in self.area.rings_of(lcore, direction) {
                if let Some(ring) = self.rings.get(usize::from(n))
                    && ring.mend(producer)
                {
                    log::info!("ring:{n} was left torn and is whole again");
                }
            }
        }
        let block = &self.area.layout().workers[lcore as usize];
        let driver_held = block.driver_held.load(Ordering::Relaxed) != 0;
        let found = dpdk::recover(&self.pool, &self.rings, lcore, driver_held, us);
        dpdk::recover(&self.foreign, &self.rings, lcore, true, us);
        self.area.bury(lcore);
        self.area.release_all(lcore);
        found
    }

    /// Takes what foreign processes freed into the depot, and gives the foreign pool's own back to it.
    pub fn tidy(&self, us: &dpdk::Lcore) {
        self.pool.stock(us);
    }
}
