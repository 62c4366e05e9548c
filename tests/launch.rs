//! What the primary launches: seen, reaped, started again, and left alone when it should be.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "common/fake.rs"]
mod fake;
#[path = "common/hand.rs"]
mod hand;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fake::{Door, Peer};
use hand::{Hand, LIMIT};
use protocol::detail::LaunchedDetail;
use serde_json::{Value, json};
use testbed::machine::{self, TempDir, cpu};
use testbed::{Panel, Proc, proc, wait_for, wait_until};

fn small() -> testbed::panel::Builder {
    Panel::builder().memory(256)
}

/// The body of a request that launches an nfv of this panel.
fn order(panel: &Panel, id: u32, lcores: &str, restart: &str) -> String {
    json!({
        "client_id": id,
        "proc_name": "spp_nfv",
        "eal": {"--lcores": lcores, "-m": 64, "--no-pci": null, "--file-prefix": panel.prefix(),
                "--proc-type": "secondary"},
        "app": {"-n": id, "-s": panel.control()[1].to_string()},
        "restart": restart,
    })
    .to_string()
}

/// Lcores on which an nfv starts.
fn lcores() -> String {
    format!("0@{},1@{}", cpu(0), cpu(1))
}

#[track_caller]
fn launch(panel: &Panel, id: u32, lcores: &str, restart: &str) {
    let body = order(panel, id, lcores, restart);
    let answer = panel.http("PUT", "/v1/primary/launch", &body);
    assert_eq!(answer.status, 204, "{}", answer.body);
}

/// What the controller says of the launched process `id`.
#[track_caller]
fn launched(panel: &Panel, id: u32) -> Option<LaunchedDetail> {
    let answer = wait_for("the primary to answer", LIMIT, || {
        let answer = panel.http("GET", "/v1/primary/launched", "");
        (answer.status == 200).then_some(answer)
    });
    let all: Vec<LaunchedDetail> = serde_json::from_str(&answer.body).expect("launched processes");
    all.into_iter().find(|process| process.client_id == id)
}

#[track_caller]
fn wait_state(panel: &Panel, id: u32, state: &str, restarts: u64) -> LaunchedDetail {
    let mut last = None;
    let found = testbed::wait::poll(LIMIT, || {
        last = launched(panel, id);
        last.clone()
            .filter(|process| process.state == state && process.restarts >= restarts)
    });
    found.unwrap_or_else(|| panic!("nfv {id} is not {state} ({restarts} restarts): {last:?}"))
}

#[track_caller]
fn signal(pid: Option<u32>, signal: &str) {
    let pid = pid.expect("a process id").to_string();
    proc::run(Command::new("kill").args([signal, &pid]), LIMIT).success();
}

/// Waits until nfv `id` answers, and gives its incarnation.
#[track_caller]
fn incarnation(panel: &Panel, id: u32) -> String {
    panel.ok(&format!("wait nfv {id}"));
    panel.detail(id).incarnation
}

#[test]
fn a_process_that_was_killed_is_started_again_until_it_is_told_to_exit() {
    let panel = small().start();
    assert!(!panel.ok("pri status").contains("- launched:"));
    launch(&panel, 5, &lcores(), "on-failure");
    let first = incarnation(&panel, 5);
    let running = launched(&panel, 5).expect("it is listed");
    assert_eq!((running.state.as_str(), running.exit), ("running", None));
    assert_eq!(
        (running.restart.as_str(), running.restarts),
        ("on-failure", 0)
    );

    signal(running.pid, "-KILL");
    let again = wait_state(&panel, 5, "running", 1);
    assert_eq!(again.exit.as_deref(), Some("killed by signal 9 (SIGKILL)"));
    assert_ne!(again.pid, running.pid);
    wait_until("another incarnation", LIMIT, || {
        incarnation(&panel, 5) != first
    });
    assert!(panel.ok("pri status").contains("- launched:\n"));

    // Its end by the command is not a failure.
    panel.ok("nfv 5 exit");
    let ended = wait_state(&panel, 5, "exited", 1);
    assert_eq!(ended.exit.as_deref(), Some("exit status 0"));
    assert!(ended.last_words.is_empty());
}

#[test]
fn what_the_primarys_command_line_names_is_launched_and_supervised() {
    let panel = small()
        .primary_args(["--launch", "nfv 4 --restart on-failure --hang-limit 0"])
        .start();
    let first = incarnation(&panel, 4);
    signal(launched(&panel, 4).expect("it is listed").pid, "-KILL");
    wait_state(&panel, 4, "running", 1);
    wait_until("another run", LIMIT, || incarnation(&panel, 4) != first);
    // It would outlive its primary.
    panel.ok("nfv 4 exit");
    panel.finish();
}

#[test]
fn always_means_any_end_but_one_by_command() {
    let panel = small().start();
    launch(&panel, 6, &lcores(), "always");
    incarnation(&panel, 6);
    signal(launched(&panel, 6).expect("it is listed").pid, "-TERM");
    let again = wait_state(&panel, 6, "running", 1);
    assert_eq!(again.exit.as_deref(), Some("exit status 0"));
    incarnation(&panel, 6);
    // By command: it is seen to have ended, and at that moment is not to start again.
    panel.ok("nfv 6 exit");
    let ended = wait_for("its end to be seen", LIMIT, || {
        launched(&panel, 6).filter(|process| process.state != "running")
    });
    assert_eq!((ended.state.as_str(), ended.restarts), ("exited", 1));
    // The id is free again, with another policy.
    launch(&panel, 6, &lcores(), "never");
    incarnation(&panel, 6);
    let told = panel.http(
        "PUT",
        "/v1/primary/launch",
        &order(&panel, 6, "0@0", "never"),
    );
    assert!(told.body.contains("runs as process"), "{}", told.body);
    signal(launched(&panel, 6).expect("it is listed").pid, "-KILL");
    let ended = wait_state(&panel, 6, "exited", 0);
    assert_eq!(ended.exit.as_deref(), Some("killed by signal 9 (SIGKILL)"));
    // A killed process leaves its lock files; the panel ends all the same.
    panel.finish();
}

#[test]
fn what_keeps_failing_is_tried_less_and_less_often_until_it_is_given_up() {
    let panel = small().start();
    let begin = Instant::now();
    launch(&panel, 7, "0@4000", "on-failure");
    let failing = wait_state(&panel, 7, "restarting", 3);
    // At once, then after a second, then after two.
    assert!(
        begin.elapsed() >= Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(failing.exit.as_deref(), Some("exit status 2"));
    assert!(
        failing.last_words.join("\n").contains("4000"),
        "{failing:?}"
    );
    let shown = panel.ok("pri status");
    assert!(shown.contains("- last words of nfv:7:"), "{shown}");
    let told = panel.ok("pri unlaunch 7");
    assert!(told.contains("Process 7 is not started again"), "{told}");
    assert_eq!(launched(&panel, 7), None);
    assert!(!panel.ok("pri status").contains("- launched:"));
    let told = panel.refused("pri unlaunch 7");
    assert!(
        told.contains("no process with the id 7 was launched"),
        "{told}"
    );
}

#[test]
fn what_cannot_start_is_seen_at_once_with_its_words() {
    let panel = small().nfv(1).start();
    // An lcore that does not exist, several times: the machine may be busy at one of them.
    let fastest = (0..5).map(|_| {
        let begin = Instant::now();
        launch(&panel, 8, "0@4000", "never");
        let failed = wait_state(&panel, 8, "exited", 0);
        assert!(failed.last_words.join("\n").contains("4000"), "{failed:?}");
        begin.elapsed()
    });
    let fastest = fastest.min().expect("five");
    println!("seen after {fastest:?}");
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");

    // The id of a living process that was not launched.
    launch(&panel, 1, &lcores(), "never");
    let failed = wait_state(&panel, 1, "exited", 0);
    assert_eq!(failed.exit.as_deref(), Some("exit status 1"));
    assert!(failed.last_words.join("\n").contains("nfv:1"), "{failed:?}");
    assert_eq!(panel.detail(1).client_id, 1);

    for (body, words) in [
        (
            order(&panel, 9, "0@0", "sometimes"),
            "invalid key(restart): sometimes",
        ),
        (order(&panel, 128, "0@0", "never"), "1 to 127"),
    ] {
        let told = panel.http("PUT", "/v1/primary/launch", &body);
        assert!(
            told.status >= 400 && told.body.contains(words),
            "{}",
            told.body
        );
    }
    assert_eq!(launched(&panel, 9), None);
}

#[test]
fn a_program_that_is_missing_is_named() {
    // A folder with all programs but one; links to files count as the files.
    let bins = TempDir::new();
    for name in ["spp-primary", "spp-ctl", "spp"] {
        let (from, to) = (machine::bin(name), bins.join(name));
        if std::fs::hard_link(&from, &to).is_err() {
            std::fs::copy(&from, &to).expect("copied");
        }
    }
    let panel = small().bin_dir(bins.path()).start();
    let told = panel.http(
        "PUT",
        "/v1/primary/launch",
        &order(&panel, 3, &lcores(), "always"),
    );
    assert_eq!(told.status, 400, "{}", told.body);
    assert!(
        told.body.contains("spp-nfv does not exist"),
        "{}",
        told.body
    );
    let failed = launched(&panel, 3).expect("it is listed");
    assert_eq!((failed.state.as_str(), failed.pid), ("exited", None));
    assert_eq!(failed.exit.as_deref(), Some("not started"));
    assert!(
        failed.last_words[0].contains("spp-nfv does not exist"),
        "{failed:?}"
    );
    panel.finish();
}

#[test]
fn a_log_is_not_written_through_a_link() {
    let logs = TempDir::new();
    let target = logs.join("target");
    std::fs::write(&target, "untouched").expect("written");
    std::os::unix::fs::symlink(&target, logs.join("spp_nfv-4.log")).expect("a link");
    let folder = logs.path().display().to_string();
    let panel = small().primary_args(["--log-dir", &folder]).start();
    let told = panel.http(
        "PUT",
        "/v1/primary/launch",
        &order(&panel, 4, "0@4000", "never"),
    );
    assert!(told.body.contains("spp_nfv-4.log"), "{}", told.body);
    assert_eq!(
        std::fs::read_to_string(&target).expect("it is there"),
        "untouched"
    );
    // Beside it all is well.
    launch(&panel, 5, "0@4000", "never");
    let failed = wait_state(&panel, 5, "exited", 0);
    assert_eq!(Path::new(&failed.log), logs.join("spp_nfv-5.log"));
    assert!(
        std::fs::read_to_string(&failed.log)
            .expect("a log")
            .contains("4000")
    );
    panel.finish();
}

/// A primary whose controller we are, in lines.
fn primary(hand: &Hand) -> (Proc, Peer) {
    let door = Door::open(hand.ports[0]);
    let line = format!(
        "-l {} -n 4 -m 256 --file-prefix {} --no-pci --vdev net_null0 -- -p 1 -n 8 -s 127.0.0.1:{}",
        cpu(0),
        hand.prefix,
        hand.ports[0]
    );
    let proc = hand.start("spp-primary", &line);
    let mut peer = door.accept();
    peer.lines();
    (proc, peer)
}

fn detail(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.ask_line(b"_detail")).expect("details")
}

/// Children of a process that ended and were not reaped.
fn zombies(parent: u32) -> Vec<String> {
    let stats = std::fs::read_dir("/proc").expect("/proc").flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let is_one = |stat: &String| {
        let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut words = after.split(' ');
        words.next() == Some("Z") && words.next() == Some(&parent.to_string())
    };
    stats.filter(is_one).collect()
}

#[test]
fn two_hundred_failed_launches_leave_no_zombie_and_no_descriptor() {
    let hand = Hand::new();
    let (mut proc, mut peer) = primary(&hand);
    let done = r#"{"result":"succeeded","command":"launch"}"#;
    let descriptors = |pid: u32| {
        let all = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        all.count()
    };
    let fail = |peer: &mut Peer, round: u32| {
        let id = 1 + round % 100;
        let command = format!("launch {id} spp_nfv --bogus-{round}");
        assert_eq!(peer.ask_line(command.as_bytes()), done);
        wait_until("its end to be seen", LIMIT, || {
            let detail = detail(peer);
            let all = detail["launched"].as_array().expect("launched processes");
            let one = all
                .iter()
                .find(|one| one["client-id"] == id)
                .expect("listed");
            one["state"] == "exited" && {
                assert_eq!(one["exit"], "exit status 2", "{one}");
                let words = one["last-words"].to_string();
                assert!(words.contains(&format!("bogus-{round}")), "{one}");
                true
            }
        });
    };
    fail(&mut peer, 0);
    let before = descriptors(proc.pid());
    for round in 1..=200 {
        fail(&mut peer, round);
    }
    assert_eq!(zombies(proc.pid()), Vec::<String>::new());
    wait_until("descriptors to be closed", LIMIT, || {
        descriptors(proc.pid()) <= before
    });
    let all = detail(&mut peer)["launched"].as_array().map(Vec::len);
    assert_eq!(all, Some(100));
    peer.ask_line(b"exit");
    assert!(proc.wait_exit(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn launched_processes_outlive_their_primary() {
    for killed in [true, false] {
        let hand = Hand::new();
        let (mut primary, mut peer) = primary(&hand);
        let door = Door::open(hand.ports[1]);
        let command = format!(
            "launch 5 spp_nfv --lcores {} -m 64 --proc-type secondary -- -n 5 -s 127.0.0.1:{} --restart always",
            lcores(),
            hand.ports[1]
        );
        let reply = peer.ask_line(command.as_bytes());
        assert!(reply.contains("succeeded"), "{reply}");
        let mut nfv = door.accept();
        nfv.lines();
        for command in ["add nullpmd:0", "patch nullpmd:0 nullpmd:0", "forward"] {
            let reply = nfv.ask_line(command.as_bytes());
            assert!(reply.contains("succeeded"), "{reply}");
        }
        if killed {
            primary.kill();
        } else {
            peer.ask_line(b"exit");
            assert!(primary.wait_exit(LIMIT).success());
            let said = primary.output();
            assert!(said.contains("1 launched processes stay"), "{said}");
        }
        let packets = |nfv: &mut Peer| detail(nfv)["patches"][0]["tx-packets"].as_u64();
        let now = packets(&mut nfv);
        assert!(now.is_some());
        wait_until("packets after the primary's end", LIMIT, || {
            packets(&mut nfv) > now
        });
        assert!(nfv.ask_line(b"exit").contains("succeeded"));
        wait_until("its end", LIMIT, || proc::marked(&hand.prefix).is_empty());
        if !killed {
            hand.wait_nothing_left();
        }
    }
}
