//! The frame that every process hangs in: options, start of EAL, leases, the connection to the
//! controller, signals and the command loop. What its commands mean is the business of each binary.

#![forbid(unsafe_code)]

pub mod capabilities;
pub mod cli;
pub mod commands;
pub mod components;
pub mod confine;
pub mod desk;
pub mod devices;
pub mod eal_options;
pub mod events;
pub mod handover;
pub mod link;
pub mod logging;
pub mod ports;
pub mod probes;
pub mod report;
pub mod room;
pub mod secondary;
pub mod service;
pub mod sweep;
pub mod threads;
pub mod vhost_watch;
pub mod watch;

use thiserror::Error;

/// Why a process does not start or a command was refused, in a sentence for the operator.
#[derive(Debug, Error)]
pub enum Error {
    /// An option or argument.
    #[error("{0}")]
    Usage(String),
    /// The panel's folder or its announcement.
    #[error(transparent)]
    Folder(#[from] registry::folder::FolderError),
    /// The primary is not there or cannot be joined.
    #[error(transparent)]
    Announce(#[from] registry::announce::AnnounceError),
    /// An id or lcore id.
    #[error(transparent)]
    Lease(#[from] registry::lease::LeaseError),
    /// A PID of its own.
    #[error(transparent)]
    Pid(#[from] registry::pid::PidError),
    /// Asking others to leave.
    #[error(transparent)]
    Leave(#[from] registry::leave::LeaveError),
    /// EAL.
    #[error(transparent)]
    Eal(#[from] dpdk::EalError),
    /// DPDK.
    #[error(transparent)]
    Dpdk(#[from] dpdk::Error),
    /// The kernel.
    #[error(transparent)]
    Kernel(#[from] sys::Error),
    /// A change of ports or patches.
    #[error(transparent)]
    Board(#[from] panel::BoardError),
    /// Anything that is refused here.
    #[error("{0}")]
    Refused(String),
}

/// Version of SPP.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Exit status of a secondary that left because a new primary asked it to (`EX_TEMPFAIL` of `sysexits.h`): it may be started again.
pub const LEFT: u8 = 75;

/// Exit status of a process that ended as it was told: 0, or [`LEFT`].
#[must_use]
pub fn ended() -> std::process::ExitCode {
    std::process::ExitCode::from(if watch::was_asked_to_leave() { LEFT } else { 0 })
}

/// Prints an error as the last words of a process that could not start.
pub fn fail(program: &str, error: &Error) -> std::process::ExitCode {
    eprintln!("{program}: {error}");
    std::process::ExitCode::from(if matches!(error, Error::Usage(_)) {
        2
    } else {
        1
    })
}
