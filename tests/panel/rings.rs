//! The ends of rings: one producer, one consumer, whoever they are.

use testbed::wait_until;

use crate::{LIMIT, small, wait_sent};

#[test]
fn an_end_that_another_process_holds_is_refused_with_its_name() {
    let mut panel = small().nfv(1).nfv(2).start();
    for id in [1, 2] {
        panel.ok(&format!("nfv {id} add nullpmd:0"));
        // Adding is open to all; an end is claimed by patching it.
        panel.ok(&format!("nfv {id} add ring:0"));
    }
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    let told = panel.refused("nfv 2 patch nullpmd:0 ring:0");
    assert!(
        told.contains("ring:0 is claimed as a destination by nfv:1"),
        "{told}"
    );
    assert!(panel.patches(2).is_empty());
    // The other end is free.
    panel.ok("nfv 2 patch ring:0 nullpmd:0");
    let told = panel.refused("nfv 1 patch ring:0 nullpmd:0");
    assert!(
        told.contains("ring:0 is claimed as a source by nfv:2"),
        "{told}"
    );
    let held = |panel: &testbed::Panel| {
        let ring = panel.detail(0).rings[0].clone();
        (ring.producer, ring.consumer)
    };
    assert_eq!(held(&panel), ("nfv:1".into(), "nfv:2".into()));
    wait_sent(&panel, 2, "nullpmd:0", 1000);

    // Given up by unpatching, by deleting, by another patch.
    panel.ok("nfv 2 unpatch ring:0");
    panel.ok("nfv 1 unpatch nullpmd:0");
    assert_eq!(held(&panel), (String::new(), String::new()));
    panel.ok("nfv 2 patch nullpmd:0 ring:0");
    panel.ok("nfv 1 patch ring:0 nullpmd:0");
    assert_eq!(held(&panel), ("nfv:2".into(), "nfv:1".into()));
    panel.ok("nfv 2 del ring:0");
    assert_eq!(held(&panel).0, "");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");

    // And by death: the primary cleans up.
    panel.kill_nfv(1);
    wait_until("the ends to be free", LIMIT, || {
        held(&panel) == (String::new(), String::new())
    });
    panel.ok("nfv 2 patch nullpmd:0 ring:0");
    panel.ok("nfv 2 patch ring:0 nullpmd:0");
    let sent = panel.port(2, "nullpmd:0").counters.tx_packets;
    wait_sent(&panel, 2, "nullpmd:0", sent);
    panel.finish();
}

#[test]
fn a_patch_that_is_refused_leaves_no_ring_attached() {
    let panel = small().nfv(1).nfv(2).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    for line in [
        // The destination is held; the source was attached for this patch.
        "nfv 2 patch ring:1 ring:0",
        "nfv 2 patch ring:1 nullpmd:9",
        "nfv 2 patch ring:1 ring:16",
    ] {
        panel.refused(line);
        assert!(panel.port_names(2).is_empty(), "{line}");
    }
}

#[test]
fn a_panel_has_as_many_rings_as_it_was_started_with() {
    let panel = small()
        .primary_args(["--rings", "3", "--ring-size", "64"])
        .nfv(1)
        .start();
    assert_eq!(panel.primary_status().ring_ports.len(), 3);
    let told = panel.refused("nfv 1 add ring:3");
    assert!(
        told.contains(
            "ring:3 does not exist: this primary has ring:0..ring:2 (start it with --rings N)"
        ),
        "{told}"
    );
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:2");
    // Nobody takes them: it fills, and the rest is dropped and counted.
    wait_until("the ring to be full", LIMIT, || {
        let detail = panel.detail(0);
        detail.rings[2].used == 63 && detail.rings[2].capacity == 63
    });
    wait_until("drops to be counted", LIMIT, || {
        panel.ring(2).tx_drop > 1000
    });
    panel.ok("nfv 1 stop");
    let patch = panel.patch(1, "nullpmd:0").counters;
    assert_eq!(patch.tx_packets, 63);
    assert_eq!(patch.rx_packets, patch.tx_packets + patch.drops.full);
    assert_eq!(patch.drops.total(), patch.drops.full);
}
