//! Panels of a network: those of its file, and those that carry its links with a delay, a loss or a rate.
//!
//! A port of a panel is a tap device, of which the kernel's side is moved to where the link ends: into the namespace of the other
//! node. A link with a character has a panel between its ends that belongs to no node, with a namespace of its own.

pub(crate) mod look;
mod start;

use std::collections::BTreeMap;

use protocol::desired::{Desired, DesiredPatch, DesiredPort, ProcessName, Processes};
use protocol::port::PortName;
use protocol::reply::ProcessKind;

use crate::error::{Error, Result};
use crate::file::{Driver, Recorder, Via};
use crate::plan::{Cable, Node, Plan, Role};

pub(crate) use start::{environment, start};

/// Links that one panel carries: DPDK has 32 ports, and each of them takes two.
const CARRIED: usize = 15;

/// mbufs that workers, guests and the queues of tap devices take at most, and as much again to be fast.
const OWN_MBUFS: u32 = 32_768;

/// mbufs a megabyte of hugepages holds at least, with what lies beside them.
const MBUFS_PER_MEGABYTE: u32 = 250;

/// Megabytes for what is not mbufs.
const OWN_MEMORY: u32 = 64;

/// Megabytes of hugepages for a panel of which the file does not say it.
const MEMORY: u32 = 192;

/// A panel that is to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rack {
    /// Its name: the node's, or one that no node can have. It is the file prefix, too.
    pub name: String,
    /// The place of its namespace: those of the nodes come first.
    pub place: usize,
    /// Megabytes of hugepages.
    pub memory: u32,
    /// Number of rings.
    pub rings: u16,
    /// mbufs, if more are needed than panels have by themselves.
    pub mbufs: Option<u32>,
    /// Number of its tap ports, from `tap:0` on.
    pub taps: usize,
    /// What its processes are to have.
    pub processes: Processes,
    /// Core files of its processes are kept.
    pub cores: bool,
    /// Those of them that capture, and how.
    pub recorders: BTreeMap<ProcessName, Recorder>,
}

/// A tap port whose kernel's side is an interface of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    /// The place of the namespace of the panel, or of the DPDK program, whose port it is.
    pub owner: usize,
    /// The port's number.
    pub port: usize,
    /// The number of the node.
    pub node: usize,
    /// The number of its interface.
    pub interface: usize,
}

/// When devices are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// When the kernel and panels have made theirs.
    Kernel,
    /// When DPDK programs have, too.
    Programs,
}

/// How the links of a network come to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layout {
    /// Links that are pairs of devices of the kernel: their numbers.
    pub pairs: Vec<usize>,
    /// Ends of links that are ports of panels.
    pub taps: Vec<Tap>,
    /// Ends of links that are ports of DPDK programs, which are started when all others are there.
    pub programs: Vec<Tap>,
    /// The panels.
    pub racks: Vec<Rack>,
}

impl Layout {
    /// That of a plan; if it is to be `plain`, no link has a character.
    ///
    /// # Errors
    /// A panel cannot do what a link asks for.
    pub fn of(plan: &Plan, plain: bool) -> Result<Self> {
        let mut layout = Self::default();
        for (place, node) in plan.nodes.iter().enumerate() {
            if let Role::Panel(panel) = &node.role {
                let taps = node.interfaces.len();
                let processes = panel.processes.desired().into_iter();
                layout.racks.push(Rack {
                    name: node.name.clone(),
                    place,
                    memory: panel.memory.unwrap_or(MEMORY),
                    rings: panel.rings.unwrap_or(16),
                    mbufs: None,
                    taps,
                    processes: processes
                        .map(|(name, desired)| (name, with_taps(name, desired, taps)))
                        .collect(),
                    cores: panel.cores,
                    recorders: panel.processes.recorders.clone(),
                });
            }
        }
        let mut carried = Vec::new();
        for (number, cable) in plan.links.iter().enumerate() {
            let side = |taps: fn(&Node, usize) -> bool| {
                let mut ends = [0, 1].into_iter();
                let near = ends.find(|end| {
                    let (node, interface) = cable.ends[*end];
                    taps(&plan.nodes[node], interface)
                })?;
                let (owner, port) = cable.ends[near];
                let (node, interface) = cable.ends[1 - near];
                Some(Tap {
                    owner,
                    port,
                    node,
                    interface,
                })
            };
            let character = &cable.character;
            if let Some(tap) = side(|node, _| matches!(node.role, Role::Panel(_))) {
                layout.taps.push(tap);
            } else if let Some(tap) =
                side(|node, at| node.interfaces[at].driver == Some(Driver::Tap))
            {
                layout.programs.push(tap);
            } else if plain || character.is_plain() || character.via == Via::Netem {
                layout.pairs.push(number);
            } else {
                carried.push(cable);
            }
        }
        for (number, cables) in carried.chunks(CARRIED).enumerate() {
            layout.carry(number, plan.nodes.len() + number, cables)?;
        }
        Ok(layout)
    }

    /// Adds a panel that carries links.
    fn carry(&mut self, number: usize, place: usize, cables: &[&Cable]) -> Result<()> {
        let mut desired = Desired {
            forwarding: Some(true),
            ..Desired::default()
        };
        let mut held = 0_u32;
        for (count, cable) in cables.iter().enumerate() {
            let ports = [0, 1].map(|end| 2 * count + end);
            for (end, port) in ports.into_iter().enumerate() {
                let (node, interface) = cable.ends[end];
                self.taps.push(Tap {
                    owner: place,
                    port,
                    node,
                    interface,
                });
                let with = cable
                    .character
                    .impairment(end == 1)
                    .map_err(Error::Refused)?;
                held = held.saturating_add(with.most_mbufs());
                desired.patches.push(DesiredPatch {
                    src: tap(port),
                    dst: tap(ports[1 - end]),
                    cpu: None,
                    with: Some(with),
                });
            }
        }
        // Patches may hold half of the pool.
        let mbufs = held.saturating_mul(2).saturating_add(OWN_MBUFS);
        let process = ProcessName {
            kind: ProcessKind::Nfv,
            id: 1,
        };
        self.racks.push(Rack {
            // No node has a name that begins so.
            name: format!("_links{number}"),
            place,
            memory: OWN_MEMORY + mbufs / MBUFS_PER_MEGABYTE,
            rings: 1,
            mbufs: Some(mbufs),
            taps: 2 * cables.len(),
            processes: [(process, with_taps(process, desired, 2 * cables.len()))].into(),
            cores: false,
            recorders: BTreeMap::new(),
        });
        Ok(())
    }

    /// Whether an interface of a node is a tap device.
    pub fn is_tap(&self, node: usize, interface: usize) -> bool {
        let mut taps = self.taps.iter().chain(&self.programs);
        taps.any(|tap| (tap.node, tap.interface) == (node, interface))
    }

    /// When the device of an interface of a node is there; `None` if it has none, because its other side is the port.
    pub fn stage(&self, node: usize, interface: usize) -> Option<Stage> {
        let of = |tap: &Tap| (tap.node, tap.interface) == (node, interface);
        let owned = |tap: &Tap| (tap.owner, tap.port) == (node, interface);
        if self.taps.iter().chain(&self.programs).any(owned) {
            return None;
        }
        Some(match self.programs.iter().any(of) {
            true => Stage::Programs,
            false => Stage::Kernel,
        })
    }

    /// Namespaces that belong to no node: of panels that carry links.
    pub fn further(&self, plan: &Plan) -> usize {
        self.racks
            .iter()
            .filter(|rack| rack.place >= plan.nodes.len())
            .count()
    }
}

fn tap(number: usize) -> PortName {
    PortName::Tap(u16::try_from(number).unwrap_or(u16::MAX))
}

/// With all tap ports among the ports of what has them from the beginning on and cannot be without them: an nfv, and the primary's
/// forwarder.
fn with_taps(process: ProcessName, mut desired: Desired, taps: usize) -> Desired {
    if !matches!(process.kind, ProcessKind::Nfv | ProcessKind::Primary) {
        return desired;
    }
    for port in (0..taps).map(tap) {
        if desired.ports.iter().all(|added| added.port != port) {
            desired.ports.push(DesiredPort { port, mode: None });
        }
    }
    desired
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;

    fn layout(text: &str, plain: bool) -> Layout {
        let file = File::parse(text, "", Some("n")).unwrap().file;
        Layout::of(&Plan::of(&file), plain).unwrap()
    }

    #[test]
    fn only_links_with_a_character_of_a_panel_are_carried_by_one() {
        let text = "hosts: [a, b, c]\nlinks: [[a, b], {link: [b, c], delay: 1ms}, {link: [a, c], delay: 1ms, via: netem}]";
        let found = layout(text, false);
        assert_eq!(found.pairs, [0, 2]);
        let taps: Vec<_> = found
            .taps
            .iter()
            .map(|tap| (tap.owner, tap.port, tap.node, tap.interface))
            .collect();
        assert_eq!(taps, [(3, 0, 1, 1), (3, 1, 2, 0)]);
        assert_eq!(found.racks.len(), 1);
        assert_eq!(found.racks[0].place, 3);
        assert_eq!(layout(text, true).pairs, [0, 1, 2]);
    }

    #[test]
    fn directions_of_a_link_choose_packets_by_themselves_and_the_same_ones_each_time() {
        let text = "hosts: [a, b]\nlinks: [{link: [a, b], loss: 1%, seed: 7, queue: 50}]";
        let rack = &layout(text, false).racks[0];
        let patches = &rack.processes.values().next().unwrap().patches;
        let shown: Vec<_> = patches
            .iter()
            .map(|patch| format!("{} {} {}", patch.src, patch.dst, patch.with.unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                "tap:0 tap:1 loss 1% limit 50 seed 14",
                "tap:1 tap:0 loss 1% limit 50 seed 15"
            ]
        );
        assert!(rack.mbufs.unwrap() >= 4 * 50);
    }

    #[test]
    fn many_links_take_several_panels_with_at_most_32_ports_each() {
        let hosts: Vec<_> = (0..41).map(|n| format!("h{n}")).collect();
        let links: Vec<_> = (0..40)
            .map(|n| format!("{{link: [h{n}, h{}], delay: 1ms}}", n + 1))
            .collect();
        let found = layout(
            &format!(
                "hosts: [{}]\nlinks: [{}]",
                hosts.join(", "),
                links.join(", ")
            ),
            false,
        );
        let taps: Vec<_> = found
            .racks
            .iter()
            .map(|rack| (rack.place, rack.taps))
            .collect();
        assert_eq!(taps, [(41, 30), (42, 30), (43, 20)]);
    }

    #[test]
    fn links_of_a_panel_are_its_tap_ports_in_their_order() {
        let text = "hosts: [a, b]\nspp: {p: {processes: {nfv:1: {patches: [{src: tap:0, dst: tap:1}]}}}}\nlinks: [[a, p], [p, b]]";
        let found = layout(text, false);
        let taps: Vec<_> = found
            .taps
            .iter()
            .map(|tap| (tap.owner, tap.port, tap.node))
            .collect();
        assert_eq!(taps, [(2, 0, 0), (2, 1, 1)]);
        let ports = &found.racks[0].processes.values().next().unwrap().ports;
        assert_eq!(ports.len(), 2);
        assert!(found.pairs.is_empty());
    }
}
