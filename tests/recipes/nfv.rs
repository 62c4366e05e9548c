//! Recipes for nfv and for the primary, played.

use testbed::machine::cpu;
use testbed::{Panel, TestPmd, wait_until};

use crate::{LIMIT, idles, panel, play, play_back, runs};

const PHYS: &[&str] = &["phy:0", "phy:1"];

#[test]
fn n1_two_ports_are_cross_connected_by_one_process() {
    let panel = panel(&[1]);
    for play in [play, play_back] {
        let told = play(&panel, "spp_nfv/single/l2fwd/1_single_bidir");
        for line in [
            "- status: running",
            "  - phy:0 -> phy:1",
            "  - phy:1 -> phy:0",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        runs(&panel, 1, &[("phy:0", "phy:1"), ("phy:1", "phy:0")]);
        let told = play(&panel, "spp_nfv/single/l2fwd/2_clean");
        assert!(
            told.contains("- status: idling") && !told.contains("->"),
            "{told}"
        );
        idles(&panel, 1, PHYS);
    }
}

#[test]
fn n2_each_port_sends_back_what_it_receives() {
    let panel = panel(&[1]);
    play(&panel, "spp_nfv/single/loopback/1_single_loopback");
    runs(&panel, 1, &[("phy:0", "phy:0"), ("phy:1", "phy:1")]);
    play(&panel, "spp_nfv/single/loopback/2_clean");
    idles(&panel, 1, PHYS);
}

#[test]
fn n3_and_n4_two_processes_have_a_direction_or_a_port_each() {
    let panel = panel(&[1, 2]);
    play(&panel, "spp_nfv/dual/l2fwd/1_dual_bidir");
    runs(&panel, 1, &[("phy:0", "phy:1")]);
    runs(&panel, 2, &[("phy:1", "phy:0")]);
    play(&panel, "spp_nfv/dual/l2fwd/2_clean");
    for id in [1, 2] {
        idles(&panel, id, PHYS);
    }
    play(&panel, "spp_nfv/dual/loopback/1_dual_loopback");
    runs(&panel, 1, &[("phy:0", "phy:0")]);
    runs(&panel, 2, &[("phy:1", "phy:1")]);
    play(&panel, "spp_nfv/dual/loopback/2_clean");
    for id in [1, 2] {
        idles(&panel, id, PHYS);
    }
}

/// Packets that went into and out of a ring.
fn ring(panel: &Panel, number: u16) -> (u64, u64) {
    let ring = panel.ring(number);
    (ring.rx, ring.tx)
}

#[track_caller]
fn ring_moves(panel: &Panel, number: u16) {
    let (rx, tx) = ring(panel, number);
    wait_until(&format!("ring:{number} to move packets"), LIMIT, || {
        let now = ring(panel, number);
        now.0 > rx && now.1 > tx
    });
}

#[test]
fn n5_to_n7_rings_connect_two_processes() {
    let panel = panel(&[1, 2]);
    let told = play(&panel, "spp_nfv/dual_with_ring/ring_pmd/1_add_ring");
    assert!(
        told.contains("- status: idling") && told.contains("  - ring:0\n"),
        "{told}"
    );
    idles(&panel, 1, &["phy:0", "phy:1", "ring:0"]);
    let told = play(&panel, "spp_nfv/dual_with_ring/ring_pmd/2_del_ring");
    assert!(!told.contains("  - ring:0"), "{told}");
    idles(&panel, 1, PHYS);

    for play in [play, play_back] {
        play(
            &panel,
            "spp_nfv/dual_with_ring/uni_directional_l2fwd/1_ring_dual_unidir",
        );
        runs(&panel, 1, &[("phy:0", "ring:0")]);
        runs(&panel, 2, &[("ring:0", "phy:1")]);
        ring_moves(&panel, 0);
        play(
            &panel,
            "spp_nfv/dual_with_ring/uni_directional_l2fwd/2_clean",
        );
        for id in [1, 2] {
            idles(&panel, id, PHYS);
        }
    }

    play(
        &panel,
        "spp_nfv/dual_with_ring/bi_directional_l2fwd/1_ring_dual_bidir",
    );
    runs(&panel, 1, &[("phy:0", "ring:0"), ("ring:1", "phy:0")]);
    runs(&panel, 2, &[("phy:1", "ring:1"), ("ring:0", "phy:1")]);
    for number in [0, 1] {
        ring_moves(&panel, number);
    }
    play(
        &panel,
        "spp_nfv/dual_with_ring/bi_directional_l2fwd/2_clean",
    );
    for id in [1, 2] {
        idles(&panel, id, PHYS);
    }
}

#[test]
fn n10_packets_go_through_a_guest() {
    let panel = panel(&[1]);
    play(&panel, "spp_nfv/vhost/1_add_vhost");
    assert!(panel.socket(0).exists() && panel.socket(1).exists());
    let mut guest = TestPmd::builder("guest")
        .vhost_client(&panel.socket(0))
        .vhost_client(&panel.socket(1))
        .mode("io")
        .cpu(cpu(1))
        .start();
    guest.start();
    for port in ["vhost:0", "vhost:1"] {
        panel.wait_link(1, port, "up");
    }
    play(&panel, "spp_nfv/vhost/2_patch_vhost");
    runs(&panel, 1, &[("phy:0", "vhost:0"), ("vhost:1", "phy:1")]);
    // As with a virtual machine: it ends before its cables are taken away.
    guest.quit();
    play(&panel, "spp_nfv/vhost/3_clean");
    idles(&panel, 1, PHYS);
    assert!(!panel.socket(0).exists() && !panel.socket(1).exists());
}

#[test]
fn n11_the_primary_moves_packets_itself() {
    let panel = Panel::builder()
        .memory(256)
        .primary_args(["--vdev", "net_null0", "--lcores"])
        .primary_args([format!("{},{}", cpu(0), cpu(1))])
        .start();
    let told = play(&panel, "spp_primary/forwarder/1_forward");
    for line in ["  - status: running", "-> ring:0", "    - ring:0"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    runs(&panel, 0, &[("phy:0", "ring:0")]);
    play(&panel, "spp_primary/forwarder/2_clean");
    idles(&panel, 0, &["phy:0"]);
}

#[test]
fn n12_queues_are_patched_one_by_one() {
    let panel = Panel::builder()
        .memory(256)
        .primary_args([
            "--vdev",
            "net_null0",
            "--vdev",
            "net_null1",
            "--queues",
            "0:2:2",
        ])
        .nfv(1)
        .nfv_args(1, ["--idle"])
        .start();
    let told = play(&panel, "spp_nfv/multi_queue/1_patch_queues");
    assert!(told.contains("  - phy:0 nq 1 -> phy:1"), "{told}");
    runs(
        &panel,
        1,
        &[("phy:0 nq 0", "ring:0"), ("phy:0 nq 1", "phy:1")],
    );
    play(&panel, "spp_nfv/multi_queue/2_clean");
    idles(&panel, 1, &["phy:0 nq 0", "phy:0 nq 1", "phy:1"]);
}

/// On a device that stores rules for a card that is not plugged in; `tests/flow` has packets that hit some.
#[test]
fn n13_a_flow_rule_is_made_shown_and_destroyed() {
    let store = "net_failsafe0,mac=02:00:00:00:00:09,exec(/bin/true)";
    let panel = Panel::builder()
        .memory(256)
        .primary_args(["--vdev", store, "--queues", "0:2:2"])
        .start();
    let told = play(&panel, "spp_primary/flow/1_create");
    for line in [
        "Flow rule validated",
        "Flow rule #0 created",
        "0       0       0       i--     ETH => QUEUE ",
        "      - dst: 02:00:00:00:00:01",
        "    - index: 1",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let told = play(&panel, "spp_primary/flow/2_clean");
    assert!(told.contains("Flow rule #0 destroyed"), "{told}");
    assert!(!told.contains("QUEUE"), "{told}");
}

#[test]
fn containers_of_rings_only_run_without_containers() {
    let panel = panel(&[1, 2, 3, 4]);
    play(&panel, "spp_container/test_ring");
    runs(&panel, 1, &[("phy:0", "ring:0")]);
    runs(&panel, 2, &[("ring:0", "ring:1")]);
    runs(&panel, 3, &[("ring:1", "ring:2"), ("ring:2", "ring:3")]);
    runs(&panel, 4, &[("ring:3", "phy:1")]);
}

#[test]
fn containers_in_a_circle_pass_packets_on() {
    // Two processes for four ports, and testpmd in the place of both containers.
    let panel = panel(&[1, 2]);
    play(&panel, "spp_container/pg_l2fwd_less");
    let guest = |name: &str, ports: [u32; 2], at: usize| {
        TestPmd::builder(name)
            .vhost_client(&panel.socket(ports[0]))
            .vhost_client(&panel.socket(ports[1]))
            .mode("io")
            .cpu(cpu(at))
            .start()
    };
    let mut generator = guest("generator", [1, 2], 0);
    let mut forwarder = guest("forwarder", [3, 4], 1);
    forwarder.start();
    for (id, port) in [
        (1, "vhost:1"),
        (1, "vhost:2"),
        (2, "vhost:3"),
        (2, "vhost:4"),
    ] {
        panel.wait_link(id, port, "up");
    }
    generator.start_tx_first(1);
    // What the generator sends on its second port comes back on its first.
    runs(&panel, 1, &[("vhost:2", "ring:1"), ("ring:0", "vhost:1")]);
    runs(&panel, 2, &[("ring:1", "vhost:3"), ("vhost:4", "ring:0")]);
    generator.quit();
    forwarder.quit();
}
