//! Physical ports, with null devices in the place of NICs, and the primary's own forwarder. The
//! numbers are those of the original's recipes.

use testbed::machine::cpu;
use testbed::{Panel, wait_until};

use crate::{LIMIT, small, wait_sent};

fn two_ports() -> testbed::panel::Builder {
    small().primary_args(["--vdev", "net_null0", "--vdev", "net_null1"])
}

/// Waits until a physical port has received and sent more than it had.
#[track_caller]
fn wait_phy(panel: &Panel, number: usize) {
    let counts = || {
        let port = &panel.primary_status().phy_ports[number];
        (port.rx, port.tx)
    };
    let before = counts();
    wait_until(&format!("traffic of phy:{number} both ways"), LIMIT, || {
        let now = counts();
        now.0 > before.0 && now.1 > before.1
    });
}

#[test]
fn n1_one_process_patches_two_ports_both_ways() {
    let panel = two_ports().nfv(1).start();
    assert_eq!(panel.port_names(1), ["phy:0", "phy:1"]);
    panel.ok("nfv 1 patch phy:0 phy:1");
    panel.ok("nfv 1 patch phy:1 phy:0");
    let status = panel.ok("nfv 1 status");
    assert!(status.starts_with("- status: running\n"), "{status}");
    for line in ["  - phy:0 -> phy:1\n", "  - phy:1 -> phy:0\n"] {
        assert!(status.contains(line), "{status}");
    }
    wait_phy(&panel, 0);
    wait_phy(&panel, 1);
    panel.ok("nfv 1 stop");
    panel.ok("nfv 1 patch reset");
    let status = panel.ok("nfv 1 status");
    assert!(status.starts_with("- status: idling\n"), "{status}");
    assert!(
        status.contains("  - phy:0\n") && status.contains("  - phy:1\n"),
        "{status}"
    );
    // What one took in, the other gave out: a null device takes everything.
    let ports = panel.primary_status().phy_ports;
    assert_eq!((ports[0].rx, ports[0].tx), (ports[1].tx, ports[1].rx));
    assert_eq!(ports[0].tx_drop + ports[1].tx_drop, 0);
    let told = panel.refused("nfv 1 del phy:0");
    assert!(told.contains("Cannot delete phy port 'phy:0'."), "{told}");
}

#[test]
fn n2_each_port_gets_its_own_traffic_back() {
    let panel = two_ports().nfv(1).start();
    panel.ok("nfv 1 patch phy:0 phy:0");
    panel.ok("nfv 1 patch phy:1 phy:1");
    wait_phy(&panel, 0);
    wait_phy(&panel, 1);
    panel.ok("nfv 1 stop");
    for port in panel.primary_status().phy_ports {
        assert_eq!((port.rx, port.tx_drop), (port.tx, 0), "phy:{}", port.id);
    }
}

#[test]
fn n7_two_processes_and_two_rings_carry_both_directions() {
    let panel = two_ports().nfv(1).nfv(2).start();
    for id in [1, 2] {
        panel.ok(&format!("nfv {id} add ring:0"));
        panel.ok(&format!("nfv {id} add ring:1"));
    }
    panel.ok("nfv 1 patch phy:0 ring:0");
    panel.ok("nfv 1 patch ring:1 phy:0");
    panel.ok("nfv 2 patch phy:1 ring:1");
    panel.ok("nfv 2 patch ring:0 phy:1");
    wait_phy(&panel, 0);
    wait_phy(&panel, 1);
    let told = panel.refused("nfv 2 patch phy:0 ring:1");
    assert!(
        told.contains("phy:0 is claimed as a source by nfv:1"),
        "{told}"
    );
    for id in [1, 2] {
        panel.ok(&format!("nfv {id} stop"));
    }
    let status = panel.primary_status();
    let [first, second] = [&status.phy_ports[0], &status.phy_ports[1]];
    let [there, back] = [&status.ring_ports[0], &status.ring_ports[1]];
    assert_eq!(
        (first.rx, second.rx),
        (there.tx + there.tx_drop, back.tx + back.tx_drop)
    );
    assert_eq!(
        (second.tx + second.tx_drop, first.tx + first.tx_drop),
        (there.rx, back.rx)
    );
    assert_eq!(panel.in_rings(), there.tx - there.rx + back.tx - back.rx);
    for id in [1, 2] {
        panel.ok(&format!("nfv {id} patch reset"));
        panel.ok(&format!("nfv {id} del ring:0"));
        panel.ok(&format!("nfv {id} del ring:1"));
        assert_eq!(panel.port_names(id), ["phy:0", "phy:1"]);
    }
}

#[test]
fn n11_the_primary_forwards_by_itself() {
    let lcores = format!("{},{}", cpu(0), cpu(1));
    let panel = two_ports()
        .primary_args(["--lcores", &lcores])
        .nfv(1)
        .start();
    let forwarder = panel.primary_status().forwarder.expect("a forwarder");
    assert_eq!(
        (forwarder.status.as_str(), forwarder.ports),
        ("idling", vec!["phy:0".into(), "phy:1".into()])
    );
    // The primary attaches no ring by itself.
    let told = panel.refused("pri patch phy:0 ring:0");
    assert!(told.contains("ring:0 is not added"), "{told}");
    panel.ok("pri add ring:0");
    panel.ok("pri patch phy:0 ring:0");
    panel.ok("pri forward");
    let status = panel.ok("pri status");
    for line in [
        "  - status: running\n",
        "    - phy:0 -> ring:0\n",
        "    - phy:1\n",
        "    - ring:0\n",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    // A process takes up what the primary hands it.
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch ring:0 nullpmd:0");
    wait_sent(&panel, 1, "nullpmd:0", 1000);
    assert_eq!(panel.detail(0).rings[0].producer, "primary");
    let told = panel.refused("nfv 1 patch phy:0 ring:0");
    assert!(told.contains("by primary"), "{told}");

    panel.ok("pri stop");
    wait_until("the ring to run empty", LIMIT, || panel.in_rings() == 0);
    let (ring, taken) = (panel.ring(0), panel.port(1, "ring:0").counters.rx_packets);
    assert_eq!((ring.tx, ring.rx), (taken, taken));
    assert_eq!(
        panel.primary_status().phy_ports[0].rx,
        ring.tx + ring.tx_drop
    );
    let told = panel.ok("pri del ring:0");
    assert!(told.contains("Unpatch (phy:0 -> ring:0)."), "{told}");
    let forwarder = panel.primary_status().forwarder.expect("a forwarder");
    assert_eq!(
        (forwarder.status.as_str(), forwarder.patches.len()),
        ("idling", 0)
    );
    panel.ok("pri clear");
    assert_eq!(panel.primary_status().phy_ports[0].rx, 0);
}

#[test]
fn n12_queues_of_a_port_are_patched_one_by_one() {
    let panel = two_ports()
        .primary_args(["--queues", "0:2:2"])
        .nfv(1)
        .nfv(2)
        .start();
    assert_eq!(panel.port_names(1), ["phy:0 nq 0", "phy:0 nq 1", "phy:1"]);
    let queues: Vec<_> = panel
        .primary_status()
        .phy_ports
        .iter()
        .map(|port| (port.nof_queues.rx, port.nof_queues.tx))
        .collect();
    assert_eq!(queues, [(2, 2), (1, 1)]);
    panel.ok("nfv 1 patch phy:0 nq 0 ring:0");
    // Another queue is another process's to have.
    panel.ok("nfv 2 patch phy:0nq1 ring:1");
    let told = panel.refused("nfv 2 patch phy:0 nq 0 ring:2");
    assert!(told.contains("by nfv:1"), "{told}");
    let status = panel.ok("nfv 2 status");
    assert!(status.contains("  - phy:0 nq 1 -> ring:1\n"), "{status}");
    wait_until("both queues to give packets", LIMIT, || {
        panel.ring(0).tx > 0 && panel.ring(1).tx > 0
    });
    for bad in ["phy:0nq2", "phy:1nq1", "phy:0nq99"] {
        let told = panel.refused(&format!("nfv 1 patch {bad} ring:3"));
        assert!(told.contains("phy:"), "{told}");
    }
    panel.ok("nfv 1 patch ring:1 phy:0 nq 1");
    wait_until("packets to leave by the second queue", LIMIT, || {
        panel.primary_status().phy_ports[0].tx > 0
    });
    panel.ok("nfv 1 unpatch phy:0 nq 0");
    assert_eq!(
        panel.patches(1),
        [("ring:1".to_owned(), "phy:0 nq 1".to_owned())]
    );
}
