//! Taking the place of a primary that is gone, whose secondaries live.

use std::time::Duration;

use process::Error;
use registry::folder::Folder;
use registry::lease::{Holder, Slot, holders};
use registry::leave;

use crate::launch::{Recorded, take_recorded};
use crate::options::Replace;

/// How long they may take to leave.
const LEAVE: Duration = Duration::from_secs(5);
/// How long the kernel may take to end one that was killed.
const DIE: Duration = Duration::from_secs(2);

/// Has the secondaries of a former primary leave. Gives what that primary had launched and is to run again: what it
/// supervised, and what ran until now.
pub fn clear(folder: &Folder, how: Replace) -> Result<Vec<Recorded>, Error> {
    let mut old: Vec<Holder> = Vec::new();
    for lease in holders(folder)? {
        if lease.holder.kind != "primary" && !old.contains(&lease.holder) {
            old.push(lease.holder);
        }
    }
    let recorded = take_recorded(folder.path());
    if !old.is_empty() {
        log::info!("{} of a former primary are asked to leave", names(&old));
        let mut left = leave::ask(folder, &old, LEAVE)?;
        if !left.is_empty() && how == Replace::Kill {
            left = kill(folder, &left)?;
        }
        if !left.is_empty() {
            return Err(Error::Refused(format!(
                "{} of a former primary were asked to leave and still run after {LEAVE:?}: end them{}",
                names(&left),
                match how {
                    Replace::Ask => ", or have them killed (--replace=kill)",
                    Replace::Kill => "; they could not be killed from here",
                }
            )));
        }
    }
    let again = |process: &Recorded| {
        process.is_supervised() || old.iter().any(|holder| holder.id == process.id)
    };
    Ok(recorded.into_iter().filter(again).collect())
}

/// Kills those processes; gives those that live on.
fn kill(folder: &Folder, who: &[Holder]) -> Result<Vec<Holder>, Error> {
    for holder in who {
        log::warn!("{holder} did not leave within {LEAVE:?} and is killed");
        // The number by which it knows itself may be that of another process here.
        let lease = Slot::Id(holder.id).path(folder);
        for pid in sys::proc::holders_of(&lease, holder.pid) {
            if let Err(e) = sys::signal::kill(pid) {
                log::error!("{holder}: {e}");
            }
        }
    }
    Ok(leave::ask(folder, who, DIE)?)
}

/// Their names, for a sentence.
pub fn names(who: &[Holder]) -> String {
    let names: Vec<String> = who.iter().map(ToString::to_string).collect();
    names.join(", ")
}
