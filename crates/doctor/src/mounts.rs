//! Mounts of hugetlbfs (`/proc/mounts`).

use std::os::unix::fs::MetadataExt as _;

use sys::hugepages::{HugeMount, mounts_in};

use crate::finding::size;
use crate::hugepages::pools;
use crate::{Finding, Host};

const NAME: &str = "mounts";

/// The mounts of hugetlbfs that this process sees.
pub(crate) fn mounts(host: &Host) -> std::io::Result<Vec<HugeMount>> {
    Ok(mounts_in(host.read("/proc/mounts")?.as_bytes()))
}

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let mounts = match mounts(host) {
        Ok(mounts) => mounts,
        Err(error) => return vec![host.unseen(NAME, "/proc/mounts", &error)],
    };
    let mut findings: Vec<Finding> = mounts.iter().map(|mount| finding(host, mount)).collect();
    if mounts.iter().any(|mount| mount.writable) {
        return findings;
    }
    let found = match mounts.is_empty() {
        true => "no hugetlbfs is mounted".to_owned(),
        false => format!(
            "no hugetlbfs is mounted where user {} can write",
            host.user()
        ),
    };
    let remedy = match host.is_root() {
        true => "mount -t hugetlbfs -o pagesize=2M nodev /dev/hugepages".to_owned(),
        false => format!("scripts/setup.sh --runtime --user {}", host.user()),
    };
    findings.push(Finding::fail(NAME, found).root(remedy));
    findings
}

fn finding(host: &Host, mount: &HugeMount) -> Finding {
    let path = mount.path.display();
    let pages = mount.page_size.map_or_else(
        || "pages of the default size".to_owned(),
        |bytes| format!("pages of {}", size(bytes)),
    );
    let mut found = format!("{path}: {pages}");
    let mut finding = match std::fs::metadata(&mount.path) {
        Ok(meta) => {
            let mode = meta.mode() & 0o7777;
            found.push_str(&format!(", user {}, mode {mode:04o}", meta.uid()));
            Finding::ok(NAME, "")
                .with("uid", meta.uid())
                .with("mode", format!("{mode:04o}"))
        }
        Err(error) => {
            let what = format!("{path}: whose it is");
            return host.unseen(NAME, &what, &error);
        }
    };
    found.push_str(match mount.writable {
        true => ", can be written",
        false => ", cannot be written by this user",
    });
    if let Some(free) = mount.free {
        found.push_str(&format!(", {} of its own left", size(free)));
        finding = finding.with("free", free);
    }
    let of_size = pools(host)
        .unwrap_or_default()
        .into_iter()
        .find(|pool| Some(pool.page_size) == mount.page_size);
    let bare = of_size.is_some_and(|pool| pool.total == 0);
    if bare {
        found.push_str(", and there are no pages of this size");
    }
    finding.found = found;
    finding
        .with("path", path.to_string())
        .with("page-size", mount.page_size)
        .with("writable", mount.writable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, one};

    #[test]
    fn mounts_are_described() {
        let made = Made::new();
        let path = made.root().join("huge");
        std::fs::create_dir(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, mode).unwrap();
        let line = format!("nodev {} hugetlbfs rw,pagesize=2M 0 0\n", path.display());
        made.file("/proc/mounts", line);
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Ok);
        assert!(found.found.contains(", mode 0700, can be written"));
        assert_eq!(found.figures["writable"], true);
    }

    #[test]
    fn without_a_mount_nothing_starts() {
        let mut made = Made::new();
        made.file("/proc/mounts", "tmpfs /tmp tmpfs rw 0 0\n");
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Fail);
        assert!(found.remedy.unwrap().starts_with("mount -t hugetlbfs"));
        made.host.uid = 5;
        made.file(
            "/etc/passwd",
            "root:x:0:0::/:/bin/sh\nalice:x:5:5::/:/bin/sh\n",
        );
        let remedy = one(check(&made.host)).remedy.unwrap();
        assert_eq!(remedy, "scripts/setup.sh --runtime --user alice");
    }

    #[test]
    fn a_mount_that_is_not_there_is_told() {
        let made = Made::new();
        made.file("/proc/mounts", "nodev /no/such/place hugetlbfs rw 0 0\n");
        let found = check(&made.host);
        assert_eq!(about(&found, "/no/such/place").state, State::Warn);
        assert_eq!(about(&found, "can write").state, State::Fail);
    }
}
