//! The entries of a process and the tables that are made of them.
//!
//! An entry belongs to a port, whether that is attached to a classifier or not. Each classifier has a desk: the table
//! that its worker uses, and what the control thread needs to change it in place.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::code::PortCode;
use crate::wiring::{Function, Rig, Wiring};

use super::Classifier;
use super::key::Key;
use super::lookup::{Crowded, Lookup};

/// What is known of an entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// Hits in slots that are no longer used, without those before the last clear.
    hits: u64,
}

/// An entry in force.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: usize,
    port: PortCode,
}

/// The table of a component.
pub(crate) struct Desk {
    lookup: Arc<Lookup>,
    /// Ports by outlet, in the order of their attachment.
    ports: Vec<PortCode>,
    outlets: HashMap<PortCode, u8>,
    /// Entries in force.
    places: BTreeMap<Key, Place>,
    /// Entries of an outlet in a VLAN.
    members: BTreeMap<(u16, u8), u32>,
    /// A new table is needed.
    crowded: bool,
}

/// All entries of a process.
#[derive(Default)]
pub(crate) struct Entries {
    pub(super) known: BTreeMap<(Key, PortCode), Entry>,
    desks: Tables,
}

/// Tables by component.
pub(crate) type Tables = BTreeMap<String, Desk>;

/// An entry as it stands in a list.
pub(super) struct Listed<'a> {
    pub(super) key: Key,
    pub(super) port: PortCode,
    /// Its component, if it is in force there.
    pub(super) component: Option<&'a str>,
    pub(super) hits: u64,
}

impl Desk {
    /// The table for ports in the order of their attachment.
    fn new(known: &BTreeMap<(Key, PortCode), Entry>, ports: Vec<PortCode>) -> Self {
        let outlets: HashMap<PortCode, u8> = (0..).zip(&ports).map(|(i, p)| (*p, i)).collect();
        let mut members = BTreeMap::new();
        let mut winners: Vec<(Key, u8)> = Vec::new();
        for (key, port) in known.keys() {
            let Some(outlet) = outlets.get(port) else {
                continue;
            };
            *members.entry((key.vlan(), *outlet)).or_insert(0) += 1;
            match winners.last_mut() {
                Some((last, best)) if last == key => *best = (*best).max(*outlet),
                _ => winners.push((*key, *outlet)),
            }
        }
        let mut room = winners.len();
        // Again, with other seeds and more room, in the case that too many keys lie in one place.
        let (lookup, places) = loop {
            let lookup = Lookup::with_room(room);
            let place = |(key, outlet): &(Key, u8)| {
                let port = ports[usize::from(*outlet)];
                let slot = lookup.insert(*key, *outlet)?;
                Ok((*key, Place { slot, port }))
            };
            match winners.iter().map(place).collect::<Result<_, Crowded>>() {
                Ok(places) => break (lookup, places),
                Err(Crowded) => room *= 2,
            }
        };
        for (vlan, outlet) in members.keys() {
            lookup.set_member(*vlan, *outlet, true);
        }
        Desk {
            lookup: Arc::new(lookup),
            ports,
            outlets,
            places,
            members,
            crowded: false,
        }
    }

    /// Whether it still fits the ports of its component.
    fn fits(&self, rig: &Rig) -> bool {
        let ports = rig.tx.iter().map(|s| &s.port);
        let Function::Classifier(classifier) = &rig.function else {
            return false;
        };
        !self.crowded && Arc::ptr_eq(&classifier.lookup, &self.lookup) && ports.eq(&self.ports)
    }

    /// Brings what the table says of a key in line with what is known. What it cannot do in place it leaves to a new
    /// table.
    fn revise(&mut self, known: &mut BTreeMap<(Key, PortCode), Entry>, key: Key) {
        let all = known.range((key, PortCode::LEAST)..=(key, PortCode::MOST));
        let winner = all.filter_map(|((_, port), _)| self.outlets.get(port).copied());
        let winner = winner
            .max()
            .map(|outlet| (outlet, self.ports[usize::from(outlet)]));
        let old = self.places.get(&key).copied();
        if old.map(|o| o.port) == winner.map(|(_, port)| port) {
            return;
        }
        match winner {
            Some((outlet, port)) => match self.lookup.insert(key, outlet) {
                Ok(slot) => {
                    self.places.insert(key, Place { slot, port });
                }
                Err(Crowded) => {
                    self.crowded = true;
                    return;
                }
            },
            None => {
                self.places.remove(&key);
            }
        }
        if let Some(old) = old {
            self.lookup.kill(old.slot);
            self.harvest(known, key, old);
        }
        // A component without an entry does not run, which is for the board to say to the worker.
        self.crowded |= self.places.is_empty() || self.lookup.is_empty();
    }

    /// Counts an entry of `port` in a VLAN that has come or gone.
    fn count(&mut self, port: PortCode, vlan: u16, came: bool) {
        let Some(outlet) = self.outlets.get(&port).copied() else {
            return;
        };
        let n = self.members.entry((vlan, outlet)).or_insert(0);
        *n = if came { *n + 1 } else { n.saturating_sub(1) };
        match (*n, came) {
            (1, true) => self.lookup.set_member(vlan, outlet, true),
            (0, _) => {
                self.members.remove(&(vlan, outlet));
                self.lookup.set_member(vlan, outlet, false);
            }
            _ => {}
        }
    }

    /// Keeps the hits of a slot that is no longer used.
    fn harvest(&self, known: &mut BTreeMap<(Key, PortCode), Entry>, key: Key, place: Place) {
        if let Some(entry) = known.get_mut(&(key, place.port)) {
            entry.hits = entry.hits.wrapping_add(self.lookup.hits(place.slot));
        }
    }
}

impl Entries {
    /// Gives the classifiers of a planned wiring the tables that they need; `edition` numbers what is changed.
    pub(crate) fn plan(&self, wiring: &mut Wiring, edition: u64) -> Tables {
        let mut tables = Tables::new();
        for rig in &mut wiring.rigs {
            if !matches!(rig.function, Function::Classifier(_)) {
                continue;
            }
            if self.desks.get(&rig.name).is_some_and(|d| d.fits(rig)) {
                continue;
            }
            let desk = Desk::new(&self.known, rig.tx.iter().map(|s| s.port).collect());
            rig.function = Function::Classifier(Classifier {
                lookup: desk.lookup.clone(),
            });
            rig.edition = edition;
            tables.insert(rig.name.clone(), desk);
        }
        tables
    }

    /// Takes note that a planned wiring was carried out: no worker uses an older table.
    pub(crate) fn settle(&mut self, wiring: &Wiring, tables: Tables) {
        let kept = |name: &str| {
            let classifies = |r: &Rig| matches!(r.function, Function::Classifier(_));
            wiring.rigs.iter().any(|r| r.name == name && classifies(r))
        };
        let gone: Vec<String> = self.desks.keys().filter(|n| !kept(n)).cloned().collect();
        for name in gone.iter().chain(tables.keys()) {
            if let Some(old) = self.desks.remove(name) {
                for (key, place) in &old.places {
                    old.harvest(&mut self.known, *key, *place);
                }
            }
        }
        self.desks.extend(tables);
    }

    /// Adds an entry; true if a component needs a new table for it.
    pub(super) fn insert(&mut self, key: Key, port: PortCode) -> bool {
        self.known.insert((key, port), Entry::default());
        self.revise(key, port, true)
    }

    /// Takes an entry out; true if a component needs a new table for it.
    pub(super) fn remove(&mut self, key: Key, port: PortCode) -> bool {
        self.known.remove(&(key, port));
        self.revise(key, port, false)
    }

    fn revise(&mut self, key: Key, port: PortCode, came: bool) -> bool {
        let Some(desk) = self
            .desks
            .values_mut()
            .find(|d| d.outlets.contains_key(&port))
        else {
            return false;
        };
        desk.revise(&mut self.known, key);
        desk.count(port, key.vlan(), came);
        desk.crowded
    }

    /// Forgets the entries of a port that is closed.
    pub(crate) fn forget(&mut self, port: PortCode) {
        self.known.retain(|(_, p), _| *p != port);
    }

    /// From now on hits are shown from here.
    pub(crate) fn clear(&mut self) {
        self.known.values_mut().for_each(|e| e.hits = 0);
        for desk in self.desks.values() {
            for (key, place) in &desk.places {
                if let Some(entry) = self.known.get_mut(&(*key, place.port)) {
                    entry.hits = 0u64.wrapping_sub(desk.lookup.hits(place.slot));
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
            let places = desk.places.iter();
            places.map(move |(key, place)| (*key, place.port, Some((name, desk, place.slot))))
        });
        let idle = self.known.keys().filter(|(key, port)| {
            let holds = |d: &Desk| d.places.get(key).is_some_and(|p| p.port == *port);
            !self.desks.values().any(holds)
        });
        let all = in_force.chain(idle.map(|(key, port)| (*key, *port, None)));
        let view = |(key, port, place): (Key, PortCode, Option<(&'a str, &Desk, usize)>)| {
            let slot = place.map_or(0, |(_, desk, slot)| desk.lookup.hits(slot));
            Listed {
                key,
                port,
                component: place.map(|(name, _, _)| name),
                hits: self.hits(key, port).wrapping_add(slot),
            }
        };
        all.skip(offset).take(count).map(view).collect()
    }

    fn hits(&self, key: Key, port: PortCode) -> u64 {
        self.known.get(&(key, port)).map_or(0, |e| e.hits)
    }

    /// Entries in force.
    pub(super) fn in_force(&self) -> usize {
        self.desks.values().map(|d| d.places.len()).sum()
    }
}
