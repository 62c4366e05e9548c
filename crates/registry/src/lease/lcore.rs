//! Leases of DPDK's lcore ids.

use std::fmt;
use std::time::Duration;

use sys::affinity::CpuSet;
use sys::lock::FileLock;

use super::slot::{Content, Held, Record, Slot, look, try_lock, until};
use super::survey::workers_per_cpu;
use super::{Holder, LeaseError, MAX_LCORE};
use crate::folder::Folder;

/// Held for the moment in which a process counts workers and takes leases, so that two that
/// start at once do not choose the same CPU.
const CHOOSING: &str = "choosing.lock";

/// However many CPUs there are, at least so many ids are ours.
const LEAST_OURS: u32 = 64;

/// The lcore ids that are leased, from the highest downward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LcoreRange {
    lowest: u32,
}

impl LcoreRange {
    /// The ids that DPDK programs which never heard of leases do not use by themselves: they
    /// number lcores as CPUs. On a machine of more than 64 CPUs the upper 64 ids are ours all
    /// the same, or none would be left.
    #[must_use]
    pub fn beside_cpus(cpu_count: u32) -> Self {
        Self {
            lowest: cpu_count.min(MAX_LCORE + 1 - LEAST_OURS),
        }
    }

    fn ids(self) -> impl Iterator<Item = u32> {
        (self.lowest..=MAX_LCORE).rev()
    }
}

impl fmt::Display for LcoreRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={MAX_LCORE}", self.lowest)
    }
}

/// An lcore id that this process alone uses.
///
/// Dropped without [`LcoreLease::release`], or after this process died, it is not leased again
/// before the primary has cleaned up after it: what the id's caches hold would be lost or handed
/// out twice.
#[derive(Debug)]
pub struct LcoreLease {
    held: Held,
    id: u32,
}

impl LcoreLease {
    /// Takes the highest free id, waiting up to `wait` for one. `cpu` is the CPU on which its
    /// worker will run, `None` for a thread that is no worker (the main lcore).
    ///
    /// # Errors
    /// [`LeaseError::NoLcore`].
    pub fn take(
        folder: &Folder,
        range: LcoreRange,
        holder: &Holder,
        cpu: Option<u32>,
        wait: Duration,
    ) -> Result<Self, LeaseError> {
        let (mut held, mut dirty) = (0, 0);
        let taken = until(wait, || {
            (held, dirty) = (0, 0);
            for id in range.ids() {
                match try_take(folder, id, holder, cpu)? {
                    Attempt::Taken(lease) => return Ok(Some(lease)),
                    Attempt::Held => held += 1,
                    Attempt::Dirty => dirty += 1,
                }
            }
            Ok(None)
        })?;
        taken.ok_or(LeaseError::NoLcore {
            range,
            held,
            dirty,
            waited: wait,
        })
    }

    /// Takes ids for `count` workers, each on the CPU of `cpus` that has the fewest workers of
    /// this panel then (the lowest of several). All or none.
    ///
    /// # Errors
    /// [`LeaseError::NoCpu`], [`LeaseError::NoLcore`], [`LeaseError::Choosing`].
    pub fn take_workers(
        folder: &Folder,
        range: LcoreRange,
        holder: &Holder,
        cpus: &CpuSet,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<Self>, LeaseError> {
        let path = folder.file(CHOOSING);
        let mut refusal = LeaseError::Choosing {
            path: path.clone(),
            waited: wait,
        };
        let taken = until(wait, || {
            let Some(_choosing) = FileLock::try_lock(&path)? else {
                return Ok(None);
            };
            match Self::take_workers_now(folder, range, holder, cpus, count) {
                Err(LeaseError::NoLcore { held, dirty, .. }) => {
                    refusal = LeaseError::NoLcore {
                        range,
                        held,
                        dirty,
                        waited: wait,
                    };
                    Ok(None)
                }
                other => other.map(Some),
            }
        })?;
        taken.ok_or(refusal)
    }

    fn take_workers_now(
        folder: &Folder,
        range: LcoreRange,
        holder: &Holder,
        cpus: &CpuSet,
        count: usize,
    ) -> Result<Vec<Self>, LeaseError> {
        let mut workers = workers_per_cpu(folder)?;
        let mut taken: Vec<Self> = Vec::new();
        for _ in 0..count {
            let fewest = cpus
                .iter()
                .min_by_key(|cpu| workers.get(cpu).copied().unwrap_or(0));
            let lease = fewest.ok_or(LeaseError::NoCpu).and_then(|cpu| {
                *workers.entry(cpu).or_default() += 1;
                Self::take(folder, range, holder, Some(cpu), Duration::ZERO)
            });
            match lease {
                Ok(lease) => taken.push(lease),
                Err(e) => {
                    // Never used, so nothing is to be cleaned up.
                    taken.into_iter().try_for_each(Self::release)?;
                    return Err(e);
                }
            }
        }
        Ok(taken)
    }

    /// The lcore id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The CPU that its worker runs on, as the user numbers them.
    #[must_use]
    pub fn cpu(&self) -> Option<u32> {
        self.held.record.cpu
    }

    /// Gives it back. Only when no thread uses the id any more and its caches are empty: it may
    /// be leased again at once.
    ///
    /// # Errors
    /// The file cannot be written (a full disk); then the primary has to clean up.
    pub fn release(self) -> Result<(), LeaseError> {
        self.held.release()
    }
}

enum Attempt {
    Taken(LcoreLease),
    Held,
    Dirty,
}

fn try_take(
    folder: &Folder,
    id: u32,
    holder: &Holder,
    cpu: Option<u32>,
) -> Result<Attempt, LeaseError> {
    let slot = Slot::Lcore(id);
    // Looking first keeps off the locks of those that are not to be had.
    let seen = look(folder, slot)?;
    match seen.content {
        _ if seen.locked => return Ok(Attempt::Held),
        Content::Held(_) | Content::Damaged => return Ok(Attempt::Dirty),
        Content::Clean => {}
    }
    let Some(locked) = try_lock(folder, slot)? else {
        return Ok(Attempt::Held);
    };
    match locked.content {
        Content::Held(_) | Content::Damaged => Ok(Attempt::Dirty),
        Content::Clean => {
            let held = locked.hold(Record::begin(holder, cpu))?;
            Ok(Attempt::Taken(LcoreLease { held, id }))
        }
    }
}
