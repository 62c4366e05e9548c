//! Secondaries: their ids, and their primary that is not there yet or not any more.

use testbed::{Proc, proc, wait_until};

use crate::hand::Hand;
use crate::{LIMIT, small};

#[test]
fn a_second_process_with_an_id_is_refused_and_told_who_has_it() {
    let mut panel = small().nfv(1).start();
    panel.ok("nfv 1 add vhost:1");
    let before = panel.shape();
    let pid = panel.nfv(1).pid();
    let told = proc::run(&mut panel.nfv_command(1), LIMIT).failure();
    assert!(
        told.contains(&format!("id 1 is held by nfv:1 (pid {pid})")),
        "{told}"
    );
    assert!(
        told.contains("choose another id, or end that process"),
        "{told}"
    );
    assert_eq!(panel.shape(), before);
    panel.stop_nfv(1);
    panel.start_nfv(1);
    panel.finish();
}

#[test]
fn the_id_of_a_killed_process_is_free_at_once() {
    let mut panel = small().nfv(1).start();
    for _ in 0..5 {
        panel.ok("nfv 1 add nullpmd:0");
        panel.ok("nfv 1 patch nullpmd:0 ring:0");
        panel.kill_nfv(1);
        panel.start_nfv(1);
        assert!(panel.port_names(1).is_empty(), "it begins anew");
    }
    panel.finish();
}

#[test]
fn a_secondary_that_comes_too_early_waits_for_its_primary() {
    let hand = Hand::new();
    let mut nfv = hand.start("spp-nfv", &hand.nfv(1, "--wait 120"));
    // It runs, and has nothing to attach to.
    let name = format!("/proc/{}/comm", nfv.pid());
    wait_until("the secondary to run", LIMIT, || {
        std::fs::read_to_string(&name).is_ok_and(|name| name == "spp-nfv\n")
    });
    let mut primary = hand.start("spp-primary", &hand.primary(""));
    primary.wait_output("is ready", LIMIT);
    nfv.wait_output("nfv 1 of panel", LIMIT);
    hand.wait_ok("wait nfv 1");
    hand.wait_ok("nfv 1 add nullpmd:0");
    assert!(nfv.terminate(LIMIT).success());
    assert!(primary.terminate(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn a_secondary_without_a_primary_gives_up_and_says_so() {
    let hand = Hand::new();
    for (wait, words) in [("1", "waited 1s"), ("0", "waited 0ns")] {
        let told = hand
            .run("spp-nfv", &hand.nfv(1, &format!("--wait {wait}")))
            .failure();
        assert!(told.contains("spp-nfv: no primary runs in"), "{told}");
        assert!(
            told.contains(&hand.prefix) && told.contains(words),
            "{told}"
        );
        assert!(
            told.contains("start spp-primary, or name its --file-prefix"),
            "{told}"
        );
    }
    hand.wait_nothing_left();

    // Its files are there, it is not.
    let mut primary = hand.start("spp-primary", &hand.primary("--no-ctl"));
    primary.wait_output("is ready", LIMIT);
    let pid = primary.pid();
    primary.kill();
    let told = hand.run("spp-nfv", &hand.nfv(1, "--wait 1")).failure();
    assert!(told.contains(&format!("the primary (pid {pid})")), "{told}");
    assert!(told.contains("died and left its files"), "{told}");
}

#[test]
fn secondaries_go_on_without_their_primary_until_a_new_one_is_wanted() {
    let mut panel = small().nfv(1).nfv(2).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 2 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.ok("nfv 2 patch ring:0 nullpmd:0");
    let delivered = |panel: &testbed::Panel| panel.port(2, "nullpmd:0").counters.tx_packets;
    let wait_more = |panel: &testbed::Panel| {
        let before = delivered(panel);
        wait_until("packets to go on", LIMIT, || delivered(panel) > before);
    };
    wait_more(&panel);
    panel.kill_primary();

    // The controller says so.
    wait_until("the controller to miss the primary", LIMIT, || {
        panel.http("GET", "/v1/primary/status", "").status == 404
    });
    let details = panel.details();
    let primary = details
        .iter()
        .find(|process| process.client_id == 0)
        .expect("the primary");
    assert_eq!(
        (primary.kind.as_str(), primary.status.as_str()),
        ("primary", "gone")
    );
    assert!(
        primary.detail.is_none() && primary.error.is_some(),
        "{primary:?}"
    );
    let status = panel.ok("status");
    assert!(
        status.contains("- primary:\n  - status: not running\n"),
        "{status}"
    );
    assert!(
        status.contains("nfv:1") && status.contains("nfv:2"),
        "{status}"
    );

    // They go on, and take commands.
    wait_more(&panel);
    panel.ok("nfv 1 unpatch nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:1");
    panel.ok("nfv 2 patch ring:1 nullpmd:0");
    wait_more(&panel);

    // A new primary cannot have their memory.
    let told = proc::run(&mut panel.primary_command(), LIMIT).failure();
    assert!(told.contains("nfv:1") && told.contains("nfv:2"), "{told}");
    assert!(told.contains("end them first"), "{told}");
    wait_more(&panel);

    panel.stop_nfv(1);
    panel.stop_nfv(2);
    panel.start_primary();
    assert_eq!(panel.detail(0).status, "idling");
    for id in [1, 2] {
        panel.start_nfv(id);
        panel.ok(&format!("nfv {id} add nullpmd:0"));
    }
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.ok("nfv 2 patch ring:0 nullpmd:0");
    wait_more(&panel);
    panel.finish();
}

#[test]
fn a_secondary_starts_while_another_is_stopped() {
    // A stopped process (a debugger, a suspended terminal) holds nobody up.
    let mut panel = small().nfv(1).start();
    let stop = |proc: &mut Proc, signal: &str| {
        let pid = proc.pid().to_string();
        let mut command = std::process::Command::new("kill");
        proc::run(command.args([signal, &pid]), LIMIT).success();
    };
    stop(panel.nfv(1), "-STOP");
    panel.start_nfv(2);
    panel.ok("nfv 2 add nullpmd:0");
    panel.ok("nfv 2 patch nullpmd:0 nullpmd:0");
    wait_until("the controller to say that it is silent", LIMIT, || {
        let details = panel.details();
        details
            .iter()
            .any(|process| process.client_id == 1 && process.status == "not responding")
    });
    stop(panel.nfv(1), "-CONT");
    panel.ok("nfv 1 add nullpmd:0");
    panel.finish();
}
