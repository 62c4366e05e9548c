//! Which process of a node is meant by somebody who looks for a fault.

use crate::error::{Error, Result};
use crate::running::{Process, Running};

impl Running {
    /// The process of a node that a debugger is for: the one of this PID (the machine's), or else the only one that has DPDK's
    /// environment loaded, or else the only one that is not a shell around another.
    ///
    /// # Errors
    /// There is no such node or process, or there are several.
    pub fn to_debug(&self, node: &str, pid: Option<u32>) -> Result<Process> {
        let number = self.node(node)?;
        let processes = self.processes()?.into_iter();
        let all: Vec<Process> = processes.filter(|one| one.node == number).collect();
        let listed = |some: &[&Process]| {
            let lines = some
                .iter()
                .map(|one| format!("\n  {} {}", one.pid, one.command));
            lines.collect::<String>()
        };
        if let Some(pid) = pid {
            let found = all.iter().find(|one| one.pid == pid).cloned();
            return found.ok_or_else(|| {
                let all: Vec<&Process> = all.iter().collect();
                Error::Refused(format!(
                    "there is no process {pid} on {node}; there are:{}",
                    listed(&all)
                ))
            });
        }
        let mut some: Vec<&Process> = all.iter().filter(|one| has_eal(one.pid)).collect();
        if some.is_empty() {
            some = all
                .iter()
                .filter(|one| !one.command.starts_with("/bin/sh -c "))
                .collect();
        }
        match some.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Error::Refused(format!("no program runs on {node}"))),
            several => Err(Error::Refused(format!(
                "{} programs run on {node}: name the PID of one{}",
                several.len(),
                listed(several)
            ))),
        }
    }
}

/// Whether a process has DPDK's environment abstraction layer as a library.
fn has_eal(pid: u32) -> bool {
    // It may have ended.
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"));
    maps.is_ok_and(|maps| maps.contains("/librte_eal."))
}
