//! Patches that hold packets back, in a running panel: what is asked for happens and is shown, and no death costs more than
//! what was on the way.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Panel, machine, proc, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// An nfv between two rings.
fn panel() -> Panel {
    Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8", "--ring-size", "4096"])
        .pages(128)
        .nfv_on(1, machine::cpu(0))
        .start()
}

/// Sends through ring:0 and takes what comes out of ring:1.
fn traffic(panel: &Panel, words: &str) -> Value {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--json", "--sec-id", "9"]);
    command.args("--tx ring:0 --rx ring:1 --patience 2 --allow-loss".split_whitespace());
    command.args(words.split_whitespace());
    // Copies and wrong bits, and nothing that arrives, are failures to it.
    let output = proc::run(&mut command, LIMIT).output;
    let line = output.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no document: {output}")))
        .expect("a document")
}

#[test]
fn a_patch_becomes_a_link_with_a_character() {
    let panel = panel();
    panel.ok("nfv 1 patch ring:0 ring:1 with delay 20ms jitter 2ms");
    let run = traffic(&panel, "--count 2000 --rate 20000");
    assert_eq!(
        (&run["received"], &run["reordered"]),
        (&json!(2000), &json!(0)),
        "{run}"
    );
    assert!(run["age"]["least_ns"].as_u64() >= Some(18_000_000), "{run}");
    // Even on a busy machine the mean is no multiple of it.
    assert!(run["age"]["p50_ns"].as_u64() < Some(60_000_000), "{run}");

    // What is lost is counted, and the same with the same seed.
    let mut lost = Vec::new();
    for seed in [7, 7, 8] {
        panel.ok("nfv 1 patch ring:0 ring:1");
        panel.ok("nfv 1 clear");
        panel.ok(&format!(
            "nfv 1 patch ring:0 ring:1 with loss 5% seed {seed}"
        ));
        let run = traffic(&panel, "--count 10000 --rate 100000");
        let patch = panel.patch(1, "ring:0");
        assert_eq!(
            run["lost"].as_u64(),
            Some(patch.counters.drops.lost),
            "{run} {patch:?}"
        );
        assert_eq!(
            patch.counters.drops.total(),
            patch.counters.drops.lost,
            "{patch:?}"
        );
        assert!((400..600).contains(&patch.counters.drops.lost), "{patch:?}");
        lost.push(patch.counters.drops.lost);
    }
    assert_eq!(lost[0], lost[1], "{lost:?}");

    panel.ok("nfv 1 patch ring:0 ring:1 with duplicate 10% corrupt 1% seed 3");
    let run = traffic(&panel, "--count 10000 --rate 100000");
    let link = panel.patch(1, "ring:0").impaired.expect("it is shown");
    let seen = run["duplicated"].as_u64().unwrap_or(0) + run["bad"].as_u64().unwrap_or(0);
    assert!(link.duplicated > 800 && link.corrupted > 50, "{link:?}");
    // A packet can be both, and a bit outside of the mark can turn a packet into a foreign one.
    assert!(seen > 800, "{run} {link:?}");

    // 1000 frames of 64 bytes take 0.512 s at 1 Mbit/s.
    panel.ok("nfv 1 patch ring:0 ring:1 with rate 1Mbit/s");
    let run = traffic(&panel, "--count 1000 --rate 100000 --size 64");
    assert_eq!(run["received"], 1000, "{run}");
    let took = run["received_seconds"].as_f64().expect("a time");
    assert!(took > 0.511, "{run}");
    panel.finish();
}

#[test]
fn what_is_asked_for_is_shown_everywhere_and_comes_back() {
    let mut panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(128)
        .keeps_state()
        .nfv(1)
        .start();
    let wanted = "delay 50ms loss 0.1% rate 10Mbit/s limit 100 seed 7";
    let said = panel.ok(&format!("nfv 1 patch ring:0 ring:1 with {wanted}"));
    assert!(said.contains(wanted), "{said}");
    let body = r#"{"src": "ring:2", "dst": "ring:3", "with": {"delay": "1.5ms", "corrupt": "1%"}}"#;
    assert_eq!(panel.http("PUT", "/v1/nfvs/1/patches", body).status, 204);
    let shown = |panel: &Panel| {
        let status: Value =
            serde_json::from_str(&panel.http("GET", "/v1/nfvs/1", "").body).expect("JSON");
        status["patches"].clone()
    };
    let both = json!([
        {"src": "ring:0", "dst": "ring:1", "with": {"delay": "50ms", "loss": "0.1%", "rate": "10Mbit/s", "limit": 100, "seed": 7}},
        {"src": "ring:2", "dst": "ring:3", "with": {"delay": "1500us", "corrupt": "1%"}},
    ]);
    assert_eq!(shown(&panel), both);
    let status = panel.ok("nfv 1 status");
    assert!(status.contains(&format!("with {wanted}")), "{status}");

    // What is wrong is refused, and nothing changes.
    for (words, why) in [
        ("with", "is to be followed by"),
        ("with delay", "delay has no value"),
        (
            "with delay 5",
            "delay '5': write a number with ns, us, ms or s",
        ),
        ("with dealy 5ms", "'dealy' is nothing that a patch can have"),
        (
            "with delay 1ms jitter 2ms",
            "jitter 2ms is more than the delay of 1ms",
        ),
        ("with limit 1000000", "half of its pool"),
    ] {
        let refused = panel.refused(&format!("nfv 1 patch ring:0 ring:1 {words}"));
        assert!(refused.contains(why), "{words}: {refused}");
    }
    for with in [
        r#""delay 5ms""#,
        r#"{"delay": 5}"#,
        "{}",
        r#"{"loss": "2"}"#,
        "[]",
    ] {
        let body = format!(r#"{{"src": "ring:0", "dst": "ring:1", "with": {with}}}"#);
        let answer = panel.http("PUT", "/v1/nfvs/1/patches", &body);
        assert_eq!(answer.status, 400, "{with}: {}", answer.body);
    }
    assert_eq!(shown(&panel), both);
    let status = panel.ok("nfv 1 patch ring:4 ring:5 with delay 100ms rate 1Gbit/s");
    assert!(status.contains("1Gbit/s"), "{status}");
    let warned = panel.ok("nfv 1 status");
    assert!(warned.contains("choose limit 8258"), "{warned}");
    panel.ok("nfv 1 unpatch ring:4");

    panel.kill_nfv(1);
    panel.start_nfv(1);
    wait_until("its patches to come back", LIMIT, || shown(&panel) == both);
    // A patch without it is one again.
    panel.ok("nfv 1 patch ring:2 ring:3");
    assert_eq!(shown(&panel)[1], json!({"src": "ring:2", "dst": "ring:3"}));
    panel.finish();
}

#[test]
fn a_killed_worker_leaves_nothing_of_what_it_held() {
    let mut panel = panel();
    let size = panel.detail(0).pools[0].size;
    panel.ok("nfv 1 patch ring:0 ring:1 with delay 60s limit 3000");
    let run = traffic(&panel, "--count 2000 --rate 100000");
    assert_eq!(
        (&run["sent"], &run["received"]),
        (&json!(2000), &json!(0)),
        "{run}"
    );
    wait_until("them to be held", LIMIT, || {
        panel
            .patch(1, "ring:0")
            .impaired
            .is_some_and(|link| link.held == 2000)
    });
    panel.kill_nfv(1);
    let pool = wait_for("all mbufs to be back", LIMIT, || {
        let pool = panel.detail(0).pools.remove(0);
        (pool.free == size).then_some(pool)
    });
    assert!(pool.recovered >= 2000, "{pool:?}");
    // What it had reserved for that is free, too.
    panel.start_nfv(1);
    panel.ok(&format!(
        "nfv 1 patch ring:0 ring:1 with limit {}",
        size / 2
    ));
    panel.finish();
}
