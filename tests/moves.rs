//! A patch that is moved under load: nothing is lost uncounted, nothing doubled, nothing overtakes.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::time::Duration;

use testbed::http::Connection;
use testbed::{Panel, Proc, Random, machine, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const MOVES: usize = 1000;

fn traffic(panel: &Panel, id: u32, args: &str) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--json"]);
    command.args(["--sec-id", &id.to_string()]);
    command.args(args.split_whitespace());
    Proc::spawn(&format!("spp-traffic {id}"), &mut command)
}

/// Ends a run and gives what it counted.
fn report(run: &mut Proc) -> serde_json::Value {
    run.terminate(LIMIT);
    let output = run.output();
    let line = output.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no report: {output}"))).expect("JSON")
}

fn number(report: &serde_json::Value, name: &str) -> u64 {
    report[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// No frame came twice, behind a later one, damaged, or from elsewhere.
fn assert_in_order(report: &serde_json::Value) {
    for fault in ["duplicated", "reordered", "bad", "unplaced", "foreign"] {
        assert_eq!(number(report, fault), 0, "{fault}: {report}");
    }
    assert_eq!(report["alien"], false, "{report}");
}

/// A panel with rings that hold 40 ms of the load, and a worker on each of two CPUs.
fn panel(cpus: [u32; 2]) -> Panel {
    Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8", "--ring-size", "4096"])
        .pages(128)
        .nfv_args(1, ["--lcores", &format!("{},{}", cpus[0], cpus[1])])
        .start()
}

fn load_flows(panel: &Panel, port: &str) {
    wait_until("the load to flow", LIMIT, || {
        let detail = panel.detail(1);
        let port = detail.ports.iter().find(|found| found.name == port);
        port.is_some_and(|port| port.counters.rx_packets > 100)
    });
}

/// Frames that `port` of nfv 1 refused, all for lack of room.
fn refused(panel: &Panel, port: &str) -> u64 {
    let detail = panel.detail(1);
    let port = detail.ports.iter().find(|found| found.name == port);
    let drops = port.unwrap_or_else(|| panic!("no {port:?}")).counters.drops;
    assert_eq!(drops.total(), drops.full, "{drops:?}");
    drops.full
}

#[test]
fn a_patch_moved_a_thousand_times_under_load_loses_doubles_and_reorders_nothing() {
    let cpus = [machine::cpu(0), machine::cpu(1)];
    assert_ne!(cpus[0], cpus[1], "two CPUs are needed");
    let panel = panel(cpus);
    panel.ok("nfv 1 patch ring:0 ring:1");
    panel.ok("nfv 1 patch ring:3 ring:4");
    panel.ok("nfv 1 add ring:2");
    // Two checkers, one at each destination: each has to see its part of the flows in order, and their
    // parts together have to be what was sent.
    let mut other = traffic(&panel, 8, "--rx ring:2 --allow-loss");
    let mut load = traffic(
        &panel,
        9,
        "--tx ring:0 --rx ring:1 --rate 100000 --allow-loss",
    );
    // And a patch that nobody touches.
    let mut beside = traffic(
        &panel,
        7,
        "--tx ring:3 --rx ring:4 --rate 50000 --allow-loss",
    );
    wait_until("the other checker to be there", LIMIT, || {
        panel.detail(0).rings[2].consumer == "traffic:8"
    });
    load_flows(&panel, "ring:0");
    load_flows(&panel, "ring:3");

    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let mut random = Random(0x5eed);
    let mut moved = [0; 4];
    let mut at = 0;
    for _ in 0..MOVES {
        // To another place than it is at: two destinations, two workers.
        at = (at + 1 + random.below(3)) % 4;
        moved[at] += 1;
        let (ring, cpu) = ([1, 2][at / 2], cpus[at % 2]);
        let body = format!(r#"{{"src":"ring:0","dst":"ring:{ring}","lcore":{cpu}}}"#);
        let answer = rest
            .request("PUT", "/v1/nfvs/1/patches", &body)
            .expect("an answer");
        assert_eq!(answer.status, 204, "{body}: {}", answer.body);
    }
    assert!(moved.iter().all(|n| *n > 100), "{moved:?}");
    let patch = &panel.detail(1).patches[0];
    assert_eq!(patch.src, "ring:0");
    assert_eq!(
        (patch.dst.as_str(), patch.cpu),
        (["ring:1", "ring:2"][at / 2], cpus[at % 2])
    );

    // What it sent is counted; what went the other way arrives at the other checker.
    let (load, beside) = (report(&mut load), report(&mut beside));
    wait_until("the rings to be empty", LIMIT, || panel.in_rings() == 0);
    let other = report(&mut other);
    let dropped = refused(&panel, "ring:1") + refused(&panel, "ring:2");
    println!("{MOVES} moves: {load}\n{other}\n{beside}\n{dropped} dropped");
    for report in [&load, &other, &beside] {
        assert_in_order(report);
        assert!(number(report, "received") > 0, "{report}");
    }
    assert_eq!(
        number(&load, "received") + number(&other, "received") + dropped,
        number(&load, "sent"),
        "{load} {other}, {dropped} dropped"
    );
    assert_eq!(
        number(&beside, "lost"),
        refused(&panel, "ring:4"),
        "{beside}"
    );
    panel.finish();
}

#[test]
fn a_patch_taken_out_and_put_back_under_load_leaves_what_waits_in_the_ring() {
    let cpus = [machine::cpu(0), machine::cpu(1)];
    let panel = panel(cpus);
    panel.ok("nfv 1 patch ring:0 ring:1");
    let mut load = traffic(
        &panel,
        9,
        "--tx ring:0 --rx ring:1 --rate 50000 --patience 30",
    );
    load_flows(&panel, "ring:0");
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    for round in 0..200 {
        let answer = match round % 3 {
            0 => rest.request("DELETE", "/v1/nfvs/1/patches/ring:0", ""),
            1 => rest.request("DELETE", "/v1/nfvs/1/patches", ""),
            // Stops forwarding altogether, patches stay.
            _ => rest.request("PUT", "/v1/nfvs/1/forward", r#"{"action":"stop"}"#),
        }
        .expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.body);
        let answer = match round % 3 {
            2 => rest.request("PUT", "/v1/nfvs/1/forward", r#"{"action":"start"}"#),
            _ => rest.request(
                "PUT",
                "/v1/nfvs/1/patches",
                r#"{"src":"ring:0","dst":"ring:1"}"#,
            ),
        }
        .expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    let load = report(&mut load);
    assert_in_order(&load);
    assert_eq!(number(&load, "lost"), refused(&panel, "ring:1"), "{load}");
    assert!(number(&load, "received") > 0, "{load}");
    panel.finish();
}
