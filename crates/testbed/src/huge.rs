//! Hugepages: what a test needs and what a process left.

use std::path::{Path, PathBuf};

use crate::wait::poll;

const SYSFS: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";

/// Hugepages of 2 MB that nobody uses.
pub fn free_pages() -> u64 {
    let path = format!("{SYSFS}/free_hugepages");
    std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| panic!("{path} cannot be read: a kernel with hugepages is needed"))
}

/// Makes sure that so many hugepages of 2 MB are free. Waits a while for those of tests that are
/// just ending.
///
/// # Panics
/// If they are not.
pub fn need(pages: u64) {
    if poll(std::time::Duration::from_secs(20), || {
        (free_pages() >= pages).then_some(())
    })
    .is_none()
    {
        panic!(
            "{} hugepages of 2 MB are free, {pages} are needed (scripts/setup.sh --pages N reserves \
             them; files of dead processes in {} hold some)",
            free_pages(),
            mount().display()
        );
    }
}

/// The hugetlbfs mount of 2 MB pages that this user owns.
///
/// # Panics
/// If there is none.
pub fn mount() -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    let mounts = std::fs::read_to_string("/proc/mounts").expect("/proc/mounts");
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
            (kind == "hugetlbfs" && !options.contains("pagesize=1024M")).then(|| point.into())
        })
        .find(|point: &PathBuf| std::fs::metadata(point).is_ok_and(|meta| meta.uid() == user))
        .expect("a hugetlbfs mount of this user's own (scripts/setup.sh makes it)")
}

/// Files of the DPDK processes of a file prefix that are still in the mount.
pub fn files_of(prefix: &str) -> Vec<PathBuf> {
    let start = format!("{prefix}map_");
    let Ok(entries) = std::fs::read_dir(mount()) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
        .map(|entry| entry.path())
        .collect()
}

/// The folder in which EAL keeps what the processes of a file prefix share.
pub fn runtime_dir(prefix: &str) -> PathBuf {
    let base = if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/run")
    } else {
        std::env::var_os("XDG_RUNTIME_DIR").map_or_else(|| "/tmp".into(), PathBuf::from)
    };
    base.join("dpdk").join(prefix)
}

/// Removes what dead processes of a file prefix left in the mount and the runtime folder.
pub fn sweep(prefix: &str) {
    for file in files_of(prefix) {
        remove(&file, std::fs::remove_file(&file));
    }
    let folder = runtime_dir(prefix);
    if folder.exists() {
        remove(&folder, std::fs::remove_dir_all(&folder));
    }
}

fn remove(path: &Path, outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        eprintln!("{}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_prefix_are_found_and_swept() {
        let prefix = crate::machine::unique("hg");
        let file = mount().join(format!("{prefix}map_0"));
        std::fs::File::create(&file).expect("a file in the mount");
        assert_eq!(files_of(&prefix), [file]);
        assert!(files_of(&format!("{prefix}x")).is_empty());
        sweep(&prefix);
        assert!(files_of(&prefix).is_empty());
    }

    #[test]
    fn no_pages_are_always_free() {
        need(0);
    }
}
