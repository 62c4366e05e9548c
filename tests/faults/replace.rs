//! A new primary in the place of one that was killed.

use std::time::{Duration, Instant};

use protocol::detail::PatchDetail;
use testbed::machine::cpu;
use testbed::proc::Signal;
use testbed::{Panel, proc, wait_until};

use crate::load::{Load, assert_whole};
use crate::{LIMIT, carry, launch, launched, small, status, wait_carries};

/// What `spp-primary` says with these arguments, which does not start.
#[track_caller]
fn refusal(panel: &Panel, more: &[&str]) -> String {
    let output = proc::run(panel.primary_command().args(more), LIMIT).failure();
    let line = output
        .lines()
        .find(|line| line.starts_with("spp-primary: "));
    line.unwrap_or_else(|| panic!("no reason: {output}"))
        .to_owned()
}

/// Waits until the controller has heard of the primary's end.
fn wait_gone(panel: &Panel) {
    wait_until("the primary to be gone", LIMIT, || {
        status(panel, 0).0 == "gone"
    });
}

/// Starts a new primary; gives how long it took from then until packets of the next nfv 1 were seen, which is longer than there
/// were none: the old one goes on until it is asked to leave.
#[track_caller]
fn replace(panel: &mut Panel, old: &str) -> Duration {
    let begin = Instant::now();
    panel.start_primary_with(&["--replace"]);
    wait_until("packets of the new nfv 1", LIMIT, || {
        let detail = panel.detail(1);
        let moved = |patch: &PatchDetail| patch.counters.tx_packets > 0;
        detail.incarnation != old && detail.patches.first().is_some_and(moved)
    });
    begin.elapsed()
}

/// Exit status of who was asked to leave (`EX_TEMPFAIL`).
const LEFT: i32 = 75;

/// The process ended because it was asked to.
#[track_caller]
fn assert_left(panel: &mut Panel, id: u32) {
    let status = panel.nfv(id).wait_exit(LIMIT);
    assert_eq!(status.code(), Some(LEFT), "nfv {id}");
    panel.kill_nfv(id);
}

#[test]
fn a_new_primary_has_the_old_ones_secondaries_leave_and_everything_comes_back() {
    let mut panel = small().nfv_on(2, cpu(0)).start();
    launch(&panel, 1, "on-failure", &[]);
    launch(&panel, 4, "never", &[]);
    // Packets without end, so that every moment without one shows.
    for line in [
        "add nullpmd:1",
        "add nullpmd:2",
        "patch nullpmd:1 nullpmd:2",
        "forward",
    ] {
        panel.ok(&format!("nfv 1 {line}"));
    }
    carry(&panel, 2, 2, 3);
    carry(&panel, 4, 4, 5);
    let old = panel.detail(1).incarnation;
    panel.kill_primary();
    wait_gone(&panel);
    let told = refusal(&panel, &[]);
    for words in ["nfv:1 (pid", "nfv:2 (pid", "nfv:4 (pid", "--replace"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    wait_carries(&panel, 1, "nullpmd:1");

    let first = replace(&mut panel, &old);
    // Not launched: it left, and said so to whoever started it, who starts it again.
    assert_left(&mut panel, 2);
    panel.start_nfv(2);
    wait_until("its patch to be back", LIMIT, || {
        panel.patches(2) == [("ring:2".to_owned(), "ring:3".to_owned())]
    });
    assert_whole(&Load::start(&panel, 10, 2, 3, "--count 500").wait());
    assert_eq!(launched(&panel, 1).restart, "on-failure");
    // Launched without supervision: it ran, so it runs again.
    panel.ok("wait nfv 4");
    assert_eq!(launched(&panel, 4).restart, "never");
    wait_until("its patch to be back", LIMIT, || {
        panel.patches(4) == [("ring:4".to_owned(), "ring:5".to_owned())]
    });
    // Once more: the machine may have been busy.
    let old = panel.detail(1).incarnation;
    panel.kill_primary();
    wait_gone(&panel);
    let second = replace(&mut panel, &old);
    assert_left(&mut panel, 2);
    println!("packets flow at most {first:?} and {second:?} after the command");
    assert!(first.min(second) < Duration::from_secs(2));
    panel.ok("wait nfv 4");
    panel.ok("nfv 1 exit");
    panel.ok("nfv 4 exit");
    panel.finish();
}

#[test]
fn who_does_not_leave_is_named_or_killed() {
    let mut panel = small().nfv_on(1, cpu(0)).nfv_on(2, cpu(1)).start();
    carry(&panel, 1, 0, 1);
    panel.kill_primary();
    wait_gone(&panel);
    panel.nfv(1).signal(Signal::STOP);
    let begin = Instant::now();
    let told = refusal(&panel, &["--replace"]);
    println!("refused after {:?}", begin.elapsed());
    assert!(
        told.contains("nfv:1 (pid") && told.contains("still run after 5s"),
        "{told}"
    );
    assert!(
        told.contains("--replace=kill") && !told.contains("nfv:2 (pid"),
        "{told}"
    );
    assert!(panel.nfv(1).is_running());
    panel.start_primary_with(&["--replace=kill"]);
    assert!(!panel.nfv(1).wait_exit(LIMIT).success());
    panel.kill_nfv(1);
    assert_left(&mut panel, 2);
    panel.start_nfv(1);
    wait_until("its patch to be back", LIMIT, || {
        panel.patches(1) == [("ring:0".to_owned(), "ring:1".to_owned())]
    });
    assert_whole(&Load::start(&panel, 9, 0, 1, "--count 500").wait());
    panel.finish();
}
