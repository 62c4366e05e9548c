//! Who hears whom: the interfaces of a network, and what is connected to what without a router between.

use std::collections::HashMap;

use super::names::Kind;
use super::{Address, At, Driver, File, Mac, Place};

/// An end of a link with all that is said of it, and what is not said made up.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// Name of its node.
    pub node: String,
    /// Its name there.
    pub interface: String,
    /// Its addresses: those of the link's end, and for the first port of a host those of the host.
    pub addresses: Vec<At<Address>>,
    /// The address that it was given.
    pub mac: Option<Mac>,
    /// The driver that was said there.
    pub driver: Option<Driver>,
    /// Where the end stands.
    pub place: Place,
}

impl File {
    /// The two ports of each link. Ends at nodes that do not exist get one, too.
    pub(crate) fn ports(&self) -> Vec<[Port; 2]> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut taken: HashMap<&str, Vec<&str>> = HashMap::new();
        for end in self.links.iter().flat_map(|link| &link.ends) {
            if let Some(interface) = &end.interface {
                taken.entry(&end.node).or_default().push(interface);
            }
        }
        let mut port = |end: &At<super::End>| {
            let node = self
                .links
                .iter()
                .flat_map(|link| &link.ends)
                .find(|e| e.node == end.node);
            let key = node.map_or("", |e| e.node.as_str());
            let count = counts.entry(key).or_default();
            let first = *count == 0;
            *count += 1;
            let free = |n: &usize| {
                !taken
                    .get(key)
                    .is_some_and(|names| names.contains(&format!("eth{n}").as_str()))
            };
            // The n-th port is eth(n-1), unless that name was given to another one.
            let made = (*count - 1..).find(free).map(|n| format!("eth{n}"));
            let host = self
                .hosts
                .get(&end.node)
                .or_else(|| self.routers.get(&end.node));
            let mut addresses: Vec<At<Address>> = Vec::new();
            if let Some(host) = host.filter(|_| first) {
                addresses.extend(host.address.iter().map(|&value| At {
                    value,
                    place: host.address.place,
                }));
            }
            addresses.extend(end.address.iter().map(|&value| At {
                value,
                place: end.place,
            }));
            Port {
                node: end.node.clone(),
                interface: end.interface.clone().or(made).unwrap_or_default(),
                addresses,
                mac: end.mac,
                driver: end.driver,
                place: end.place,
            }
        };
        self.links
            .iter()
            .map(|link| [port(&link.ends[0]), port(&link.ends[1])])
            .collect()
    }

    /// The ports, with numbers that are the same for those that hear each other; and the links that close a ring of switches that
    /// do not all speak STP.
    pub(super) fn segments<'a>(
        &self,
        ports: &'a [[Port; 2]],
        kind: &HashMap<&str, Kind>,
    ) -> (Vec<(usize, &'a Port)>, Vec<usize>) {
        let mut groups = Groups::default();
        let mut rings = Vec::new();
        let mut switches: HashMap<&str, usize> = HashMap::new();
        let mut vertices = Vec::new();
        for (number, pair) in ports.iter().enumerate() {
            let mut at = |port: &'a Port| match kind.get(port.node.as_str()) {
                Some(Kind::Switch) => *switches.entry(&port.node).or_insert_with(|| groups.add()),
                _ => groups.add(),
            };
            let pair_at = [at(&pair[0]), at(&pair[1])];
            vertices.push((pair_at[0], &pair[0]));
            vertices.push((pair_at[1], &pair[1]));
            let stp = |port: &Port| {
                self.switches
                    .get(&port.node)
                    .is_some_and(|switch| switch.stp)
            };
            if !groups.join(pair_at[0], pair_at[1]) && !pair.iter().all(stp) {
                rings.push(number);
            }
        }
        let numbered = vertices
            .into_iter()
            .map(|(vertex, port)| (groups.of(vertex), port));
        (numbered.collect(), rings)
    }
}

/// Disjoint sets of numbers.
#[derive(Default)]
struct Groups(Vec<usize>);

impl Groups {
    fn add(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn of(&self, mut at: usize) -> usize {
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    /// False if they are of one group already.
    fn join(&mut self, one: usize, other: usize) -> bool {
        let (one, other) = (self.of(one), self.of(other));
        self.0[other] = one;
        one != other
    }
}
