//! A supervised process that is killed under load.

use std::process::Command;
use std::time::{Duration, Instant};

use testbed::machine::cpu;
use testbed::{Panel, proc, wait_until};

use crate::load::{Load, assert_orderly, assert_whole};
use crate::{LIMIT, carry, launch, launched, small, wait_carries, wait_restarts};

/// Packets that were taken out of a ring, whoever did it, by the primary's count.
fn taken(panel: &Panel, ring: u16) -> u64 {
    panel.ring(ring).rx
}

#[test]
fn a_killed_process_is_back_with_its_patches_within_a_second_and_others_lose_nothing() {
    let panel = small().nfv_on(2, cpu(0)).start();
    carry(&panel, 2, 2, 3);
    let beside = Load::start(&panel, 10, 2, 3, "");
    let mut outages = Vec::new();
    // Another process each time: one that is killed again soon waits before it starts.
    for id in [1, 4, 5] {
        launch(&panel, id, "on-failure", &[]);
        carry(&panel, id, 0, 1);
        let load = Load::start(&panel, 9, 0, 1, "");
        wait_carries(&panel, id, "ring:0");
        let pid = launched(&panel, id).pid.expect("it runs").to_string();
        let killed = Instant::now();
        proc::run(Command::new("kill").args(["-KILL", &pid]), LIMIT).success();
        // Its last packets count until it is gone.
        let proc = format!("/proc/{pid}");
        wait_until("its end", LIMIT, || !std::path::Path::new(&proc).exists());
        let before = taken(&panel, 0);
        wait_until("packets to be carried again", LIMIT, || {
            taken(&panel, 0) > before
        });
        outages.push(killed.elapsed());
        let again = wait_restarts(&panel, id, 1);
        assert_eq!(again.exit.as_deref(), Some("killed by signal 9 (SIGKILL)"));
        wait_carries(&panel, id, "ring:0");
        let report = load.end();
        assert_orderly(&report);
        let lost = report["lost"].as_u64().expect("a number");
        println!("nfv {id}: {lost} of {} lost", report["sent"]);
        // What it had in its hands, and what the full ring did not take while it was away.
        let dropped = panel.dropped();
        assert!(lost <= 64 + dropped, "{report}, {dropped} dropped");
        panel.ok(&format!("nfv {id} exit"));
    }
    let sent = assert_whole(&beside.end());
    println!("outages: {outages:?}; beside: {sent} sent and received");
    let best = outages.iter().min().expect("three");
    assert!(*best < Duration::from_secs(1), "{outages:?}");
    panel.finish();
}
