//! Ends: by signal, by command, all at once; each with status 0, and nothing is left.

use testbed::{Panel, wait_until};

use crate::{LIMIT, small};

/// A panel with sockets, patches and traffic.
fn busy() -> Panel {
    let panel = small().nfv(1).nfv(2).start();
    for id in [1, 2] {
        panel.ok(&format!("nfv {id} add vhost:{id}"));
        panel.ok(&format!("nfv {id} add nullpmd:0"));
    }
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.ok("nfv 2 patch ring:0 vhost:2");
    wait_until("packets to flow", LIMIT, || panel.ring(0).rx > 0);
    panel
}

#[test]
fn sigterm_ends_each() {
    busy().finish();
}

#[test]
fn sigint_ends_each() {
    let mut panel = busy();
    for id in [1, 2] {
        let nfv = panel.nfv(id);
        assert!(nfv.interrupt(LIMIT).success());
        assert!(nfv.output().contains("ending"), "{}", nfv.output());
    }
    assert!(panel.primary().interrupt(LIMIT).success());
    panel.finish();
}

#[test]
fn exit_ends_one_and_the_others_stay() {
    let mut panel = busy();
    panel.ok("nfv 1 exit");
    assert!(panel.nfv(1).wait_exit(LIMIT).success());
    assert!(!panel.socket(1).exists() && panel.socket(2).exists());
    let told = panel.refused("nfv 1 status");
    assert!(told.contains("does not exist"), "{told}");
    // Its end of the ring is free for the other.
    wait_until("the ring's end to be free", LIMIT, || {
        panel.detail(0).rings[0].producer.is_empty()
    });
    panel.ok("nfv 2 patch nullpmd:0 ring:0");
    panel.ok("nfv 2 exit");
    assert!(panel.nfv(2).wait_exit(LIMIT).success());
    panel.ok("pri exit");
    assert!(panel.primary().wait_exit(LIMIT).success());
    panel.finish();
}

#[test]
fn bye_all_ends_everything() {
    let mut panel = busy();
    let told = panel.ok("bye all");
    for line in ["Exit nfv 1", "Exit nfv 2", "Exit primary"] {
        assert!(told.contains(line), "{told}");
    }
    for id in [1, 2] {
        assert!(panel.nfv(id).wait_exit(LIMIT).success());
    }
    assert!(panel.primary().wait_exit(LIMIT).success());
    // The controller, too: `finish` waits for it.
    panel.finish();
}

#[test]
fn a_primary_that_ends_first_leaves_secondaries_running_and_says_so() {
    let mut panel = busy();
    assert!(panel.primary().terminate(LIMIT).success());
    let said = panel.primary().output();
    assert!(
        said.contains("secondaries are still running: they go on forwarding"),
        "{said}"
    );
    let before = panel.port(2, "ring:0").counters.rx_packets;
    wait_until("packets to go on", LIMIT, || {
        panel.port(2, "ring:0").counters.rx_packets > before
    });
    let told = panel.refused("pri status");
    assert!(told.contains("primary"), "{told}");
    // The last one to leave cleans up: `finish` looks.
    panel.finish();
}
