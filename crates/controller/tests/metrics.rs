//! `/metrics`, read by the parsers of Prometheus, against played processes.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::*;

const OPEN_METRICS: &str = "Accept: application/openmetrics-text; version=1.0.0\r\n";

const PRIMARY_DETAIL: &str = r#"{"type":"primary","client-id":0,"pid":7,"version":"0.1.0","dpdk":"22.11","incarnation":"00000000000000aa","status":"idling","tsc-hz":1000,"tsc":2,"ports":[],"patches":[],"workers":[],"rings":[{"name":"ring:0","capacity":1023,"used":5,"producer":"","consumer":""}],"pools":[{"name":"spp_mbufs","size":65535,"free":60000,"recovered":3,"audit":{"number":2,"missing":1,"twice":0}}],"heap":{"allocated":1000,"free":2000}}"#;

/// With a name that has to be escaped, and things that are named twice.
const NFV_DETAIL: &str = r#"{"type":"nfv","client-id":1,"pid":7,"version":"0.1.0","dpdk":"22.11","incarnation":"00000000000000bb","status":"running","tsc-hz":1000,"tsc":2,
"ports":[{"name":"ring:0","link":"-","info":"","rx-packets":11,"rx-bytes":660,"tx-packets":7,"tx-bytes":420,"drops":{"full":4,"link-down":0,"no-mbuf":0,"too-big":0,"removed":0,"io-error":0}},
{"name":"ring:0","link":"-","info":"","rx-packets":99,"rx-bytes":1,"tx-packets":1,"tx-bytes":1},
{"name":"a\"b\\c\nd{}","link":"down","info":"","rx-packets":18446744073709551615,"rx-bytes":1,"tx-packets":1,"tx-bytes":1}],
"patches":[{"src":"ring:0","dst":"ring:1","cpu":1,"rx-packets":11,"rx-bytes":660,"tx-packets":7,"tx-bytes":420,"drops":{"full":4,"link-down":0,"no-mbuf":0,"too-big":0,"removed":0,"io-error":0}}],
"workers":[{"cpu":1,"busy-cycles":500,"total-cycles":2000,"polls":10,"empty-polls":4,"packets":11,"rests":1}]}"#;

/// Samples by name and labels, as the parser of the standard's authors reads them.
fn parsed(page: &str) -> BTreeMap<String, f64> {
    const SCRIPT: &str = "import sys, json
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
samples = [s for family in parse(sys.stdin.read()) for s in family.samples]
print(json.dumps([[s.name + json.dumps(s.labels, sort_keys=True), float(s.value)] for s in samples]))";
    let text = piped(Command::new("/usr/bin/python3").args(["-c", SCRIPT]), page);
    let samples: Vec<(String, f64)> = serde_json::from_str(&text).unwrap();
    let number = samples.len();
    let samples: BTreeMap<_, _> = samples.into_iter().collect();
    assert_eq!(samples.len(), number, "a sample is there twice");
    samples
}

/// Runs a program on `input`; it has to succeed.
fn piped(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}{}\n{input}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A process of ours with these details; `None` never answers that question.
async fn ours_with(ctl: &Ctl, kind: &'static str, id: u32, detail: Option<&'static str>) -> Played {
    let address = if id == 0 { ctl.primary } else { ctl.secondary };
    let answer = ours(kind, id, "00000000000000aa");
    let played = play(address, Style::Ours, move |command: &str| match command {
        "_detail" => detail.map(|detail| detail.replace('\n', "")),
        other => Some(answer(other)),
    });
    let played = played.await;
    let listed = async || {
        let processes = ctl.get("/v1/processes").await.body;
        let id = format!(r#""client-id": {id}"#);
        processes.contains(kind) && (kind == "primary" || processes.contains(&id))
    };
    until(listed, kind).await;
    played
}

#[tokio::test]
async fn the_parsers_of_prometheus_read_what_the_processes_said() {
    let ctl = Ctl::start(|_| {}).await;
    let _primary = ours_with(&ctl, "primary", 0, Some(PRIMARY_DETAIL)).await;
    let _nfv = ours_with(&ctl, "nfv", 1, Some(NFV_DETAIL)).await;
    let _original = play(ctl.secondary, Style::Padded, recorded(NFV_2)).await;
    until(
        async || ctl.get("/v1/processes").await.body.matches("nfv").count() == 2,
        "the process of the original",
    )
    .await;
    ctl.get("/v1/no/such/path").await;
    let page = ctl.request_with("GET", "/metrics", b"", OPEN_METRICS).await;
    assert_eq!(page.status, 200);
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(page.head.contains(kind), "{}", page.head);
    let samples = parsed(&page.body);
    for (name, value) in [
        (r#"spp_process_up{"process": "primary"}"#, 1.0),
        (r#"spp_process_up{"process": "nfv:2"}"#, 1.0),
        (r#"spp_process_responding{"process": "nfv:1"}"#, 1.0),
        (r#"spp_process_forwarding{"process": "nfv:1"}"#, 1.0),
        (r#"spp_process_forwarding{"process": "primary"}"#, 0.0),
        (
            r#"spp_process_info{"dpdk": "22.11", "incarnation": "00000000000000bb", "kind": "nfv", "process": "nfv:1", "version": "0.1.0"}"#,
            1.0,
        ),
        (
            r#"spp_process_info{"kind": "nfv", "process": "nfv:2"}"#,
            1.0,
        ),
        (
            r#"spp_worker_busy_seconds_total{"cpu": "1", "process": "nfv:1"}"#,
            0.5,
        ),
        (
            r#"spp_worker_seconds_total{"cpu": "1", "process": "nfv:1"}"#,
            2.0,
        ),
        (
            r#"spp_worker_empty_polls_total{"cpu": "1", "process": "nfv:1"}"#,
            4.0,
        ),
        (
            r#"spp_port_receive_packets_total{"port": "ring:0", "process": "nfv:1"}"#,
            11.0,
        ),
        (
            r#"spp_port_receive_packets_total{"port": "a\"b\\c\nd{}", "process": "nfv:1"}"#,
            u64::MAX as f64,
        ),
        (
            r#"spp_port_up{"port": "a\"b\\c\nd{}", "process": "nfv:1"}"#,
            0.0,
        ),
        (
            r#"spp_port_dropped_packets_total{"port": "ring:0", "process": "nfv:1", "reason": "full"}"#,
            4.0,
        ),
        (
            r#"spp_patch_transmit_bytes_total{"dst": "ring:1", "process": "nfv:1", "src": "ring:0"}"#,
            420.0,
        ),
        (r#"spp_ring_used_packets{"ring": "ring:0"}"#, 5.0),
        (
            r#"spp_pool_recovered_mbufs_total{"pool": "spp_mbufs"}"#,
            3.0,
        ),
        (r#"spp_pool_missing_mbufs{"pool": "spp_mbufs"}"#, 1.0),
        ("spp_heap_free_bytes{}", 2000.0),
        ("spp_events_lost_total{}", 0.0),
        (
            r#"spp_http_requests_total{"method": "GET", "route": "other", "status": "404"}"#,
            1.0,
        ),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}\n{}", page.body);
    }
    let without_link = r#"spp_port_up{"port": "ring:0", "process": "nfv:1"}"#;
    assert!(!samples.contains_key(without_link));
    assert!(!page.body.contains("no/such"), "a path is no label");
    let asked =
        r#"spp_process_command_duration_seconds_count{"class": "question", "process": "nfv:1"}"#;
    assert!(samples.get(asked).is_some_and(|count| *count >= 1.0));

    let page = ctl.get("/metrics").await;
    assert!(
        page.head
            .contains("content-type: text/plain; version=0.0.4; charset=utf-8")
    );
    piped(
        Command::new("promtool").args(["check", "metrics"]),
        &page.body,
    );
}

const NFV_2: &[(&str, &str)] = &[
    (
        "_get_client_id",
        r#"{"results":[{"result":"success"}],"client_id":2,"process_type":"nfv"}"#,
    ),
    ("status", NFV_STATUS),
];

#[tokio::test]
async fn a_process_that_does_not_answer_holds_up_nobody() {
    let ctl = Ctl::start(|config| config.limits.status = Duration::from_millis(200)).await;
    let _silent = ours_with(&ctl, "nfv", 3, None).await;
    let _nfv = ours_with(&ctl, "nfv", 1, Some(NFV_DETAIL)).await;
    let start = Instant::now();
    let page = ctl.request_with("GET", "/metrics", b"", OPEN_METRICS).await;
    let took = start.elapsed();
    let samples = parsed(&page.body);
    let value = |name: &str, process: &str| {
        samples
            .get(&format!(r#"{name}{{"process": "{process}"}}"#))
            .copied()
    };
    assert_eq!(value("spp_process_up", "nfv:3"), Some(1.0));
    assert_eq!(value("spp_process_responding", "nfv:3"), Some(0.0));
    assert_eq!(value("spp_process_forwarding", "nfv:3"), None);
    assert_eq!(value("spp_process_forwarding", "nfv:1"), Some(1.0));
    assert!(took < LONG / 2, "{took:?}");
}

#[tokio::test]
async fn a_process_that_went_is_shown_as_down() {
    let ctl = Ctl::start(|_| {}).await;
    let nfv = ours_with(&ctl, "nfv", 1, Some(NFV_DETAIL)).await;
    nfv.kill();
    ctl.until_processes("[]").await;
    let page = ctl.request_with("GET", "/metrics", b"", OPEN_METRICS).await;
    let samples = parsed(&page.body);
    assert_eq!(
        samples.get(r#"spp_process_up{"process": "nfv:1"}"#),
        Some(&0.0)
    );
    assert!(!page.body.contains("spp_port_receive_packets_total{"));
}

#[test]
fn the_alert_rules_are_sound() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prometheus");
    for words in [
        ["check", "rules", "spp.rules.yml"],
        ["test", "rules", "spp.rules.test.yml"],
    ] {
        let output = Command::new("promtool")
            .args(words)
            .current_dir(folder)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
    // Each alert is tested both ways.
    let rules = std::fs::read_to_string(format!("{folder}/spp.rules.yml")).unwrap();
    let tests = std::fs::read_to_string(format!("{folder}/spp.rules.test.yml")).unwrap();
    for name in rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        let word = |other: &&str| *other == name;
        let words = tests.split(|c: char| !c.is_ascii_alphanumeric());
        assert_eq!(words.filter(word).count(), 2, "{name}");
    }
}
