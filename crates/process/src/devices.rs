//! Which Ethernet devices of the primary are which ports.
//!
//! The primary writes it into the memzone `MProc_port_info`, in the layout that DPDK programs written for
//! the original Soft Patch Panel read.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};

use dpdk::ethdev::{EthDev, EthInfo};
use dpdk::shared_struct;
use panel::{Area, PortKind, Totals};
use protocol::port::PortName;

/// Name of the memzone.
pub const NAME: &str = "MProc_port_info";
/// Name of the pool that foreign DPDK processes look up and allocate from.
pub const FOREIGN_POOL: &str = "MProc_pktmbuf_pool";
/// Physical ports that the memzone has room for.
pub const PHY: usize = 32;
/// Rings that it has room for.
pub const RINGS: usize = 99;

shared_struct! {
    /// Counters of a port as foreign readers find them; written by the primary.
    #[repr(align(64))]
    pub struct Stats {
        rx: AtomicU64,
        rx_drop: AtomicU64,
        tx: AtomicU64,
        tx_drop: AtomicU64,
    }
}

shared_struct! {
    /// Queues of a physical port.
    pub struct Queues {
        rx: AtomicU16,
        tx: AtomicU16,
    }
}

shared_struct! {
    /// The whole of `MProc_port_info`.
    pub struct PortInfo {
        ports: AtomicU16,
        id: [AtomicU16; PHY],
        port_stats: [Stats; PHY],
        client_stats: [Stats; RINGS],
        queues: [Queues; PHY],
    }
}

/// A physical port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phy {
    /// The number in `phy:N`.
    pub number: u16,
    /// Its device.
    pub device: EthDev,
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
}

impl Stats {
    fn set(&self, t: &Totals) {
        self.rx.store(t.rx_packets, Relaxed);
        self.tx.store(t.tx_packets, Relaxed);
        self.tx_drop.store(t.drops.iter().sum(), Relaxed);
    }
}

impl PortInfo {
    /// Announces the physical ports (primary, at its start).
    pub fn announce(&self, ports: &[Phy]) {
        for (i, phy) in ports.iter().enumerate().take(PHY) {
            self.id[i].store(phy.device.port(), Relaxed);
            self.queues[i].rx.store(phy.rx_queues, Relaxed);
            self.queues[i].tx.store(phy.tx_queues, Relaxed);
        }
        self.ports.store(ports.len().min(PHY) as u16, Relaxed);
    }

    /// The physical ports.
    pub fn phys(&self) -> Vec<Phy> {
        let devices = EthDev::all();
        let n = usize::from(self.ports.load(Relaxed)).min(PHY);
        (0..n)
            .filter_map(|i| {
                let id = self.id[i].load(Relaxed);
                Some(Phy {
                    number: i as u16,
                    device: *devices.iter().find(|d| d.port() == id)?,
                    rx_queues: self.queues[i].rx.load(Relaxed),
                    tx_queues: self.queues[i].tx.load(Relaxed),
                })
            })
            .collect()
    }

    /// Brings the counters up to date (primary).
    pub fn count(&self, area: &Area, rings: u32) {
        let totals = area.panel_totals();
        let ports = usize::from(self.ports.load(Relaxed));
        for (i, stats) in self.port_stats.iter().enumerate().take(ports) {
            stats.set(&totals.device(i as u16));
        }
        for (i, stats) in self.client_stats.iter().enumerate().take(rings as usize) {
            stats.set(&totals.ring(i as u16));
        }
    }
}

/// In the name of a device that was added while the panel ran.
pub const RUNTIME: &str = "spp";

/// Name of the device of a tap port that is added while the panel runs.
pub fn runtime_name(port: PortName) -> Option<String> {
    match port {
        PortName::Tap(n) => Some(format!("net_tap_{RUNTIME}{n}")),
        _ => None,
    }
}

/// The kernel's interface of a tap device that was added while the panel ran.
pub fn tap_interface(info: &EthInfo) -> Option<String> {
    match virtual_port(info)? {
        (PortKind::Tap, number) => Some(format!("vtap{number}")),
        _ => None,
    }
}

/// Whether a device was added while the panel ran.
pub fn is_runtime(info: &EthInfo) -> bool {
    info.name.contains(&format!("_{RUNTIME}"))
}

/// The kind and number of a device that is no physical port, by the prefix of its name.
pub fn virtual_port(info: &EthInfo) -> Option<(PortKind, u16)> {
    const PREFIXES: [(&str, PortKind); 4] = [
        ("net_tap", PortKind::Tap),
        ("eth_tap", PortKind::Tap),
        ("net_memif", PortKind::Memif),
        ("eth_null", PortKind::Nullpmd),
    ];
    PREFIXES.iter().find_map(|(prefix, kind)| {
        let rest = info.name.strip_prefix(prefix)?;
        let rest = rest
            .strip_prefix('_')
            .and_then(|r| r.strip_prefix(RUNTIME))
            .unwrap_or(rest);
        let number = rest.parse().ok()?;
        Some((*kind, number))
    })
}

/// Drivers of virtual devices that a process can poll although the primary probed them. Of the others
/// net_af_packet crashes, net_af_xdp and net_vhost silently move nothing, and net_memif goes on reading the memory
/// of a peer that is gone and rings descriptors of the wrong process (seen with DPDK 22.11).
const SHARED_DRIVERS: [&str; 5] = [
    "net_null",
    "net_tap",
    "net_pcap",
    "net_virtio_user",
    "net_ring",
];

/// Why a secondary must not poll this device, and what to do instead; `None` if it may.
pub fn refusal_in_secondary(info: &EthInfo) -> Option<String> {
    if SHARED_DRIVERS.contains(&info.driver.as_str()) || is_pci(&info.name) {
        return None;
    }
    let instead = match info.driver.as_str() {
        "net_vhost" => "add a vhost:N port here",
        "net_memif" => "add a memif:N port here",
        _ => "use net_tap, which works here",
    };
    Some(format!(
        "{} (driver {}) can be polled by the primary only: patch it there to a ring and take that here \
         (spp-primary --lcores with two CPUs or more, then 'pri add ring:N' and 'pri patch'), or {instead}",
        info.name, info.driver
    ))
}

/// Whether a device has the name of one on the PCI bus: `0000:00:04.0`, with more behind it where a card
/// has several ports.
fn is_pci(name: &str) -> bool {
    let address = name.split('_').next().unwrap_or(name);
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    match address.split([':', '.']).collect::<Vec<_>>()[..] {
        [domain, bus, device, function] => [domain, bus, device, function].into_iter().all(hex),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, driver: &str) -> EthInfo {
        EthInfo {
            port: 0,
            name: name.into(),
            driver: driver.into(),
            rx_queues: 1,
            tx_queues: 1,
            max_rx_queues: 1,
            max_tx_queues: 1,
            mac: [0; 6],
        }
    }

    #[test]
    fn a_secondary_polls_cards_and_the_drivers_that_work_there() {
        for (name, driver) in [
            ("net_null0", "net_null"),
            ("0000:00:04.0", "net_virtio"),
            ("10000:3b:00.1", "net_e1000_igb"),
            ("0000:03:00.0_representor_1", "mlx5_pci"),
        ] {
            assert_eq!(refusal_in_secondary(&device(name, driver)), None, "{name}");
        }
        for (name, driver) in [
            ("net_af_packet0", "net_af_packet"),
            ("net_bonding0", "net_bonding"),
            ("net_tun0", "net_tun"),
            ("eth_vhost0", "net_vhost"),
            ("0000:00:04", "strange"),
            ("", ""),
        ] {
            let reason = refusal_in_secondary(&device(name, driver)).unwrap_or_default();
            assert!(
                reason.contains(driver) && reason.contains("primary"),
                "{name}"
            );
        }
    }
}
