//! vhost-user ports: who makes the socket, and what happens when one side goes and comes back.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use testbed::machine::cpu;
use testbed::{Panel, TestPmd, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn small() -> testbed::panel::Builder {
    Panel::builder().memory(256)
}

/// testpmd connects to the socket that the panel makes.
fn client(socket: &Path, mode: &str) -> TestPmd {
    TestPmd::builder("peer")
        .vhost_client(socket)
        .mode(mode)
        .cpu(cpu(1))
        .start()
}

/// testpmd makes the socket, and the panel connects to it.
fn server(socket: &Path, mode: &str) -> TestPmd {
    TestPmd::builder("peer")
        .vdev(format!(
            "virtio_user0,path={},server=1,queues=1,queue_size=512",
            socket.display()
        ))
        .args(["--txd=512", "--rxd=512"])
        .mode(mode)
        .cpu(cpu(1))
        .start()
}

/// Waits until a port has received more than it had.
#[track_caller]
fn wait_received(panel: &Panel, port: &str) {
    let before = panel.port(1, port).counters.rx_packets;
    wait_until(&format!("packets from {port}"), LIMIT, || {
        panel.port(1, port).counters.rx_packets > before
    });
}

/// Waits until a peer has received more than it had.
#[track_caller]
fn wait_delivered(peer: &mut TestPmd) {
    let before = peer.port_stats(0).rx_packets;
    wait_until("packets at the peer", LIMIT, || {
        peer.port_stats(0).rx_packets > before
    });
}

#[test]
fn a_peer_that_is_killed_comes_back_to_the_same_port() {
    let panel = small().nfv_on(1, cpu(0)).start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch vhost:1 nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 vhost:1");
    assert_eq!(panel.port(1, "vhost:1").link, "down");
    // Nobody is there: what is sent is dropped, for that reason.
    wait_until("drops to be counted", LIMIT, || {
        panel.port(1, "vhost:1").counters.drops.link_down > 1000
    });
    for _ in 0..3 {
        let mut peer = client(&panel.socket(1), "io");
        panel.wait_link(1, "vhost:1", "up");
        let status = panel.ok("nfv 1 status");
        let line = status.lines().find(|line| {
            let words: Vec<_> = line.split_whitespace().take(2).collect();
            words == ["vhost:1", "up"]
        });
        let socket = panel.socket(1).display().to_string();
        assert!(line.is_some_and(|line| line.contains(&socket)), "{status}");
        peer.start();
        wait_received(&panel, "vhost:1");
        wait_delivered(&mut peer);
        peer.proc().kill();
        panel.wait_link(1, "vhost:1", "down");
    }
    // The port lives on without a peer, and goes without one.
    panel.ok("nfv 1 del vhost:1");
    assert!(!panel.socket(1).exists());
}

/// The worker reads the queues of a guest that sends long frames; they go and come again under its hands.
#[test]
fn a_guest_starts_over_and_over_while_long_frames_pass() {
    let panel = small().nfv_on(1, cpu(0)).start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch vhost:1 vhost:1");
    let mut peer = client(&panel.socket(1), "io");
    peer.command("set txpkts 1400");
    for round in 0..50 {
        panel.wait_link(1, "vhost:1", "up");
        peer.start_tx_first(8);
        wait_received(&panel, "vhost:1");
        wait_delivered(&mut peer);
        peer.stop();
        // Of one look: packets may still be on their way.
        let counters = panel.port(1, "vhost:1").counters;
        assert!(
            counters.rx_bytes / counters.rx_packets >= 1396,
            "round {round}"
        );
        peer.command("port stop 0");
        peer.command("port start 0");
    }
    assert_eq!(panel.port(1, "vhost:1").counters.drops.total(), 0);
}

#[test]
fn a_process_that_is_killed_leaves_a_socket_that_its_successor_takes_over() {
    let mut panel = small().nfv_on(1, cpu(0)).start();
    for round in 0..2 {
        panel.ok("nfv 1 add vhost:1");
        panel.ok("nfv 1 add nullpmd:0");
        panel.ok("nfv 1 patch vhost:1 nullpmd:0");
        let mut peer = client(&panel.socket(1), "txonly");
        panel.wait_link(1, "vhost:1", "up");
        peer.start();
        wait_received(&panel, "vhost:1");
        if round == 0 {
            panel.kill_nfv(1);
            assert!(
                panel.socket(1).exists(),
                "a killed server cannot remove its socket"
            );
            panel.start_nfv(1);
        }
    }
    panel.finish();
}

#[test]
fn as_client_the_port_finds_its_peer_again_whoever_was_restarted() {
    let mut panel = small().nfv_on(1, cpu(0)).start();
    let set_up = |panel: &Panel| {
        panel.ok("nfv 1 add vhost:1 client");
        panel.ok("nfv 1 add nullpmd:0");
        panel.ok("nfv 1 patch vhost:1 nullpmd:0");
        panel.ok("nfv 1 patch nullpmd:0 vhost:1");
    };
    // Before there is a socket at all.
    set_up(&panel);
    assert_eq!(panel.port(1, "vhost:1").link, "down");
    assert!(!panel.socket(1).exists(), "a client makes no socket");

    let mut peer = server(&panel.socket(1), "io");
    panel.wait_link(1, "vhost:1", "up");
    peer.start();
    wait_received(&panel, "vhost:1");
    wait_delivered(&mut peer);

    peer.proc().kill();
    drop(peer);
    panel.wait_link(1, "vhost:1", "down");
    // testpmd does not take a stale socket over.
    std::fs::remove_file(panel.socket(1)).expect("the dead peer's socket");
    let mut peer = server(&panel.socket(1), "io");
    panel.wait_link(1, "vhost:1", "up");
    peer.start();
    wait_received(&panel, "vhost:1");
    wait_delivered(&mut peer);

    panel.kill_nfv(1);
    panel.start_nfv(1);
    set_up(&panel);
    panel.wait_link(1, "vhost:1", "up");
    wait_received(&panel, "vhost:1");
    wait_delivered(&mut peer);

    // The socket is the peer's: it stays when the port goes.
    panel.ok("nfv 1 del vhost:1");
    assert!(panel.socket(1).exists());
    panel.finish();
}

#[test]
fn a_process_may_be_client_by_default_and_server_for_one_port() {
    let panel = small().nfv(1).nfv_args(1, ["--vhost-client"]).start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add vhost:2 server");
    assert!(!panel.socket(1).exists() && panel.socket(2).exists());
}

#[test]
fn a_name_that_is_taken_is_refused_and_left_alone() {
    let panel = small().nfv(1).nfv(2).start();
    let before = panel.shape();
    let socket = panel.socket(1);
    let name = socket.display().to_string();

    std::fs::write(&socket, "a file of somebody's").expect("written");
    let told = panel.refused("nfv 1 add vhost:1");
    assert!(
        told.contains(&format!("{name} exists and is no socket")),
        "{told}"
    );
    assert_eq!(
        std::fs::read_to_string(&socket).expect("the file"),
        "a file of somebody's"
    );
    std::fs::remove_file(&socket).expect("removed");

    std::os::unix::fs::symlink("/dev/null", &socket).expect("a link");
    let told = panel.refused("nfv 1 add vhost:1");
    assert!(told.contains("is no socket"), "{told}");
    std::fs::remove_file(&socket).expect("removed");

    std::fs::create_dir(&socket).expect("a folder");
    let told = panel.refused("nfv 1 add vhost:1");
    assert!(told.contains("is no socket"), "{told}");
    std::fs::remove_dir(&socket).expect("removed");

    let living = UnixListener::bind(&socket).expect("a server");
    let told = panel.refused("nfv 1 add vhost:1");
    assert!(
        told.contains(&format!("{name} is served by another process")),
        "{told}"
    );
    assert_eq!(panel.shape(), before);
    drop(living);
    // Now it is stale.
    panel.ok("nfv 1 add vhost:1");
    let told = panel.refused("nfv 2 add vhost:1");
    assert!(told.contains("is served by another process"), "{told}");
    // The refusal did not take the first one's socket away.
    let mut peer = client(&socket, "txonly");
    panel.wait_link(1, "vhost:1", "up");
    peer.start();
    peer.stop();
    panel.ok("nfv 1 del vhost:1");
    panel.ok("nfv 2 add vhost:1");
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_refused() {
    let panel = small().vhost_folder(&"f".repeat(80)).nfv(1).start();
    assert!(
        panel.socket(1).as_os_str().len() <= 107,
        "vhost:1 still fits"
    );
    panel.ok("nfv 1 add vhost:1");
    assert!(panel.socket(1).exists());
    drop(panel);

    let panel = small().vhost_folder(&"f".repeat(100)).nfv(1).start();
    for mode in ["", " server", " client"] {
        let told = panel.refused(&format!("nfv 1 add vhost:1{mode}"));
        assert!(told.contains("at most 107 are possible"), "{told}");
        assert!(told.contains("--vhost-dir"), "{told}");
    }
    assert!(panel.port_names(1).is_empty());
    let made = std::fs::read_dir(panel.vhost_dir())
        .expect("the folder")
        .count();
    assert_eq!(made, 0, "no socket by a shortened name either");
}

#[test]
fn sockets_are_made_in_the_folder_that_was_named() {
    let panel = small().vhost_folder("sockets").nfv(1).start();
    panel.ok("nfv 1 add vhost:7");
    assert!(panel.dir().join("sockets/sock7").exists());
    assert!(!panel.dir().join("sock7").exists());
    assert_eq!(
        panel.port(1, "vhost:7").info,
        panel.socket(7).display().to_string()
    );
    // A folder that is gone is an error that names it, not a port without a socket.
    panel.ok("nfv 1 del vhost:7");
    std::fs::remove_dir(panel.vhost_dir()).expect("an empty folder");
    let told = panel.refused("nfv 1 add vhost:7");
    assert!(told.contains("sock7"), "{told}");
    assert!(panel.port_names(1).is_empty());
    std::fs::create_dir(panel.vhost_dir()).expect("the folder");
    panel.ok("nfv 1 add vhost:7");
}
