//! Who a container is, and what it may do.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{Planner, Privilege};
use crate::app::Role;
use crate::uid::{Kind, Uid};

impl Planner<'_> {
    pub(super) fn privilege(&self, ports: &[Uid]) -> Privilege {
        if self.given.typed("--privileged") {
            return Privilege::All;
        }
        // What docker's own list of system calls asks for where memory is bound to NUMA nodes; ours does not, but another
        // engine's may.
        let mut capabilities = vec!["SYS_NICE".to_owned()];
        if ports.iter().any(|port| port.kind == Kind::Tap) {
            capabilities.push("NET_ADMIN".to_owned());
        }
        for capability in &self.app.capabilities {
            if !capabilities.contains(capability) {
                capabilities.push(capability.clone());
            }
        }
        Privilege::Least(capabilities)
    }

    /// The user in the container: root only where somebody has to be. A guest needs nothing of root's but what its sockets ask for, so
    /// it is who owns them.
    pub(super) fn user(&self, ports: &[Uid]) -> Option<String> {
        let named = self.given.value("--user").or(self.app.user.as_deref());
        if let Some(user) = named {
            return Some(user.to_owned());
        }
        let (given, tap) = (self.given, |port: &Uid| port.kind == Kind::Tap);
        let rooted = ["--privileged", "--pci-whitelist", "--pci-blacklist"];
        if self.app.role != Role::Guest
            || ports.iter().any(tap)
            || rooted.iter().any(|option| given.typed(option))
        {
            return None;
        }
        let owner = |socket: &PathBuf| {
            let file = std::fs::metadata(socket).ok()?;
            Some((file.uid(), file.gid()))
        };
        let sockets = self.sockets(ports);
        let first = sockets.first().and_then(owner)?;
        let same = sockets.iter().all(|socket| owner(socket) == Some(first));
        (same && first.0 != 0).then(|| format!("{}:{}", first.0, first.1))
    }

    pub(super) fn devices(&self, ports: &[Uid]) -> Vec<String> {
        let tap = ports.iter().any(|port| port.kind == Kind::Tap);
        match tap && !self.given.typed("--privileged") {
            true => vec!["/dev/net/tun".to_owned()],
            false => Vec::new(),
        }
    }

    pub(super) fn network(&self, ports: &[Uid]) -> Option<String> {
        let given = self.given.value("--net").or(self.app.network.as_deref());
        let tap = ports.iter().any(|port| port.kind == Kind::Tap);
        let network = given.unwrap_or(if tap { "host" } else { "none" });
        Some(network.to_owned())
    }
}
