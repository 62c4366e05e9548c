//! Limits on hugepages of this process's control group and of those above it (cgroups(7); the kernel's hugetlb controller, version
//! 1 and 2). Who goes over one is not refused but gets SIGBUS.

use std::path::{Path, PathBuf};

use crate::finding::size;
use crate::host::number;
use crate::hugepages::{WANTED, pools};
use crate::{Finding, Host};

const NAME: &str = "cgroup";
/// Version 1 writes "no limit" as a number, the largest that is a multiple of a page.
const UNLIMITED: u64 = 1 << 62;

/// A hierarchy of control groups that may have limits on hugepages.
struct Group {
    /// The folder of our group.
    folder: PathBuf,
    /// Where the hierarchy begins.
    top: PathBuf,
    /// Version 2.
    unified: bool,
}

/// A limit that there is.
struct Limit {
    file: PathBuf,
    page_size: u64,
    limit: u64,
    used: u64,
    unified: bool,
}

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let (groups, mounts) = match (
        host.read("/proc/self/cgroup"),
        host.read("/proc/self/mountinfo"),
    ) {
        (Ok(groups), Ok(mounts)) => (groups, mounts),
        (Err(error), _) | (_, Err(error)) => {
            return vec![host.unseen(NAME, "the control group of this process", &error)];
        }
    };
    let ours: Vec<Group> = groups
        .lines()
        .filter_map(|line| group(host, line, &mounts))
        .collect();
    let sizes = pools(host).unwrap_or_default();
    let limits: Vec<Limit> = ours
        .iter()
        .flat_map(|group| sizes.iter().flat_map(|pool| limits(group, pool.page_size)))
        .collect();
    if limits.is_empty() {
        let found = match ours.is_empty() {
            true => "hugepages are in no control group: no limit",
            false => "no control group of this process limits hugepages",
        };
        return vec![Finding::ok(NAME, found)];
    }
    limits.iter().map(|limit| finding(host, limit)).collect()
}

fn finding(host: &Host, limit: &Limit) -> Finding {
    let left = limit.limit.saturating_sub(limit.used);
    // As a user names it, not below our root.
    let file = Path::new("/").join(limit.file.strip_prefix(&host.root).unwrap_or(&limit.file));
    let found = format!(
        "{} of {} are left in pages of {} ({})",
        size(left),
        size(limit.limit),
        size(limit.page_size),
        file.display()
    );
    let figures = |finding: Finding| {
        finding
            .with("page-size", limit.page_size)
            .with("limit", limit.limit)
            .with("used", limit.used)
    };
    if left >= WANTED {
        return figures(Finding::ok(NAME, found));
    }
    let found = format!(
        "{found}: a primary of this control group takes {}, and dies by SIGBUS if it gets less",
        size(WANTED)
    );
    let none = if limit.unified { "max" } else { "-1" };
    figures(Finding::warn(NAME, found)).root(format!("echo {none} > {}", file.display()))
}

/// What a line of `/proc/self/cgroup` (`number:controllers:path`) means, if hugepages are concerned.
fn group(host: &Host, line: &str, mounts: &str) -> Option<Group> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let unified = controllers.is_empty();
    if !unified && !controllers.split(',').any(|name| name == "hugetlb") {
        return None;
    }
    let (root, point) = mounts.lines().find_map(|line| mount(line, unified))?;
    // In a container the hierarchy may begin in the middle.
    let inner = Path::new(path).strip_prefix(root).ok();
    let inner = inner.unwrap_or(Path::new(path.trim_start_matches('/')));
    let top = host.at(point);
    let steps_back = inner.components().any(|part| part.as_os_str() == "..");
    let folder = if steps_back {
        top.clone()
    } else {
        top.join(inner)
    };
    Some(Group {
        folder,
        top,
        unified,
    })
}

/// Root and place of the hierarchy in a line of `/proc/self/mountinfo`, if it is the one.
fn mount(line: &str, unified: bool) -> Option<(&str, &str)> {
    let (front, back) = line.split_once(" - ")?;
    let mut back = back.split(' ');
    let (kind, options) = (back.next()?, back.nth(1)?);
    let fits = match unified {
        true => kind == "cgroup2",
        false => kind == "cgroup" && options.split(',').any(|option| option == "hugetlb"),
    };
    let mut front = front.split(' ').skip(3);
    fits.then_some((front.next()?, front.next()?))
}

/// The limits on pages of this size, from our group upward.
fn limits(group: &Group, page_size: u64) -> Vec<Limit> {
    let pages = match page_size {
        size if size >= 1 << 30 => format!("{}GB", size >> 30),
        size if size >= 1 << 20 => format!("{}MB", size >> 20),
        size => format!("{}KB", size >> 10),
    };
    let mut found = Vec::new();
    for folder in group.folder.ancestors() {
        for kind in ["", ".rsvd"] {
            let file = |name: &str| folder.join(format!("hugetlb.{pages}{kind}.{name}"));
            let (limit, used) = match group.unified {
                true => (file("max"), file("current")),
                false => (file("limit_in_bytes"), file("usage_in_bytes")),
            };
            // `max` is no number.
            if let Some(bytes) = number(&limit).filter(|bytes| *bytes < UNLIMITED) {
                found.push(Limit {
                    limit: bytes,
                    used: number(&used).unwrap_or(0),
                    file: limit,
                    page_size,
                    unified: group.unified,
                });
            }
        }
        if folder == group.top {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, one};

    const V2: &str = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_tightest_limits_are_found_up_to_the_top() {
        let made = Made::new();
        made.hugepages(2048, 2048)
            .file("/proc/self/cgroup", "0::/a/b\n")
            .file("/proc/self/mountinfo", V2)
            .file("/sys/fs/cgroup/a/b/hugetlb.2MB.max", "max\n")
            .file("/sys/fs/cgroup/a/hugetlb.2MB.max", "104857600\n")
            .file("/sys/fs/cgroup/a/hugetlb.2MB.current", "4194304\n");
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Warn);
        assert!(found.found.starts_with("96 MB of 100 MB"), "{found:?}");
        assert_eq!(
            found.remedy.as_deref(),
            Some("echo max > /sys/fs/cgroup/a/hugetlb.2MB.max")
        );
        made.file("/sys/fs/cgroup/a/hugetlb.2MB.max", "1073741824");
        assert_eq!(one(check(&made.host)).state, State::Ok);
        made.file("/sys/fs/cgroup/a/hugetlb.2MB.max", "max");
        assert!(one(check(&made.host)).found.contains("no control group"));
    }

    #[test]
    fn version_one_and_a_hierarchy_that_begins_in_the_middle() {
        let made = Made::new();
        made.hugepages(2048, 2048)
            .file("/proc/self/cgroup", "7:cpu,hugetlb:/docker/x/y\n2:cpu:/\n")
            .file(
                "/proc/self/mountinfo",
                "33 30 0:29 /docker/x /sys/fs/cgroup/h ro - cgroup cgroup rw,hugetlb\n",
            )
            .file(
                "/sys/fs/cgroup/h/y/hugetlb.2MB.limit_in_bytes",
                "9223372036854771712",
            )
            .file("/sys/fs/cgroup/h/hugetlb.2MB.rsvd.limit_in_bytes", "0");
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Warn);
        assert_eq!(found.figures["limit"], 0);
        assert!(found.remedy.unwrap().starts_with("echo -1 >"));
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_looked_for_at_the_top() {
        let made = Made::new();
        made.hugepages(1, 1)
            .file("/proc/self/cgroup", "0::/../../other\n")
            .file("/proc/self/mountinfo", V2)
            .file("/sys/fs/cgroup/hugetlb.2MB.max", "1");
        assert_eq!(one(check(&made.host)).figures["limit"], 1);
    }
}
