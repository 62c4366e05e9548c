//! Requests as they were recorded from the running original, and its answers; where ours differs, ours is given with
//! the reason. Those of `vf`, `mirror` and `pcap` are in `rest_components.rs` and `rest_results.rs`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use support::*;

/// Method, path, body, status and text.
type Sample = (&'static str, &'static str, &'static str, u16, &'static str);

async fn check(ctl: &Ctl, samples: &[Sample]) {
    for (method, path, body, status, text) in samples {
        ctl.expect(method, path, body, *status, text).await;
    }
}

#[tokio::test]
async fn nothing_is_connected() {
    let ctl = Ctl::start(|_| {}).await;
    check(
        &ctl,
        &[
            ("GET", "/v1/processes", "", 200, "[]"),
            ("GET", "/v1/vfs", "", 404, "Not found: '/'"),
            ("GET", "/v1/vfs/1/x", "", 404, "Not found: '/1/x'"),
            ("GET", "/v1/nope", "", 404, "Not found: '/nope'"),
            ("GET", "/v1/processes/", "", 404, "Not found: '/processes/'"),
            ("GET", "/v1/primary", "", 405, "Method not allowed."),
            (
                "POST",
                "/v1/vfs/1/components",
                "{bad",
                404,
                "sec_id 1 not found.",
            ),
            ("GET", "/v1/primary/status", "", 404, "primary not found."),
            ("PUT", "/v1/primary/forward", "", 400, "Not in json format."),
            (
                "PUT",
                "/v1/primary/patches",
                "{}",
                404,
                "primary not found.",
            ),
            (
                "PUT",
                "/v1/primary/ports",
                "{}",
                400,
                "key(action) required.",
            ),
            (
                "PUT",
                "/v1/primary/launch",
                "{}",
                400,
                "key(client_id) required.",
            ),
        ],
    )
    .await;
}

const STATUS: &str = r#"{"master-lcore":0,"lcores":[0,12],"forwarder":{"status":"running","ports":["phy:0","phy:1","ring:1","vhost:9"],"patches":[{"src":"phy:0","dst":"ring:1"},{"src":"ring:1","dst":"phy:1"}]},"phy_ports":[{"id":0,"eth":"02:00:00:00:00:0a","rx":0,"tx":0,"tx_drop":0,"nof_queues":{"rx":2,"tx":2},"flow":[]},{"id":1,"eth":"02:00:00:00:00:0b","rx":0,"tx":0,"tx_drop":0,"nof_queues":{"rx":1,"tx":1},"flow":[]}],"ring_ports":[{"id":0,"rx":0,"rx_drop":0,"tx":0,"tx_drop":0},{"id":9,"rx":0,"rx_drop":0,"tx":0,"tx_drop":0}]}"#;

const NOT_IMPLEMENTED: &str = r#"{"result": "error", "message": "Flow validate error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented"}"#;

const CREATE_REFUSED: &str = r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "rule_id": ""}"#;

const NO_DEVICE: &str = r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: No such device\nrte_errno: No such device", "rule_id": ""}"#;

const DESTROY_REFUSED: &str = r#"{"result": "error", "message": "Flow destroy error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented"}"#;

const NO_RULE: &str = r#"{"result": "error", "message": "Flow rule #5 not found"}"#;

const RULE: &str = r#"{"rule": {"group": 1, "priority": 0, "direction": "ingress", "transfer": false, "pattern": ["eth dst is 02:00:00:00:00:01", "vlan vid is 100"], "actions": ["queue index 1", "of_pop_vlan"]}}"#;

#[tokio::test]
async fn the_primary() {
    const LINES: &[(&str, &str)] = &[
        ("status", STATUS),
        (
            "add ring:1",
            r#"{"result":"succeeded","command":"add","port":"ring:1"}"#,
        ),
        (
            "patch phy:0 ring:1",
            r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0","dst":"ring:1"}}"#,
        ),
        ("forward", r#"{"result":"succeeded","command":"forward"}"#),
        (
            "launch 5 spp_nfv --lcores 13@0,14@1 --no-pci --proc-type secondary --file-prefix spp -- -n 5 -s 127.0.0.1:6666 --vhost-client",
            r#"{"result":"succeeded","command":"launch"}"#,
        ),
        (
            "flow validate phy:0 group 1 priority 0 ingress pattern eth dst is 02:00:00:00:00:01 / vlan vid is 100 / end actions queue index 1 / of_pop_vlan / end",
            NOT_IMPLEMENTED,
        ),
        (
            "flow create phy:0 group 1 priority 0 ingress pattern eth dst is 02:00:00:00:00:01 / vlan vid is 100 / end actions queue index 1 / of_pop_vlan / end",
            CREATE_REFUSED,
        ),
        (
            "flow create phy:9 group 1 priority 0 ingress pattern eth dst is 02:00:00:00:00:01 / vlan vid is 100 / end actions queue index 1 / of_pop_vlan / end",
            NO_DEVICE,
        ),
        ("flow destroy phy:0 ALL", DESTROY_REFUSED),
        ("flow destroy phy:0 5", NO_RULE),
    ];
    let ctl = Ctl::start(|_| {}).await;
    let _primary = play(ctl.primary, Style::Padded, recorded(LINES)).await;
    ctl.until_processes(r#"[{"type": "primary"}]"#).await;
    let status: serde_json::Value = serde_json::from_str(STATUS).unwrap();
    let spaced = protocol::json::spaced(&status);
    ctl.expect("GET", "/v1/primary/status", "", 200, &spaced)
        .await;
    let flows = "/v1/primary/flow_rules/port_id/0";
    check(
        &ctl,
        &[
            ("PUT", "/v1/primary/ports", r#"{"action": "add", "port": "ring:1"}"#, 204, ""),
            ("PUT", "/v1/primary/ports", r#"{"action": "add"}"#, 400, "key(port) required."),
            ("PUT", "/v1/primary/patches", r#"{"src": "phy:0", "dst": "ring:1"}"#, 204, ""),
            ("PUT", "/v1/primary/patches", r#"{"src": "phy:0"}"#, 400, "key(dst) required."),
            ("PUT", "/v1/primary/forward", r#"{"action": "start"}"#, 204, ""),
            // 500 in the original, which had no check.
            ("PUT", "/v1/primary/forward", "{}", 400, "key(action) required."),
            (
                "PUT",
                "/v1/primary/launch",
                r#"{"client_id": 5, "proc_name": "spp_nfv", "eal": {"-l": "0"}, "app": {}}"#,
                400,
                r#"invalid key(eal): {"-l": "0"}."#,
            ),
            (
                "PUT",
                "/v1/primary/launch",
                r#"{"client_id": 5, "proc_name": "spp_nfv", "eal": {"--lcores": "13@0,14@1", "--no-pci": null, "--proc-type": "secondary", "--file-prefix": "spp", "--bogus": "1"}, "app": {"-n": 5, "-s": "127.0.0.1:6666", "--vhost-client": ""}}"#,
                204,
                "",
            ),
            ("POST", "/v1/primary/flow_rules/port_id/0/validate", RULE, 200, NOT_IMPLEMENTED),
            ("POST", flows, RULE, 200, CREATE_REFUSED),
            ("POST", "/v1/primary/flow_rules/port_id/9", RULE, 200, NO_DEVICE),
            (
                "POST",
                "/v1/primary/flow_rules/port_id/0/validate",
                r#"{"rule": {}}"#,
                400,
                "key(direction) required.",
            ),
            ("DELETE", flows, "", 200, DESTROY_REFUSED),
            ("DELETE", "/v1/primary/flow_rules/5/port_id/0", "", 200, NO_RULE),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_nfv() {
    const LINES: &[(&str, &str)] = &[
        (
            "_get_client_id",
            r#"{"results":[{"result":"success"}],"client_id":1,"process_type":"nfv"}"#,
        ),
        (
            "status",
            r#"{"client-id":1,"status":"running","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1","ring:0","vhost:1","nullpmd:1"],"patches":[{"src":"phy:0 nq 0","dst":"ring:0"},{"src":"phy:0 nq 1","dst":"vhost:1"},{"src":"phy:1","dst":"phy:0 nq 1"},{"src":"ring:0","dst":"phy:1"}]}"#,
        ),
        (
            "add ring:50",
            r#"{"result":"failed","command":"add","port":"ring:50"}"#,
        ),
        (
            "patch phy:0nq1 vhost:1",
            r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0nq1","dst":"vhost:1"}}"#,
        ),
        ("forward", r#"{"result":"succeeded","command":"forward"}"#),
        ("exit", r#"{"result":"succeeded","command":"exit"}"#),
    ];
    let ctl = Ctl::start(|_| {}).await;
    let _nfv = play(ctl.secondary, Style::Padded, recorded(LINES)).await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    check(
        &ctl,
        &[
            // 500 and 204 in the original.
            (
                "PUT",
                "/v1/nfvs/1/ports",
                r#"{"action": "zap", "port": "ring:0"}"#,
                400,
                "invalid key(action): zap.",
            ),
            (
                "PUT",
                "/v1/nfvs/1/ports",
                r#"{"action": "add", "port": "ring:50"}"#,
                400,
                "'add ring:50' failed; the process gives no reason",
            ),
            ("PUT", "/v1/nfvs/1/patches", r#"{"src": "phy:0nq1", "dst": "vhost:1"}"#, 204, ""),
            ("PUT", "/v1/nfvs/1/patches", r#"{"dst": "phy:1"}"#, 400, "key(src) required."),
            ("PUT", "/v1/nfvs/1/forward", r#"{"action": "start"}"#, 204, ""),
            (
                "GET",
                "/v1/nfvs/1",
                "",
                200,
                r#"{"client-id": 1, "status": "running", "master-lcore": 1, "lcores": [1, 2], "ports": ["phy:0 nq 0", "phy:0 nq 1", "phy:1", "ring:0", "vhost:1", "nullpmd:1"], "patches": [{"src": "phy:0 nq 0", "dst": "ring:0"}, {"src": "phy:0 nq 1", "dst": "vhost:1"}, {"src": "phy:1", "dst": "phy:0 nq 1"}, {"src": "ring:0", "dst": "phy:1"}]}"#,
            ),
            ("DELETE", "/v1/nfvs/1", "", 204, ""),
            ("DELETE", "/v1/nfvs/1", "", 404, "sec_id 1 not found."),
        ],
    )
    .await;
}
