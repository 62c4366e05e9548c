//! Hosts that are made up.

use std::fs;
use std::path::Path;

use crate::{Finding, Host, State};

/// A host in a temporary folder.
pub(crate) struct Made {
    pub host: Host,
    folder: tempfile::TempDir,
}

impl Made {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        Self {
            host: Host {
                runtime: root.join("run/dpdk"),
                program: root.join("bin/spp-primary"),
                root,
                file_prefix: None,
                uid: 0,
                dpdk: "22.11.11".into(),
                landlock: Some(4),
                clean: false,
            },
            folder,
        }
    }

    /// Makes a file of this host.
    pub fn file(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.host.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn folder(&self, path: &str) -> &Self {
        fs::create_dir_all(self.host.at(path)).unwrap();
        self
    }

    pub fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.host.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Hugepages of 2 MB.
    pub fn hugepages(&self, total: u64, free: u64) -> &Self {
        let pool = "/sys/kernel/mm/hugepages/hugepages-2048kB";
        self.file(&format!("{pool}/nr_hugepages"), total.to_string())
            .file(&format!("{pool}/free_hugepages"), free.to_string())
            .file(&format!("{pool}/resv_hugepages"), "0\n")
    }
}

/// The only finding.
pub(crate) fn one(findings: Vec<Finding>) -> Finding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.into_iter().next().unwrap()
}

/// The first one that says this.
pub(crate) fn about<'a>(findings: &'a [Finding], text: &str) -> &'a Finding {
    let found = findings.iter().find(|f| f.found.contains(text));
    found.unwrap_or_else(|| panic!("nothing says '{text}': {findings:#?}"))
}

/// All are good.
pub(crate) fn all_ok(findings: &[Finding]) {
    assert!(!findings.is_empty());
    let bad = findings.iter().find(|f| f.state != State::Ok);
    assert_eq!(bad, None);
}

#[test]
fn no_check_minds_an_empty_host_or_one_of_garbage() {
    let made = Made::new();
    for check in crate::CHECKS {
        let found = (check.run)(&made.host);
        assert!(!found.is_empty(), "{}", check.name);
        assert!(found.iter().all(|f| f.name == check.name), "{found:?}");
    }
    let garbage = [0xff, 0xfe, b'\n', 0, b'x', b' ', b'9'].repeat(50);
    for path in [
        "/proc/self/status",
        "/proc/self/limits",
        "/proc/self/cgroup",
        "/proc/self/mountinfo",
        "/proc/mounts",
        "/proc/cpuinfo",
        "/proc/cmdline",
        "/proc/filesystems",
        "/proc/net/protocols",
        "/proc/sys/kernel/osrelease",
        "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/vm/max_map_count",
        "/proc/sys/vm/overcommit_memory",
        "/sys/devices/system/cpu/online",
        "/sys/devices/system/cpu/isolated",
        "/sys/devices/system/cpu/nohz_full",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
        "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
        "/sys/bus/pci/devices/0000:00:03.0/class",
        "/sys/bus/pci/devices/nonsense/numa_node",
        "/sys/kernel/iommu_groups/x/y",
        "/etc/passwd",
        "/run/dpdk/spp/config",
        "/run/dpdk/spp/spp/panel.json",
        "/run/dpdk/a file",
    ] {
        made.file(path, &garbage);
    }
    for check in crate::CHECKS {
        let found = (check.run)(&made.host);
        assert!(!found.is_empty(), "{}", check.name);
        let shown = |f: &Finding| !f.found.chars().any(char::is_control);
        assert!(found.iter().all(shown), "{found:?}");
    }
}
