//! Where to look: interfaces of nodes, and how they are named.

use std::fmt;

use crate::error::{Error, Result};
use crate::running::Running;

/// An interface of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the node.
    pub node: usize,
    /// Number of its interface.
    pub interface: usize,
    /// What it is called: `h1:eth0`.
    pub name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn place(running: &Running, node: usize, interface: usize) -> Place {
    let of = &running.nodes()[node];
    Place {
        node,
        interface,
        name: format!("{}:{}", of.name, of.interfaces[interface].name),
    }
}

fn of_node(running: &Running, node: usize) -> impl Iterator<Item = Place> {
    (0..running.nodes()[node].interfaces.len()).map(move |n| place(running, node, n))
}

/// All interfaces of all nodes.
#[must_use]
pub fn all(running: &Running) -> Vec<Place> {
    (0..running.nodes().len())
        .flat_map(|node| of_node(running, node))
        .collect()
}

/// What words such as `h1` and `s1:eth0` mean, each place once; all, if there is none.
///
/// # Errors
/// There is no such node or interface.
pub fn places(running: &Running, words: &[String]) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    for word in words {
        let (name, interface) = match word.split_once(':') {
            Some((name, interface)) => (name, Some(interface)),
            None => (word.as_str(), None),
        };
        let node = running.node(name)?;
        let Some(interface) = interface else {
            found.extend(of_node(running, node));
            continue;
        };
        let interfaces = &running.nodes()[node].interfaces;
        let number = interfaces.iter().position(|known| known.name == interface);
        let number = number.ok_or_else(|| {
            let names: Vec<&str> = interfaces.iter().map(|i| i.name.as_str()).collect();
            Error::Refused(format!(
                "'{name}' has no interface '{interface}' (there are: {})",
                names.join(", ")
            ))
        })?;
        found.push(place(running, node, number));
    }
    if words.is_empty() {
        found = all(running);
    }
    found.sort();
    found.dedup();
    match found.is_empty() {
        true => Err(Error::Refused(format!(
            "there is no interface to look at: {}",
            match words {
                [] => format!("'{}' has no links", running.name()),
                words => format!("{} without links", words.join(", ")),
            }
        ))),
        false => Ok(found),
    }
}
