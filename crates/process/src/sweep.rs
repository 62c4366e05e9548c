//! Removing what only a running panel needs: its hugepage files and its runtime folder. The last one
//! to leave does it.

use std::path::Path;
use std::time::{Duration, Instant};

use registry::announce::Abandoned;
use registry::folder::Folder;
use registry::lease::{Holder, holders};
use registry::remains::Place;

/// How long a primary waits for secondaries that are ending, too.
const ENDING: Duration = Duration::from_secs(1);

/// The secondaries that run on this panel; those that are just ending are waited for.
pub fn secondaries(folder: &Folder) -> Result<Vec<Holder>, registry::lease::LeaseError> {
    let limit = Instant::now() + ENDING;
    loop {
        let mut found: Vec<Holder> = Vec::new();
        for lease in holders(folder)? {
            if lease.holder.kind != "primary" && !found.contains(&lease.holder) {
                found.push(lease.holder);
            }
        }
        if found.is_empty() || Instant::now() > limit {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A secondary's last act, after it has given its leases up: if its primary has gone before and no other
/// secondary runs, nobody else is there to clean up.
pub fn leave(folder: &Folder, file_prefix: &str, huge_dir: Option<&Path>) {
    match Abandoned::take(folder) {
        Ok(Some(_panel)) => match holders(folder) {
            Ok(held) if held.is_empty() => remove(folder, file_prefix, huge_dir),
            Ok(_) => {}
            Err(e) => log::warn!("the panel's files stay: {e}"),
        },
        Ok(None) => {}
        Err(e) => log::warn!("the panel's files stay: {e}"),
    }
}

/// Removes the files. Only for who holds the primary's lock while no secondary runs.
pub fn remove(folder: &Folder, file_prefix: &str, huge_dir: Option<&Path>) {
    let mut mounts = sys::hugepages::mounts().unwrap_or_default();
    mounts.retain(|m| huge_dir.is_none_or(|d| *d == m.path));
    let Some(runtime) = folder.path().parent() else {
        return;
    };
    // It may be gone already.
    let Ok(place) = Place::of(runtime, file_prefix, mounts) else {
        return;
    };
    let mut stays = place.remove().stays;
    let us = sys::proc::effective_uid();
    if place.owner != us {
        // Root may run a panel in a folder of somebody else.
        let ours = Place {
            runtime: None,
            owner: us,
            ..place
        };
        stays.extend(ours.remove().stays);
    }
    for (path, e) in stays {
        log::warn!("{} stays: {e}", path.display());
    }
}
