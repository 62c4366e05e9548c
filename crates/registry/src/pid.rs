//! A PID that no other process of the panel has.
//!
//! DPDK names files of a secondary by its PID, so two secondaries that are both PID 1 of their
//! containers get in each other's way. Whoever finds its PID in use goes on in a child, which has another.

use std::path::{Path, PathBuf};

use sys::lock::FileLock;

use crate::folder::Folder;

/// How many PIDs are tried.
const TRIES: u32 = 64;

/// Why no PID was settled on.
#[derive(Debug, thiserror::Error)]
pub enum PidError {
    /// The kernel.
    #[error(transparent)]
    Kernel(#[from] sys::Error),
    /// None was free.
    #[error(
        "the PIDs of {TRIES} processes are all in use in this panel: give its containers one PID namespace"
    )]
    Taken,
}

/// Makes sure that our PID is ours alone among the processes of the panel, forking if it is not. Before
/// any thread is started. Keep the lock as long as the process lives.
///
/// # Errors
/// The kernel refuses a lock or a fork; so many PIDs were in use one after the other.
pub fn settle(folder: &Folder) -> Result<FileLock, PidError> {
    for _ in 0..TRIES {
        let pid = std::process::id();
        let path = lock_path(folder, pid);
        if let Some(lock) = FileLock::try_lock(&path)?
            && !used_by_eal(folder.path().parent().unwrap_or(folder.path()), pid)
        {
            return Ok(lock);
        }
        log::info!("another process of the panel has PID {pid}: going on in a child");
        sys::init::go_on_in_child(None)?;
    }
    Err(PidError::Taken)
}

fn lock_path(folder: &Folder, pid: u32) -> PathBuf {
    folder.path().join(format!("pid-{pid}.lock"))
}

/// Removes what DPDK keeps in the runtime folder for a secondary that is dead: copies of its memory maps
/// (1.5 MB of a tmpfs) and its socket. DPDK leaves them there, also after an orderly end. What a living
/// process uses is left alone. False if there is something that a process which is just ending has not let go of
/// yet: to be called again.
pub fn sweep(folder: &Folder, pid: u32) -> bool {
    let path = lock_path(folder, pid);
    // Whoever has settled on this PID again is swept after when it ends.
    let Ok(Some(_lock)) = FileLock::try_lock(&path) else {
        return true;
    };
    let runtime_dir = folder.path().parent().unwrap_or(folder.path());
    let Ok(entries) = std::fs::read_dir(runtime_dir) else {
        return true;
    };
    let mut all = true;
    let (end, start) = (format!("_{pid}"), format!("mp_socket_{pid}_"));
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let dead = if name.starts_with("fbarray_") && name.ends_with(&end) {
            !sys::lock::is_flocked(&path)
        } else if name.starts_with(&start) {
            sys::socket::is_deaf(&path)
        } else {
            continue;
        };
        if dead {
            remove(&path);
        }
        all &= dead;
    }
    remove(&path);
    all
}

fn remove(path: &Path) {
    if let Err(e) = std::fs::remove_file(path) {
        log::warn!("{} stays: {e}", path.display());
    }
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
