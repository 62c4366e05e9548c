//! Leases of process ids and lcore ids: one locked file each in the panel's folder.
//!
//! The kernel drops a lock when its holder dies, but the file still says "held" then. For a
//! process id that is of no account. An lcore id, however, indexes caches in shared memory, so
//! that a dead holder's id must not be used again before the primary's reaper has cleaned up
//! after it and written "clean" ([`DeadLease`]).

mod id;
mod lcore;
mod slot;
mod survey;
mod turn;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Incarnation;

pub use id::IdLease;
pub use lcore::{LcoreLease, LcoreRange};
pub use slot::Slot;
pub use survey::{DeadLease, HeldLease, dead_leases, holders, workers_per_cpu};
pub use turn::StartTurn;

/// The highest process id; ids run from 1.
pub const MAX_PROCESS_ID: u32 = 127;

/// The highest lcore id: DPDK has 128 of them.
pub const MAX_LCORE: u32 = 127;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The kind of process, as users write it: `primary`, `nfv`, …
    pub kind: String,
    /// Its process id; 0 for the primary.
    pub id: u32,
    /// Its PID, in its own PID namespace.
    pub pid: u32,
    /// Which run of it this is.
    pub incarnation: Incarnation,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} (pid {})", self.kind, self.id, self.pid)
    }
}

/// Why a lease was refused.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// A process id that cannot be.
    #[error("process id {0} is out of range: 1 to {MAX_PROCESS_ID}")]
    IdOutOfRange(u32),
    /// A living process has this id.
    #[error(
        "id {id} is held by {} (waited {waited:?}): choose another id, or end that process",
        named(holder.as_ref())
    )]
    IdHeld {
        /// The wanted process id.
        id: u32,
        /// Who has it, if that could be read.
        holder: Option<Holder>,
        /// For how long it was waited.
        waited: Duration,
    },
    /// Every lcore id of the range is taken.
    #[error(
        "no lcore id is left of {range}: {held} are held by running processes, {dirty} wait for \
         the primary to clean up after processes that died (waited {waited:?}): end a process or \
         use fewer workers"
    )]
    NoLcore {
        /// The ids that may be leased.
        range: LcoreRange,
        /// How many of them are held.
        held: usize,
        /// How many of them are of dead holders that were not cleaned up after.
        dirty: usize,
        /// For how long it was waited.
        waited: Duration,
    },
    /// There is no CPU to put a worker on.
    #[error("no CPU to put a worker on: the CPU list is empty")]
    NoCpu,
    /// Another process was choosing its CPUs for all the time.
    #[error("{path} stayed locked for {waited:?}: another process hangs while it chooses its CPUs")]
    Choosing {
        /// The lock file under which CPUs are chosen.
        path: PathBuf,
        /// For how long it was waited.
        waited: Duration,
    },
    /// The kernel refused.
    #[error(transparent)]
    Sys(#[from] sys::Error),
    /// The lease could not be written down.
    #[error("cannot write a lease as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn named(holder: Option<&Holder>) -> String {
    holder.map_or_else(
        || "a process that did not say its name".to_owned(),
        ToString::to_string,
    )
}
