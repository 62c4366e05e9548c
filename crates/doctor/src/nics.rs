//! Network cards (`/sys/bus/pci`): who drives them, and what the kernel calls them.

use sys::pci::USER_DRIVERS;

use crate::host::link;
use crate::{Finding, Host};

const NAME: &str = "nics";
const DEVICES: &str = "/sys/bus/pci/devices";
/// PCI's base class of network controllers.
const NETWORK: &str = "0x02";

/// A network card.
#[derive(Debug)]
pub(crate) struct Nic {
    /// Its place: `0000:03:00.0`.
    pub address: String,
    /// The driver that has it.
    pub driver: Option<String>,
    /// What the kernel calls its ports.
    pub interfaces: Vec<String>,
    node: Option<i64>,
    /// Its IOMMU group.
    pub group: Option<String>,
}

impl Nic {
    /// A program in user space can have it.
    pub fn is_ours(&self) -> bool {
        self.driver
            .as_deref()
            .is_some_and(|driver| USER_DRIVERS.contains(&driver))
    }
}

/// The network cards of this host.
pub(crate) fn nics(host: &Host) -> Vec<Nic> {
    let addresses = host.list(DEVICES);
    let found = addresses.into_iter().filter_map(|address| {
        let path = format!("{DEVICES}/{address}");
        let class = host.word(&format!("{path}/class"))?;
        class.starts_with(NETWORK).then(|| {
            let mut interfaces = host.list(&format!("{path}/net"));
            // A virtio card has its interface one step below.
            for child in host.list(&path) {
                if child.starts_with("virtio") {
                    interfaces.extend(host.list(&format!("{path}/{child}/net")));
                }
            }
            let node = host.word(&format!("{path}/numa_node"));
            Nic {
                driver: link(&host.at(&format!("{path}/driver"))),
                group: link(&host.at(&format!("{path}/iommu_group"))),
                node: node.and_then(|node| node.parse().ok()),
                interfaces,
                address,
            }
        })
    });
    found.collect()
}

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let nics = nics(host);
    if nics.is_empty() {
        let found = "no PCI network card: ports are vhost, rings, taps and the like";
        return vec![Finding::ok(NAME, found)];
    }
    nics.iter().map(finding).collect()
}

fn finding(nic: &Nic) -> Finding {
    let address = &nic.address;
    let mut found = match (&nic.driver, nic.is_ours()) {
        (Some(driver), true) => format!("{address}: {driver}, for DPDK"),
        (Some(driver), false) => format!("{address}: {driver}, the kernel's"),
        (None, _) => format!("{address}: no driver, so that nobody can use it"),
    };
    if !nic.interfaces.is_empty() {
        found.push_str(&format!(" ({})", nic.interfaces.join(", ")));
    }
    // -1: the machine does not say.
    if let Some(node) = nic.node.filter(|node| *node >= 0) {
        found.push_str(&format!(", node {node}"));
    }
    let finding = match nic.driver {
        Some(_) => Finding::ok(NAME, found),
        None => Finding::warn(NAME, found).root(format!(
            "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {address}"
        )),
    };
    finding
        .with("address", address.clone())
        .with("driver", nic.driver.clone())
        .with("interfaces", nic.interfaces.clone())
        .with("node", nic.node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, one};

    #[test]
    fn cards_are_told_with_driver_and_interface() {
        let made = Made::new();
        assert!(one(check(&made.host)).found.contains("no PCI network card"));
        let card = |address: &str, class: &str| {
            made.file(&format!("{DEVICES}/{address}/class"), class);
        };
        card("0000:00:01.0", "0x010000");
        card("0000:00:03.0", "0x020000\n");
        card("0000:00:04.0", "0x020000");
        card("0000:00:05.0", "0x028000");
        made.link(
            &format!("{DEVICES}/0000:00:03.0/driver"),
            "../drivers/virtio-pci",
        )
        .folder(&format!("{DEVICES}/0000:00:03.0/virtio2/net/eth0"))
        .link(
            &format!("{DEVICES}/0000:00:04.0/driver"),
            "../drivers/vfio-pci",
        )
        .file(&format!("{DEVICES}/0000:00:04.0/numa_node"), "1");
        let found = check(&made.host);
        assert_eq!(found.len(), 3);
        about(&found, "0000:00:03.0: virtio-pci, the kernel's (eth0)");
        about(&found, "0000:00:04.0: vfio-pci, for DPDK, node 1");
        let bare = about(&found, "0000:00:05.0: no driver");
        assert_eq!(bare.state, State::Warn);
        assert_eq!(
            bare.remedy.as_deref(),
            Some("modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci 0000:00:05.0")
        );
    }
}
