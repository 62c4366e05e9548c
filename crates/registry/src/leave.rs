//! Asking the secondaries of a former primary to leave.
//!
//! A new primary cannot start while they hold the old one's memory. It names their incarnations in a file of the panel's
//! folder, where each looks for its own: that reaches them in whatever PID namespace they are, and no other process.

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::Incarnation;
use crate::folder::{Folder, FolderError};
use crate::lease::{Holder, LeaseError, holders};

const NAME: &str = "leave";
/// Time between two looks whether they have left.
const POLL: Duration = Duration::from_millis(5);

/// Why nobody could be asked.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// The file cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Who runs cannot be read.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

/// Whether the process of this incarnation is asked to leave.
#[must_use]
pub fn is_asked(folder: &Folder, incarnation: Incarnation) -> bool {
    let Ok(text) = fs::read_to_string(folder.file(NAME)) else {
        return false;
    };
    text.lines()
        .any(|line| line.parse().ok() == Some(incarnation))
}

/// Asks `who` to leave and waits until they have, for `limit` at most. Gives those that did not.
///
/// # Errors
/// [`LeaveError`].
pub fn ask(folder: &Folder, who: &[Holder], limit: Duration) -> Result<Vec<Holder>, LeaveError> {
    let path = folder.file(NAME);
    let new = folder.file("leave.new");
    let lines = who.iter().map(|holder| format!("{}\n", holder.incarnation));
    fs::write(&new, lines.collect::<String>())
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|e| FolderError::io("write", &path, e))?;
    let end = Instant::now() + limit;
    let left = loop {
        let left = still_here(folder, who)?;
        if left.is_empty() || Instant::now() >= end {
            break left;
        }
        std::thread::sleep(POLL);
    };
    match fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(FolderError::io("remove", &path, e).into())
        }
        _ => Ok(left),
    }
}

/// Those of `who` that still run.
///
/// # Errors
/// [`LeaseError`].
pub fn still_here(folder: &Folder, who: &[Holder]) -> Result<Vec<Holder>, LeaseError> {
    let held = holders(folder)?;
    let here = |holder: &&Holder| held.iter().any(|lease| lease.holder == **holder);
    Ok(who.iter().filter(here).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::IdLease;

    fn holder(id: u32) -> Holder {
        Holder {
            kind: "nfv".into(),
            id,
            pid: std::process::id(),
            incarnation: Incarnation::from(u64::from(id)),
        }
    }

    #[test]
    fn only_those_that_are_named_are_asked_and_those_that_stay_are_told() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::create(base.path()).unwrap();
        let (one, two) = (holder(1), holder(2));
        let lease = IdLease::take(&folder, &one, Duration::ZERO).unwrap();
        let _stays = IdLease::take(&folder, &two, Duration::ZERO).unwrap();
        assert!(!is_asked(&folder, one.incarnation));
        let asked = std::thread::scope(|scope| {
            scope.spawn(|| {
                let end = Instant::now() + Duration::from_secs(60);
                while !is_asked(&folder, one.incarnation) {
                    assert!(Instant::now() < end, "nobody asks");
                    std::thread::yield_now();
                }
                assert!(!is_asked(&folder, holder(3).incarnation));
                drop(lease);
            });
            ask(&folder, &[one.clone(), two.clone()], Duration::from_secs(1)).unwrap()
        });
        assert_eq!(asked, [two]);
        // Later ones of the same incarnation, which there are none, would not find it.
        assert!(!is_asked(&folder, one.incarnation));
    }
}
