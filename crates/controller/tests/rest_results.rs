//! REST of `mirror` and `pcap` against played processes of the original, and lists of all kinds.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use support::results::*;
use support::*;

#[tokio::test]
async fn mirrors() {
    let (ctl, mirror) = with("mirror", 3, MIRROR_INFO, MIRROR_LINES).await;
    let status = r#"{"client-id": 3, "ports": ["phy:0 nq 0", "phy:0 nq 1", "phy:1", "ring:7", "ring:8"], "master-lcore": 6, "components": [{"core": 7, "name": "m", "type": "mirror", "rx_port": [{"port": "phy:0 nq 1", "vlan": {"operation": "none", "id": 0, "pcp": 0}}], "tx_port": [{"port": "ring:7", "vlan": {"operation": "none", "id": 0, "pcp": 0}}, {"port": "ring:8", "vlan": {"operation": "none", "id": 0, "pcp": 0}}]}, {"core": 8, "type": "unuse"}]}"#;
    ctl.expect("GET", "/v1/mirrors/3", "", 200, status).await;
    let components = "/v1/mirrors/3/components";
    let ports = "/v1/mirrors/3/components/m/ports";
    for (method, path, body, status, text) in [
        (
            "POST",
            components,
            r#"{"name": "m", "core": 7, "type": "mirror"}"#,
            204,
            "",
        ),
        (
            "POST",
            components,
            r#"{"name": "m", "core": 7, "type": "forward"}"#,
            400,
            "invalid key(type): forward.",
        ),
        (
            "POST",
            components,
            r#"{"name": "m", "core": 6, "type": "mirror"}"#,
            400,
            "mirror 3 is a process of the original: CPU 6 is the one of its main thread, where a component would hang it: name another",
        ),
        (
            "PUT",
            ports,
            r#"{"action": "attach", "port": "ring:9", "dir": "tx"}"#,
            400,
            "command error: error occur",
        ),
        // A tag means nothing to a mirror, not even a wrong one.
        (
            "PUT",
            ports,
            r#"{"action": "attach", "port": "ring:8", "dir": "tx", "vlan": {"operation": "zap"}}"#,
            204,
            "",
        ),
        (
            "PUT",
            ports,
            r#"{"action": "detach", "port": "ring:8", "dir": "tx"}"#,
            204,
            "",
        ),
        ("DELETE", "/v1/mirrors/3/components/m", "", 204, ""),
        (
            "PUT",
            "/v1/mirrors/3/classifier_table",
            "{}",
            404,
            "Not found: '/3/classifier_table'",
        ),
        ("GET", components, "", 405, "Method not allowed."),
    ] {
        ctl.expect(method, path, body, status, text).await;
    }
    assert_eq!(
        mirror.told()[1..],
        [
            "component start m 7 mirror",
            "port add ring:9 tx m",
            "port add ring:8 tx m",
            "port del ring:8 tx m",
            "component stop m",
        ]
    );
    ctl.expect("DELETE", "/v1/mirrors/3", "", 204, "").await;
    ctl.expect("GET", "/v1/mirrors/3", "", 404, "sec_id 3 not found.")
        .await;
}

#[tokio::test]
async fn captures() {
    let (ctl, pcap) = with("pcap", 4, PCAP_RUNNING, PCAP_LINES).await;
    let path = "/v1/pcaps/4/capture";
    ctl.expect("PUT", path, "{}", 400, "key(action) required.")
        .await;
    ctl.expect("PUT", path, r#"{"action": "start"}"#, 204, "")
        .await;
    ctl.expect(
        "PUT",
        path,
        r#"{"action": "zap"}"#,
        400,
        "invalid key(action): zap.",
    )
    .await;
    ctl.expect("PUT", path, "", 400, "Not in json format.")
        .await;
    ctl.expect("PUT", "/v1/pcaps/5/capture", "", 404, "sec_id 5 not found.")
        .await;
    ctl.expect("PUT", path, r#"{"action": "stop"}"#, 204, "")
        .await;
    let running = r#"{"client-id": 4, "status": "running", "master-lcore": 9, "core": [{"core": 10, "role": "receive", "rx_port": [{"port": "phy:1"}]}, {"core": 11, "role": "write", "filename": "/tmp/spp_pcap.20240131120000.phy1.1.255.pcap.lz4"}]}"#;
    ctl.expect("GET", "/v1/pcaps/4", "", 200, running).await;
    ctl.expect(
        "POST",
        "/v1/pcaps/4/components",
        "{}",
        404,
        "Not found: '/4/components'",
    )
    .await;
    assert_eq!(pcap.told()[1..], ["start", "stop"]);
    ctl.expect("DELETE", "/v1/pcaps/4", "", 204, "").await;
    ctl.expect("GET", "/v1/pcaps/4", "", 404, "sec_id 4 not found.")
        .await;
}

#[tokio::test]
async fn lists_have_all_kinds() {
    let ctl = Ctl::start(|_| {}).await;
    let mut played = vec![play(ctl.primary, Style::Padded, recorded(PRIMARY)).await];
    let mut seen = r#"[{"type": "primary"}"#.to_owned();
    ctl.until_processes(&format!("{seen}]")).await;
    played.push(play(ctl.secondary, Style::Padded, recorded(NFV)).await);
    seen += r#", {"type": "nfv", "client-id": 1}"#;
    ctl.until_processes(&format!("{seen}]")).await;
    for (kind, id, info) in [
        ("vf", 2, VF_IDLE),
        ("mirror", 3, MIRROR_INFO),
        ("pcap", 4, PCAP_RUNNING),
    ] {
        let script = with_results(kind, id, info, &[]);
        played.push(play(ctl.secondary, Style::Bare, script).await);
        seen += &format!(r#", {{"type": "{kind}", "client-id": {id}}}"#);
        ctl.until_processes(&format!("{seen}]")).await;
    }
    let usage = r#"[{"proc-type": "primary", "master-lcore": 0, "lcores": [0, 12]}, {"proc-type": "nfv", "client-id": 1, "master-lcore": 1, "lcores": [1, 2]}, {"proc-type": "vf", "client-id": 2, "master-lcore": 3, "lcores": [3, 4, 5]}, {"proc-type": "mirror", "client-id": 3, "master-lcore": 6, "lcores": [6, 7, 8]}, {"proc-type": "pcap", "client-id": 4, "master-lcore": 9, "lcores": [9, 10, 11]}]"#;
    ctl.expect("GET", "/v1/cpu_usage", "", 200, usage).await;
}

#[tokio::test]
async fn processes_of_ours_are_told_what_the_original_is_not() {
    let ctl = Ctl::start(|_| {}).await;
    let script = |command: &str| {
        let rest = match command {
            "_get_client_id" => {
                r#","client_id":2,"process_type":"vf","spp":{"version":"0.1.0","incarnation":"00000000000000ab","framing":["newline"]}"#
            }
            _ => "",
        };
        Some(format!(r#"{{"results":[{{"result":"success"}}]{rest}}}"#))
    };
    let vf = play(ctl.secondary, Style::Ours, script).await;
    ctl.until_processes(r#"[{"type": "vf", "client-id": 2}]"#)
        .await;
    let start = r#"{"name": "a", "core": 0, "type": "merge"}"#;
    ctl.expect("POST", "/v1/vfs/2/components", start, 204, "")
        .await;
    let attach = r#"{"action": "attach", "port": "ring:32", "dir": "rx"}"#;
    ctl.expect("PUT", "/v1/vfs/2/components/a/ports", attach, 204, "")
        .await;
    assert_eq!(
        vf.told()[2..],
        ["component start a 0 merge", "port add ring:32 rx a"]
    );
}
