//! The safe face of DPDK: EAL, pools that survive a kill, bursts, rings, Ethernet devices, vhost
//! and shared memory zones.
//!
//! Two ideas carry the safety of this crate:
//!
//! * An [`Lcore`] is a token that only the thread of that lcore holds. Whatever touches mbufs asks
//!   for it, so no thread without an lcore id can reach a pool.
//! * Every mbuf says in a tag who owns it ([`pool::Owner`]), so that what a killed worker held can
//!   be told apart from what it had passed on.

mod ahead;
mod asan;
pub mod burst;
mod copy;
mod deal;
pub mod depot;
mod eal;
pub mod ethdev;
pub mod flow;
pub mod guest;
mod lend;
mod log_sink;
mod magazine;
pub mod mbuf;
pub mod memzone;
mod orphans;
mod parked;
pub mod pool;
mod reap;
pub mod ring;
mod search;
mod share;
mod sift;
pub mod stamp;
mod sync;
pub mod testing;
#[cfg(test)]
mod tests;
pub mod vhost;
pub mod vlan;

pub use burst::{BURST, Burst};
pub use deal::KEEP;
pub use eal::{
    Eal, EalConfig, EalError, Lcore, ProcessType, dpdk_version, primary_alive, tsc, tsc_hz,
};
pub use memzone::{Memzone, Shared, heap};
pub use orphans::{Orphans, sweep};
pub use parked::Parked;
pub use pool::{Pool, PoolCache};
pub use reap::{Audit, Kept, Recovered, audit, recover};
pub use ring::Ring;
pub use share::SHARE_FROM;
pub use stamp::Stamps;

use thiserror::Error;

/// What DPDK refused, with its own number mapped once.
#[derive(Debug, Error)]
pub enum Error {
    /// A DPDK call failed.
    #[error("{what}: {} (errno {errno})", errno_text(*.errno))]
    Call {
        /// What was being done, with the name of the thing.
        what: String,
        /// Positive errno.
        errno: i32,
    },
    /// A name that DPDK does not know.
    #[error("{kind} {name} does not exist in this panel")]
    NotFound {
        /// Kind of the thing.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Shared memory that was laid out by something else.
    #[error("memzone {name}: {reason}")]
    Layout {
        /// Name of the memzone.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// A name or value that cannot be handed to DPDK.
    #[error("{0}")]
    Invalid(String),
}

/// Text of an errno value, as the C library has it.
pub(crate) fn errno_text(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno)
        .to_string()
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_string()
}

impl Error {
    /// The error of the DPDK call that just failed, from `rte_errno`.
    pub(crate) fn last(what: impl Into<String>) -> Self {
        // SAFETY: reads a thread-local number.
        let errno = unsafe { dpdk_sys::spp_errno() };
        Error::Call {
            what: what.into(),
            errno,
        }
    }

    /// The error in a negative return value.
    pub(crate) fn from_ret(what: impl Into<String>, ret: i32) -> Self {
        Error::Call {
            what: what.into(),
            errno: -ret,
        }
    }
}

/// A C string from text without NUL.
pub(crate) fn c_string(text: &str) -> Result<std::ffi::CString, Error> {
    std::ffi::CString::new(text)
        .map_err(|_| Error::Invalid(format!("{text:?} contains a NUL byte")))
}
