//! What the journal says: entries, and what they add up to.

use std::collections::BTreeMap;

use protocol::command::Change;
use protocol::desired::{Desired, ProcessName};
use serde::{Deserialize, Serialize};

/// What is about to be done to a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// One command.
    Change(Change),
    /// It is brought to this state as a whole.
    Whole(Desired),
    /// It is ended, and forgotten.
    Exit,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It took effect.
    Done,
    /// It did not.
    Failed,
    /// Reported as failed, since no answer came; the process may have carried it out.
    Unsure,
}

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// The whole desired state of a process.
    State {
        process: ProcessName,
        incarnation: Option<String>,
        desired: Desired,
    },
    /// This incarnation has its state.
    Seen {
        process: ProcessName,
        incarnation: Option<String>,
    },
    /// Written before a command goes out.
    Intent {
        process: ProcessName,
        number: u64,
        what: What,
    },
    /// Its reply.
    Settled {
        process: ProcessName,
        number: u64,
        outcome: Outcome,
    },
}

/// A command without a known outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub number: u64,
    pub what: What,
    /// Whoever asked was told that it failed.
    pub reported: bool,
}

/// What is known of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The incarnation that last had its state; `None` for processes of the original.
    pub incarnation: Option<String>,
    /// What it shall have.
    pub desired: Desired,
    /// In the order of sending.
    pub pending: Vec<Pending>,
}

/// What all entries add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Processes that shall have something, or were seen.
    pub processes: BTreeMap<ProcessName, Record>,
    /// Larger than the number of every intent.
    pub next: u64,
}

impl Memory {
    /// Adds an entry.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::State {
                process,
                incarnation,
                desired,
            } => {
                let record = self.processes.entry(process).or_default();
                record.incarnation = incarnation;
                record.desired = desired;
            }
            Entry::Seen {
                process,
                incarnation,
            } => self.processes.entry(process).or_default().incarnation = incarnation,
            Entry::Intent {
                process,
                number,
                what,
            } => {
                self.next = self.next.max(number.saturating_add(1));
                let record = self.processes.entry(process).or_default();
                record.pending.push(Pending {
                    number,
                    what,
                    reported: false,
                });
            }
            Entry::Settled {
                process,
                number,
                outcome,
            } => self.settle(process, number, outcome),
        }
    }

    fn settle(&mut self, process: ProcessName, number: u64, outcome: Outcome) {
        let Some(record) = self.processes.get_mut(&process) else {
            return;
        };
        let Some(at) = record.pending.iter().position(|p| p.number == number) else {
            return;
        };
        if outcome == Outcome::Unsure {
            record.pending[at].reported = true;
            return;
        }
        let what = record.pending.remove(at).what;
        match (outcome, what) {
            (Outcome::Done, What::Change(change)) => record.desired.take(&change),
            (Outcome::Done, What::Whole(desired)) => record.desired = desired,
            (Outcome::Done, What::Exit) => {
                self.processes.remove(&process);
            }
            (Outcome::Failed | Outcome::Unsure, _) => {}
        }
    }

    /// The fewest entries that add up to this.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.processes.len());
        for (&process, record) in &self.processes {
            entries.push(Entry::State {
                process,
                incarnation: record.incarnation.clone(),
                desired: record.desired.clone(),
            });
            for pending in &record.pending {
                let number = pending.number;
                entries.push(Entry::Intent {
                    process,
                    number,
                    what: pending.what.clone(),
                });
                if pending.reported {
                    entries.push(Entry::Settled {
                        process,
                        number,
                        outcome: Outcome::Unsure,
                    });
                }
            }
        }
        entries
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use protocol::command::PanelCommand;
    use protocol::port::PortName;
    use protocol::reply::ProcessKind;

    use super::*;

    fn any_entry() -> impl Strategy<Value = Entry> {
        let process = || {
            (1..4u32).prop_map(|id| ProcessName {
                kind: ProcessKind::Nfv,
                id,
            })
        };
        let port = || (0..4u16).prop_map(PortName::Ring);
        let change = || {
            prop_oneof![
                port().prop_map(|port| PanelCommand::Add { port, mode: None }),
                port().prop_map(PanelCommand::Del),
                (port(), port()).prop_map(|(src, dst)| PanelCommand::Patch {
                    src,
                    dst,
                    cpu: None,
                    with: None
                }),
                Just(PanelCommand::Forward),
            ]
            .prop_map(Change::from)
        };
        let what = prop_oneof![
            8 => change().prop_map(What::Change),
            1 => Just(What::Exit),
            1 => change().prop_map(|change| {
                let mut desired = Desired::default();
                desired.take(&change);
                What::Whole(desired)
            }),
        ];
        let outcome = prop_oneof![
            4 => Just(Outcome::Done), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Unsure)
        ];
        prop_oneof![
            4 => (process(), 0..8u64, what)
                .prop_map(|(process, number, what)| Entry::Intent { process, number, what }),
            4 => (process(), 0..8u64, outcome)
                .prop_map(|(process, number, outcome)| Entry::Settled { process, number, outcome }),
            1 => (process(), prop::option::of("[0-9a-f]{16}"))
                .prop_map(|(process, incarnation)| Entry::Seen { process, incarnation }),
        ]
    }

    /// Entries as a controller writes them, and others.
    pub fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
        proptest::collection::vec(any_entry(), 0..12)
    }

    /// What entries add up to.
    pub fn replayed(entries: &[Entry]) -> Memory {
        let mut memory = Memory::default();
        entries
            .iter()
            .cloned()
            .for_each(|entry| memory.apply(entry));
        memory
    }

    proptest! {
        #[test]
        fn the_fewest_entries_add_up_to_the_same(entries in any_entries()) {
            let memory = replayed(&entries);
            let compact = memory.entries();
            prop_assert_eq!(&replayed(&compact).processes, &memory.processes);
        }
    }
}
