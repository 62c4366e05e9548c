//! Who runs: ids, lcore ids, ring ends, counters in shared memory.
//!
//! What must be known before EAL maps shared memory lives in files of the panel's runtime folder:
//! whether the primary is ready and what secondaries need to know of it ([`announce`]), and the
//! leases of process and lcore ids ([`lease`]), as file locks that the kernel drops at death. A new
//! primary asks the secondaries of a former one to leave by a file, too ([`leave`]). What is left
//! when all have died can be told and removed ([`remains`]). In containers processes may have the same PID,
//! which DPDK does not expect: [`pid`] finds another.

#![forbid(unsafe_code)]

pub mod announce;
pub mod folder;
mod incarnation;
pub mod lease;
pub mod leave;
pub mod needs;
pub mod pid;
pub mod remains;

pub use incarnation::Incarnation;
