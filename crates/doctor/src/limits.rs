//! Limits of a process that is started from here (`/proc/self/limits`, getrlimit(2)).

use registry::needs::OPEN_FILES;

use crate::finding::size;
use crate::hugepages::{WANTED, pools};
use crate::nics::nics;
use crate::{Finding, Host};

const NAME: &str = "limits";
/// Addresses that EAL reserves at its start, more or less.
const ADDRESSES: u64 = 64 << 30;

/// A limit: what a process has, and what it can give itself. `None`: unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    soft: Option<u64>,
    hard: Option<u64>,
}

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let text = match host.read("/proc/self/limits") {
        Ok(text) => text,
        Err(error) => return vec![host.unseen(NAME, "/proc/self/limits", &error)],
    };
    let checks = [
        limit(&text, "Max open files").map(|limit| files(host, limit)),
        limit(&text, "Max address space").map(addresses),
        limit(&text, "Max locked memory").map(|limit| locked(host, limit)),
        limit(&text, "Max core file size").map(core),
    ];
    let findings: Vec<Finding> = checks.into_iter().flatten().collect();
    match findings.is_empty() {
        true => vec![Finding::warn(
            NAME,
            "/proc/self/limits has none of the lines that are looked for: limits cannot be seen",
        )],
        false => findings,
    }
}

/// A line of the file: name, soft and hard limit, unit.
fn limit(text: &str, name: &str) -> Option<Limit> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let mut values = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(None),
        word => word.parse().ok().map(Some),
    });
    Some(Limit {
        soft: values.next()??,
        hard: values.next()??,
    })
}

fn shown(limit: Option<u64>, unit: impl Fn(u64) -> String) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), unit)
}

/// A process gives itself as many as it may, so that the hard limit counts.
fn files(host: &Host, limit: Limit) -> Finding {
    let pages = pools(host).unwrap_or_default();
    let pages = pages
        .iter()
        .map(|pool| pool.total)
        .fold(0, u64::saturating_add);
    let smallest = WANTED >> 21;
    let wanted = pages.max(smallest).saturating_add(OPEN_FILES);
    let may = limit.hard.unwrap_or(u64::MAX);
    let found = format!("open files: {}", shown(limit.hard, |n| n.to_string()));
    let remedy = format!("ulimit -n {wanted}   # LimitNOFILE={wanted} in a unit of systemd");
    let finding = if may < OPEN_FILES {
        Finding::fail(
            NAME,
            format!("{found}: no process starts with less than {OPEN_FILES}"),
        )
        .root(remedy)
    } else if may < wanted {
        Finding::warn(
            NAME,
            format!("{found}: a process has one open for each hugepage, and {OPEN_FILES} more"),
        )
        .root(remedy)
    } else {
        Finding::ok(NAME, found)
    };
    finding.with("open-files", limit.hard)
}

fn addresses(limit: Limit) -> Finding {
    let found = format!("address space: {}", shown(limit.soft, size));
    let finding = match limit.soft {
        Some(bytes) if bytes <= ADDRESSES => Finding::fail(
            NAME,
            format!("{found}: DPDK reserves more than {}", size(ADDRESSES)),
        )
        .remedy("ulimit -v unlimited   # LimitAS=infinity in a unit of systemd"),
        Some(_) => Finding::warn(
            NAME,
            format!("{found}: DPDK reserves more the more memory a panel has"),
        )
        .remedy("ulimit -v unlimited   # LimitAS=infinity in a unit of systemd"),
        None => Finding::ok(NAME, found),
    };
    finding.with("address-space", limit.soft)
}

/// Only devices that are handed to user space have memory locked for them.
fn locked(host: &Host, limit: Limit) -> Finding {
    let found = format!("locked memory: {}", shown(limit.soft, size));
    let devices = nics(host).iter().filter(|nic| nic.is_ours()).count();
    let enough = host.is_root() || devices == 0 || limit.soft.is_none_or(|bytes| bytes >= WANTED);
    let finding = match enough {
        true => Finding::ok(NAME, found),
        false => Finding::warn(
            NAME,
            format!(
                "{found}: a panel that uses network cards locks all its memory, {} or more",
                size(WANTED)
            ),
        )
        .root("ulimit -l unlimited   # LimitMEMLOCK=infinity in a unit of systemd"),
    };
    finding.with("locked-memory", limit.soft)
}

fn core(limit: Limit) -> Finding {
    let found = match limit.soft {
        Some(0) => "core files: none is written of a process that crashes".to_owned(),
        bytes => format!("core files: {}", shown(bytes, size)),
    };
    Finding::ok(NAME, found).with("core-file", limit.soft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, all_ok, one};

    fn text(files: &str, addresses: &str, locked: &str) -> String {
        format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max core file size        0                    unlimited            bytes     \n\
             Max open files            1024                 {files}               files     \n\
             Max locked memory         {locked}             {locked}              bytes     \n\
             Max address space         {addresses}          unlimited            bytes     \n"
        )
    }

    #[test]
    fn the_limits_of_an_ordinary_host_are_good() {
        let made = Made::new();
        made.hugepages(1024, 1024)
            .file("/proc/self/limits", text("1048576", "unlimited", "8388608"));
        let found = check(&made.host);
        all_ok(&found);
        about(&found, "open files: 1048576");
        about(&found, "locked memory: 8 MB");
    }

    #[test]
    fn small_ones_are_told() {
        let mut made = Made::new();
        made.hugepages(1024, 1024)
            .file("/proc/self/limits", text("1000", "1073741824", "65536"));
        let found = check(&made.host);
        let files = about(&found, "one open for each hugepage");
        assert_eq!(files.state, State::Warn);
        assert!(files.remedy.as_ref().unwrap().starts_with("ulimit -n 1152"));
        assert_eq!(about(&found, "address space: 1 GB").state, State::Fail);
        assert_eq!(about(&found, "locked memory").state, State::Ok);
        let card = "/sys/bus/pci/devices/0000:00:04.0";
        made.file(&format!("{card}/class"), "0x020000")
            .link(&format!("{card}/driver"), "../vfio-pci")
            .file("/proc/self/limits", text("100", "1099511627776", "65536"));
        made.host.uid = 5;
        let found = check(&made.host);
        assert_eq!(about(&found, "locked memory").state, State::Warn);
        assert_eq!(about(&found, "address space: 1 TB").state, State::Warn);
        assert_eq!(about(&found, "less than 128").state, State::Fail);
    }

    #[test]
    fn lines_of_another_form_are_said_to_be_unseen() {
        let made = Made::new();
        made.file("/proc/self/limits", "Max open files lots and lots\n");
        assert!(one(check(&made.host)).found.contains("cannot be seen"));
    }
}
