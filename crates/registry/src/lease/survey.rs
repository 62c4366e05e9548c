//! Who holds what, and what the dead left behind.

use std::collections::BTreeMap;

use super::slot::{Content, Locked, Record, Slot, look, try_lock};
use super::{Holder, LeaseError, MAX_LCORE, MAX_PROCESS_ID};
use crate::folder::Folder;

/// A lease of a running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// Of what.
    pub slot: Slot,
    /// Whose.
    pub holder: Holder,
    /// The CPU on which its worker runs, as the user numbers them; `None` for a process id and
    /// for a thread that is no worker.
    pub cpu: Option<u32>,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// All leases of running processes: process ids first, each kind in rising order.
///
/// # Errors
/// A lease file cannot be read.
pub fn holders(folder: &Folder) -> Result<Vec<HeldLease>, LeaseError> {
    let slots = (1..=MAX_PROCESS_ID)
        .map(Slot::Id)
        .chain((0..=MAX_LCORE).map(Slot::Lcore));
    let mut found = Vec::new();
    for slot in slots {
        let seen = look(folder, slot)?;
        if let (
            true,
            Content::Held(Record {
                holder, cpu, since, ..
            }),
        ) = (seen.by_holder, seen.content)
        {
            found.push(HeldLease {
                slot,
                holder,
                cpu,
                since,
            });
        }
    }
    Ok(found)
}

/// How many workers of running processes have been leased for each CPU; CPUs with none are left
/// out.
///
/// # Errors
/// A lease file cannot be read.
pub fn workers_per_cpu(folder: &Folder) -> Result<BTreeMap<u32, usize>, LeaseError> {
    let mut workers = BTreeMap::new();
    for cpu in holders(folder)?.iter().filter_map(|lease| lease.cpu) {
        *workers.entry(cpu).or_default() += 1;
    }
    Ok(workers)
}

/// An lcore id whose holder died. As long as this exists nobody else takes or reaps it; dropped
/// without [`DeadLease::finish`] it waits for the next reaper.
pub struct DeadLease {
    locked: Locked,
    id: u32,
}

impl DeadLease {
    /// The lcore id.
    #[must_use]
    pub fn lcore(&self) -> u32 {
        self.id
    }

    /// Who died; `None` if the file was damaged and does not say.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        match &self.locked.content {
            Content::Held(record) => Some(&record.holder),
            Content::Clean | Content::Damaged => None,
        }
    }

    /// All that the dead holder left is cleaned up: the id may be leased again.
    ///
    /// # Errors
    /// The file cannot be written; then the id stays as it was.
    pub fn finish(self) -> Result<(), LeaseError> {
        self.locked.clean()
    }
}

/// The lcore ids whose holders died and were not cleaned up after, each locked for the caller.
///
/// # Errors
/// A lease file cannot be read or locked.
pub fn dead_leases(folder: &Folder) -> Result<Vec<DeadLease>, LeaseError> {
    let mut dead = Vec::new();
    for id in 0..=MAX_LCORE {
        let slot = Slot::Lcore(id);
        // Looking first: the locks of the living and the free are left alone.
        let seen = look(folder, slot)?;
        if seen.locked || matches!(seen.content, Content::Clean) {
            continue;
        }
        if let Some(locked) = try_lock(folder, slot)?
            && !matches!(locked.content, Content::Clean)
        {
            dead.push(DeadLease { locked, id });
        }
    }
    Ok(dead)
}
