//! Processes and workers that stand still.

use std::process::Command;
use std::time::{Duration, Instant};

use testbed::machine::{self, cpu};
use testbed::{Panel, Proc, proc, wait_until};

use crate::held::Held;
use crate::load::{Load, assert_whole};
use crate::{LIMIT, carry, launch, launched, small, status, wait_carries, wait_restarts};

fn signal(pid: Option<u32>, signal: &str) {
    let pid = pid.expect("a process id").to_string();
    proc::run(Command::new("kill").args([signal, &pid]), LIMIT).success();
}

/// How long the longest of these took.
fn slowest(panel: &Panel, lines: &[&str]) -> Duration {
    let timed = lines.iter().map(|line| {
        let begin = Instant::now();
        panel.ok(line);
        begin.elapsed()
    });
    timed.max().expect("some")
}

#[test]
fn a_stopped_process_is_reported_killed_and_back_and_others_lose_nothing() {
    let panel = small().nfv_on(2, cpu(0)).start();
    carry(&panel, 2, 2, 3);
    launch(&panel, 1, "on-failure", &[("--hang-limit", "3")]);
    carry(&panel, 1, 0, 1);
    let beside = Load::start(&panel, 10, 2, 3, "");

    let begin = Instant::now();
    signal(launched(&panel, 1).pid, "-STOP");
    wait_until("it to be seen", LIMIT, || {
        status(&panel, 1).0 == "not responding"
    });
    println!("seen after {:?}", begin.elapsed());
    let since = status(&panel, 1).1.expect("since when");
    assert!(since.ends_with('Z'), "{since}");
    let words = format!("nfv:1: not responding since {since}");
    let shown = panel.ok("status");
    assert!(shown.contains(&words), "{shown}");
    let told = panel.refused("nfv 1 status");
    assert!(
        told.contains(&format!("its last answer came at {since}")),
        "{told}"
    );
    let lines = [
        "nfv 2 status",
        "pri status",
        "nfv 2 add nullpmd:1",
        "nfv 2 del nullpmd:1",
    ];
    println!("others answer within {:?}", slowest(&panel, &lines));

    let again = wait_restarts(&panel, 1, 1);
    println!("started again after {:?}", begin.elapsed());
    let exit = again.exit.expect("its end");
    assert!(
        exit.starts_with(
            "killed by signal 9 (SIGKILL) by the primary: it gave no sign of life for"
        ),
        "{exit}"
    );
    wait_until("its patch to be back", LIMIT, || {
        panel.patches(1) == [("ring:0".to_owned(), "ring:1".to_owned())]
    });
    assert_whole(&beside.end());
    let load = Load::start(&panel, 9, 0, 1, "--count 100");
    assert_whole(&load.wait());
    panel.ok("nfv 1 exit");
    panel.finish();
}

#[test]
fn a_stuck_worker_is_seen_within_a_second_and_its_process_started_again() {
    let panel = small().nfv_on(2, cpu(0)).start();
    carry(&panel, 2, 2, 3);
    launch(&panel, 1, "always", &[("--hang-limit", "2")]);
    carry(&panel, 1, 0, 1);
    let beside = Load::start(&panel, 10, 2, 3, "");
    let mut command = panel.command(Command::new(machine::bin("spp")));
    command.args(["-b", &panel.rest().to_string(), "watch"]);
    let mut events = Proc::spawn("spp watch", &mut command);
    events.wait_output("following ", LIMIT);

    let stuck = || panel.detail(1).workers[0].stuck_ms.is_some();
    let pid = launched(&panel, 1).pid.expect("it runs");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let held = Held::thread(pid, "spp-worker");
        wait_until("it to be seen", LIMIT, &stuck);
        seen.push(begin.elapsed());
        drop(held);
        wait_until("it to go on", LIMIT, || !stuck());
    }
    println!("seen after {seen:?}");
    assert!(seen.iter().min().expect("three") < &Duration::from_secs(1));
    assert_eq!(launched(&panel, 1).restarts, 0, "it went on in time");

    let begin = Instant::now();
    let held = Held::thread(pid, "spp-worker");
    let at = events.position();
    wait_until("it to be seen", LIMIT, &stuck);
    let shown = panel.ok("nfv 1 status");
    let words = format!(
        "- stuck: the worker of nfv:1 on CPU {} has not gone on for",
        cpu(1)
    );
    assert!(shown.contains(&words), "{shown}");
    let page = panel.http("GET", "/metrics", "").body;
    let name = format!(
        r#"spp_worker_stuck_seconds{{process="nfv:1",cpu="{}"}}"#,
        cpu(1)
    );
    let line = page
        .lines()
        .find(|line| line.starts_with(&name))
        .expect("the metric");
    assert!(!line.ends_with(" 0") && !line.ends_with(" 0.0"), "{line}");
    let event = format!("nfv:1     worker-stuck    CPU {}", cpu(1));
    events.wait_output_from(at, &event, LIMIT);
    // Its process is gone for the primary only once we have taken note of the end of the thread.
    wait_until("it to be killed", LIMIT, || held.has_ended());
    drop(held);
    let again = wait_restarts(&panel, 1, 1);
    println!("started again after {:?}", begin.elapsed());
    let exit = again.exit.expect("its end");
    assert!(
        exit.contains("by the primary: it had a worker that was stuck"),
        "{exit}"
    );
    wait_until("its patch to be back", LIMIT, || {
        panel.patches(1) == [("ring:0".to_owned(), "ring:1".to_owned())]
    });
    assert_whole(&beside.end());
    events.terminate(LIMIT);
    panel.ok("nfv 1 exit");
    panel.finish();
}

#[test]
fn a_worker_that_rests_or_has_hardly_any_cpu_is_not_stuck() {
    let panel = small()
        .nfv_on(1, cpu(0))
        .nfv_on(2, cpu(0))
        .nfv_args(2, ["--poll", "busy"])
        .start();
    carry(&panel, 1, 0, 1);
    carry(&panel, 2, 2, 3);
    // The one that polls gives way to everybody.
    let pid = panel.detail(2).pid.to_string();
    proc::run(Command::new("renice").args(["-n", "19", "-p", &pid]), LIMIT).success();
    let mut hogs: Vec<Proc> = (0..2)
        .map(|_| {
            let mut command = machine::on_cpu(cpu(0), "sh");
            command.args(["-c", "while :; do :; done"]);
            Proc::spawn("a hog", &mut command)
        })
        .collect();
    let rests = || panel.detail(1).workers[0].rests;
    let before = rests();
    // Twenty rests of 200 ms.
    wait_until("it to rest", LIMIT, || {
        for id in [1, 2] {
            let worker = &panel.detail(id).workers[0];
            assert_eq!(worker.stuck_ms, None, "nfv {id}: {worker:?}");
        }
        rests() > before + 20
    });
    for hog in &mut hogs {
        hog.kill();
    }
    wait_until("it to answer", LIMIT, || status(&panel, 2).0 == "ok");
    panel.finish();
}

#[test]
fn a_primary_that_is_not_told_to_restart_kills_nobody() {
    let panel = small().nfv_on(2, cpu(0)).start();
    launch(&panel, 1, "never", &[]);
    launch(&panel, 4, "always", &[("--hang-limit", "1")]);
    panel.ok("pri unlaunch 4");
    carry(&panel, 1, 0, 1);
    carry(&panel, 2, 2, 3);
    let pid = launched(&panel, 1).pid;
    let released = launched(&panel, 4).pid;
    for pid in [pid, released] {
        signal(pid, "-STOP");
    }
    wait_until("it to be seen", LIMIT, || {
        status(&panel, 1).0 == "not responding"
    });
    // Longer than those that are supervised may hang by default.
    assert_whole(&Load::start(&panel, 10, 2, 3, "--seconds 12").wait());
    for (id, pid) in [(1, pid), (4, released)] {
        let now = launched(&panel, id);
        assert_eq!((now.state.as_str(), now.pid), ("running", pid), "{now:?}");
        signal(pid, "-CONT");
    }
    panel.ok("nfv 4 exit");
    let load = Load::start(&panel, 9, 0, 1, "");
    wait_carries(&panel, 1, "ring:0");
    assert_whole(&load.end());
    panel.ok("nfv 1 exit");
    panel.finish();
}

#[test]
fn a_heap_that_is_locked_is_said_and_nobody_waits_for_it() {
    let mut panel = small().nfv(1).start();
    let heap = |panel: &Panel| panel.detail(0).heap;
    assert!(heap(&panel).is_some_and(|heap| heap.free > 0));
    // Who asks for the heap waits, as it would for a lock whose holder is dead.
    let held = Held::thread(panel.primary().pid(), "spp-heap");
    panel
        .primary()
        .wait_output("DPDK's heap has been locked", LIMIT);
    assert_eq!(heap(&panel), None);
    panel.ok("pri status");
    carry(&panel, 1, 0, 1);
    drop(held);
    panel.primary().wait_output("heap answers again", LIMIT);
    assert!(heap(&panel).is_some());
    panel.finish();
}
