//! Looks at a host for all that SPP needs of it: a check is a module, what it finds are lines, each with a state and with the command
//! that helps. Nothing is changed but by [`Host::clean`], which removes what is provably of dead processes.
//!
//! The kernel's files are read below a root, so that tests can make a host of their own.

#![forbid(unsafe_code)]

mod cgroup;
mod cpus;
mod dpdk;
mod engine;
mod finding;
mod host;
mod hugepages;
mod iommu;
mod kernel;
mod limits;
mod memory;
mod mounts;
mod nics;
mod program;
mod runtime;
mod stale;
#[cfg(test)]
mod testing;
mod tsc;

pub use finding::{Finding, State, size};
pub use host::Host;

/// A check that can be asked for by its name.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name, which all its findings have.
    pub name: &'static str,
    /// What it looks at, in a line.
    pub what: &'static str,
    run: fn(&Host) -> Vec<Finding>,
}

/// All checks, in the order in which they are made.
pub const CHECKS: [Check; 14] = [
    Check {
        name: "hugepages",
        what: "hugepages: how many there are, free and reserved, by size and NUMA node",
        run: hugepages::check,
    },
    Check {
        name: "cgroup",
        what: "the limits on hugepages of this process's control group",
        run: cgroup::check,
    },
    Check {
        name: "mounts",
        what: "mounts of hugetlbfs: where, whose, of what page size, whether this user can write there",
        run: mounts::check,
    },
    Check {
        name: "runtime",
        what: "the folder of DPDK's runtime files: whose it is, and the room in it",
        run: runtime::check,
    },
    Check {
        name: "cpus",
        what: "CPUs: which can be used, which are isolated, which share a core, how they are clocked",
        run: cpus::check,
    },
    Check {
        name: "tsc",
        what: "the clock by which rates and latencies are measured",
        run: tsc::check,
    },
    Check {
        name: "iommu",
        what: "IOMMU and the kernel's drivers that hand devices to user space",
        run: iommu::check,
    },
    Check {
        name: "nics",
        what: "network cards and their drivers",
        run: nics::check,
    },
    Check {
        name: "kernel",
        what: "what of the kernel is needed, and what does not work without it",
        run: kernel::check,
    },
    Check {
        name: "limits",
        what: "limits of a process: open files, address space, locked memory, core files",
        run: limits::check,
    },
    Check {
        name: "memory",
        what: "how the kernel gives out addresses and memory",
        run: memory::check,
    },
    Check {
        name: "dpdk",
        what: "DPDK: its version, its libraries and drivers, and whether SPP's programs start",
        run: dpdk::check,
    },
    Check {
        name: "engine",
        what: "the container engine",
        run: engine::check,
    },
    Check {
        name: "stale",
        what: "what dead processes left: runtime folders, hugepage files, vhost sockets",
        run: stale::check,
    },
];

/// The check of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

/// Makes the checks of these names (of none: all), in the order of [`CHECKS`]. Each is made once.
#[must_use]
pub fn examine(host: &Host, names: &[&str]) -> Vec<Finding> {
    let wanted = |check: &&Check| names.is_empty() || names.contains(&check.name);
    let checks = CHECKS.iter().filter(wanted);
    checks.flat_map(|check| (check.run)(host)).collect()
}
