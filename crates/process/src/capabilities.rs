//! Which virtual devices an ordinary user cannot have, and what drivers need.

use sys::capabilities::Capability;

use crate::Error;

const NET_ADMIN: Capability = Capability::NET_ADMIN;
const NET_RAW: Capability = Capability::NET_RAW;

/// What drivers of PCI devices may need in every process: physical addresses, ports of the machine, locked memory, and what
/// those need that share a device with the kernel.
pub const PCI: &[Capability] = &[
    Capability::IPC_LOCK,
    Capability::NET_ADMIN,
    Capability::NET_RAW,
    Capability::SYS_ADMIN,
    Capability::SYS_RAWIO,
];

/// What a primary keeps: network devices, which it makes at any time; files and processes of others, for it cleans up after them; what it
/// hands to the controller. And with PCI devices, what these need.
pub fn of_primary(vdevs: &[String], pci: bool) -> u64 {
    use Capability as C;
    let mut all = vec![
        C::CHOWN,
        C::DAC_OVERRIDE,
        C::DAC_READ_SEARCH,
        C::FOWNER,
        C::KILL,
        C::NET_ADMIN,
        C::NET_BIND_SERVICE,
        C::NET_RAW,
        C::IPC_LOCK,
        C::SYS_NICE,
        C::SYS_RESOURCE,
    ];
    if pci {
        all.extend(PCI);
    }
    // The kernel takes its programs from who has this.
    if vdevs.iter().any(|vdev| vdev.starts_with("net_af_xdp")) {
        all.extend([C::BPF, C::SYS_ADMIN]);
    }
    all.iter().fold(0, |set, c| set | c.bit())
}

/// What secondaries need for these devices, each of which they open themselves; of others the primary hands over what it opened.
pub fn of_secondaries(vdevs: &[String]) -> u64 {
    let pcap = |vdev: &&String| vdev.starts_with("net_pcap") || vdev.starts_with("eth_pcap");
    let needed = vdevs.iter().filter(pcap).flat_map(|vdev| needed(vdev));
    needed.fold(0, |set, c| set | c.bit())
}

/// What the driver of `vdev` (an argument of `--vdev`) has to be allowed.
fn needed(vdev: &str) -> &'static [Capability] {
    let (name, arguments) = vdev.split_once(',').unwrap_or((vdev, ""));
    // A vdev belongs to the driver whose name it begins with.
    let of = |drivers: &[&str]| drivers.iter().any(|driver| name.starts_with(driver));
    if of(&["net_tap", "eth_tap", "net_tun"]) {
        &[NET_ADMIN]
    } else if of(&["net_af_packet", "eth_af_packet"]) {
        &[NET_RAW]
    } else if of(&["net_af_xdp"]) {
        &[NET_ADMIN, NET_RAW]
    } else if of(&["net_pcap", "eth_pcap"]) && arguments.contains("iface") {
        &[NET_RAW]
    } else {
        &[]
    }
}

/// Refuses a virtual device that needs capabilities which this process has not, by their names.
pub fn check(vdev: &str) -> Result<(), Error> {
    let have = sys::capabilities::effective()?;
    refuse(vdev, have).map_or(Ok(()), |words| Err(Error::Refused(words)))
}

fn refuse(vdev: &str, have: u64) -> Option<String> {
    let lacking: Vec<&str> = needed(vdev)
        .iter()
        .filter(|capability| have & capability.bit() == 0)
        .map(|capability| capability.name())
        .collect();
    let name = vdev.split(',').next().unwrap_or(vdev);
    (!lacking.is_empty()).then(|| {
        format!(
            "--vdev {name} needs {}, which this process has not: start it as root, or with \
             setcap or systemd's AmbientCapabilities (ring, vhost, memif, pcap and null ports need none)",
            lacking.join(" and ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_that_secondaries_open_themselves_need_something_there() {
        let of = |vdev: &str| of_secondaries(&[vdev.to_owned()]);
        assert_eq!(of("net_pcap0,iface=eth0"), NET_RAW.bit());
        assert_eq!(of("net_pcap0,rx_pcap=file"), 0);
        assert_eq!(of("net_tap0,iface=tap0"), 0);
    }

    #[test]
    fn what_lacks_is_named() {
        let of = |vdev, have| refuse(vdev, have).unwrap_or_default();
        assert!(of("net_tap12,iface=x", 0).contains("--vdev net_tap12 needs CAP_NET_ADMIN,"));
        assert!(of("net_af_xdp0,iface=x", 1 << 12).contains("needs CAP_NET_RAW,"));
        assert!(of("net_af_xdp0,iface=x", 0).contains("CAP_NET_ADMIN and CAP_NET_RAW"));
        assert!(of("net_pcap0,iface=x", 0).contains("CAP_NET_RAW"));
        for free in [
            "net_null0",
            "net_memif0",
            "net_pcap0,rx_pcap=f",
            "eth_vhost1,iface=s",
        ] {
            assert_eq!(refuse(free, 0), None, "{free}");
        }
        assert_eq!(refuse("net_tap0", u64::MAX), None);
    }
}
