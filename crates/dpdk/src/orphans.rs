//! Carriers of shared packets that nobody will free.

use std::collections::{HashMap, HashSet};

use crate::Lcore;
use crate::mbuf::{Life, Mbuf};
use crate::pool::Pool;
use crate::reap::{renew, walk};

/// Most calls of [`Orphans::sweep`] between two looks.
const SELDOM: u32 = 32;

/// Carriers of clones that workers held when they died.
///
/// A worker that dies while it frees a clone may have counted it off or not, so the carrier may keep a
/// reference that nobody counts off any more. The reaper does not guess: it looks for the clones. They
/// never become more, and whoever frees the last one tags the carrier *before* the clone forgets it. So a carrier
/// that is still tagged as one, and that no mbuf of the pool points at, is nobody's.
#[derive(Debug, Default)]
pub struct Orphans {
    suspects: HashMap<Mbuf, Life>,
    /// Calls until the next look, and how many there were before the last.
    wait: u32,
    pace: u32,
}

// SAFETY: addresses in shared memory that are only compared, and used by the primary's housekeeping thread.
unsafe impl Send for Orphans {}

impl Orphans {
    /// Whether there is nothing to sweep for.
    pub fn is_empty(&self) -> bool {
        self.suspects.is_empty()
    }

    /// Notes the carriers of `clones`, which a dead worker of the pool held.
    pub(crate) fn suspect(&mut self, pool: &Pool, clones: impl Iterator<Item = Mbuf>) {
        let carriers: HashSet<Mbuf> = clones.map(Mbuf::carrier).collect();
        if carriers.is_empty() {
            return;
        }
        // Those that there are: a clone that a foreign process has made points elsewhere.
        walk(pool, |m| {
            if let Some(life) = m.life().filter(|_| carriers.contains(&m)) {
                self.suspects.insert(m, life);
            }
        });
        (self.wait, self.pace) = (0, 1);
    }

    /// Gives the carriers back to the pool that have become nobody's; returns how many. To be called about once a second
    /// while there are any: it looks through the whole pool, and more seldom the longer it finds the rest in use. Primary's
    /// housekeeping thread only.
    pub fn sweep(&mut self, pool: &Pool, lcore: &Lcore) -> u32 {
        if self.wait > 0 {
            self.wait -= 1;
            return 0;
        }
        self.pace = (2 * self.pace).clamp(1, SELDOM);
        self.wait = self.pace;
        self.look(pool, lcore)
    }

    pub(crate) fn look(&mut self, pool: &Pool, lcore: &Lcore) -> u32 {
        // Their last holders have freed the others.
        self.suspects.retain(|m, life| m.life() == Some(*life));
        if self.suspects.is_empty() {
            return 0;
        }
        let mut held = HashSet::new();
        walk(pool, |m| {
            if m.is_clone() {
                let carrier = m.carrier();
                if self.suspects.contains_key(&carrier) {
                    held.insert(carrier);
                }
            }
        });
        let mut nobodys = Vec::new();
        self.suspects.retain(|m, life| {
            let same = m.life() == Some(*life);
            if same && !held.contains(m) {
                nobodys.push(*m);
                return false;
            }
            same
        });
        renew(pool, nobodys, lcore, &mut 0)
    }
}

/// Gives back all carriers of the pool that are nobody's, whoever left them; returns how many. Primary's housekeeping thread only.
pub fn sweep(pool: &Pool, lcore: &Lcore) -> u32 {
    let mut all = Orphans::default();
    walk(pool, |m| {
        if let Some(life) = m.life() {
            all.suspects.insert(m, life);
        }
    });
    all.look(pool, lcore)
}
