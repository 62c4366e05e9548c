//! Which threads run on which CPUs, where nobody wants to say: `--lcores auto`.
//!
//! Main threads do next to nothing and share one CPU, the housekeeping one. Workers get CPUs of their own: isolated ones
//! first, then those of the NUMA node where the memory is, then cores of which no other thread is used. CPUs of other
//! processes of SPP are left alone. Where there are too few, workers share, and that is said: those that rest when
//! they have nothing to do come together before those that never rest.

mod machine;
mod taken;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::cpus;

pub use machine::{Cpu, Machine, memory_node, pci_node};
pub use taken::{Taken, of_containers, of_panels};

/// What a worker that never rests, or one of somebody else, counts on its CPU.
const WHOLE: u32 = 8;
/// What a worker that rests counts, and the housekeeping.
const PART: u32 = 1;

/// Threads that want CPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Whose they are.
    pub name: String,
    /// There is a main thread beside the workers.
    pub main: bool,
    /// How many workers.
    pub workers: u32,
    /// The workers rest when they have nothing to do.
    pub rests: bool,
}

/// The CPUs of a wish.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Placed {
    /// Whose they are.
    pub name: String,
    /// CPU of the main thread, if it has one beside the workers.
    pub main: Option<u32>,
    /// CPUs of the workers.
    pub workers: Vec<u32>,
}

impl Placed {
    /// As `--lcores` takes it, with these lcore ids, the main thread first: `0@0,1@3`. `None` if there are too few ids.
    pub fn map(&self, ids: impl IntoIterator<Item = u32>) -> Option<String> {
        let mut ids = ids.into_iter();
        let threads = self.main.iter().chain(&self.workers);
        let pairs: Option<Vec<String>> = threads
            .map(|cpu| Some(format!("{}@{cpu}", ids.next()?)))
            .collect();
        pairs.map(|pairs| pairs.join(","))
    }

    /// lcore ids by which its CPUs are known again: their own numbers, if the main thread's is the lowest and none comes twice, which is
    /// what EAL wants; else 0, 1, ….
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        let cpus: Vec<u32> = self.main.iter().chain(&self.workers).copied().collect();
        match cpus.is_sorted_by(|a, b| a < b) {
            true => cpus,
            false => (0..).take(cpus.len()).collect(),
        }
    }

    /// How many threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        usize::from(self.main.is_some()) + self.workers.len()
    }
}

/// Who runs where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Layout {
    /// In the order of the wishes.
    pub placed: Vec<Placed>,
    /// The NUMA node that was wanted, where there are several.
    pub node: Option<u32>,
    /// What is not as one would wish it: CPUs that are shared, memory that is far.
    pub notes: Vec<String>,
}

impl Layout {
    /// A line for each wish: name, CPU of its main thread, CPUs of its workers.
    #[must_use]
    pub fn rows(&self) -> Vec<[String; 3]> {
        let row = |placed: &Placed| {
            [
                placed.name.clone(),
                placed
                    .main
                    .map_or_else(|| "-".to_owned(), |cpu| cpu.to_string()),
                match placed.workers.is_empty() {
                    true => "-".to_owned(),
                    false => cpus::text(&placed.workers),
                },
            ]
        };
        self.placed.iter().map(row).collect()
    }
}

/// Lays threads out. `taken`: CPUs with workers of others. `node`: where the memory is, if that is known; otherwise the node
/// with the most free CPUs is taken. A machine has at least one CPU.
#[must_use]
pub fn lay_out(machine: &Machine, wishes: &[Wish], taken: &[Taken], node: Option<u32>) -> Layout {
    let several = machine.nodes().len() > 1;
    let node = match several {
        true => node.or_else(|| roomiest(machine, taken)),
        false => None,
    };
    let mut floor = Floor::new(machine, taken, node);
    let housekeeping = floor.housekeeping();
    let mut placed: Vec<Placed> = wishes
        .iter()
        .map(|wish| Placed {
            name: wish.name.clone(),
            main: housekeeping.filter(|_| wish.main),
            workers: Vec::new(),
        })
        .collect();
    if let (Some(cpu), true) = (housekeeping, wishes.iter().any(|wish| wish.main)) {
        floor.add(cpu, PART);
    }
    // Who never rests chooses first.
    for restful in [false, true] {
        for (wish, placed) in wishes.iter().zip(&mut placed) {
            if wish.rests != restful {
                continue;
            }
            for _ in 0..wish.workers {
                if let Some(cpu) = floor.best() {
                    floor.add(cpu, if restful { PART } else { WHOLE });
                    placed.workers.push(cpu);
                }
            }
        }
    }
    let notes = notes(machine, &placed, taken, node);
    Layout {
        placed,
        node,
        notes,
    }
}

/// The node with the most CPUs that nobody has; the first of several.
fn roomiest(machine: &Machine, taken: &[Taken]) -> Option<u32> {
    let free = |node: u32| {
        let of_node = machine.cpus.iter().filter(|cpu| cpu.node == node);
        of_node
            .filter(|cpu| taken.iter().all(|taken| taken.cpu != cpu.number))
            .count()
    };
    let nodes = machine.nodes().into_iter();
    nodes.max_by_key(|node| (free(*node), std::cmp::Reverse(*node)))
}

/// CPUs, and how much there is on each.
struct Floor<'a> {
    machine: &'a Machine,
    node: Option<u32>,
    load: BTreeMap<u32, u32>,
}

impl<'a> Floor<'a> {
    fn new(machine: &'a Machine, taken: &[Taken], node: Option<u32>) -> Self {
        let load = taken.iter().map(|taken| (taken.cpu, WHOLE)).collect();
        Self {
            machine,
            node,
            load,
        }
    }

    fn load(&self, cpu: u32) -> u32 {
        self.load.get(&cpu).copied().unwrap_or(0)
    }

    fn add(&mut self, cpu: u32, more: u32) {
        *self.load.entry(cpu).or_default() += more;
    }

    fn is_far(&self, cpu: &Cpu) -> bool {
        self.node.is_some_and(|node| cpu.node != node)
    }

    /// The CPU for main threads: one that is not kept for workers.
    fn housekeeping(&self) -> Option<u32> {
        let cost = |cpu: &&Cpu| {
            let busy = self.load(cpu.number) > 0;
            (cpu.isolated, busy, self.is_far(cpu), cpu.number)
        };
        Some(self.machine.cpus.iter().min_by_key(cost)?.number)
    }

    /// The CPU for one more worker.
    fn best(&self) -> Option<u32> {
        let beside_others = |cpu: &Cpu| {
            let mut siblings = self
                .machine
                .cpus
                .iter()
                .filter(|other| other.core == cpu.core && other.number != cpu.number);
            siblings.any(|sibling| self.load(sibling.number) > 0)
        };
        let cost = |cpu: &&Cpu| {
            (
                self.load(cpu.number),
                !cpu.isolated,
                self.is_far(cpu),
                beside_others(cpu),
                cpu.number,
            )
        };
        Some(self.machine.cpus.iter().min_by_key(cost)?.number)
    }
}

/// What there is to be said.
fn notes(machine: &Machine, placed: &[Placed], taken: &[Taken], node: Option<u32>) -> Vec<String> {
    let mut notes = Vec::new();
    for cpu in &machine.cpus {
        let ours = placed.iter().flat_map(|placed| {
            let here = placed
                .workers
                .iter()
                .filter(|worker| **worker == cpu.number);
            here.map(|_| placed.name.as_str())
        });
        let mut workers: Vec<&str> = ours.collect();
        if workers.is_empty() {
            continue;
        }
        let others = taken.iter().filter(|taken| taken.cpu == cpu.number);
        workers.extend(others.map(|taken| taken.by.as_str()));
        if workers.len() > 1 {
            notes.push(format!(
                "CPU {} is shared by workers of {}: there are too few CPUs ({} can be used)",
                cpu.number,
                workers.join(", "),
                machine.cpus.len()
            ));
        }
        if let Some(node) = node.filter(|node| *node != cpu.node) {
            notes.push(format!(
                "CPU {} is on NUMA node {}, the memory on node {node}",
                cpu.number, cpu.node
            ));
        }
    }
    notes
}
