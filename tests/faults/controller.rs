//! The controller and the primary as victims: workers do not need them.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testbed::machine::{self, cpu};
use testbed::{Panel, Proc, http, proc, wait_for, wait_until};

use crate::held::Held;
use crate::load::{Load, assert_whole};
use crate::{LIMIT, carry, small, status, wait_carries};

/// The process id of the panel's controller.
fn controller(panel: &Panel) -> String {
    let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm"));
    let found = wait_for("a controller to run", LIMIT, || {
        let all = proc::marked(panel.prefix());
        all.into_iter()
            .find(|pid| name(pid).is_ok_and(|name| name.trim() == "spp-ctl"))
    });
    found.to_string()
}

fn kill(signal: &str, pid: &str) {
    proc::run(Command::new("kill").args([signal, pid]), LIMIT).success();
}

#[test]
fn a_killed_controller_is_back_with_everything_and_nobody_loses_a_packet() {
    let panel = small().nfv_on(1, cpu(0)).nfv_on(2, cpu(1)).start();
    carry(&panel, 1, 0, 1);
    carry(&panel, 2, 2, 3);
    let before = panel.shape();
    let loads = [
        Load::start(&panel, 9, 0, 1, ""),
        Load::start(&panel, 10, 2, 3, ""),
    ];
    let mut times = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        kill("-KILL", &controller(&panel));
        let ask = |path: &str| http::request(panel.rest(), "GET", path, &[], "", LIMIT).ok();
        wait_until("everything to be found again", LIMIT, || {
            let desired = ask("/v1/differences").map(|answer| answer.body);
            let mine =
                desired.and_then(|body| serde_json::from_str::<serde_json::Value>(&body).ok());
            let all = mine.as_ref().and_then(|all| all.as_array());
            all.is_some_and(|all| {
                ["nfv:1", "nfv:2"].iter().all(|name| {
                    all.iter()
                        .any(|one| one["process"] == *name && one["status"] == "as desired")
                })
            })
        });
        times.push(begin.elapsed());
        wait_until("the primary to be back", LIMIT, || {
            status(&panel, 0).0 == "ok"
        });
    }
    println!("everything is found again after {times:?}");
    assert!(times.iter().min().expect("three") < &Duration::from_secs(2));
    // The loads hold rings, too.
    let same = |panel: &Panel| {
        let now = panel.shape();
        before
            .iter()
            .filter(|line| !line.starts_with("ring:"))
            .all(|line| now.contains(line))
    };
    assert!(same(&panel), "{before:?} became {:?}", panel.shape());
    panel.ok("nfv 1 add nullpmd:1");
    let [first, second] = loads.map(|load| assert_whole(&load.end()));
    println!("{first} and {second} sent and received");
    panel.finish();
}

#[test]
fn a_stopped_controller_stops_no_packet() {
    let panel = small().nfv_on(1, cpu(0)).start();
    carry(&panel, 1, 0, 1);
    let pid = controller(&panel);
    kill("-STOP", &pid);
    let sent = assert_whole(&Load::start(&panel, 9, 0, 1, "--seconds 3").wait());
    println!("{sent} sent and received while the controller stood still");
    kill("-CONT", &pid);
    panel.ok("nfv 1 patch ring:0 ring:2");
    assert_whole(&Load::start(&panel, 9, 0, 2, "--count 100").wait());
    panel.finish();
}

#[test]
fn a_disk_and_a_process_that_hang_keep_nobody_waiting_for_both() {
    let mut panel = small().nfv_on(1, cpu(0)).start();
    let worker = panel.nfv(1).pid().to_string();
    let thread = controller(&panel).parse().expect("a process id");
    let refused = |line: &str| {
        let begin = Instant::now();
        let told = panel.refused(line);
        println!("{:?}: {told}", begin.elapsed());
        (told, begin.elapsed())
    };
    let disk = Held::thread(thread, "spp-journal");
    let (told, took) = refused("nfv 1 add nullpmd:1");
    assert!(told.contains("the disk has not answered for 5 s"), "{told}");
    assert!(took < Duration::from_secs(7), "{took:?}");
    drop(disk);
    assert!(panel.detail(1).ports.is_empty(), "nothing is changed");

    // It answers so late that a whole limit for the process would be more than the caller has.
    let disk = Held::thread(thread, "spp-journal");
    let (told, took) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| refused("nfv 1 add nullpmd:1"));
        sleep(Duration::from_secs(4));
        kill("-STOP", &worker);
        drop(disk);
        asked.join().expect("a refusal")
    });
    assert!(told.contains("did not answer within 2.5s"), "{told}");
    assert!(took < Duration::from_millis(8500), "{took:?}");
    kill("-CONT", &worker);
    // It took the command, and is found to have.
    panel.ok("nfv 1 patch nullpmd:1 ring:1");
    panel.finish();
}

#[test]
fn when_the_primary_is_killed_the_others_go_on_and_it_is_said() {
    let mut panel = small().nfv_on(1, cpu(0)).nfv_on(2, cpu(1)).start();
    carry(&panel, 1, 0, 1);
    carry(&panel, 2, 1, 2);
    let load = Load::start(&panel, 9, 0, 2, "");
    let mut command = panel.command(Command::new(machine::bin("spp")));
    command.args(["-b", &panel.rest().to_string(), "watch"]);
    let mut events = Proc::spawn("spp watch", &mut command);
    events.wait_output("following ", LIMIT);
    wait_carries(&panel, 2, "ring:1");

    let begin = Instant::now();
    panel.kill_primary();
    println!("gone after {:?}", begin.elapsed());
    events.wait_output("primary   process-left    closed its connection", LIMIT);
    println!("told after {:?}", begin.elapsed());
    let (said, since) = status(&panel, 0);
    assert_eq!(said, "gone");
    assert!(since.is_some_and(|since| since.ends_with('Z')));
    let shown = panel.ok("status");
    assert!(
        shown.contains("- primary:\n  - status: not running"),
        "{shown}"
    );
    let before = panel.patch(2, "ring:1").counters.tx_packets;
    wait_until("two thousand more packets", LIMIT, || {
        panel.patch(2, "ring:1").counters.tx_packets > before + 2000
    });
    // Patches can still be changed.
    panel.ok("nfv 1 add nullpmd:1");
    let sent = assert_whole(&load.end());
    println!("{sent} sent and received");
    events.terminate(LIMIT);
    panel.finish();
}
