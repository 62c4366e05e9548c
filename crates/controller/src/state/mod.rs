//! The desired state of processes: kept in a journal, put back when a process returns.
//!
//! A change is written to the journal as an intent, and is on disk before the command goes out; the
//! reply settles it. What a process shall have is what its settled changes add up to. One change
//! at a time is made to a process; while one that has registered gets its state back, others wait.

mod folder;
mod format;
mod journal;
mod memory;
mod restore;
mod system;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use protocol::desired::{Form, ProcessName};
use protocol::rest::FailedCommand;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::{Instant, timeout_at};

use crate::peer::{Peer, PeerError};
use crate::rest::RestError;
pub use folder::StateError;
pub use format::{JournalContents, read_journal};
pub(crate) use journal::JournalError;
use journal::{Journal, PATIENCE};
use memory::{Entry, Record};
pub(crate) use memory::{Outcome, What};
pub(crate) use restore::{clear_doubts, welcome};
pub(crate) use system::{apply, differences, export};

/// The desired state of all processes.
pub(crate) struct State {
    /// `None`: nothing is kept.
    journal: Option<Journal>,
    /// Number of the next intent.
    next: AtomicU64,
    turns: Mutex<HashMap<ProcessName, Arc<Turn>>>,
    /// What could not be put back when a process last registered.
    failures: Mutex<BTreeMap<ProcessName, Vec<FailedCommand>>>,
}

/// Who may change a process.
struct Turn {
    /// Held by whoever changes it.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// The connection whose process has its state and takes changes of users.
    ready: watch::Sender<Option<u64>>,
}

/// The right to change a process, until it is dropped.
pub(crate) struct Held {
    _busy: OwnedMutexGuard<()>,
}

/// The name of a connected process.
pub(crate) fn name_of(peer: &Peer) -> ProcessName {
    ProcessName {
        kind: peer.kind,
        id: peer.id,
    }
}

/// What the process can do.
fn form_of(peer: &Peer) -> Form {
    match peer.hello {
        Some(_) => Form::Ours,
        None => Form::Original,
    }
}

impl State {
    /// Reads the state in `folder`; with `None`, nothing is kept.
    ///
    /// # Errors
    /// [`StateError`] if the folder cannot be used or another controller uses it.
    pub fn open(folder: Option<&Path>) -> Result<Self, StateError> {
        let mut next = 0;
        let journal = match folder {
            None => None,
            Some(path) => {
                let opened = folder::open(path)?;
                next = opened.memory.next;
                let journal = Journal::start(opened.folder, opened.memory, opened.length, PATIENCE);
                Some(journal.map_err(|error| StateError::Io {
                    what: "start the thread that writes",
                    path: path.to_owned(),
                    error,
                })?)
            }
        };
        Ok(Self {
            journal,
            next: AtomicU64::new(next),
            turns: Mutex::default(),
            failures: Mutex::default(),
        })
    }

    /// Whether anything is kept.
    pub fn keeps(&self) -> bool {
        self.journal.is_some()
    }

    /// How long each fsync of the journal took, in seconds, if there is a journal.
    pub fn syncs(&self) -> Option<Histogram> {
        self.journal.as_ref().map(Journal::syncs)
    }

    /// What is known of a process.
    fn record(&self, process: ProcessName) -> Option<Record> {
        let memory = self.journal.as_ref()?.memory();
        memory.processes.get(&process).cloned()
    }

    /// All processes of which anything is known.
    fn known(&self) -> Vec<ProcessName> {
        let journal = self.journal.as_ref();
        journal.map_or_else(Vec::new, |journal| {
            journal.memory().processes.keys().copied().collect()
        })
    }

    fn turn(&self, process: ProcessName) -> Arc<Turn> {
        let mut turns = unpoisoned(&self.turns);
        let turn = turns.entry(process).or_insert_with(|| {
            Arc::new(Turn {
                busy: Arc::default(),
                ready: watch::Sender::new(None),
            })
        });
        turn.clone()
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<ProcessName, Vec<FailedCommand>>> {
        unpoisoned(&self.failures)
    }

    /// Waits until the process has its state and nobody else changes it.
    ///
    /// # Errors
    /// If that takes longer than until `deadline`, or another connection has taken its place.
    pub async fn wait_turn(&self, peer: &Peer, deadline: Instant) -> Result<Held, RestError> {
        let limit = deadline.saturating_duration_since(Instant::now());
        let turn = self.turn(name_of(peer));
        // Who has the turn may wait for the disk, not for the process.
        let late = || match self.journal.as_ref().map(Journal::answers) {
            Some(Err(hangs)) => RestError::from(hangs),
            Some(Ok(())) | None => peer.not_responding(limit).into(),
        };
        if self.keeps() {
            let mut ready = turn.ready.subscribe();
            let open = |serial: &Option<u64>| serial.is_some_and(|serial| serial >= peer.serial);
            let opened = timeout_at(deadline, ready.wait_for(open)).await;
            let serial = match opened {
                Ok(Ok(serial)) => *serial,
                Ok(Err(_)) | Err(_) => return Err(late()),
            };
            if serial != Some(peer.serial) {
                return Err(PeerError::Closed { name: peer.name() }.into());
            }
        }
        let busy = timeout_at(deadline, turn.busy.clone().lock_owned()).await;
        let busy = busy.map_err(|_| late())?;
        Ok(Held { _busy: busy })
    }

    /// Writes what is about to be done to processes, with one fsync, within `limit`; gives the numbers to
    /// [`State::settle`] them by.
    ///
    /// # Errors
    /// [`JournalError`]: then nothing is to be done.
    pub async fn intend(
        &self,
        intents: Vec<(ProcessName, What)>,
        limit: Duration,
    ) -> Result<Vec<(ProcessName, u64)>, JournalError> {
        let mut numbers = Vec::with_capacity(intents.len());
        let mut entries = Vec::with_capacity(intents.len());
        for (process, what) in intents {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            numbers.push((process, number));
            entries.push(Entry::Intent {
                process,
                number,
                what,
            });
        }
        if let Some(journal) = &self.journal {
            journal.commit(entries, limit).await?;
        }
        Ok(numbers)
    }

    /// Writes how intents went. That survives the end of the controller at once.
    pub async fn settle(&self, outcomes: Vec<((ProcessName, u64), Outcome)>) {
        let entry = |((process, number), outcome)| Entry::Settled {
            process,
            number,
            outcome,
        };
        self.note(outcomes.into_iter().map(entry).collect()).await;
    }

    async fn note(&self, entries: Vec<Entry>) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.note(entries).await
        {
            log::error!("{error}");
        }
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
