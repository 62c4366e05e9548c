//! REST of `vf` against a played process of the original, which gives its recorded answers.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use support::results::*;

#[tokio::test]
async fn components_of_a_vf() {
    let (ctl, vf) = with("vf", 2, VF_IDLE, VF_LINES).await;
    let idle = r#"{"client-id": 2, "ports": ["phy:0 nq 0", "phy:0 nq 1", "phy:1"], "master-lcore": 3, "components": [{"core": 4, "type": "unuse"}, {"core": 5, "type": "unuse"}], "classifier_table": []}"#;
    ctl.expect("GET", "/v1/vfs/2", "", 200, idle).await;
    let start = "/v1/vfs/2/components";
    for (body, status, text) in [
        (r#"{"name": "a", "core": 4}"#, 400, "key(type) required."),
        (r#"{"type": "zap", "name": 1}"#, 400, "key(core) required."),
        (
            r#"{"name": "b", "core": 99, "type": "forward"}"#,
            400,
            "command error: error occur",
        ),
        (
            r#"{"name": "b", "core": 200, "type": "forward"}"#,
            400,
            "command error: Invalid value (core)",
        ),
        (r#"{"name": "fw", "core": 4, "type": "forward"}"#, 204, ""),
        (
            r#"{"name": "fw", "core": 5, "type": "forward"}"#,
            400,
            "command error: Invalid value (component name)",
        ),
        (
            r#"{"name": "mg", "core": 4, "type": "merge", "x": []}"#,
            204,
            "",
        ),
        (
            r#"{"name": "cls", "core": 0, "type": "classifier"}"#,
            204,
            "",
        ),
        // 500 in the original, or a command that means something else.
        (
            r#"{"name": "a", "core": "4", "type": "forward"}"#,
            400,
            "invalid key(core): 4.",
        ),
        (
            r#"{"name": "a", "core": true, "type": "forward"}"#,
            400,
            "invalid key(core): true.",
        ),
        (
            r#"{"name": "a", "core": 4.0, "type": "forward"}"#,
            400,
            "invalid key(core): 4.0.",
        ),
        (
            r#"{"name": "a", "core": -1, "type": "forward"}"#,
            400,
            "command error: Invalid value (core)",
        ),
        (
            r#"{"name": "a b", "core": 4, "type": "forward"}"#,
            400,
            "invalid key(name): a b.",
        ),
        (
            r#"{"name": "", "core": 4, "type": "forward"}"#,
            400,
            "invalid key(name): .",
        ),
        (
            r#"{"name": 7, "core": 4, "type": "forward"}"#,
            400,
            "invalid key(name): 7.",
        ),
        (
            r#"{"name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "core": 4, "type": "forward"}"#,
            400,
            "invalid key(name): aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
        ),
        (
            r#"{"name": "a", "core": 4, "type": "mirror"}"#,
            400,
            "invalid key(type): mirror.",
        ),
        (
            r#"{"name": "a", "core": 4, "type": null}"#,
            400,
            "invalid key(type): null.",
        ),
        // A component on the CPU of its main thread would hang a process of the original.
        (
            r#"{"name": "a", "core": 3, "type": "forward"}"#,
            400,
            "vf 2 is a process of the original: CPU 3 is the one of its main thread, where a component would hang it: name another",
        ),
        ("{bad", 400, "Not in json format."),
    ] {
        ctl.expect("POST", start, body, status, text).await;
    }
    ctl.expect("DELETE", "/v1/vfs/2/components/nope", "", 204, "")
        .await;
    ctl.expect("DELETE", "/v1/vfs/2/components/%66w", "", 204, "")
        .await;
    let blank = "invalid key(name): f w.";
    ctl.expect("DELETE", "/v1/vfs/2/components/f%20w", "", 400, blank)
        .await;
    ctl.expect(
        "DELETE",
        "/v1/vfs/2/components/a/b",
        "",
        404,
        "Not found: '/2/components/a/b'",
    )
    .await;
    assert_eq!(
        vf.told()[1..],
        [
            "component start b 99 forward",
            "component start fw 4 forward",
            "component start fw 5 forward",
            "component start mg 4 merge",
            "component start cls 0 classifier",
            "component stop nope",
            "component stop fw",
        ]
    );
    ctl.expect(
        "POST",
        "/v1/vfs/1/components",
        "{bad",
        404,
        "sec_id 1 not found.",
    )
    .await;
    ctl.expect(
        "POST",
        "/v1/mirrors/2/components",
        "{}",
        404,
        "sec_id 2 not found.",
    )
    .await;
    ctl.expect("DELETE", "/v1/vfs/2", "", 204, "").await;
    ctl.expect("GET", "/v1/vfs/2", "", 404, "sec_id 2 not found.")
        .await;
}

#[tokio::test]
async fn ports_of_a_component() {
    let (ctl, vf) = with("vf", 2, VF_BUSY, VF_LINES).await;
    let vlan = |vlan: &str| {
        format!(r#"{{"action": "attach", "port": "phy:1", "dir": "tx", "vlan": {vlan}}}"#)
    };
    let attach = |port: &str, dir: &str| {
        format!(r#"{{"action": "attach", "port": "{port}", "dir": "{dir}"}}"#)
    };
    for (name, body, status, text) in [
        ("fw", attach("phy:0", "rx"), 400, "command error: Invalid value (port)"),
        (
            "fw",
            vlan(r#"{"operation": "add", "id": 4096, "pcp": 3}"#),
            400,
            "command error: Invalid value (port vid)",
        ),
        (
            "fw",
            vlan(r#"{"operation": "add", "id": -1, "pcp": 3}"#),
            400,
            "command error: Invalid value (port vid)",
        ),
        (
            "fw",
            vlan(r#"{"operation": "add", "id": 100, "pcp": 8}"#),
            400,
            "command error: Invalid value (port pcp)",
        ),
        ("fw", vlan(r#"{"operation": "add", "id": 100, "pcp": 3}"#), 204, ""),
        ("fw", attach("ring:9", "tx"), 400, "command error: error occur"),
        ("fw", r#"{"action": "detach", "port": "ring:9", "dir": "tx"}"#.to_owned(), 204, ""),
        // Not even looked at without a port to attach.
        (
            "fw",
            r#"{"action": "detach", "port": "ring:9", "dir": "tx", "vlan": 7}"#.to_owned(),
            204,
            "",
        ),
        (
            "nope",
            attach("ring:2", "rx"),
            400,
            "command error: Invalid value (component name)",
        ),
        // As the shell sends it without a tag, and with the queue as processes report it.
        (
            "mg",
            r#"{"action": "attach", "port": "phy:0 nq 1", "dir": "rx", "vlan": {}}"#.to_owned(),
            204,
            "",
        ),
        (
            "mg",
            r#"{"action": "attach", "port": "phy:0nq1", "dir": "rx", "vlan": {"operation": "none", "id": "x"}}"#.to_owned(),
            204,
            "",
        ),
        (
            "cls",
            r#"{"action": "attach", "port": "ring:0", "dir": "rx", "vlan": {"operation": "del"}}"#.to_owned(),
            204,
            "",
        ),
        ("cls", attach("nullpmd:1", "tx"), 400, "command error: Invalid value (port)"),
        ("fw", r#"{"port": "ring:9", "dir": "tx"}"#.to_owned(), 400, "key(action) required."),
        ("fw", r#"{"action": "attach", "dir": "tx"}"#.to_owned(), 400, "key(port) required."),
        ("fw", r#"{"action": "attach", "port": 1}"#.to_owned(), 400, "key(dir) required."),
        ("fw", attach("ring:0", "up"), 400, "invalid key(dir): up."),
        ("fw", attach("ring:x", "rx"), 400, "invalid key(port): ring:x."),
        (
            "fw",
            attach("ring:32", "rx"),
            400,
            "vf 2 is a process of the original: its ports of a kind have the numbers 0 to 31",
        ),
        (
            "fw",
            r#"{"action": "add", "port": "ring:0", "dir": "rx"}"#.to_owned(),
            400,
            "invalid key(action): add.",
        ),
        ("fw", vlan("7"), 400, "invalid key(vlan): 7."),
        ("fw", vlan(r#"{"id": 5}"#), 400, r#"invalid key(vlan): {"id": 5}."#),
        (
            "fw",
            vlan(r#"{"operation": "zap"}"#),
            400,
            r#"invalid key(vlan): {"operation": "zap"}."#,
        ),
        (
            "fw",
            vlan(r#"{"operation": "add", "id": "5", "pcp": 1}"#),
            400,
            r#"invalid key(vlan): {"operation": "add", "id": "5", "pcp": 1}."#,
        ),
        (
            "fw",
            vlan(r#"{"operation": "add", "id": 5}"#),
            400,
            r#"invalid key(vlan): {"operation": "add", "id": 5}."#,
        ),
    ] {
        let path = format!("/v1/vfs/2/components/{name}/ports");
        ctl.expect("PUT", &path, &body, status, text).await;
    }
    assert_eq!(
        vf.told()[1..],
        [
            "port add phy:0 rx fw",
            "port add phy:1 tx fw add_vlantag 100 3",
            "port add ring:9 tx fw",
            "port del ring:9 tx fw",
            "port del ring:9 tx fw",
            "port add ring:2 rx nope",
            "port add phy:0nq1 rx mg",
            "port add phy:0nq1 rx mg",
            "port add ring:0 rx cls del_vlantag",
            "port add nullpmd:1 tx cls",
        ]
    );
    let busy = r#"{"client-id": 2, "ports": ["phy:0 nq 0", "phy:0 nq 1", "phy:1", "vhost:2", "ring:2", "ring:3", "ring:4", "ring:6"], "master-lcore": 3, "components": [{"core": 4, "name": "fw", "type": "forward", "rx_port": [{"port": "ring:6", "vlan": {"operation": "none", "id": 0, "pcp": 0}}], "tx_port": [{"port": "phy:1", "vlan": {"operation": "add", "id": 100, "pcp": 3}}]}, {"core": 4, "name": "mg", "type": "merge", "rx_port": [{"port": "phy:0 nq 0", "vlan": {"operation": "none", "id": 0, "pcp": 0}}, {"port": "phy:0 nq 1", "vlan": {"operation": "none", "id": 0, "pcp": 0}}], "tx_port": [{"port": "ring:2", "vlan": {"operation": "none", "id": 0, "pcp": 0}}]}, {"core": 5, "name": "cls", "type": "classifier", "rx_port": [{"port": "ring:2", "vlan": {"operation": "del", "id": 0, "pcp": 0}}], "tx_port": [{"port": "ring:3", "vlan": {"operation": "none", "id": 0, "pcp": 0}}, {"port": "ring:4", "vlan": {"operation": "add", "id": 200, "pcp": 7}}, {"port": "vhost:2", "vlan": {"operation": "none", "id": 0, "pcp": 0}}]}], "classifier_table": [{"type": "vlan", "value": "200/default", "port": "vhost:2"}, {"type": "vlan", "value": "200/02:00:00:00:00:0B", "port": "ring:4"}, {"type": "mac", "value": "02:00:00:00:00:0A", "port": "ring:3"}]}"#;
    ctl.expect("GET", "/v1/vfs/2", "", 200, busy).await;
}

#[tokio::test]
async fn the_table_of_a_classifier() {
    let (ctl, vf) = with("vf", 2, VF_IDLE, VF_LINES).await;
    let path = "/v1/vfs/2/classifier_table";
    let add = |rest: &str| {
        format!(r#"{{"action": "add", "type": "vlan", "port": "ring:4", "mac_address": {rest}}}"#)
    };
    for (body, status, text) in [
        (
            r#"{"action": "add", "type": "mac", "port": "ring:3"}"#.to_owned(),
            400,
            "key(mac_address) required.",
        ),
        (add(r#""default""#), 400, "invalid key(vlan): null."),
        (add(r#""default", "vlan": 4096"#), 400, "command error: Invalid value (vlan id)"),
        (add(r#""default", "vlan": -1"#), 400, "command error: Invalid value (vlan id)"),
        (
            r#"{"action": "add", "type": "mac", "port": "ring:9", "mac_address": "default"}"#.to_owned(),
            400,
            "command error: Invalid value (port)",
        ),
        (add(r#""02:00:00:00:00:0b", "vlan": "200""#), 204, ""),
        (add(r#""02-00-00-00-00-0B", "vlan": 200"#), 204, ""),
        // The original acknowledges this notation and does nothing.
        (
            r#"{"action": "del", "type": "mac", "port": "ring:3", "mac_address": "02000000000a", "vlan": "x"}"#.to_owned(),
            204,
            "",
        ),
        (add(r#""default", "vlan": "x""#), 400, "invalid key(vlan): x."),
        (add(r#""default", "vlan": 5.5"#), 400, "invalid key(vlan): 5.5."),
        (add(r#""default", "vlan": """#), 400, "invalid key(vlan): ."),
        (add(r#""default", "vlan": "99999999999999999999""#), 400, "command error: Invalid value (vlan id)"),
        (add(r#""bogus", "vlan": 1"#), 400, "invalid key(mac_address): bogus."),
        (add(r#""00:00:00:00:00:01", "vlan": 1"#), 400, "invalid key(mac_address): 00:00:00:00:00:01."),
        (add(r#"7, "vlan": 1"#), 400, "invalid key(mac_address): 7."),
        ("{}".to_owned(), 400, "key(action) required."),
        (
            r#"{"action": "add", "type": "zap", "port": "ring:3", "mac_address": "default"}"#.to_owned(),
            400,
            "invalid key(type): zap.",
        ),
    ] {
        ctl.expect("PUT", path, &body, status, text).await;
    }
    assert_eq!(
        vf.told()[1..],
        [
            "classifier_table add mac default ring:9",
            "classifier_table add vlan 200 02:00:00:00:00:0b ring:4",
            "classifier_table add vlan 200 02:00:00:00:00:0b ring:4",
            "classifier_table del mac 02:00:00:00:00:0a ring:3",
        ]
    );
    // What the process would say is said before it is asked, also in the finer form.
    let accept = "Accept: application/problem+json\r\n";
    let body = add(r#""default", "vlan": 4096"#);
    let response = ctl.request_with("PUT", path, body.as_bytes(), accept).await;
    assert_eq!(response.status, 400);
    let detail = r#""detail": "command error: Invalid value (vlan id). vlan has to be 0 to 4095.""#;
    assert!(response.body.contains(detail), "{}", response.body);
    let body = r#"{"action": "add", "type": "mac", "port": "ring:9", "mac_address": "default"}"#;
    let response = ctl.request_with("PUT", path, body.as_bytes(), accept).await;
    assert_eq!(response.status, 409, "{}", response.body);
}
