//! memif ports: packets through memory that another program shares, and what happens when it goes and comes back.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use testbed::machine::cpu;
use testbed::{Panel, TestPmd, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn small() -> testbed::panel::Builder {
    Panel::builder().memory(256).nfv_on(1, cpu(0))
}

fn socket(panel: &Panel, number: u32) -> std::path::PathBuf {
    panel.vhost_dir().join(format!("memif{number}"))
}

/// testpmd as memif client of `memif:number`.
fn client(panel: &Panel, name: &str, number: u32) -> testbed::testpmd::Builder {
    TestPmd::builder(name).cpu(cpu(1)).vdev(format!(
        "net_memif0,role=client,socket={},socket-abstract=no",
        socket(panel, number).display()
    ))
}

/// Two ports, patched from the first to the second.
fn patched(panel: &Panel) {
    for line in [
        "nfv 1 add memif:1",
        "nfv 1 add memif:2",
        "nfv 1 patch memif:1 memif:2",
    ] {
        panel.ok(line);
    }
}

/// Starts a sender behind `memif:1` and a receiver behind `memif:2`, lets packets through and accounts for all.
fn traffic(panel: &Panel) {
    let mut receiver = receiver(panel);
    let mut sender = connected(panel, "tx", 1, "txonly");
    account(panel, &mut sender, &mut receiver);
    sender.quit();
    receiver.quit();
    for port in ["memif:1", "memif:2"] {
        panel.wait_link(1, port, "down");
    }
}

/// Lets packets through and accounts for all, from zero on; gives what the receiver had before.
fn account(panel: &Panel, sender: &mut TestPmd, receiver: &mut TestPmd) -> u64 {
    panel.ok("nfv 1 clear");
    let before = receiver.port_stats(0).rx_packets;
    sender.start();
    wait_until("packets at the receiver", LIMIT, || {
        receiver.port_stats(0).rx_packets > before + 10_000
    });
    let sent = sender.stop()[0].tx_packets;
    panel.wait_accounted(sent, || receiver.port_stats(0).rx_packets - before);
    before
}

/// Waits until the receiver has taken all that was put into its memory since it had `before`.
fn settle(panel: &Panel, receiver: &mut TestPmd, before: u64) {
    wait_until("the receiver's memory to be empty", LIMIT, || {
        let put = panel.port(1, "memif:2").counters.tx_packets;
        receiver.port_stats(0).rx_packets - before == put
    });
}

/// A receiver behind `memif:2` that has begun.
fn receiver(panel: &Panel) -> TestPmd {
    let mut receiver = connected(panel, "rx", 2, "rxonly");
    receiver.start();
    receiver
}

fn connected(panel: &Panel, name: &str, number: u32, mode: &str) -> TestPmd {
    let peer = client(panel, name, number).mode(mode).start();
    panel.wait_link(1, &format!("memif:{number}"), "up");
    peer
}

#[test]
fn packets_go_through_memif_ports_and_every_one_is_accounted_for() {
    let panel = small().start();
    patched(&panel);
    traffic(&panel);
    panel.finish();
}

#[test]
fn packets_in_many_pieces_arrive_whole() {
    let panel = small().start();
    patched(&panel);
    let mut receiver = receiver(&panel);
    // What the sender's driver needs to take them in pieces.
    let pieces = ["--txpkts=1500,1500,1500", "--tx-offloads=0x8000"];
    let sender = client(&panel, "tx", 1).mode("rxonly").args(pieces);
    let mut sender = sender.start();
    panel.wait_link(1, "memif:1", "up");
    for round in 1..=20 {
        // Fewer than fill the memory: DPDK's driver then overwrites what it has sent in pieces.
        sender.start_tx_first(8);
        sender.stop();
        let sent = sender.port_stats(0).tx_packets;
        assert_eq!(sent, round * 256);
        panel.wait_accounted(sent, || receiver.port_stats(0).rx_packets);
    }
    for port in ["memif:1", "memif:2"] {
        let counters = panel.port(1, port).counters;
        assert_eq!(counters.rx_bytes, 4500 * counters.rx_packets, "{port}");
        assert_eq!(counters.tx_bytes, 4500 * counters.tx_packets, "{port}");
    }
    let stats = receiver.port_stats(0);
    assert_eq!(stats.rx_bytes, 4500 * stats.rx_packets);
    sender.quit();
    receiver.quit();
    panel.finish();
}

#[test]
fn packets_come_back_through_two_processes_and_rings() {
    let panel = small().nfv_on(2, cpu(0)).start();
    for line in [
        "nfv 1 add memif:1",
        "nfv 2 add memif:2",
        "nfv 1 patch memif:1 ring:0",
        "nfv 2 patch ring:0 memif:2",
        "nfv 2 patch memif:2 ring:1",
        "nfv 1 patch ring:1 memif:1",
    ] {
        panel.ok(line);
    }
    let mut echo = client(&panel, "echo", 2).mode("io").start();
    panel.wait_link(2, "memif:2", "up");
    let mut peer = connected(&panel, "peer", 1, "txonly");
    echo.start();
    peer.start();
    wait_until("packets at the echo", LIMIT, || {
        echo.port_stats(0).rx_packets > 10_000
    });
    let sent = peer.stop()[0].tx_packets;
    // A sender does not look at what it receives.
    peer.command("set fwd rxonly");
    peer.start();
    panel.wait_accounted(sent, || {
        let lost = echo.forward_stats()[0].tx_dropped;
        peer.port_stats(0).rx_packets + lost
    });
    peer.quit();
    echo.quit();
    panel.finish();
}

#[test]
fn a_peer_that_is_killed_comes_back_to_the_same_port() {
    let panel = small().start();
    patched(&panel);
    let mut receiver = receiver(&panel);
    let mut sender = connected(&panel, "tx", 1, "txonly");
    for _ in 0..2 {
        let before = account(&panel, &mut sender, &mut receiver);
        // In the middle of sending.
        sender.start();
        sender.proc().kill();
        panel.wait_link(1, "memif:1", "down");
        settle(&panel, &mut receiver, before);
        sender = connected(&panel, "tx", 1, "txonly");
        account(&panel, &mut sender, &mut receiver);
        sender.start();
        receiver.proc().kill();
        panel.wait_link(1, "memif:2", "down");
        // Nobody is there: what is sent is dropped, for that reason.
        wait_until("drops to be counted", LIMIT, || {
            panel.port(1, "memif:2").counters.drops.link_down > 0
        });
        sender.stop();
        receiver = self::receiver(&panel);
    }
    account(&panel, &mut sender, &mut receiver);
    sender.quit();
    receiver.quit();
    panel.finish();
}

#[test]
fn a_port_is_deleted_under_its_peer_and_added_again() {
    let panel = small().start();
    patched(&panel);
    let mut receiver = receiver(&panel);
    let mut sender = connected(&panel, "tx", 1, "txonly");
    account(&panel, &mut sender, &mut receiver);
    // Not while the peer sends: DPDK's driver, in the peer, does not survive that.
    panel.ok("nfv 1 del memif:1");
    assert!(!socket(&panel, 1).exists());
    wait_until("the peer to notice", LIMIT, || !sender.link_up(0));
    assert_eq!(panel.port_names(1), ["memif:2"]);

    panel.ok("nfv 1 add memif:1");
    panel.ok("nfv 1 patch memif:1 memif:2");
    // testpmd connects when its port starts, and only then.
    sender.command("port stop 0");
    sender.command("port start 0");
    panel.wait_link(1, "memif:1", "up");
    account(&panel, &mut sender, &mut receiver);
    sender.quit();
    receiver.quit();
    panel.finish();
}

#[test]
fn a_process_that_is_killed_leaves_a_socket_that_its_successor_takes_over() {
    let mut panel = small().start();
    patched(&panel);
    let peer = connected(&panel, "peer", 1, "txonly");
    panel.kill_nfv(1);
    assert!(socket(&panel, 1).exists(), "the dead cannot remove it");
    peer.quit();
    panel.start_nfv(1);
    patched(&panel);
    traffic(&panel);
    panel.finish();
}

#[test]
fn a_socket_of_somebody_else_is_left_alone() {
    let panel = small().nfv(2).start();
    panel.ok("nfv 1 add memif:1");
    let reason = panel.refused("nfv 2 add memif:1");
    let path = socket(&panel, 1).display().to_string();
    assert!(
        reason.contains(&path) && reason.contains("served by another process"),
        "{reason}"
    );
    std::fs::write(socket(&panel, 3), "no socket").expect("written");
    let reason = panel.refused("nfv 2 add memif:3");
    assert!(reason.contains("no socket"), "{reason}");
    std::fs::remove_file(socket(&panel, 3)).expect("still there");
    panel.finish();
}

#[test]
fn a_worker_process_refuses_a_memif_device_of_the_primary_and_names_the_port_to_add() {
    let dir = testbed::machine::TempDir::new();
    let panel = small()
        .primary_args(["--vdev".to_owned()])
        .primary_args([format!(
            "net_memif7,role=server,socket-abstract=no,socket={}",
            dir.join("s").display()
        )])
        .start();
    let reason = panel.refused("nfv 1 patch memif:7 ring:0");
    for word in ["net_memif7", "primary", "add a memif:N port here"] {
        assert!(reason.contains(word), "no {word} in {reason}");
    }
    panel.finish();
}
