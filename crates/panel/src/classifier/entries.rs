//! The entries of a process, whether their ports are attached to a classifier or not, and the tables made of them.

use std::collections::BTreeMap;

use crate::code::PortCode;
use crate::wiring::{Function, Rig, Wiring};

use super::desk::Desk;
use super::key::Key;
use super::learn::Learning;

/// What is known of an entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// Hits in tables that are no longer used, without those before the last clear.
    pub(super) hits: u64,
    /// When it is forgotten, in seconds of the board's clock, if it was learned.
    pub(super) until: Option<u64>,
}

/// Entries by what they stand for.
pub(super) type Known = BTreeMap<(Key, PortCode), Entry>;

/// Tables by component.
pub(crate) type Tables = BTreeMap<String, Desk>;

/// All entries of a process.
#[derive(Default)]
pub(crate) struct Entries {
    pub(super) known: Known,
    pub(super) desks: Tables,
    pub(super) learning: Learning,
}

/// An entry as it stands in a list.
pub(super) struct Listed<'a> {
    pub(super) key: Key,
    pub(super) port: PortCode,
    /// Its component, if it is in force there.
    pub(super) component: Option<&'a str>,
    pub(super) hits: u64,
    pub(super) learned: bool,
}

/// The worker did not let go of its table.
#[derive(Debug)]
pub(super) struct Stuck;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It is new.
    Came,
    /// It is no more.
    Went,
    /// It is another kind of entry now.
    Stayed,
}

/// Entries of one component, and what became of them.
pub(super) type Events = Vec<(Key, PortCode, Event)>;

impl Entries {
    /// Gives the classifiers of a planned wiring the tables that they need; `edition` numbers what is changed.
    pub(crate) fn plan(&mut self, wiring: &mut Wiring, edition: u64) -> Tables {
        let mut tables = Tables::new();
        for rig in &mut wiring.rigs {
            let fits = self.desks.get(&rig.name).is_some_and(|d| d.fits(rig));
            if fits || !matches!(rig.function, Function::Classifier(_)) {
                continue;
            }
            let desk = Desk::new(&self.known, rig.tx.iter().map(|s| s.port).collect());
            rig.function = Function::Classifier(desk.classifier());
            rig.edition = edition;
            tables.insert(rig.name.clone(), desk);
        }
        self.learning.plan(wiring, edition);
        tables
    }

    /// Takes note that a planned wiring was carried out: no worker uses an older table.
    pub(crate) fn settle(&mut self, wiring: &Wiring, tables: Tables) {
        let kept = |name: &str| {
            let classifies = |r: &Rig| matches!(r.function, Function::Classifier(_));
            wiring.rigs.iter().any(|r| r.name == name && classifies(r))
        };
        let gone: Vec<String> = self.desks.keys().filter(|n| !kept(n)).cloned().collect();
        for old in gone.iter().chain(tables.keys()) {
            let old = self.desks.remove(old);
            for (key, port, hits) in old.iter().flat_map(Desk::past) {
                if let Some(entry) = self.known.get_mut(&(key, port)) {
                    entry.hits = entry.hits.wrapping_add(hits);
                }
            }
        }
        self.desks.extend(tables);
        self.learning.settle(wiring, &mut self.known);
    }

    /// Adds an entry, in the place of one that was learned if need be, or takes one out; true if its component needs to be given a new table for that.
    pub(super) fn set(&mut self, key: Key, port: PortCode, is: bool) -> Result<bool, Stuck> {
        let learning = &mut self.learning;
        let mut edit = |known: &mut Known| {
            let new = is.then(Entry::default);
            let old = match new {
                Some(entry) => known.insert((key, port), entry),
                None => known.remove(&(key, port)),
            };
            if let Some(old) = old {
                learning.forget(key, port, old);
            }
            let event = match (old, new) {
                (None, _) => Event::Came,
                (Some(_), None) => Event::Went,
                (Some(_), Some(_)) => Event::Stayed,
            };
            vec![(key, port, event)]
        };
        let Some(desk) = self.desks.values_mut().find(|d| d.has(port)) else {
            edit(&mut self.known);
            return Ok(false);
        };
        if !desk.revise(&mut self.known, edit) {
            return Err(Stuck);
        }
        Ok(desk.wants_anew())
    }

    /// Forgets the entries of a port that is closed.
    pub(crate) fn forget(&mut self, port: PortCode) {
        let learning = &mut self.learning;
        self.known.retain(|(key, p), entry| {
            if *p == port {
                learning.forget(*key, port, *entry);
            }
            *p != port
        });
    }

    /// From now on hits are shown from here.
    pub(crate) fn clear(&mut self) {
        self.known.values_mut().for_each(|e| e.hits = 0);
        for desk in self.desks.values() {
            for (key, port) in desk.places() {
                if let Some(entry) = self.known.get_mut(&(key, port)) {
                    entry.hits = 0u64.wrapping_sub(desk.hits(key, port));
                }
            }
        }
    }

    /// Up to `count` entries from number `offset` on: those in force, by component in the order of `names`, VLAN and address,
    /// then all others.
    pub(super) fn page<'a>(
        &'a self,
        names: impl Iterator<Item = &'a str>,
        offset: usize,
        count: usize,
    ) -> Vec<Listed<'a>> {
        let desks = names.filter_map(|name| Some((name, self.desks.get(name)?)));
        let in_force = desks.flat_map(|(name, desk)| {
            desk.places()
                .map(move |(key, port)| (key, port, Some((name, desk))))
        });
        let idle =
            |(key, port): &&(Key, PortCode)| !self.desks.values().any(|d| d.holds(*key, *port));
        let idle = self.known.keys().filter(idle);
        let all = in_force.chain(idle.map(|(key, port)| (*key, *port, None)));
        let view = |(key, port, place): (Key, PortCode, Option<(&'a str, &Desk)>)| {
            let entry = self.known.get(&(key, port)).copied().unwrap_or_default();
            let now = place.map_or(0, |(_, desk)| desk.hits(key, port));
            Listed {
                key,
                port,
                component: place.map(|(name, _)| name),
                hits: entry.hits.wrapping_add(now),
                learned: entry.until.is_some(),
            }
        };
        all.skip(offset).take(count).map(view).collect()
    }

    /// Entries in force.
    pub(super) fn in_force(&self) -> usize {
        self.desks.values().map(|d| d.places().len()).sum()
    }
}
