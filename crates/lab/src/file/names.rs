//! Names of networks, nodes and interfaces.

use super::{At, File, Place, Problem};

/// Longest name of a network or a node, in bytes.
pub const MAX_NAME: usize = 32;

/// Longest name of an interface, in bytes (`IFNAMSIZ` less its NUL).
pub const MAX_INTERFACE: usize = 15;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Switch,
    Router,
    Dpdk,
    Panel,
}

impl Kind {
    /// It has the kernel's network stack, so addresses and routes.
    pub(super) fn is_stack(self) -> bool {
        matches!(self, Self::Host | Self::Router)
    }
}

impl File {
    /// All nodes, in the order of kinds and then of the file.
    pub(super) fn nodes_of_all_kinds(&self) -> Vec<(&At<String>, Kind)> {
        let hosts = self.hosts.iter().map(|(name, _)| (name, Kind::Host));
        let switches = self.switches.iter().map(|(name, _)| (name, Kind::Switch));
        let routers = self.routers.iter().map(|(name, _)| (name, Kind::Router));
        let nodes = self.nodes.iter().map(|(name, _)| (name, Kind::Dpdk));
        let panels = self.spp.iter().map(|(name, _)| (name, Kind::Panel));
        hosts
            .chain(switches)
            .chain(routers)
            .chain(nodes)
            .chain(panels)
            .collect()
    }
}

/// Why a text is no name of a network or a node.
pub(super) fn check_name(what: &str, name: &str, place: Place) -> Option<Problem> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text = if name.is_empty() {
        format!("the name of a {what} is empty")
    } else if name.len() > MAX_NAME {
        format!(
            "the name '{name}' has {} bytes: at most {MAX_NAME} are allowed",
            name.len()
        )
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(inner) {
        format!("'{name}' is no name of a {what}")
    } else {
        return None;
    };
    let hint = "letters, digits, '-', '_' and '.', a letter or a digit first".to_owned();
    Some(Problem::hinted(place, text, hint))
}

/// Why a text is no name of an interface.
pub(super) fn check_interface(name: &str, place: Place) -> Option<Problem> {
    let text = if name.len() > MAX_INTERFACE {
        format!("the interface's name '{name}' has {} bytes", name.len())
    } else if matches!(name, "" | "." | ".." | "lo" | "all" | "default")
        || !name
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%'))
    {
        format!("'{name}' is no name of an interface")
    } else {
        return None;
    };
    let hint = format!(
        "at most {MAX_INTERFACE} letters and digits, not 'lo'; without one it is eth0, eth1, …"
    );
    Some(Problem::hinted(place, text, hint))
}
