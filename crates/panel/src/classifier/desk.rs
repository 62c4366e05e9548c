//! A classifier as the control thread sees it: the table of its worker and what that was made of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::code::PortCode;
use crate::wiring::{Function, Rig};

use super::Classifier;
use super::entries::{Event, Events, Known};
use super::key::Key;
use super::lookup::{Change, Copies, Past};

/// The table of a component.
pub(crate) struct Desk {
    copies: Copies,
    /// Ports by outlet, in the order of their attachment.
    ports: Vec<PortCode>,
    outlets: HashMap<PortCode, u8>,
    /// Where entries in force send packets.
    places: BTreeMap<Key, u8>,
    /// Entries of an outlet in a VLAN.
    members: BTreeMap<(u16, u8), u32>,
    /// Whether the component was told that it has an entry.
    runs: bool,
}

impl Desk {
    /// The table for ports in the order of their attachment.
    pub(super) fn new(known: &Known, ports: Vec<PortCode>) -> Self {
        let outlets: HashMap<PortCode, u8> = (0..).zip(&ports).map(|(i, p)| (*p, i)).collect();
        let mut desk = Desk {
            copies: Copies::new(Vec::new()),
            ports,
            outlets,
            places: BTreeMap::new(),
            members: BTreeMap::new(),
            runs: false,
        };
        let mut changes = Vec::new();
        let mut last = None;
        for (key, port) in known
            .keys()
            .filter(|(_, p)| desk.outlets.contains_key(p))
            .copied()
            .collect::<Vec<_>>()
        {
            desk.count(port, key.vlan(), true, &mut changes);
            if last.replace(key) != Some(key) {
                desk.place(known, key, &mut changes);
            }
        }
        desk.runs = !desk.places.is_empty();
        desk.copies = Copies::new(changes);
        desk
    }

    /// Whether it still fits its component.
    pub(super) fn fits(&self, rig: &Rig) -> bool {
        let Function::Classifier(classifier) = &rig.function else {
            return false;
        };
        let ports = rig.tx.iter().map(|s| &s.port);
        Arc::ptr_eq(&classifier.table, self.copies.shared())
            && ports.eq(&self.ports)
            && !self.wants_anew()
    }

    /// Whether its component needs to be told of a new table.
    pub(super) fn wants_anew(&self) -> bool {
        self.runs == self.places.is_empty()
    }

    /// The function of its component.
    pub(super) fn classifier(&self) -> Classifier {
        Classifier {
            table: self.copies.shared().clone(),
            runs: self.runs,
        }
    }

    pub(super) fn has(&self, port: PortCode) -> bool {
        self.outlets.contains_key(&port)
    }

    /// Its ports in the order of their attachment.
    pub(super) fn ports(&self) -> &[PortCode] {
        &self.ports
    }

    /// Entries in force with their ports.
    pub(super) fn places(&self) -> impl ExactSizeIterator<Item = (Key, PortCode)> {
        let place = |(key, outlet): (&Key, &u8)| (*key, self.ports[usize::from(*outlet)]);
        self.places.iter().map(place)
    }

    /// Whether an entry is in force here.
    pub(super) fn holds(&self, key: Key, port: PortCode) -> bool {
        let outlet = self.places.get(&key);
        outlet.is_some_and(|o| self.ports[usize::from(*o)] == port)
    }

    /// Hits of an entry in the table that is in use.
    pub(super) fn hits(&self, key: Key, port: PortCode) -> u64 {
        let outlet = self.outlets.get(&port);
        outlet.map_or(0, |o| self.copies.hits(key, *o))
    }

    /// Hits of a table that no worker uses any more.
    pub(super) fn past(&self) -> impl Iterator<Item = (Key, PortCode, u64)> {
        let of = |(key, outlet, hits): Past| (key, self.ports[usize::from(outlet)], hits);
        self.copies.past().into_iter().map(of)
    }

    /// Makes entries known or unknown and the table accordingly, all at once; false if the worker is stuck: then
    /// nothing is changed. Their ports are this component's.
    pub(super) fn revise(
        &mut self,
        known: &mut Known,
        edit: impl FnOnce(&mut Known) -> Events,
    ) -> bool {
        let mut past = Vec::new();
        let settled = self.copies.settle(&mut past);
        if settled {
            let mut changes = Vec::new();
            for (key, port, event) in edit(known) {
                self.place(known, key, &mut changes);
                if event != Event::Stayed {
                    self.count(port, key.vlan(), event == Event::Came, &mut changes);
                }
            }
            self.copies.change(changes, &mut past);
        }
        for (key, outlet, hits) in past {
            if let Some(entry) = known.get_mut(&(key, self.ports[usize::from(outlet)])) {
                entry.hits = entry.hits.wrapping_add(hits);
            }
        }
        settled
    }

    /// Finds who has a key now: of fixed entries before learned ones, that of the port which was attached last.
    fn place(&mut self, known: &Known, key: Key, changes: &mut Vec<Change>) {
        let all = known.range((key, PortCode::LEAST)..=(key, PortCode::MOST));
        let ours =
            all.filter_map(|((_, port), e)| Some((e.until.is_none(), *self.outlets.get(port)?)));
        let winner = ours.max().map(|(_, outlet)| outlet);
        if self.places.get(&key).copied() == winner {
            return;
        }
        match winner {
            Some(outlet) => {
                self.places.insert(key, outlet);
                changes.push(Change::Put(key, outlet));
            }
            None => {
                self.places.remove(&key);
                changes.push(Change::Remove(key));
            }
        }
    }

    /// Counts an entry of `port` in a VLAN that has come or gone.
    fn count(&mut self, port: PortCode, vlan: u16, came: bool, changes: &mut Vec<Change>) {
        let Some(outlet) = self.outlets.get(&port).copied() else {
            return;
        };
        let n = self.members.entry((vlan, outlet)).or_insert(0);
        *n = if came { *n + 1 } else { n.saturating_sub(1) };
        match (*n, came) {
            (1, true) => changes.push(Change::Join(vlan, outlet)),
            (0, _) => {
                self.members.remove(&(vlan, outlet));
                changes.push(Change::Leave(vlan, outlet));
            }
            _ => {}
        }
    }
}
