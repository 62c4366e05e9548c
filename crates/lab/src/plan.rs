//! What a file comes to: every node with its interfaces, addresses and routes, nothing left open. This is also what is remembered of
//! a network that is up.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::file::{
    Address, Character, Destination, Dpdk, Driver, File, Host, Mac, Panel, Switch, Switching,
};

/// A network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Nodes; hosts first, then switches, routers, DPDK programs and panels.
    pub nodes: Vec<Node>,
    /// Links between their interfaces.
    pub links: Vec<Cable>,
}

/// A node: a network namespace, of a container if it has one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The image of which it is a container, if the file names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its interfaces, in the order of links.
    pub interfaces: Vec<Interface>,
    /// Addresses of its loopback interface.
    pub loopback: Vec<Address>,
    /// Where it sends packets, and by which router.
    pub routes: Vec<(Destination, IpAddr)>,
    /// Commands that are run to their end.
    pub run: Vec<String>,
    /// Programs that go on.
    pub start: Vec<String>,
    /// Core files of a host's or router's commands and programs are kept.
    #[serde(default)]
    pub cores: bool,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends and receives.
    Host,
    /// Has its interfaces in a bridge.
    Switch {
        /// The bridge speaks STP.
        stp: bool,
        /// What makes the bridge.
        #[serde(default)]
        via: Switching,
    },
    /// Forwards.
    Router,
    /// Runs a DPDK program.
    Dpdk(Dpdk),
    /// Runs a panel.
    Panel(Panel),
}

impl Role {
    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Switch { .. } => "switch",
            Self::Router => "router",
            Self::Dpdk(_) => "dpdk",
            Self::Panel(_) => "spp",
        }
    }

    /// It takes packets from the kernel without the kernel's stack, so that what the stack leaves to a device is not done.
    #[must_use]
    pub fn is_user_space(&self) -> bool {
        match self {
            Self::Dpdk(_) | Self::Panel(_) => true,
            Self::Switch { via, .. } => *via == Switching::Ovs,
            Self::Host | Self::Router => false,
        }
    }
}

/// An interface of a node.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Interface {
    /// Its name in the node's namespace.
    pub name: String,
    /// Its number there (`ifindex`).
    pub index: u32,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Longest packet, if it is not the kernel's own choice.
    pub mtu: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Something that takes packets in user space is at the other end.
    pub plain: bool,
    /// The driver by which it is a port of the node's DPDK program, if it has one.
    #[serde(default)]
    pub driver: Option<Driver>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Cable {
    /// What it connects: the number of a node, and that of an interface of it.
    pub ends: [(usize, usize); 2],
    /// What it does to packets.
    pub character: Character,
}

/// The first number of an interface of ours. What the kernel may put into a new namespace by itself has less.
const FIRST_INDEX: u32 = 10;

/// The name of a switch's bridge.
pub(crate) const BRIDGE: &str = "br0";

/// The number of a switch's bridge, if it is the kernel's.
pub(crate) const BRIDGE_INDEX: u32 = 9;

impl Plan {
    /// What a file, which was checked, comes to.
    #[must_use]
    pub fn of(file: &File) -> Self {
        let name = file
            .name
            .as_ref()
            .map(|name| name.value.clone())
            .unwrap_or_default();
        let mut nodes = Vec::new();
        nodes.extend(
            file.hosts
                .iter()
                .map(|(name, host)| node(name, Role::Host, Some(host))),
        );
        nodes.extend(
            file.switches
                .iter()
                .map(|(name, &Switch { stp, via })| node(name, Role::Switch { stp, via }, None)),
        );
        nodes.extend(
            file.routers
                .iter()
                .map(|(name, host)| node(name, Role::Router, Some(host))),
        );
        nodes.extend(
            file.nodes
                .iter()
                .map(|(name, dpdk)| node(name, Role::Dpdk(dpdk.clone()), None)),
        );
        nodes.extend(
            file.spp
                .iter()
                .map(|(name, panel)| node(name, Role::Panel(panel.clone()), None)),
        );
        let numbers: HashMap<String, usize> = nodes
            .iter()
            .enumerate()
            .map(|(n, node)| (node.name.clone(), n))
            .collect();
        let mut links = Vec::new();
        for (count, (link, pair)) in file.links.iter().zip(file.ports()).enumerate() {
            let places = [0, 1].map(|end: usize| numbers.get(&pair[end].node).copied());
            let [Some(one), Some(other)] = places else {
                continue;
            };
            let plain = [other, one].map(|far| nodes[far].role.is_user_space());
            let mut ends = [(one, 0), (other, 0)];
            for (((side, end), port), plain) in (0..).zip(&mut ends).zip(pair).zip(plain) {
                let at = end.0;
                let number = nodes[at].interfaces.len();
                end.1 = number;
                let driver = match &nodes[at].role {
                    Role::Dpdk(program) => Some(port.driver.unwrap_or(program.driver)),
                    _ => None,
                };
                nodes[at].interfaces.push(Interface {
                    name: port.interface,
                    // Not that of the other end: the kernel would take its time to notice that such a link comes up.
                    index: FIRST_INDEX + 2 * u32::try_from(count).unwrap_or(0) + side,
                    mac: port.mac.unwrap_or_else(|| made_mac(&name, at, number)),
                    mtu: link.mtu.map(|mtu| mtu.value),
                    addresses: port.addresses.iter().map(|address| address.value).collect(),
                    plain,
                    driver,
                });
            }
            links.push(Cable {
                ends,
                character: link.character,
            });
        }
        Self { name, nodes, links }
    }

    /// The number of a node.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }
}

impl Node {
    /// Its programs run in a container.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.image.is_some() || matches!(&self.role, Role::Dpdk(program) if program.app.is_some())
    }

    /// Core files of its programs are kept.
    #[must_use]
    pub fn keeps_cores(&self) -> bool {
        match &self.role {
            Role::Dpdk(program) => program.cores,
            Role::Panel(panel) => panel.cores,
            Role::Host | Role::Router => self.cores,
            Role::Switch { .. } => false,
        }
    }

    /// What it is, for people: `switch`, `host of image dpdk`, `dpdk app l2fwd`.
    #[must_use]
    pub fn words(&self) -> String {
        let word = self.role.word();
        match (&self.image, &self.role) {
            (Some(image), _) => format!("{word} of image {image}"),
            (None, Role::Dpdk(Dpdk { app: Some(app), .. })) => format!("{word} app {app}"),
            (
                None,
                Role::Switch {
                    via: Switching::Ovs,
                    ..
                },
            ) => format!("{word} by ovs"),
            (None, _) => word.to_owned(),
        }
    }

    /// Its addresses: those of its interfaces, then those of itself.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let linked = self
            .interfaces
            .iter()
            .flat_map(|interface| &interface.addresses);
        linked.chain(&self.loopback).map(|address| address.0.addr())
    }
}

fn node(name: &str, role: Role, host: Option<&Host>) -> Node {
    let routes = host.into_iter().flat_map(|host| {
        let default = host
            .gateway
            .iter()
            .map(|gateway| (Destination::Default, gateway.0));
        default.chain(host.routes.iter().map(|route| (route.to, route.via.0)))
    });
    let commands = |list: fn(&Host) -> &[crate::file::Shell]| -> Vec<String> {
        host.map(|host| list(host).iter().map(|shell| shell.0.clone()).collect())
            .unwrap_or_default()
    };
    Node {
        name: name.to_owned(),
        role,
        image: host.and_then(|host| host.image.as_ref().map(|image| image.value.clone())),
        interfaces: Vec::new(),
        loopback: host.map(|host| host.loopback.to_vec()).unwrap_or_default(),
        routes: routes.collect(),
        run: commands(|host| &host.run),
        start: commands(|host| &host.start),
        cores: host.is_some_and(|host| host.cores),
    }
}

/// An address that is the same each time, and another one in another network: locally administered (IEEE 802), a hash of the
/// network's name, and the numbers of the node and the interface.
pub(crate) fn made_mac(network: &str, node: usize, interface: usize) -> Mac {
    // FNV-1a, folded to two bytes.
    let hash = network.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, c, d] = hash.to_be_bytes();
    let ([.., node_high, node_low], [.., interface]) =
        (node.to_be_bytes(), interface.to_be_bytes());
    Mac([0x02, a ^ c, b ^ d, node_high, node_low, interface])
}
