//! What dead processes left: runtime folders, hugepage files, vhost sockets. Who lives is asked of the kernel ([`registry::remains`]).

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use registry::folder::{Folder, runtime_dir};
use registry::lease::holders;
use registry::remains::{Place, Remnant, prefix_of, sockets};
use sys::hugepages::HugeMount;

use crate::finding::size;
use crate::mounts::mounts;
use crate::{Finding, Host};

#[cfg(test)]
mod tests;

const NAME: &str = "stale";

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    // Without them a process that uses hugepages might be taken for dead.
    let mounts = match mounts(host) {
        Ok(mounts) => mounts,
        Err(error) => return vec![host.unseen(NAME, "/proc/mounts", &error)],
    };
    if let Err(error) = std::fs::read_dir(&host.runtime)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        let shown = host.runtime.display().to_string();
        return vec![host.unseen(NAME, &shown, &error)];
    }
    let mut living: Vec<String> = Vec::new();
    let mut findings = Vec::new();
    for place in places(host, &mounts) {
        match place.life() {
            Ok(Some(_)) => {
                living.push(place.prefix.clone());
                findings.extend(orphans(&place));
            }
            Ok(None) => findings.extend(dead(host, &place)),
            Err(error) => findings.push(unknown(host, &place.prefix, &error)),
        }
    }
    findings.extend(others(host, &mounts));
    let none = findings.is_empty();
    let mut found = match living.as_slice() {
        [] => "no DPDK process runs here".to_owned(),
        names => format!("running: {}", names.join(", ")),
    };
    if none {
        found.push_str("; nothing is left of dead ones");
    }
    findings.insert(0, Finding::ok(NAME, found).with("running", living));
    findings
}

/// Where there may be something: each runtime folder, and hugepage files that belong to none.
fn places(host: &Host, mounts: &[HugeMount]) -> Vec<Place> {
    let wanted = |prefix: &str| host.file_prefix.as_deref().is_none_or(|p| p == prefix);
    let mut places: Vec<Place> = Vec::new();
    for prefix in crate::host::names(&host.runtime) {
        let runtime = host.runtime.join(&prefix);
        // A link is nobody's runtime folder.
        let folder = std::fs::symlink_metadata(&runtime).is_ok_and(|meta| meta.is_dir());
        if folder
            && wanted(&prefix)
            && let Ok(place) = Place::of(&runtime, &prefix, mounts.to_vec())
        {
            places.push(place);
        }
    }
    let mut lost: BTreeSet<(String, u32)> = BTreeSet::new();
    for (prefix, owner, _) in hugepage_files(mounts) {
        let has_folder = |place: &Place| place.prefix == prefix && place.owner == owner;
        if wanted(&prefix) && visible(host, owner) && !places.iter().any(has_folder) {
            lost.insert((prefix, owner));
        }
    }
    places.extend(lost.into_iter().map(|(prefix, owner)| Place {
        runtime: None,
        prefix,
        owner,
        mounts: mounts.to_vec(),
    }));
    places
}

/// Whether this user can look at files of that one.
fn visible(host: &Host, owner: u32) -> bool {
    host.is_root() || owner == host.uid
}

/// The file prefix, owner and bytes of each hugepage file.
fn hugepage_files(mounts: &[HugeMount]) -> Vec<(String, u32, u64)> {
    let folders = mounts
        .iter()
        .filter_map(|mount| std::fs::read_dir(&mount.path).ok());
    let entries = folders.flatten().flatten();
    let files = entries.filter_map(|entry| {
        let prefix = prefix_of(&entry.path())?.to_owned();
        let meta = std::fs::symlink_metadata(entry.path()).ok()?;
        Some((prefix, meta.uid(), meta.blocks().saturating_mul(512)))
    });
    files.collect()
}

/// Hugepage files that only their owner or root can look at.
fn others(host: &Host, mounts: &[HugeMount]) -> Option<Finding> {
    let files = hugepage_files(mounts);
    let hidden: Vec<u64> = files
        .iter()
        .filter(|(_, owner, _)| !visible(host, *owner))
        .map(|(_, _, bytes)| *bytes)
        .collect();
    if hidden.is_empty() {
        return None;
    }
    let bytes = hidden
        .iter()
        .fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
    let found = format!(
        "{} hugepage files of other users ({}) cannot be looked at: whether their processes live cannot be seen",
        hidden.len(),
        size(bytes)
    );
    Some(Finding::warn(NAME, found).root("spp doctor stale"))
}

/// Secondaries that go on although their primary died.
fn orphans(place: &Place) -> Option<Finding> {
    let folder = Folder::open(place.runtime.as_deref()?).ok()?;
    let mut names: Vec<String> = Vec::new();
    for lease in holders(&folder).ok()? {
        if lease.holder.kind == "primary" {
            return None;
        }
        let name = lease.holder.to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let prefix = &place.prefix;
    let found = format!(
        "panel {prefix}: its primary is gone, and {} still run",
        names.join(", ")
    );
    (!names.is_empty()).then(|| {
        Finding::warn(NAME, found)
            .with("file-prefix", prefix.clone())
            .remedy(format!("spp-primary --file-prefix {prefix} --replace"))
    })
}

fn unknown(host: &Host, prefix: &str, error: &impl std::fmt::Display) -> Finding {
    let found = format!("{prefix}: whether its processes live cannot be seen: {error}");
    let finding = Finding::warn(NAME, found).with("file-prefix", prefix);
    match host.is_root() {
        true => finding,
        false => finding.root("spp doctor stale"),
    }
}

/// What is left of dead processes: told, or removed.
fn dead(host: &Host, place: &Place) -> Option<Finding> {
    let mut files = sorted(place.files());
    if let Some(runtime) = &place.runtime
        && let Ok(folder) = Folder::open(runtime)
    {
        let sockets = sockets(&folder).into_iter();
        files.extend(sockets.map(|path| Remnant { path, bytes: 0 }));
    }
    if files.is_empty() {
        // An empty folder takes nothing and is used again.
        return None;
    }
    let prefix = &place.prefix;
    let named = host.file_prefix.is_some();
    // Those of other programs are theirs, unless they were named.
    if host.clean && (place.is_ours() || named) {
        return Some(clean(host, place));
    }
    let whose = match place.is_ours() {
        true => format!("panel {prefix}"),
        false => format!("file prefix {prefix} of another DPDK program"),
    };
    let found = format!(
        "{whose}: all processes are dead and left {}",
        counted(&files)
    );
    let mut finding = Finding::warn(NAME, found)
        .with("file-prefix", prefix.clone())
        .with("ours", place.is_ours())
        .with("bytes", sum(&files));
    finding.paths = files;
    // Only a name that cannot mean anything to a shell stands in a command.
    let finding = match runtime_dir(prefix) {
        Ok(_) => finding.remedy(format!("spp doctor --clean --file-prefix {prefix} stale")),
        Err(_) => finding,
    };
    Some(Finding {
        as_root: finding.remedy.is_some() && place.owner != host.uid,
        ..finding
    })
}

/// As people look for them: `…map_9` before `…map_10`.
fn sorted(mut files: Vec<Remnant>) -> Vec<Remnant> {
    let key = |file: &Remnant| {
        (
            file.path.parent().map(Path::to_owned),
            file.path.as_os_str().len(),
            file.path.clone(),
        )
    };
    files.sort_by_cached_key(key);
    files
}

fn sum(files: &[Remnant]) -> u64 {
    files
        .iter()
        .fold(0, |sum, file| sum.saturating_add(file.bytes))
}

fn counted(files: &[Remnant]) -> String {
    let s = if files.len() == 1 { "" } else { "s" };
    format!("{} file{s}, {}", files.len(), size(sum(files)))
}

/// Removes what is there of dead processes.
fn clean(host: &Host, place: &Place) -> Finding {
    let prefix = &place.prefix;
    let removal = match place.take() {
        Ok(Some(remains)) => remains.remove(),
        Ok(None) => {
            let found =
                format!("{prefix}: a process of it was started just now, nothing was removed");
            return Finding::ok(NAME, found).with("file-prefix", prefix.clone());
        }
        Err(error) => {
            let found = format!("{prefix}: nothing was removed: {error}");
            return refused(host, found, place.runtime.as_deref())
                .with("file-prefix", prefix.clone());
        }
    };
    let mut found = format!("{prefix}: removed {}", counted(&removal.removed));
    let mut finding = match removal.stays.first() {
        None => Finding::ok(NAME, found),
        Some((path, error)) => {
            let more = match removal.stays.len() {
                1 => String::new(),
                more => format!(" (and {} more)", more - 1),
            };
            found.push_str(&format!("; {} stays: {error}{more}", path.display()));
            refused(host, found, Some(path))
        }
    };
    finding.paths = sorted(removal.removed);
    let bytes = sum(&finding.paths);
    finding
        .with("file-prefix", prefix.clone())
        .with("bytes", bytes)
}

/// Something could not be removed.
fn refused(host: &Host, found: String, path: Option<&Path>) -> Finding {
    let finding = Finding::fail(NAME, found);
    match (host.is_root(), path) {
        (false, _) => finding.root("spp doctor --clean stale"),
        (true, Some(path)) => finding.root(format!("ls -ld {}", path.display())),
        (true, None) => finding,
    }
}
