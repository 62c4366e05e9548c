//! Who runs: ids, lcore ids, ring ends, counters in shared memory.
//!
//! What must be known before EAL maps shared memory lives in files of the panel's runtime folder:
//! whether the primary is ready and what secondaries need to know of it ([`announce`]), and the
//! leases of process and lcore ids ([`lease`]), as file locks that the kernel drops at death. A new
//! primary asks the secondaries of a former one to leave by a file, too ([`leave`]).

#![forbid(unsafe_code)]

pub mod announce;
pub mod folder;
mod incarnation;
pub mod lease;
pub mod leave;

pub use incarnation::Incarnation;
