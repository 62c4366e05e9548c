//! Which virtual devices an ordinary user cannot have.

use crate::Error;

/// `capabilities(7)`: number and name.
type Capability = (u32, &'static str);
const NET_ADMIN: Capability = (12, "CAP_NET_ADMIN");
const NET_RAW: Capability = (13, "CAP_NET_RAW");

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
    let have = sys::proc::effective_capabilities()?;
    refuse(vdev, have).map_or(Ok(()), |words| Err(Error::Refused(words)))
}

fn refuse(vdev: &str, have: u64) -> Option<String> {
    let lacking: Vec<&str> = needed(vdev)
        .iter()
        .filter(|(bit, _)| have >> bit & 1 == 0)
        .map(|(_, name)| *name)
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
