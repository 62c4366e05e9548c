//! Plugging cables: replacing, taking out, one end gone, forwarding stopped. Endless sources, so that
//! a patch that lives is seen to count.

use crate::{small, wait_sent};

#[test]
fn a_port_that_is_deleted_takes_only_its_own_patches_along() {
    let panel = small().nfv(1).start();
    for n in 0..5 {
        panel.ok(&format!("nfv 1 add nullpmd:{n}"));
    }
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
    panel.ok("nfv 1 patch nullpmd:1 nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:2 nullpmd:1");
    panel.ok("nfv 1 patch nullpmd:3 nullpmd:4");
    wait_sent(&panel, 1, "nullpmd:1", 1000);
    wait_sent(&panel, 1, "nullpmd:4", 1000);

    let told = panel.ok("nfv 1 del nullpmd:1");
    for patch in ["0 -> nullpmd:1", "1 -> nullpmd:0", "2 -> nullpmd:1"] {
        assert!(
            told.contains(&format!("Unpatch (nullpmd:{patch})")),
            "{told}"
        );
    }
    assert!(told.contains("Delete nullpmd:1."), "{told}");
    let expected = [("nullpmd:3".to_owned(), "nullpmd:4".to_owned())];
    assert_eq!(panel.patches(1), expected);
    assert_eq!(
        panel.port_names(1),
        ["nullpmd:0", "nullpmd:2", "nullpmd:3", "nullpmd:4"]
    );
    assert_eq!(panel.detail(1).status, "running");
    let now = panel.port(1, "nullpmd:4").counters.tx_packets;
    wait_sent(&panel, 1, "nullpmd:4", now);

    let again = panel.refused("nfv 1 del nullpmd:1");
    assert!(again.contains("nullpmd:1 is not added"), "{again}");
    // The name is free for a new port.
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
}

#[test]
fn patching_a_source_again_moves_its_packets() {
    let panel = small().nfv(1).start();
    for n in 0..3 {
        panel.ok(&format!("nfv 1 add nullpmd:{n}"));
    }
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
    wait_sent(&panel, 1, "nullpmd:1", 1000);
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:2");
    let left = panel.port(1, "nullpmd:1").counters;
    wait_sent(&panel, 1, "nullpmd:2", 1000);
    assert_eq!(panel.port(1, "nullpmd:1").counters, left);
    let expected = [("nullpmd:0".to_owned(), "nullpmd:2".to_owned())];
    assert_eq!(panel.patches(1), expected);

    // Onto itself: a loop.
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:0");
    wait_sent(&panel, 1, "nullpmd:0", 1000);
    panel.ok("nfv 1 stop");
    let looped = panel.patch(1, "nullpmd:0").counters;
    assert_eq!(looped.rx_packets, looped.tx_packets);
}

#[test]
fn one_patch_or_all_are_taken_out() {
    let panel = small().nfv(1).start();
    for n in 0..4 {
        panel.ok(&format!("nfv 1 add nullpmd:{n}"));
    }
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
    panel.ok("nfv 1 patch nullpmd:2 nullpmd:3");
    wait_sent(&panel, 1, "nullpmd:1", 1000);
    panel.ok("nfv 1 unpatch nullpmd:0");
    let still = panel.port(1, "nullpmd:1").counters;
    let moving = panel.port(1, "nullpmd:3").counters.tx_packets;
    wait_sent(&panel, 1, "nullpmd:3", moving);
    assert_eq!(panel.port(1, "nullpmd:1").counters, still);

    let again = panel.refused("nfv 1 unpatch nullpmd:0");
    assert!(
        again.contains("nullpmd:0 is not patched as a source"),
        "{again}"
    );
    let unknown = panel.refused("nfv 1 unpatch nullpmd:9");
    assert!(unknown.contains("nullpmd:9 is not added"), "{unknown}");

    panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
    panel.ok("nfv 1 patch reset");
    assert!(panel.patches(1).is_empty());
    assert_eq!(panel.detail(1).status, "running");
    let all = panel.detail(1).ports;
    panel.ok("status");
    assert_eq!(panel.detail(1).ports, all);
    // Taking out nothing is no mistake.
    panel.ok("nfv 1 patch reset");
}

#[test]
fn stopped_forwarding_moves_nothing_and_keeps_the_patches() {
    let panel = small().nfv(1).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
    wait_sent(&panel, 1, "nullpmd:1", 1000);
    panel.ok("nfv 1 stop");
    assert_eq!(panel.detail(1).status, "idling");
    let stopped = panel.patch(1, "nullpmd:0").counters;
    // A patch that is made now waits, too.
    panel.ok("nfv 1 patch nullpmd:1 nullpmd:0");
    assert_eq!(panel.patch(1, "nullpmd:0").counters, stopped);
    assert_eq!(panel.patch(1, "nullpmd:1").counters.rx_packets, 0);
    panel.ok("nfv 1 forward");
    assert_eq!(panel.detail(1).status, "running");
    wait_sent(&panel, 1, "nullpmd:1", stopped.tx_packets);
    wait_sent(&panel, 1, "nullpmd:0", 0);
}

#[test]
fn what_is_refused_changes_nothing() {
    let panel = small().nfv(1).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:0");
    let before = panel.shape();
    for (line, words) in [
        ("nfv 1 patch nullpmd:0 nullpmd:7", "nullpmd:7 is not added"),
        ("nfv 1 patch nullpmd:7 nullpmd:0", "nullpmd:7 is not added"),
        ("nfv 1 patch vhost:2 vhost:1", "vhost:2 is not added"),
        ("nfv 1 patch nullpmd:0 ring:16", "ring:0..ring:15"),
        (
            "nfv 1 add ring:16",
            "ring:16 does not exist: this primary has ring:0..ring:15 (start it with --rings N)",
        ),
        ("nfv 1 add nullpmd:0", "nullpmd:0 is added already"),
        ("nfv 1 add vhost:1 client", "vhost:1 is added already"),
        ("nfv 1 add phy:0", "phy:0 cannot be added"),
        ("nfv 1 del vhost:2", "vhost:2 is not added"),
        ("nfv 2 status", "\"nfv 2\" does not exist"),
        ("pri add ring:0", "No forwarder is running."),
        ("pri forward", "No forwarder is running."),
    ] {
        let told = panel.refused(line);
        assert!(told.contains(words), "{line}: {told}");
    }
    assert_eq!(panel.shape(), before);
    // The original answers a repeated add of these as done.
    panel.ok("nfv 1 add vhost:1");
    assert_eq!(panel.shape(), before);
}
