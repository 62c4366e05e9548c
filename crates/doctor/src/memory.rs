//! How the kernel gives out addresses and memory (`/proc/sys/kernel`, `/proc/sys/vm`): all processes of a panel have its memory at
//! the same addresses.

use crate::host::number;
use crate::hugepages::pools;
use crate::{Finding, Host};

const NAME: &str = "memory";
/// Mappings of a process beside those of hugepages: libraries, stacks, tables.
const MAPPINGS: u64 = 2048;

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    vec![randomness(host), overcommit(host), mappings(host)]
}

fn unseen(file: &str) -> Finding {
    Finding::warn(
        NAME,
        format!("{file} cannot be read: what it says cannot be seen"),
    )
}

fn randomness(host: &Host) -> Finding {
    let file = "/proc/sys/kernel/randomize_va_space";
    let finding = match number(&host.at(file)) {
        Some(0) => Finding::ok(NAME, "addresses are not random"),
        Some(_) => Finding::ok(
            NAME,
            "addresses are random, and DPDK asks for its own: should a secondary say that it cannot map memory, start it again, or the primary with --eal=--base-virtaddr=0x200000000000",
        ),
        None => return unseen(file),
    };
    finding.with("randomize-va-space", number(&host.at(file)))
}

fn overcommit(host: &Host) -> Finding {
    let file = "/proc/sys/vm/overcommit_memory";
    let value = number(&host.at(file));
    let finding = match value {
        Some(2) => Finding::warn(
            NAME,
            "the kernel promises no more memory than there is (vm.overcommit_memory=2): what DPDK reserves may be refused",
        )
        .root("sysctl -w vm.overcommit_memory=0"),
        Some(mode) => Finding::ok(NAME, format!("addresses can be reserved without memory (vm.overcommit_memory={mode})")),
        None => return unseen(file),
    };
    finding.with("overcommit", value)
}

/// Each hugepage is a mapping of its own.
fn mappings(host: &Host) -> Finding {
    let file = "/proc/sys/vm/max_map_count";
    let Some(most) = number(&host.at(file)) else {
        return unseen(file);
    };
    let pages = pools(host).unwrap_or_default();
    let pages = pages
        .iter()
        .map(|pool| pool.total)
        .fold(0, u64::saturating_add);
    let wanted = pages.saturating_add(MAPPINGS);
    let found = format!("a process can have {most} mappings");
    let finding = match most >= wanted {
        true => Finding::ok(NAME, found),
        false => Finding::warn(
            NAME,
            format!("{found}: one with all {pages} hugepages has more"),
        )
        .root(format!(
            "sysctl -w vm.max_map_count={}",
            wanted.saturating_mul(2)
        )),
    };
    finding.with("max-map-count", most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, all_ok};

    #[test]
    fn an_ordinary_kernel_is_good_and_a_strict_one_is_told() {
        let made = Made::new();
        made.hugepages(1024, 0)
            .file("/proc/sys/kernel/randomize_va_space", "2\n")
            .file("/proc/sys/vm/overcommit_memory", "0\n")
            .file("/proc/sys/vm/max_map_count", "65530\n");
        all_ok(&check(&made.host));
        made.hugepages(65_000, 0)
            .file("/proc/sys/vm/overcommit_memory", "2\n");
        let found = check(&made.host);
        assert_eq!(about(&found, "overcommit_memory=2").state, State::Warn);
        let few = about(&found, "65530 mappings");
        assert_eq!(
            few.remedy.as_deref(),
            Some("sysctl -w vm.max_map_count=134096")
        );
        made.file("/proc/sys/vm/max_map_count", "99999999999999999999999");
        assert_eq!(
            about(&check(&made.host), "max_map_count cannot").state,
            State::Warn
        );
    }
}
