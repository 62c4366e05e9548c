//! REST against played processes of ours: what we add to the original.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use support::*;

/// A controller with a process of ours, which answers as `script` says.
async fn with_ours(
    kind: &'static str,
    script: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (Ctl, Played) {
    let ctl = Ctl::start(|_| {}).await;
    let (address, id) = if kind == "primary" {
        (ctl.primary, 0)
    } else {
        (ctl.secondary, 1)
    };
    let answer = ours(kind, id, "00000000000000aa");
    let script = move |command: &str| script(command).or_else(|| Some(answer(command)));
    let played = play(address, Style::Ours, script).await;
    until(
        async || ctl.get("/v1/processes").await.body.contains(kind),
        kind,
    )
    .await;
    (ctl, played)
}

#[tokio::test]
async fn our_own_additions_are_sent() {
    let (ctl, nfv) = with_ours("nfv", |_| None).await;
    let add = r#"{"action": "add", "port": "vhost:1", "mode": "client"}"#;
    ctl.expect("PUT", "/v1/nfvs/1/ports", add, 204, "").await;
    let patch = r#"{"src": "vhost:1", "dst": "phy:0nq1", "lcore": 3}"#;
    ctl.expect("PUT", "/v1/nfvs/1/patches", patch, 204, "")
        .await;
    ctl.expect("DELETE", "/v1/nfvs/1/patches/phy:0nq1", "", 204, "")
        .await;
    ctl.expect("DELETE", "/v1/nfvs/1/patches/phy:0%20nq%201", "", 204, "")
        .await;
    ctl.expect(
        "DELETE",
        "/v1/nfvs/1/patches/zap",
        "",
        400,
        "invalid key(src): zap.",
    )
    .await;
    ctl.expect("DELETE", "/v1/nfvs/1/counters", "", 204, "")
        .await;
    let told = [
        "add vhost:1 client",
        "patch vhost:1 phy:0nq1 on 3",
        "unpatch phy:0nq1",
        "unpatch phy:0nq1",
        "clear",
    ];
    assert_eq!(nfv.told()[2..], told);
    let mode = r#"{"action": "add", "port": "ring:1", "mode": "client"}"#;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/ports",
        mode,
        400,
        "invalid key(mode): client.",
    )
    .await;
    let lcore = r#"{"src": "ring:1", "dst": "ring:2", "lcore": -3}"#;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/patches",
        lcore,
        400,
        "invalid key(lcore): -3.",
    )
    .await;
}

#[tokio::test]
async fn details_of_a_process_of_ours() {
    let detail = r#"{"type":"nfv","client-id":1,"pid":7,"version":"0.1.0","dpdk":"22.11","incarnation":"00000000000000aa","status":"running","tsc-hz":1,"tsc":2,"ports":[],"patches":[],"workers":[]}"#;
    let script = |command: &str| (command == "_detail").then(|| detail.to_owned());
    let (ctl, _nfv) = with_ours("nfv", script).await;
    let body = ctl.get("/v1/details/1").await.body;
    let read: protocol::detail::ProcessDetail = serde_json::from_str(&body).unwrap();
    assert_eq!((read.status.as_str(), read.error), ("ok", None));
    assert_eq!(read.detail.unwrap().pid, 7);
    assert_eq!(ctl.get("/v1/details").await.body, format!("[{body}]"));
}

#[tokio::test]
async fn launched_processes_of_a_primary_of_ours() {
    let launched = r#"{"client-id":5,"type":"nfv","pid":null,"state":"exited","since":"2026-01-31T23:59:59Z","exit":"not started","last-words":["no such file"],"restart":"always","restarts":3,"log":"/l/spp_nfv-5.log"}"#;
    let script = move |command: &str| {
        let detail = format!(
            r#"{{"type":"primary","client-id":0,"pid":7,"version":"0.1.0","dpdk":"22.11","incarnation":"00000000000000aa","status":"running","tsc-hz":1,"tsc":2,"ports":[],"patches":[],"workers":[],"launched":[{launched}]}}"#
        );
        (command == "_detail").then_some(detail)
    };
    let (ctl, primary) = with_ours("primary", script).await;
    let body = ctl.get("/v1/primary/launched").await.body;
    let read: serde_json::Value = serde_json::from_str(&body).unwrap();
    let given: serde_json::Value = serde_json::from_str(launched).unwrap();
    assert_eq!(read, serde_json::json!([given]));
    ctl.expect("DELETE", "/v1/primary/launched/005", "", 204, "")
        .await;
    let unknown = ctl.request("DELETE", "/v1/primary/launched/x", "").await;
    assert_eq!(unknown.status, 404);
    ctl.expect("PUT", "/v1/primary/launched/5/upgrade", "", 204, "")
        .await;
    let launch = r#"{"client_id": 5, "proc_name": "spp_nfv", "eal": {"-l": "0", "--proc-type": "secondary"}, "app": {"-n": 5}, "restart": "always"}"#;
    ctl.expect("PUT", "/v1/primary/launch", launch, 204, "")
        .await;
    let told = [
        "unlaunch 5",
        "upgrade 5",
        "launch 5 spp_nfv -l 0 --proc-type secondary -- -n 5 --restart always",
    ];
    let mut said = primary.told()[2..].to_vec();
    said.retain(|command| command != "_detail");
    assert_eq!(said, told);
}

#[tokio::test]
async fn a_refusal_has_the_words_of_the_process() {
    let words = "ring:50 does not exist: this primary has ring:0..ring:15";
    let reply = move |command: &str| {
        let reply =
            format!(r#"{{"result":"failed","command":"add","port":"ring:50","error":"{words}"}}"#);
        (command == "add ring:50").then_some(reply)
    };
    let (ctl, _nfv) = with_ours("nfv", reply).await;
    let path = "/v1/nfvs/1/ports";
    let body = r#"{"action": "add", "port": "ring:50"}"#;
    ctl.expect("PUT", path, body, 400, words).await;
    let accept = "Accept: application/problem+json\r\n";
    let response = ctl.request_with("PUT", path, body.as_bytes(), accept).await;
    assert_eq!(response.status, 409);
    assert!(
        response
            .head
            .contains("\r\ncontent-type: application/problem+json\r\n")
    );
    let problem: protocol::rest::Problem = serde_json::from_str(&response.body).unwrap();
    assert_eq!(
        (problem.title.as_str(), problem.detail.as_str()),
        ("Conflict", words)
    );
    let bad = br#"{"action": "add", "port": "zap:1"}"#;
    let response = ctl.request_with("PUT", path, bad, accept).await;
    let problem: protocol::rest::Problem = serde_json::from_str(&response.body).unwrap();
    let reason = "invalid key(port): zap:1. 'zap:1' has no known port type: ";
    assert!(
        problem.status == 400 && problem.detail.starts_with(reason),
        "{}",
        problem.detail
    );
}

#[tokio::test]
async fn what_a_process_answers_wrongly_is_its_fault() {
    let (ctl, _nfv) = with_ours("nfv", |command| {
        (command == "forward").then(|| "no JSON".to_owned())
    })
    .await;
    let start = br#"{"action": "start"}"#;
    let accept = "Accept: application/problem+json\r\n";
    let response = ctl
        .request_with("PUT", "/v1/nfvs/1/forward", start, accept)
        .await;
    assert_eq!(response.status, 502);
    assert!(
        response.body.contains("nfv 1 answered nonsense: no JSON"),
        "{}",
        response.body
    );
    let text = "nfv 1 answered nonsense: no JSON";
    let start = r#"{"action": "start"}"#;
    ctl.expect("PUT", "/v1/nfvs/1/forward", start, 500, text)
        .await;
}

#[tokio::test]
async fn a_refused_flow_command_still_has_a_message() {
    let script = |command: &str| {
        let reply = r#"{"result":"failed","command":"flow","error":"no flow rules here"}"#;
        command.starts_with("flow").then(|| reply.to_owned())
    };
    let (ctl, _primary) = with_ours("primary", script).await;
    let refused = r#"{"result": "error", "message": "no flow rules here"}"#;
    ctl.expect(
        "DELETE",
        "/v1/primary/flow_rules/port_id/0",
        "",
        200,
        refused,
    )
    .await;
}
