//! The turn of a process that starts DPDK's EAL.

use std::time::Duration;

use sys::lock::FileLock;

use super::LeaseError;
use super::slot::until;
use crate::folder::Folder;

const STARTING: &str = "starting.lock";

/// One process at a time starts its EAL, which ends with a look through DPDK's runtime folder for files that nobody
/// has locked: one that another process has just made and not locked yet is taken for litter, and that process fails
/// to start.
#[derive(Debug)]
pub struct StartTurn {
    _lock: FileLock,
}

impl StartTurn {
    /// Waits for our turn; dropping it, or dying, ends it. `None` after `limit`: somebody starts very slowly or
    /// was stopped, and to go ahead is better than to wait for him.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn take(folder: &Folder, limit: Duration) -> Result<Option<Self>, LeaseError> {
        let path = folder.file(STARTING);
        let lock = until(limit, || Ok(FileLock::try_lock(&path)?))?;
        Ok(lock.map(|lock| Self { _lock: lock }))
    }
}
