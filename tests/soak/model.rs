//! What ports and patches there should be, as a plain model says.

use std::collections::{BTreeMap, BTreeSet};

/// Ports and patches of one process.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Process {
    pub ports: BTreeSet<String>,
    /// Destinations by their sources.
    pub patches: BTreeMap<String, String>,
    pub forwards: bool,
}

/// A command for one process.
#[derive(Clone, Debug)]
pub enum Change {
    Add(String),
    Del(String),
    Patch(String, String),
    Unpatch(String),
    Reset,
    Forward(bool),
}

impl Change {
    /// As the operator types it.
    pub fn words(&self) -> Vec<&str> {
        match self {
            Self::Add(port) => vec!["add", port],
            Self::Del(port) => vec!["del", port],
            Self::Patch(src, dst) => vec!["patch", src, dst],
            Self::Unpatch(src) => vec!["unpatch", src],
            Self::Reset => vec!["patch", "reset"],
            Self::Forward(true) => vec!["forward"],
            Self::Forward(false) => vec!["stop"],
        }
    }
}

/// All processes that are changed, by their ids.
#[derive(Clone, Debug)]
pub struct Model {
    pub processes: BTreeMap<u32, Process>,
    /// Ends of rings that somebody else has claimed, by ring and side (true: into it).
    pub claimed: BTreeSet<(String, bool)>,
}

fn is_ring(port: &str) -> bool {
    port.starts_with("ring:")
}

impl Model {
    /// Processes without anything, and what else is claimed.
    pub fn new(ids: &[u32], claimed: &[(&str, bool)]) -> Self {
        let fresh = || Process {
            forwards: true,
            ..Process::default()
        };
        Model {
            processes: ids.iter().map(|id| (*id, fresh())).collect(),
            claimed: claimed.iter().map(|(r, s)| (r.to_string(), *s)).collect(),
        }
    }

    /// Whether somebody but `id` has an end of a ring, or the socket of a vhost port.
    fn is_taken(&self, id: u32, end: (&str, bool)) -> bool {
        let (port, into) = end;
        let others = || self.processes.iter().filter(|(other, _)| **other != id);
        let has = |p: &Process| match into {
            true => p.patches.values().any(|dst| dst == port),
            false => p.patches.contains_key(port),
        };
        self.claimed.contains(&(port.to_owned(), into)) || others().any(|(_, p)| has(p))
    }

    /// Carries a change out; false if it has to be refused, and then nothing is changed.
    pub fn change(&mut self, id: u32, change: &Change) -> bool {
        let Some(mut next) = self.processes.get(&id).cloned() else {
            return false;
        };
        let done = match change {
            Change::Add(port) => {
                let elsewhere =
                    |(other, p): (&u32, &Process)| *other != id && p.ports.contains(port);
                let is_socket = port.starts_with("vhost:");
                let repeatable = is_ring(port) || is_socket;
                !(is_socket && self.processes.iter().any(elsewhere))
                    && (next.ports.insert(port.clone()) || repeatable)
            }
            Change::Del(port) => {
                next.patches.retain(|src, dst| src != port && dst != port);
                next.ports.remove(port)
            }
            Change::Patch(src, dst) => {
                for port in [src, dst] {
                    if is_ring(port) {
                        next.ports.insert(port.clone());
                    }
                }
                next.patches.insert(src.clone(), dst.clone());
                [src, dst].iter().all(|port| next.ports.contains(*port))
                    && !(is_ring(src) && self.is_taken(id, (src, false)))
                    && !(is_ring(dst) && self.is_taken(id, (dst, true)))
            }
            Change::Unpatch(src) => next.patches.remove(src).is_some(),
            Change::Reset => {
                next.patches.clear();
                true
            }
            Change::Forward(on) => {
                next.forwards = *on;
                true
            }
        };
        if done {
            self.processes.insert(id, next);
        }
        done
    }
}
