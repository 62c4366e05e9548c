//! spp-traffic against a real panel: what it counts is what happened.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::time::Duration;

use testbed::{Panel, Proc, machine, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn panel() -> Panel {
    Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv_on(1, machine::cpu(0))
        .start()
}

fn traffic(panel: &Panel, args: &str) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--json"]);
    command.args(args.split_whitespace());
    Proc::spawn("spp-traffic", &mut command)
}

fn report(traffic: &mut Proc) -> serde_json::Value {
    traffic.wait_exit(LIMIT);
    let output = traffic.output();
    let line = output.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no report: {output}"))).expect("JSON")
}

#[test]
fn every_frame_of_every_size_and_flow_arrives_once_and_in_order() {
    let panel = panel();
    panel.ok("nfv 1 patch ring:0 ring:1");
    for (size, flows) in [(60, 1), (1518, 7), (9600, 16)] {
        let line = format!(
            "--sec-id 9 --tx ring:0 --rx ring:1 --count 20000 --rate 50000 --size {size} --flows {flows}"
        );
        let mut run = traffic(&panel, &line);
        let report = report(&mut run);
        // What a ring had no room for, on a machine that is busy elsewhere, is counted as such.
        let dropped = panel.dropped();
        panel.ok("nfv 1 clear");
        assert_eq!(report["sent"], 20_000, "{report}");
        assert_eq!(report["lost"], dropped, "{report}");
        assert_eq!(report["received"], 20_000 - dropped, "{report}");
        for fault in ["duplicated", "reordered", "bad", "unplaced", "foreign"] {
            assert_eq!(report[fault], 0, "{report}");
        }
        assert_eq!(
            report["flows"].as_array().map(Vec::len),
            Some(flows),
            "{report}"
        );
        let good = run.wait_exit(LIMIT).success();
        assert_eq!(good, dropped == 0);
    }
}

#[test]
fn what_a_full_ring_refuses_is_not_sent_and_its_numbers_come_again() {
    let panel = panel();
    // Nobody takes anything out yet: 1,023 fit.
    let mut run = traffic(
        &panel,
        "--sec-id 9 --tx ring:2 --rx ring:3 --count 5000 --patience 10",
    );
    wait_until("the ring to be full", LIMIT, || panel.in_rings() == 1023);
    panel.ok("nfv 1 patch ring:2 ring:3");
    let report = report(&mut run);
    let dropped = panel.dropped();
    assert_eq!(report["sent"], 5000, "{report}");
    assert!(
        report["refused"].as_u64().is_some_and(|n| n > 0),
        "{report}"
    );
    assert_eq!(report["lost"], dropped, "{report}");
    assert_eq!(report["duplicated"], 0, "{report}");
    assert_eq!(report["reordered"], 0, "{report}");
}

#[test]
fn the_ends_it_uses_are_claimed_and_claimed_ends_are_refused() {
    let panel = panel();
    let mut run = traffic(&panel, "--sec-id 9 --tx ring:0 --rx ring:1");
    wait_until("the ends to be claimed", LIMIT, || {
        let rings = panel.detail(0).rings;
        rings[0].producer == "traffic:9" && rings[1].consumer == "traffic:9"
    });
    let refused = panel.refused("nfv 1 patch ring:1 ring:2");
    assert!(refused.contains("traffic:9"), "{refused}");
    panel.ok("nfv 1 patch ring:0 ring:1");
    let mut second = traffic(&panel, "--sec-id 8 --rx ring:0");
    assert!(!second.wait_exit(LIMIT).success());
    let words = second.output();
    assert!(words.contains("nfv:1"), "{words}");
    let mut same = traffic(&panel, "--sec-id 9 --rx ring:5");
    assert!(!same.wait_exit(LIMIT).success());
    assert!(same.output().contains("traffic:9"), "{}", same.output());
    // Told to end, it waits for what is on its way.
    run.terminate(LIMIT);
    let report = report(&mut run);
    assert_eq!(report["lost"], panel.dropped(), "{report}");
    wait_until("the ends to be free", LIMIT, || {
        panel
            .detail(0)
            .rings
            .iter()
            .all(|ring| ring.name != "ring:1" || ring.consumer.is_empty())
    });
}

#[test]
fn bad_command_lines_are_refused_with_the_reason() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .start();
    for (args, reason) in [
        ("--sec-id 9", "--rx"),
        ("--sec-id 0 --tx ring:0", "1..=127"),
        ("--sec-id 9 --tx ring:99", "ring:99"),
        ("--sec-id 9 --tx nonsense", "nonsense"),
        ("--sec-id 9 --tx ring:0 --size 59", "60"),
        ("--sec-id 9 --tx ring:0 --flows 0", "0 flows"),
        ("--sec-id 9 --tx ring:0 --seconds=-1", "--seconds"),
        ("--sec-id 9 --tx ring:0 --lcores 0,1", "one CPU"),
    ] {
        let mut run = traffic(&panel, args);
        assert!(!run.wait_exit(LIMIT).success(), "{args}");
        assert!(run.output().contains(reason), "{args}: {}", run.output());
    }
    assert_eq!(panel.in_rings(), 0);
}
