//! REST against played processes: the recorded answers of the original, its faults corrected.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::time::Duration;

use support::*;

/// A controller with an original `nfv` 1, `vf` 2, `pcap` 4 and `primary`, the `nfv` first.
async fn panel() -> (Ctl, Vec<Played>) {
    let ctl = Ctl::start(|_| {}).await;
    let mut played = vec![play(ctl.secondary, Style::Padded, recorded(NFV)).await];
    played.push(play(ctl.secondary, Style::Bare, recorded(VF)).await);
    played.push(play(ctl.secondary, Style::Bare, recorded(PCAP)).await);
    played.push(play(ctl.primary, Style::Padded, recorded(PRIMARY)).await);
    let all = "four processes";
    until(
        async || ctl.get("/v1/processes").await.body.matches("type").count() == 4,
        all,
    )
    .await;
    (ctl, played)
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let ctl = Ctl::start(|_| {}).await;
    for (method, path, status, text) in [
        ("GET", "/v1/vfs", 404, "Not found: '/'"),
        ("GET", "/v1/vfs/1/x", 404, "Not found: '/1/x'"),
        ("GET", "/v1/vfs/x", 404, "Not found: '/x'"),
        ("GET", "/v1/vfs/1/", 404, "Not found: '/1/'"),
        ("GET", "/v1/nope", 404, "Not found: '/nope'"),
        ("GET", "/v1/processes/", 404, "Not found: '/processes/'"),
        ("GET", "/", 303, ""),
        ("GET", "/v1/nfvs/%ff", 404, "Not found: '/%ff'"),
        ("GET", "/v1/nfvs/1", 404, "sec_id 1 not found."),
        ("GET", "/v1/nfvs/-1", 404, "sec_id -1 not found."),
        (
            "GET",
            "/v1/nfvs/99999999999999999999",
            404,
            "sec_id 99999999999999999999 not found.",
        ),
        ("GET", "/v1/nfvs/0", 404, "sec_id 0 not found."),
        ("GET", "/v1/details/9", 404, "sec_id 9 not found."),
        ("GET", "/v1/details/0", 404, "primary not found."),
        ("GET", "/v1/primary", 405, "Method not allowed."),
        ("OPTIONS", "/v1/processes", 405, "Method not allowed."),
        ("PATCH", "/v1/nfvs/1", 405, "Method not allowed."),
    ] {
        ctl.expect(method, path, "", status, text).await;
    }
    for (path, allow) in [
        ("/v1/processes", "GET"),
        ("/v1/primary", "DELETE"),
        ("/v1/primary/status", "DELETE,GET"),
        ("/v1/primary/launch", "PUT"),
        ("/v1/nfvs/1", "DELETE,GET"),
        ("/v1/nfvs/1/patches", "DELETE,PUT"),
        ("/v1/primary/flow_rules/port_id/0", "DELETE,POST"),
        ("/v1/primary/flow_rules/0/port_id/0", "DELETE"),
    ] {
        let head = ctl.request("PATCH", path, "").await.head;
        assert!(
            head.contains(&format!("\r\nallow: {}", allow.to_lowercase())),
            "{path}: {head}"
        );
        assert!(head.contains("\r\ncontent-type: text/plain\r\n"), "{head}");
    }
}

#[tokio::test]
async fn nothing_connected() {
    let ctl = Ctl::start(|_| {}).await;
    let none = "primary not found.";
    ctl.expect("GET", "/v1/primary/status", "", 404, none).await;
    ctl.expect("PUT", "/v1/primary/forward", "", 400, "Not in json format.")
        .await;
    ctl.expect("PUT", "/v1/primary/forward", "{}", 404, none)
        .await;
    ctl.expect("PUT", "/v1/primary/patches", "{}", 404, none)
        .await;
    ctl.expect(
        "PUT",
        "/v1/primary/ports",
        "{}",
        400,
        "key(action) required.",
    )
    .await;
    ctl.expect(
        "PUT",
        "/v1/primary/launch",
        "{}",
        400,
        "key(client_id) required.",
    )
    .await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/ports",
        "{bad",
        404,
        "sec_id 1 not found.",
    )
    .await;
    let validate = "/v1/primary/flow_rules/port_id/0/validate";
    ctl.expect(
        "POST",
        validate,
        r#"{"rule": {}}"#,
        400,
        "key(direction) required.",
    )
    .await;
    ctl.expect("DELETE", "/v1/primary/", "", 404, none).await;
    for (method, path) in [
        ("GET", "/v1/primary/launched"),
        ("DELETE", "/v1/primary/launched/5"),
    ] {
        ctl.expect(method, path, "", 404, none).await;
    }
    let version = ctl.get("/v1/version").await.body;
    assert!(
        version.starts_with(r#"{"name": "spp-ctl", "version": ""#),
        "{version}"
    );
}

#[tokio::test]
async fn the_forms_of_answers() {
    let (ctl, _played) = panel().await;
    let head = ctl.get("/v1/nfvs/1").await.head;
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/json\r\n"),
        "{head}"
    );
    let stop = r#"{"action": "stop"}"#;
    let head = ctl.request("PUT", "/v1/nfvs/1/forward", stop).await.head;
    assert!(head.starts_with("http/1.1 204"), "{head}");
    assert!(!head.contains("content-"), "{head}");
    let response = ctl.request("HEAD", "/v1/processes", "").await;
    assert_eq!((response.status, response.body.as_str()), (200, ""));
}

#[tokio::test]
async fn nfv_of_the_original() {
    let (ctl, played) = panel().await;
    let status = r#"{"client-id": 1, "status": "idling", "master-lcore": 1, "lcores": [1, 2], "ports": ["phy:0 nq 0", "phy:0 nq 1", "phy:1"], "patches": []}"#;
    ctl.expect("GET", "/v1/nfvs/1", "", 200, status).await;
    let ports = "/v1/nfvs/1/ports";
    let patches = "/v1/nfvs/1/patches";
    let port = |action, port| format!(r#"{{"action": "{action}", "port": "{port}"}}"#);
    ctl.expect("PUT", ports, &port("add", "ring:0"), 204, "")
        .await;
    ctl.expect("PUT", ports, &port("del", "ring 0"), 204, "")
        .await;
    let failed = "'add ring:50' failed; the process gives no reason";
    ctl.expect("PUT", ports, &port("add", "ring:50"), 400, failed)
        .await;
    ctl.expect(
        "PUT",
        ports,
        &port("zap", "ring:0"),
        400,
        "invalid key(action): zap.",
    )
    .await;
    ctl.expect(
        "PUT",
        ports,
        &port("add", "ring:1_0"),
        400,
        "invalid key(port): ring:1_0.",
    )
    .await;
    ctl.expect(
        "PUT",
        ports,
        r#"{"action": "add"}"#,
        400,
        "key(port) required.",
    )
    .await;
    ctl.expect(
        "PUT",
        ports,
        r#"{"port": 3, "action": "add"}"#,
        400,
        "invalid key(port): 3.",
    )
    .await;
    // As processes report it, as the original forwarded it wrongly.
    let queue = r#"{"src": "phy:0 nq 1", "dst": "ring:0"}"#;
    ctl.expect("PUT", patches, queue, 204, "").await;
    ctl.expect(
        "PUT",
        patches,
        r#"{"dst": "phy:1"}"#,
        400,
        "key(src) required.",
    )
    .await;
    ctl.expect("DELETE", patches, "", 204, "").await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        "{}",
        400,
        "key(action) required.",
    )
    .await;
    let null = r#"{"action": null}"#;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        null,
        400,
        "invalid key(action): null.",
    )
    .await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        r#"{"action": "start"}"#,
        204,
        "",
    )
    .await;
    assert_eq!(
        played[0].told(),
        [
            "_get_client_id",
            "add ring:0",
            "del ring:0",
            "add ring:50",
            "patch phy:0nq1 ring:0",
            "patch reset",
            "forward"
        ]
    );
    // An id belongs to one family.
    ctl.expect("GET", "/v1/vfs/1", "", 404, "sec_id 1 not found.")
        .await;
    ctl.expect("DELETE", "/v1/nfvs/1", "", 204, "").await;
    ctl.expect("DELETE", "/v1/nfvs/1", "", 404, "sec_id 1 not found.")
        .await;
}

#[tokio::test]
async fn what_would_damage_the_original_is_not_sent() {
    let (ctl, played) = panel().await;
    for (method, path, body) in [
        (
            "PUT",
            "/v1/nfvs/1/ports",
            r#"{"action": "del", "port": "phy:0"}"#,
        ),
        (
            "PUT",
            "/v1/nfvs/1/ports",
            r#"{"action": "add", "port": "tap:0"}"#,
        ),
        (
            "PUT",
            "/v1/nfvs/1/ports",
            r#"{"action": "add", "port": "vhost:0", "mode": "client"}"#,
        ),
        (
            "PUT",
            "/v1/nfvs/1/patches",
            r#"{"src": "ring:0", "dst": "ring:1", "lcore": 3}"#,
        ),
        ("DELETE", "/v1/nfvs/1/patches/ring:0", ""),
        ("DELETE", "/v1/nfvs/1/counters", ""),
    ] {
        let response = ctl.request(method, path, body).await;
        let expected = "nfv 1 is a process of the original: ";
        assert_eq!(response.status, 400, "{path}");
        assert!(
            response.body.starts_with(expected),
            "{path}: {}",
            response.body
        );
    }
    assert_eq!(played[0].told(), ["_get_client_id"]);
}

#[tokio::test]
async fn primary_of_the_original() {
    let (ctl, _played) = panel().await;
    let status = ctl.get("/v1/primary/status").await;
    let start = r#"{"master-lcore": 0, "lcores": [0, 12], "forwarder": {"status": "running", "#;
    assert!(status.body.starts_with(start), "{}", status.body);
    assert!(
        status.body.contains(r#""rx": 18446744073709551615, "#),
        "{}",
        status.body
    );
    ctl.expect("DELETE", "/v1/primary/status", "", 204, "")
        .await;
    ctl.expect(
        "PUT",
        "/v1/primary/forward",
        r#"{"action": "start"}"#,
        204,
        "",
    )
    .await;
    let add = r#"{"action": "add", "port": "ring:1"}"#;
    ctl.expect("PUT", "/v1/primary/ports", add, 204, "").await;
    let patch = r#"{"src": "phy:0", "dst": "phy:1"}"#;
    let failed = "'patch phy:0 phy:1' failed; the process gives no reason";
    ctl.expect("PUT", "/v1/primary/patches", patch, 400, failed)
        .await;
    ctl.expect("DELETE", "/v1/primary/patches", "", 204, "")
        .await;
    let launch = r#"{"client_id": 5, "proc_name": "spp_nfv", "eal": {"--lcores": "13@0,14@1", "--no-pci": null, "--proc-type": "secondary", "--file-prefix": "spp", "--bogus": "1"}, "app": {"-n": 5, "-s": "127.0.0.1:6666", "--vhost-client": ""}}"#;
    ctl.expect("PUT", "/v1/primary/launch", launch, 204, "")
        .await;
    let launch =
        r#"{"client_id": 5, "proc_name": "spp_nfv", "eal": {"-l": "0"}, "app": {"-n": 5}}"#;
    let refused = r#"invalid key(eal): {"-l": "0"}."#;
    ctl.expect("PUT", "/v1/primary/launch", launch, 400, refused)
        .await;
    // What it does not know is not sent.
    let launch = r#"{"client_id": 5, "proc_name": "spp_nfv", "eal": {"-l": "0", "--proc-type": "secondary"}, "app": {"-n": 5}, "restart": "always"}"#;
    let refused = "primary is a process of the original: it cannot start anything again";
    ctl.expect("PUT", "/v1/primary/launch", launch, 400, refused)
        .await;
    let refused = "primary is a process of the original, which tells no details";
    ctl.expect("GET", "/v1/primary/launched", "", 400, refused)
        .await;
    ctl.expect("DELETE", "/v1/primary", "", 204, "").await;
    ctl.expect("GET", "/v1/primary/status", "", 404, "primary not found.")
        .await;
}

#[tokio::test]
async fn flow_rules_are_passed_on() {
    let (ctl, _played) = panel().await;
    let rules = "/v1/primary/flow_rules/port_id/0";
    let rule = r#"{"rule": {"group": 1, "priority": 0, "direction": "ingress", "transfer": false, "pattern": ["eth dst is 02:00:00:00:00:01", "vlan vid is 100"], "actions": ["queue index 1", "of_pop_vlan"]}}"#;
    let refused = r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "rule_id": ""}"#;
    ctl.expect("POST", rules, rule, 200, refused).await;
    let unknown = r#"{"result": "error", "message": "Flow rule #5 not found"}"#;
    ctl.expect(
        "DELETE",
        "/v1/primary/flow_rules/5/port_id/0",
        "",
        200,
        unknown,
    )
    .await;
    let all = r#"{"result": "success", "message": "Flow rule all destroyed"}"#;
    ctl.expect("DELETE", rules, "", 200, all).await;
    for (change, by, text) in [
        (
            r#""group": 1"#,
            r#""group": true"#,
            "invalid key(group): true.",
        ),
        (
            r#""priority": 0"#,
            r#""priority": 1.5"#,
            "invalid key(priority): 1.5.",
        ),
        (
            r#""transfer": false"#,
            r#""transfer": 1"#,
            "invalid key(transfer): 1.",
        ),
        ("ingress", "sideways", "invalid key(direction): sideways."),
        (
            "vlan vid is 100",
            r"x\nexit",
            "invalid key(pattern): x\nexit.",
        ),
        (
            r#"["queue index 1", "of_pop_vlan"]"#,
            "[1]",
            "invalid key(actions): [1].",
        ),
        (r#", "actions""#, r#", "acts""#, "key(actions) required."),
    ] {
        ctl.expect("POST", rules, &rule.replace(change, by), 400, text)
            .await;
    }
    // The original keeps at most 48 words of a command, and does not count.
    let many = rule.replace("of_pop_vlan", &"x ".repeat(30));
    let text = "the command cannot be sent to primary: it has 57 words, a primary of the original takes 47";
    ctl.expect("POST", rules, &many, 400, text).await;
}

#[tokio::test]
async fn bad_bodies_change_nothing() {
    let (ctl, played) = panel().await;
    let path = "/v1/nfvs/1/ports";
    for body in [
        "",
        "{",
        "nope",
        "{\"action\": \"add\",}",
        &"[".repeat(100_000),
    ] {
        ctl.expect("PUT", path, body, 400, "Not in json format.")
            .await;
    }
    for body in ["null", "true", "7", "[]", "\"action port\""] {
        ctl.expect("PUT", path, body, 400, "key(action) required.")
            .await;
    }
    let utf8 = ctl
        .request_with("PUT", path, b"{\"action\": \"\xff\"}", "")
        .await;
    assert_eq!(
        (utf8.status, utf8.body.as_str()),
        (400, "Not in json format.")
    );
    let large = format!(
        r#"{{"action": "add", "port": "ring:0", "x": "{}"}}"#,
        "x".repeat(2 << 20)
    );
    let response = ctl.request("PUT", path, &large).await;
    assert_eq!(response.status, 400);
    let accept = "Accept: application/problem+json\r\n";
    let response = ctl
        .request_with("PUT", path, large.as_bytes(), accept)
        .await;
    assert_eq!(response.status, 413);
    let long = format!(r#"{{"action": "add", "port": "{}"}}"#, "x".repeat(90_000));
    let response = ctl.request("PUT", path, &long).await;
    assert!(
        response.status == 400 && response.body.len() < 300,
        "{}",
        response.body.len()
    );
    let control = r#"{"action": "add", "port": "ring:0\nexit"}"#;
    let response = ctl.request("PUT", path, control).await;
    assert_eq!(response.status, 400, "{}", response.body);
    assert_eq!(played[0].told(), ["_get_client_id"]);
}

#[tokio::test]
async fn cpus_are_read_from_the_kernel() {
    let dir = std::env::temp_dir().join(format!("spp-cpu-{}", std::process::id()));
    for (cpu, socket, core) in [(10, 1, 0), (0, 0, 1), (2, 0, 0), (4, 0, 0)] {
        let topology = dir.join(format!("cpu{cpu}/topology"));
        std::fs::create_dir_all(&topology).unwrap();
        std::fs::write(topology.join("physical_package_id"), format!("{socket}\n")).unwrap();
        std::fs::write(topology.join("core_id"), format!("{core}\n")).unwrap();
    }
    std::fs::create_dir_all(dir.join("cpu9")).unwrap(); // offline
    std::fs::create_dir_all(dir.join("cpufreq")).unwrap();
    let path = dir.clone();
    let ctl = Ctl::start(|config| config.cpu_dir = path).await;
    let layout = r#"[{"socket_id": 0, "cores": [{"core_id": 0, "lcores": [2, 4]}, {"core_id": 1, "lcores": [0]}]}, {"socket_id": 1, "cores": [{"core_id": 0, "lcores": [10]}]}]"#;
    let response = ctl.get("/v1/cpu_layout").await;
    std::fs::remove_dir_all(dir).unwrap();
    assert_eq!(response.body, layout);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_sent_away() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ctl = Ctl::start(|config| config.limits.head = Duration::from_millis(20)).await;
    for start in ["", "GET /v1/processes HTTP/1.1\r\nHost:"] {
        let mut stream = tokio::net::TcpStream::connect(ctl.rest).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let _ = limited(stream.read_to_end(&mut vec![])).await;
    }
    let ctl = Ctl::start(|config| config.limits.body = Duration::from_millis(20)).await;
    let mut stream = tokio::net::TcpStream::connect(ctl.rest).await.unwrap();
    let start = b"PUT /v1/primary/ports HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{";
    stream.write_all(start).await.unwrap();
    let mut answer = vec![];
    let _ = limited(stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.ends_with("The body did not arrive in time."),
        "{answer}"
    );
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let mut ctl = Ctl::start(|_| {}).await;
    let _idle = tokio::net::TcpStream::connect(ctl.rest).await.unwrap();
    assert_eq!(ctl.get("/v1/processes").await.status, 200);
    ctl.stop();
    ctl.ended().await;
}
