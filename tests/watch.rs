//! Metrics and events of a real panel.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use testbed::proc::{Proc, Signal};
use testbed::{Panel, machine, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

type Samples = BTreeMap<String, f64>;

/// Samples of the page, once every process answered in time. (On a busy machine one may not.)
fn samples(panel: &Panel) -> Samples {
    let mut samples = Samples::new();
    wait_until("all processes to answer in time", LIMIT, || {
        samples = page(panel);
        let responding = |(name, _): &(&String, &f64)| name.starts_with("spp_process_responding");
        samples
            .iter()
            .filter(responding)
            .all(|(_, value)| *value == 1.0)
    });
    samples
}

/// Samples of the page by name and labels, in the older format.
fn page(panel: &Panel) -> Samples {
    let answer = panel.http("GET", "/metrics", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

/// `spp watch`, whose output is waited for.
fn spp_watch(panel: &Panel, words: &[&str]) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp")));
    let address = panel.rest().to_string();
    command.args(["-b", &address]).args(words);
    Proc::spawn("spp watch", &mut command)
}

/// Patches a source of packets through two processes, and waits until packets arrive.
fn carry(panel: &Panel) {
    for line in [
        "nfv 1 add nullpmd:0",
        "nfv 1 add ring:0",
        "nfv 2 add nullpmd:0",
        "nfv 2 add ring:0",
        "nfv 2 patch ring:0 nullpmd:0",
        "nfv 1 patch nullpmd:0 ring:0",
    ] {
        panel.ok(line);
    }
    wait_until("packets to arrive", LIMIT, || {
        panel.port(2, "ring:0").counters.rx_packets > 100_000
    });
}

#[test]
fn metrics_are_what_status_says_and_never_go_backwards() {
    let panel = Panel::builder().memory(256).nfv(1).nfv(2).start();
    carry(&panel);
    let received = r#"spp_port_receive_packets_total{process="nfv:2",port="ring:0"}"#;
    let mut last = samples(&panel);
    let beyond = last[received] + 1_000_000.0;
    wait_until("a million packets", LIMIT, || {
        let now = page(&panel);
        for (name, value) in now.iter().filter(|(name, _)| name.contains("_total")) {
            let before = last.get(name).copied().unwrap_or(0.0);
            assert!(*value >= before, "{name} went from {before} to {value}");
        }
        last.extend(now);
        last[received] > beyond
    });
    for id in 1..=2 {
        panel.ok(&format!("nfv {id} patch reset"));
    }
    // Nothing moves any more: both are the same, to the packet.
    let counters = || {
        let ports = (1..=2).flat_map(|id| panel.detail(id).ports);
        ports.map(|port| port.counters).collect::<Vec<_>>()
    };
    wait_until("the workers to be out of their last bursts", LIMIT, || {
        let before = counters();
        before == counters()
    });
    let now = samples(&panel);
    let mut compared = 0;
    for id in 1..=2 {
        for port in panel.detail(id).ports {
            let name = port.name;
            let sample = |metric: &str| {
                let labels = format!(r#"{{process="nfv:{id}",port="{name}"}}"#);
                now[&format!("{metric}{labels}")]
            };
            let told = port.counters;
            assert_eq!(
                sample("spp_port_receive_packets_total"),
                told.rx_packets as f64
            );
            assert_eq!(sample("spp_port_receive_bytes_total"), told.rx_bytes as f64);
            assert_eq!(
                sample("spp_port_transmit_packets_total"),
                told.tx_packets as f64
            );
            assert_eq!(
                sample("spp_port_transmit_bytes_total"),
                told.tx_bytes as f64
            );
            let labels = format!(r#"{{process="nfv:{id}",port="{name}",reason="full"}}"#);
            let dropped = now[&format!("spp_port_dropped_packets_total{labels}")];
            assert_eq!(dropped, told.drops.full as f64);
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
    let pool = &panel.detail(0).pools[0];
    let size = now[&format!(r#"spp_pool_mbufs{{pool="{}"}}"#, pool.name)];
    assert_eq!(size, f64::from(pool.size));
    assert!(
        now.keys()
            .any(|name| name.starts_with(r#"spp_worker_busy_seconds_total{process="nfv:1""#))
    );
    panel.finish();
}

#[test]
fn events_tell_what_happens_to_a_panel() {
    let mut panel = Panel::builder().memory(256).nfv(1).start();
    let mut watch = spp_watch(&panel, &["watch"]);
    let mut counted = spp_watch(&panel, &["--json", "watch", "--count", "2"]);
    for watcher in [&mut watch, &mut counted] {
        watcher.wait_output("following ", LIMIT);
    }
    panel.ok("nfv 1 add ring:3");
    panel.ok("nfv 1 add vhost:1");
    watch.wait_output("port-added      vhost:1 (link down)", LIMIT);
    assert!(counted.wait_exit(LIMIT).success());
    let text = counted.output();
    let documents = text.lines().filter(|line| line.starts_with('{'));
    assert_eq!(documents.count(), 2, "{text}");
    assert!(
        text.contains(r#""event":"port-added","process":"nfv:1","port":"ring:3""#),
        "{text}"
    );
    panel.ok("nfv 1 patch ring:3 vhost:1");
    watch.wait_output("patch-added     ring:3 -> vhost:1", LIMIT);
    panel.ok("nfv 1 stop");
    watch.wait_output("nfv:1     forward-stopped", LIMIT);
    let at = watch.position();
    panel.nfv(1).signal(Signal::STOP);
    watch.wait_output_from(at, "nfv:1     process-silent", LIMIT);
    panel.nfv(1).signal(Signal::CONT);
    watch.wait_output_from(at, "nfv:1     process-back", LIMIT);
    panel.ok("nfv 1 del ring:3");
    watch.wait_output_from(at, "port-deleted    ring:3", LIMIT);
    panel.kill_nfv(1);
    watch.wait_output_from(at, "nfv:1     process-left    closed its connection", LIMIT);
    panel.start_nfv(1);
    watch.wait_output_from(at, "nfv:1     process-joined  version", LIMIT);
    // Ctrl-C ends it.
    watch.interrupt(LIMIT);
    panel.finish();
}
