//! The CPUs of this host that we may use, as the kernel describes them in `/sys` and `/proc`.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use sys::affinity::CpuSet;

use crate::{Error, Result, cpus};

/// A CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// Package and core: CPUs with the same are threads of one core.
    pub core: (u32, u32),
    /// Its NUMA node.
    pub node: u32,
    /// The kernel puts nothing on it by itself (`isolcpus`).
    pub isolated: bool,
}

/// CPUs that may be used, by number; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its CPUs.
    pub cpus: Vec<Cpu>,
}

impl Machine {
    /// Those of this host that this process may use: those of its affinity, and isolated ones, which no process has in its
    /// affinity by itself, if its cpuset has them. CPUs above 127 are beyond what DPDK names.
    ///
    /// # Errors
    /// The kernel's files cannot be read, or there is no such CPU.
    pub fn of_host() -> Result<Self> {
        let affinity =
            CpuSet::of_current_thread().map_err(|error| Error::refused(error.to_string()))?;
        Self::read(Path::new("/"), &affinity)
    }

    /// The same with the kernel's folders below `root`.
    pub(super) fn read(root: &Path, affinity: &CpuSet) -> Result<Self> {
        let folder = root.join("sys/devices/system/cpu");
        let isolated = set(&folder.join("isolated"));
        let online = set(&folder.join("online"));
        let within = cpuset(root).unwrap_or_else(|| online.clone());
        let reserve =
            |cpu: u32| isolated.contains(cpu) && within.contains(cpu) && online.contains(cpu);
        let allowed = |cpu: u32| affinity.contains(cpu) || reserve(cpu);
        let mut numbers: BTreeSet<u32> = affinity.iter().collect();
        numbers.extend(isolated.iter());
        let cpus: Vec<Cpu> = numbers
            .into_iter()
            .filter(|cpu| allowed(*cpu) && *cpu <= cpus::MOST)
            .map(|number| {
                let of_cpu = folder.join(format!("cpu{number}"));
                let topology = of_cpu.join("topology");
                Cpu {
                    number,
                    // Without a description each is a core of its own.
                    core: (
                        number_in(&topology.join("physical_package_id")).unwrap_or(0),
                        number_in(&topology.join("core_id")).unwrap_or(number),
                    ),
                    node: node_of(&of_cpu),
                    isolated: isolated.contains(number),
                }
            })
            .collect();
        match cpus.is_empty() {
            true => Err(Error::refused(format!(
                "no CPU up to {} may be used by this process (taskset -p $$ says which ones it has)",
                cpus::MOST
            ))),
            false => Ok(Self { cpus }),
        }
    }

    /// Numbers of its CPUs.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.cpus.iter().map(|cpu| cpu.number)
    }

    /// NUMA nodes of its CPUs.
    #[must_use]
    pub fn nodes(&self) -> BTreeSet<u32> {
        self.cpus.iter().map(|cpu| cpu.node).collect()
    }

    /// These of its CPUs only.
    ///
    /// # Errors
    /// One is not there.
    pub fn only(mut self, numbers: &[u32]) -> Result<Self> {
        if let Some(cpu) = numbers
            .iter()
            .find(|cpu| !self.numbers().any(|n| n == **cpu))
        {
            let there: Vec<u32> = self.numbers().collect();
            return Err(Error::refused(format!(
                "CPU {cpu} is not there, or not for us: {} can be used",
                cpus::text(&there)
            )));
        }
        self.cpus.retain(|cpu| numbers.contains(&cpu.number));
        Ok(self)
    }
}

/// A list of CPUs in a file; empty if there is none.
fn set(path: &Path) -> CpuSet {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    CpuSet::from_str(text.trim()).unwrap_or_default()
}

fn number_in(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The folder of a CPU has a link `nodeN`.
fn node_of(cpu: &Path) -> u32 {
    let entries = std::fs::read_dir(cpu).into_iter().flatten().flatten();
    let mut nodes = entries.filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("node")?.parse().ok()
    });
    nodes.next().unwrap_or(0)
}

/// The CPUs of the control group that this process is in, of either version.
fn cpuset(root: &Path) -> Option<CpuSet> {
    let text = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let groups = root.join("sys/fs/cgroup");
    text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let file = match controllers {
            "" => groups.join(path).join("cpuset.cpus.effective"),
            c if c.split(',').any(|c| c == "cpuset") => groups
                .join("cpuset")
                .join(path)
                .join("cpuset.effective_cpus"),
            _ => return None,
        };
        Some(set(&file)).filter(|set| !set.is_empty())
    })
}

/// The NUMA node of a PCI device, if it has one.
#[must_use]
pub fn pci_node(address: &str) -> Option<u32> {
    let plain = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
    let address = address.split(',').next().filter(|a| a.bytes().all(plain))?;
    let full = match address.matches(':').count() {
        1 => format!("0000:{address}"),
        _ => address.to_owned(),
    };
    // -1 where the machine does not say.
    number_in(
        &Path::new("/sys/bus/pci/devices")
            .join(full)
            .join("numa_node"),
    )
}

/// The NUMA node where most of a panel's hugepages are, as its processes have them mapped (`numa_maps`). Nothing if none of
/// them can be looked at.
#[must_use]
pub fn memory_node(prefix: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut maps = processes.filter_map(|process| {
        let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
        if !name.starts_with("spp") {
            return None;
        }
        node_in(
            &std::fs::read_to_string(process.path().join("numa_maps")).ok()?,
            prefix,
        )
    });
    maps.next()
}

/// The node with the most pages of this panel's files, in the text of a `numa_maps`.
pub(super) fn node_in(maps: &str, prefix: &str) -> Option<u32> {
    let file = format!("/{prefix}map_");
    let mut pages = std::collections::BTreeMap::<u32, u64>::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        if !words
            .clone()
            .any(|word| word.starts_with("file=") && word.contains(&file))
        {
            continue;
        }
        for word in words.by_ref() {
            if let Some((node, count)) = word.strip_prefix('N').and_then(|w| w.split_once('='))
                && let (Ok(node), Ok(count)) = (node.parse(), count.parse::<u64>())
            {
                *pages.entry(node).or_default() += count;
            }
        }
    }
    pages
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(node, _)| node)
}
