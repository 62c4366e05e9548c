//! The controller that the primary starts: it outlives, is started again, and ends in time.

use testbed::{Panel, wait_until};

use crate::hand::Hand;
use crate::{LIMIT, small};

fn wait_all_registered(panel: &Panel, ids: &[u32]) {
    wait_until("all to be registered", LIMIT, || {
        ids.iter().all(|id| {
            let finished = panel.spp(&["nfv", &id.to_string(), "status"]);
            finished.status.success()
        })
    });
}

#[test]
fn a_controller_that_is_killed_is_started_again() {
    let mut panel = small().nfv(1).nfv(2).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 nullpmd:0");
    let before = panel.shape();
    for _ in 0..2 {
        panel.replace_controller();
        wait_all_registered(&panel, &[1, 2]);
        wait_until("the primary to be registered", LIMIT, || {
            panel.http("GET", "/v1/primary/status", "").status == 200
        });
        // Its processes kept what they had.
        assert_eq!(panel.shape(), before);
    }
    panel.stop_nfv(2);
    panel.finish();
}

#[test]
fn the_controller_outlives_its_primary_and_serves_the_next() {
    let mut panel = small().start();
    let first = panel.controllers();
    panel.kill_primary();
    panel.ok("status");
    panel.start_primary();
    assert_eq!(panel.controllers(), first);
    assert_eq!(panel.detail(0).client_id, 0);
    // It is no child of this primary, which watches it all the same.
    panel.replace_controller();
    wait_until("the primary to be registered", LIMIT, || {
        panel.http("GET", "/v1/primary/status", "").status == 200
    });
    panel.finish();
}

#[test]
fn without_a_controller_the_panel_runs_and_nobody_listens() {
    let hand = Hand::new();
    let mut primary = hand.start("spp-primary", &hand.primary("--no-ctl"));
    primary.wait_output("is ready", LIMIT);
    let mut nfv = hand.start("spp-nfv", &hand.nfv(1, ""));
    nfv.wait_output("nfv 1 of panel", LIMIT);
    nfv.wait_output(
        "no controller (--no-ctl): this process takes no commands",
        LIMIT,
    );
    for port in hand.ports {
        assert!(!testbed::machine::is_listening(port), "{port}");
    }
    let told = hand.spp("status").failure();
    assert!(told.contains(&hand.rest().to_string()), "{told}");
    assert!(nfv.terminate(LIMIT).success());
    assert!(primary.terminate(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn processes_find_a_controller_that_comes_later() {
    let hand = Hand::new();
    let mut primary = hand.start("spp-primary", &hand.primary("--no-ctl"));
    primary.wait_output("is ready", LIMIT);
    let [p, s, r] = hand.ports;
    let mut nfv = hand.start("spp-nfv", &hand.nfv(1, &format!("--ctl 127.0.0.1:{s}")));
    nfv.wait_output("no controller at 127.0.0.1", LIMIT);
    let mut controller = hand.start("spp-ctl", &format!("-p {p} -s {s} -a {r}"));
    hand.wait_ok("nfv 1 add nullpmd:0");
    assert!(controller.terminate(LIMIT).success());
    nfv.wait_output("connecting again", LIMIT);
    let mut controller = hand.start("spp-ctl", &format!("-p {p} -s {s} -a {r}"));
    let status = hand.wait_ok("nfv 1 status");
    assert!(status.contains("nullpmd:0"), "{status}");
    for proc in [&mut nfv, &mut primary, &mut controller] {
        assert!(proc.terminate(LIMIT).success());
    }
    hand.wait_nothing_left();
}

#[test]
fn a_primary_that_ends_at_once_leaves_no_controller() {
    for nth in 0..4 {
        let hand = Hand::new();
        let mut primary = hand.start("spp-primary", &hand.primary(""));
        primary.wait_output("listening: primary", LIMIT);
        // It may have been registered by then, or not.
        std::thread::yield_now();
        assert!(
            primary.terminate(LIMIT).success(),
            "{nth}: {}",
            primary.output()
        );
        hand.wait_nothing_left();
    }
}
