//! Whether packets were dropped while a network was tested.

use crate::error::{Error, Result};
use crate::file::Expectation;
use crate::panels::look::{Fallen, fallen};
use crate::running::{Counters, Running};

/// What was counted before the test.
pub(super) struct Before {
    /// At interfaces, by node.
    interfaces: Vec<Vec<Counters>>,
    /// In panels.
    panels: Vec<Fallen>,
}

impl Before {
    /// Looks, if that is of interest to one of the expectations.
    pub fn of(running: &Running, expected: &[Expectation]) -> Result<Self> {
        let asked = expected
            .iter()
            .any(|one| matches!(one, Expectation::NoDrops(_)));
        let nodes = if asked { running.nodes().len() } else { 0 };
        Ok(Self {
            interfaces: (0..nodes)
                .map(|node| running.counters(node))
                .collect::<Result<_>>()?,
            panels: if asked { fallen(running)? } else { Vec::new() },
        })
    }

    /// What was dropped at nodes since then, in words; `None` if nothing was. Without names it is about all nodes.
    pub fn since(&self, running: &Running, names: &[String]) -> Result<Option<String>> {
        let numbers: Vec<usize> = match names {
            [] => (0..running.nodes().len()).collect(),
            names => names
                .iter()
                .map(|name| running.node(name))
                .collect::<Result<_>>()?,
        };
        let panels = match fallen(running) {
            Ok(panels) => panels,
            Err(Error::Refused(why)) => return Ok(Some(why)),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for number in numbers {
            let node = &running.nodes()[number].name;
            for now in running.counters(number)? {
                let mut before = self.interfaces[number].iter();
                let earlier = before.find(|earlier| earlier.interface == now.interface);
                let dropped = now.dropped - earlier.map_or(0, |earlier| earlier.dropped);
                if dropped > 0 {
                    found.push(format!("{dropped} at {node}:{}", now.interface));
                }
            }
            let here = panels.iter().filter(|one| one.node == number);
            for now in here.filter(|one| !one.is_wanted()) {
                let mut before = self.panels.iter();
                let earlier = before.find(|earlier| now.is_same(earlier));
                // A process that was started again counts from the beginning.
                let dropped = now
                    .packets
                    .checked_sub(earlier.map_or(0, |earlier| earlier.packets))
                    .unwrap_or(now.packets);
                if dropped > 0 {
                    let (place, process, reason) = (&now.place, &now.process, now.reason);
                    found.push(format!(
                        "{dropped} at {node}:{place} by {process} ({reason})"
                    ));
                }
            }
        }
        Ok((!found.is_empty()).then(|| format!("dropped: {}", found.join(", "))))
    }
}
