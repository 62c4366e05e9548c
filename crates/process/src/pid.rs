//! A PID that no other process of the panel has.
//!
//! DPDK names files of a secondary by its PID, so two secondaries that are both PID 1 of their
//! containers get in each other's way. Whoever finds its PID in use goes on in a child, which has another.

use std::path::Path;

use registry::folder::Folder;
use sys::lock::FileLock;

use crate::Error;

/// How many PIDs are tried.
const TRIES: u32 = 64;

/// Makes sure that our PID is ours alone among the processes of the panel, forking if it is not. Before
/// any thread is started. Keep the lock as long as the process lives.
pub fn settle(folder: &Folder) -> Result<FileLock, Error> {
    for _ in 0..TRIES {
        let pid = std::process::id();
        let path = folder.path().join(format!("pid-{pid}.lock"));
        if let Some(lock) = FileLock::try_lock(&path)?
            && !used_by_eal(folder.path().parent().unwrap_or(folder.path()), pid)
        {
            return Ok(lock);
        }
        log::info!("another process of the panel has PID {pid}: going on in a child");
        sys::init::go_on_in_child()?;
    }
    Err(Error::Refused(format!(
        "the PIDs of {TRIES} processes are all in use in this panel: give its containers one PID namespace"
    )))
}

/// Whether a process with our PID, seen from its own namespace, keeps DPDK's memory maps (foreign
/// processes know of no locks of ours).
fn used_by_eal(runtime_dir: &Path, pid: u32) -> bool {
    let Ok(entries) = std::fs::read_dir(runtime_dir) else {
        return false;
    };
    let end = format!("_{pid}");
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|n| n.starts_with("fbarray_memseg") && n.ends_with(&end));
        ours && sys::lock::is_flocked(&entry.path())
    })
}
