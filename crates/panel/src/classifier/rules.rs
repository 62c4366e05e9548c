//! Entries on a board: added and removed while packets flow, and listed with their hits.

use thiserror::Error;

use crate::board::{Board, BoardError};
use crate::code::PortCode;
use crate::wiring::Rig;

use super::MOST;
use super::entries::Stuck;
use super::key::Rule;

/// Why an entry was refused. Nothing was changed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EntryError {
    /// The port has this entry already.
    #[error("{port} has the entry {rule} already")]
    Exists {
        /// The entry.
        rule: Rule,
        /// Its port.
        port: PortCode,
    },
    /// The port has no such entry.
    #[error("{port} has no entry {rule}: classifier_table lists those that it has")]
    NotFound {
        /// The entry.
        rule: Rule,
        /// Its port.
        port: PortCode,
    },
    /// There are as many as there can be.
    #[error(
        "{rule} is not added: this process has {MOST} entries, which is the most; delete others first"
    )]
    Full {
        /// The entry.
        rule: Rule,
    },
    /// Only classifiers learn.
    #[error("component {0} is not a classifier: it has no table to learn for")]
    NoClassifier(String),
    /// An ageing time that cannot be.
    #[error("an ageing time of {0} s is not possible: take 1 to 1000000 seconds (300 is usual)")]
    Ageing(u64),
    /// The port is not open, or a worker did not answer.
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    /// What it stands for.
    pub rule: Rule,
    /// Where it sends packets.
    pub port: PortCode,
    /// The classifier that goes by it. `None` if its port is attached to none, or a port that was attached
    /// later has an entry for the same.
    pub component: Option<String>,
    /// Packets that were sent by it since the last clear. What goes to a group is not counted, unless
    /// the group has an entry of its own.
    pub hits: u64,
    /// Whether it was learned from the packets of its port.
    pub learned: bool,
}

impl Board {
    /// Adds an entry to an open port: a classifier that the port is attached to sends such packets there, now or once
    /// it is attached. Of the same entry at several ports of a component that of the port that was attached
    /// last is in force. Packets are not held up by it.
    ///
    /// # Errors
    /// [`EntryError::Exists`], [`EntryError::Full`], [`BoardError::NoPort`], [`BoardError::Stuck`]
    pub fn add_entry(&mut self, rule: Rule, port: PortCode) -> Result<(), EntryError> {
        if self.port(port).is_none() {
            return Err(BoardError::NoPort(port).into());
        }
        let key = rule.into();
        let entries = self.table_entries();
        let old = entries.known.get(&(key, port));
        if old.is_some_and(|e| e.until.is_none()) {
            return Err(EntryError::Exists { rule, port });
        }
        if old.is_none() && entries.known.len() >= MOST {
            // One that was only learned goes first.
            let Some(oldest) = entries.learning.oldest() else {
                return Err(EntryError::Full { rule });
            };
            self.set_entry(oldest.0.rule(), oldest.1, false)?;
        }
        self.set_entry(rule, port, true)
    }

    /// Takes an entry from a port. If another port of its component has the same that is in force from now on.
    ///
    /// # Errors
    /// [`EntryError::NotFound`], [`BoardError::NoPort`], [`BoardError::Stuck`]
    pub fn del_entry(&mut self, rule: Rule, port: PortCode) -> Result<(), EntryError> {
        if self.port(port).is_none() {
            return Err(BoardError::NoPort(port).into());
        }
        let key = rule.into();
        let entries = self.table_entries();
        if !entries.known.contains_key(&(key, port)) {
            return Err(EntryError::NotFound { rule, port });
        }
        self.set_entry(rule, port, false)
    }

    pub(super) fn set_entry(
        &mut self,
        rule: Rule,
        port: PortCode,
        is: bool,
    ) -> Result<(), EntryError> {
        let key = rule.into();
        match self.table_entries_mut().set(key, port, is) {
            Ok(false) => Ok(()),
            Ok(true) => {
                let wiring = self.wiring().clone();
                let changed = self.change(wiring);
                if changed.is_err() {
                    // The table in use is as it was, or is made so.
                    let _ = self.table_entries_mut().set(key, port, !is);
                }
                Ok(changed?)
            }
            Err(Stuck) => {
                let rigs = &self.wiring().rigs;
                let sends = |r: &&Rig| r.tx.iter().any(|s| s.port == port);
                let hand = rigs.iter().find(sends).map_or(0, |r| r.hand);
                let cpu = self.hands()[hand].cpu;
                Err(BoardError::Stuck { cpu }.into())
            }
        }
    }

    /// Up to `count` entries from number `offset` on, and how many there are in all. First come those in force: by
    /// component in the order of their starts, then VLAN (untagged last), then address, a VLAN's default before its
    /// addresses; then all others.
    pub fn entries(&self, offset: usize, count: usize) -> (Vec<EntryView>, usize) {
        let entries = self.table_entries();
        let names = self.wiring().rigs.iter().map(|r| r.name.as_str());
        let page = entries.page(names, offset, count).into_iter();
        let views = page.map(|listed| EntryView {
            rule: listed.key.rule(),
            port: listed.port,
            component: listed.component.map(str::to_string),
            hits: listed.hits,
            learned: listed.learned,
        });
        (views.collect(), entries.known.len())
    }

    /// How many entries are in force: those that [`Board::entries`] lists first.
    pub fn entries_in_force(&self) -> usize {
        self.table_entries().in_force()
    }
}
