//! Latencies of a running panel: from process to process, with known delays, switched under load.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::time::{Duration, Instant};

use protocol::probe::Latency;
use testbed::http::Connection;
use testbed::proc::Signal;
use testbed::{Panel, Proc, machine, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// Two processes with a ring between them, and rings that hold what comes in 100 ms.
fn panel() -> Panel {
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8", "--ring-size", "4096"])
        .pages(128)
        .nfv_on(1, machine::cpu(0))
        .nfv_on(2, machine::cpu(1))
        .start();
    panel.ok("nfv 1 patch ring:0 ring:1");
    panel.ok("nfv 2 patch ring:1 ring:2");
    panel
}

fn load(panel: &Panel) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--json", "--sec-id", "9"]);
    command.args("--tx ring:0 --rx ring:2 --rate 20000 --patience 20".split_whitespace());
    Proc::spawn("spp-traffic", &mut command)
}

fn latencies(panel: &Panel) -> Vec<Latency> {
    let answer = panel.http("GET", "/v1/latency", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("latencies")
}

/// The only path that is measured; a process that does not answer in time says nothing of its end.
#[track_caller]
fn path(panel: &Panel, what: &str, holds: impl Fn(&Latency) -> bool) -> Latency {
    let mut last = None;
    wait_until(what, LIMIT, || {
        last = latencies(panel).pop();
        last.as_ref().is_some_and(&holds)
    });
    last.expect("a path")
}

/// The value of a sample of `/metrics`.
fn metric(page: &str, name: &str, labels: &[&str]) -> f64 {
    let found = page.lines().find(|line| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    });
    let line = found.unwrap_or_else(|| panic!("no {name} with {labels:?} in {page}"));
    let (_, value) = line.rsplit_once(' ').expect("a value");
    value.parse().expect("a number")
}

/// Ends the load, of which nothing may be lost, doubled or out of order.
#[track_caller]
fn whole(load: &mut Proc) {
    let status = load.terminate(LIMIT);
    assert!(status.success(), "{}", load.output());
}

#[test]
fn a_path_over_two_processes_is_timed_and_shown_everywhere() {
    const HELD: Duration = Duration::from_millis(50);
    let mut panel = panel();
    let nobody = panel.refused("latency on ring:0 ring:7");
    assert!(
        nobody.contains("no process sends packets to ring:7"),
        "{nobody}"
    );
    assert!(
        panel
            .refused("latency off ring:0 ring:2")
            .contains("no latency")
    );
    assert!(panel.ok("latency").contains("No latency"));

    let mut load = load(&panel);
    let said = panel.ok("latency on ring:0 ring:2 every 10");
    assert_eq!(
        said.trim(),
        "Measure one packet of 10 from ring:0 to ring:2."
    );
    let first = path(&panel, "a hundred samples", |p| p.times.samples > 100);
    assert_eq!(first.from.as_deref(), Some("nfv:1"));
    assert_eq!(first.to.as_deref(), Some("nfv:2"));
    assert_eq!((first.every, first.times.backward), (10, 0));
    assert!(first.times.p50_ns > 0, "{first:?}");

    // A known delay: the second worker stands still for a while, and packets wait in ring:1.
    let before = panel.detail(2).latencies[0].times.clone().expect("times");
    // The counter's frequency is known to a percent.
    let held = HELD.as_nanos() as u64 * 99 / 100;
    let mut second = None;
    wait_until("a delay to be seen", LIMIT, || {
        panel.nfv(2).signal(Signal::STOP);
        let start = Instant::now();
        wait_until("the time to pass", LIMIT, || start.elapsed() >= HELD);
        panel.nfv(2).signal(Signal::CONT);
        // On a busy machine the sender may have stood still as long: then again.
        second = latencies(&panel).pop();
        second.as_ref().is_some_and(|p| p.times.max_ns >= held)
    });
    let second = second.expect("a path");
    let times = &second.times;
    assert!(times.samples > before.samples && times.p50_ns <= times.p90_ns);
    assert!(times.p90_ns <= times.p99_ns && times.p99_ns <= times.p999_ns);
    assert!(times.p999_ns <= times.max_ns, "{times:?}");
    assert!(times.within.is_sorted() && times.within[19] <= times.samples);

    // Now nothing changes any more, and all say the same.
    whole(&mut load);
    let last = path(&panel, "all stamps to be read", |p| {
        p.stamped == p.times.samples
    });
    let sent = panel.patch(1, "ring:0").counters.rx_packets;
    assert!(last.stamped <= sent / 10 + 1, "{last:?} of {sent}");
    let labels = ["process=\"nfv:2\"", "src=\"ring:0\"", "dst=\"ring:2\""];
    let page = panel.http("GET", "/metrics", "").body;
    let count = metric(&page, "spp_latency_seconds_count", &labels);
    assert_eq!(count, last.times.samples as f64);
    let all = [&labels[..], &["le=\"+Inf\""]].concat();
    assert_eq!(metric(&page, "spp_latency_seconds_bucket", &all), count);
    let half = [&labels[..], &["quantile=\"0.5\""]].concat();
    let p50 = metric(&page, "spp_latency_quantile_seconds", &half);
    assert!((p50 * 1e9 - last.times.p50_ns as f64).abs() < 1.0, "{p50}");
    let stamped = ["process=\"nfv:1\"", "src=\"ring:0\"", "dst=\"ring:2\""];
    let stamped = metric(&page, "spp_latency_stamped_packets_total", &stamped);
    assert_eq!(stamped, last.stamped as f64);

    let samples = last.times.samples.to_string();
    for command in [
        "latency",
        "status",
        "nfv 2 status",
        "top --count 1 --interval 0.1",
    ] {
        let text = panel.ok(command);
        let row = text.lines().find(|line| {
            line.contains(&samples) && line.contains("ring:0") && line.contains("ring:2")
        });
        assert!(row.is_some_and(|r| r.contains(" ms")), "{command}: {text}");
    }
    panel.ok("nfv 2 clear");
    assert_eq!(latencies(&panel)[0].times.samples, 0);
    panel.ok("latency off ring:0 ring:2");
    assert_eq!(latencies(&panel), []);
    assert!(panel.detail(1).latencies.is_empty());
    panel.finish();
}

#[test]
fn a_thousand_switches_under_load_lose_and_reorder_nothing() {
    const SWITCHES: u32 = 1000;
    let panel = panel();
    let mut load = load(&panel);
    wait_until("the load to flow", LIMIT, || {
        panel.patch(2, "ring:1").counters.tx_packets > 100
    });
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let mut traced = 0;
    for i in 0..SWITCHES {
        let action = ["on", "off"][i as usize % 2];
        let body = format!(r#"{{"action":"{action}","src":"ring:0","dst":"ring:2","every":7}}"#);
        // On a busy machine a process may not answer the question of who it is in time.
        wait_until("a switch", LIMIT, || {
            let answer = rest
                .request("PUT", "/v1/latency", &body)
                .expect("an answer");
            let done = answer.status == 204;
            assert!(done || answer.body.contains("ring:"), "{}", answer.body);
            done
        });
        if i % 10 == 0 {
            let body = r#"{"src":"ring:1","count":5}"#;
            let answer = rest
                .request("POST", "/v1/processes/2/trace", body)
                .expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.body);
            traced += answer.json()["packets"].as_array().expect("packets").len();
        }
    }
    assert_eq!(traced, 500);
    assert_eq!(latencies(&panel), []);
    whole(&mut load);
    assert_eq!(panel.dropped(), 0);
    panel.finish();
}
