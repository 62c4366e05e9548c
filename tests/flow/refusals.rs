//! What is refused, and how; and rules on a device that keeps them without hardware: net_failsafe, which stores rules for a
//! card that is not plugged in.

use serde_json::Value;
use testbed::Panel;
use testbed::machine::{cpu, unique};

use crate::fake::{Door, Peer};
use crate::hand::{Hand, LIMIT};

/// A rule that every driver with rules would take.
const RULE: &str = "ingress pattern eth dst is 02:00:00:00:00:01 / end actions queue index 0 / end";
/// Stores rules for a card that never comes.
const STORE: &str = "net_failsafe0,mac=02:00:00:00:00:09,exec(/bin/true)";

/// A refusal begins with the bytes of the original; our reason follows.
#[track_caller]
fn refused(reply: &str, original: &str, reason: &str) {
    let start = format!("{}, \"error\": \"", original.trim_end_matches('}'));
    assert!(reply.starts_with(&start), "{reply}\nis not\n{original}");
    assert!(reply.contains(reason), "{reply}: not '{reason}'");
    serde_json::from_str::<Value>(reply).expect("JSON");
}

/// A primary with these devices and a controller that is the original's, as far as it can tell.
fn wired(hand: &Hand, devices: &[&str]) -> (testbed::Proc, Peer) {
    let door = Door::open(hand.ports[0]);
    let devices: String = devices
        .iter()
        .map(|device| format!("--vdev {device} "))
        .collect();
    let line = format!(
        "-l {} -n 4 -m 128 --proc-type primary --file-prefix {} --no-pci {devices}-- -p 0x01 -n 4 -s 127.0.0.1:{}",
        cpu(0),
        hand.prefix,
        hand.ports[0]
    );
    let proc = hand.start("spp-primary", &line);
    (proc, door.accept())
}

#[test]
fn the_originals_controller_reads_what_was_recorded() {
    let hand = Hand::new();
    let (mut proc, mut peer) = wired(&hand, &["net_null0"]);
    let unsupported = "takes no flow rules: they need a NIC whose driver has them";
    for (command, original, reason) in [
        (
            "validate phy:0 ingress pattern eth / end actions queue index 0 / end",
            r#"{"result": "error", "message": "Flow validate error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented"}"#,
            unsupported,
        ),
        (
            "create phy:0 ingress pattern eth / end actions queue index 0",
            r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "rule_id": ""}"#,
            unsupported,
        ),
        (
            "destroy phy:0 ALL",
            r#"{"result": "error", "message": "Flow destroy error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented"}"#,
            unsupported,
        ),
        (
            "create phy:9 ingress pattern eth / end actions queue index 0 / end",
            r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: No such device\nrte_errno: No such device", "rule_id": ""}"#,
            "phy:9 does not exist: this primary has phy:0 only",
        ),
        (
            "create phy:0 ingress pattern eth / end",
            r#"{"result": "error", "message": "Flow command invalid argument"}"#,
            "actions is missing after 'end'",
        ),
    ] {
        refused(&peer.ask(&format!("flow {command}")), original, reason);
    }
    for (command, reply) in [
        (
            "destroy phy:0 0",
            r#"{"result": "error", "message": "Flow rule #0 not found"}"#,
        ),
        (
            "destroy phy:0 -1",
            r#"{"result": "error", "message": "Flow rule #-1 not found"}"#,
        ),
        (
            "destroy phy:9 ALL",
            r#"{"result": "error", "message": "Invalid port 9"}"#,
        ),
        (
            "destroy phy:9 3",
            r#"{"result": "error", "message": "Invalid port 9"}"#,
        ),
    ] {
        assert_eq!(peer.ask(&format!("flow {command}")), reply, "{command}");
    }
    end(&mut proc, &mut peer);
}

#[test]
fn bad_input_changes_nothing() {
    let hand = Hand::new();
    let (mut proc, mut peer) = wired(&hand, &[STORE]);
    let made = peer.ask(&format!("flow create phy:0 {RULE}"));
    assert_eq!(
        made,
        r#"{"result": "success", "message": "Flow rule #0 created", "rule_id": "0"}"#
    );
    let before = peer.ask("status");
    let long = "x".repeat(5000);
    let many = "eth / ".repeat(4000);
    for words in [
        "",
        "create",
        "list phy:0",
        "destroy",
        "destroy phy:0",
        "destroy phy:0 ALL ALL",
        "destroy phy:0 0x0",
        "destroy phy:0 99999999999999999999",
        "destroy phy:70000 ALL",
        "destroy ring:0 ALL",
        "destroy phy:0nq0 ALL",
        "create phy:0 pattern",
        "create phy:0 ingress",
        "create phy:0 group pattern eth / end actions queue index 0 / end",
        "create phy:0 ingress pattern actions",
        "create phy:0 ingress pattern / end actions / end",
        "create phy:0 ingress pattern ipv4 / end actions queue index 0 / end",
        "create phy:0 ingress pattern eth dst is / end actions queue index 0 / end",
        "create phy:0 ingress pattern eth dst is 2:0:0:0:0:g / end actions queue index 0 / end",
        "create phy:0 ingress pattern vlan pcp is 8 / end actions queue index 0 / end",
        "create phy:0 ingress pattern vlan vid last / end actions queue index 0 / end",
        "create phy:0 ingress pattern vlan vid prefix 13 / end actions queue index 0 / end",
        "create phy:0 ingress pattern eth / end actions queue index -1 / end",
        "create phy:0 ingress pattern eth / end actions of_set_vlan_pcp vlan_pcp 8 / end",
        "create phy:0 ingress pattern eth / end actions drop / end",
        "create phy:0 \u{e9}\"\\\u{1} pattern",
        &long,
        &many,
        &format!("create phy:0 {long}"),
        &format!("create phy:0 ingress pattern {many}"),
    ] {
        let reply = peer.ask(&format!("flow {words}"));
        refused(
            &reply,
            r#"{"result": "error", "message": "Flow command invalid argument"}"#,
            "",
        );
        assert!(reply.len() < 500, "{reply}");
    }
    assert_eq!(peer.ask("status"), before);
    // A long rule is only long. It is taken, and goes.
    let pattern = "eth dst is 2:0:0:0:0:1 / ".repeat(500);
    let made = peer.ask(&format!(
        "flow create phy:0 ingress pattern {pattern} end actions queue index 0 / end"
    ));
    assert!(made.contains("Flow rule #1 created"), "{made}");
    let gone = peer.ask("flow destroy phy:0 ALL");
    assert_eq!(
        gone,
        r#"{"result": "success", "message": "Flow rule all destroyed"}"#
    );
    end(&mut proc, &mut peer);
}

#[test]
fn rules_have_ids_and_are_shown_until_they_are_destroyed() {
    let panel = Panel::builder()
        .memory(128)
        .primary_args(["--rings", "4", "--vdev", "net_null0", "--vdev", STORE])
        .start();
    let create = |rule: &str| panel.ok(&format!("pri flow create phy:1 {rule}"));
    assert_eq!(
        panel.ok(&format!("pri flow validate phy:1 {RULE}")),
        "Flow rule validated\n"
    );
    assert_eq!(create(RULE), "Flow rule #0 created\n");
    let tagged = "group 1 priority 2 egress transfer pattern eth / vlan pcp is 5 vid is 100 / end actions \
                  of_set_vlan_pcp vlan_pcp 3 / of_set_vlan_vid vlan_vid 100 / of_push_vlan ethertype 0x88a8 / jump group 7 / end";
    assert_eq!(create(tagged), "Flow rule #1 created\n");
    assert_eq!(
        panel.ok("pri flow list phy:1"),
        "ID      Group   Prio    Attr    Rule\n\
         0       0       0       i--     ETH => QUEUE \n\
         1       1       2       -et     ETH VLAN => OF_SET_VLAN_PCP OF_SET_VLAN_VID OF_PUSH_VLAN JUMP \n"
    );
    // Values stand as they were written: not as bytes in network order, as the original has them.
    let shown = panel.ok("pri flow status phy:1 1");
    let parts = "  - vlan:\n    - spec:\n      - tci: 0xa064\n      - inner_type: 0x0000\n    - last:\n    - mask:\n      - tci: 0xefff\n";
    assert!(shown.contains(parts), "{shown}");
    assert!(
        shown.contains("  - of_push_vlan:\n    - ethertype: 0x88a8\n"),
        "{shown}"
    );
    let status = panel.http("GET", "/v1/primary/status", "").body;
    let object = r#"{"rule_id": 0, "attr": {"group": 0, "priority": 0, "ingress": 1, "egress": 0, "transfer": 0}, "patterns": [{"type": "eth", "spec": {"dst": "02:00:00:00:00:01", "src": "00:00:00:00:00:00", "type": "0x0000"}, "last": null, "mask": {"dst": "FF:FF:FF:FF:FF:FF", "src": "00:00:00:00:00:00", "type": "0x0000"}}], "actions": [{"type": "queue", "conf": {"index": 0}}]}"#;
    assert!(status.contains(object), "{status}");

    // By REST.
    let body = r#"{"rule": {"direction": "ingress", "pattern": ["eth dst is 02:00:00:00:00:01", "vlan vid is 100"], "actions": ["queue index 1", "of_pop_vlan"]}}"#;
    let path = "/v1/primary/flow_rules/port_id/1";
    let reply = |method: &str, path: &str, body: &str| {
        let answer = panel.http(method, path, body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    assert_eq!(
        reply("POST", &format!("{path}/validate"), body),
        r#"{"result": "success", "message": "Flow rule validated"}"#
    );
    assert_eq!(
        reply("POST", path, body),
        r#"{"result": "success", "message": "Flow rule #2 created", "rule_id": "2"}"#
    );
    let one = |id: i64| format!("/v1/primary/flow_rules/{id}/port_id/1");
    assert_eq!(
        reply("DELETE", &one(1), ""),
        r#"{"result": "success", "message": "Flow rule #1 destroyed"}"#
    );
    assert_eq!(
        reply("DELETE", &one(1), ""),
        r#"{"result": "error", "message": "Flow rule #1 not found"}"#
    );
    // The next id follows the highest that there is.
    assert_eq!(create(RULE), "Flow rule #3 created\n");
    assert_eq!(
        panel.ok("pri flow destroy phy:1 3"),
        "Flow rule #3 destroyed\n"
    );
    assert_eq!(create(RULE), "Flow rule #3 created\n");
    let unsupported = reply("POST", "/v1/primary/flow_rules/port_id/0", body);
    refused(
        &unsupported,
        r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "rule_id": ""}"#,
        "phy:0 (net_null0, driver net_null) takes no flow rules",
    );
    for (line, said) in [
        ("pri flow destroy phy:1 9", "Flow rule #9 not found"),
        ("pri flow destroy phy:9 ALL", "Invalid port 9"),
        ("pri flow list phy:9", "'phy:9' is invalid"),
        ("pri flow status phy:1 1", "RULE_ID:1 does not exist."),
    ] {
        assert!(panel.refused(line).contains(said), "{line}");
    }
    let said = panel.refused(&format!("pri flow create phy:0 {RULE}"));
    assert!(
        said.contains("rte_errno: Function not implemented\n(phy:0 (net_null0, "),
        "{said}"
    );

    // More than the original's controller could read.
    for id in 4..150 {
        let made = reply("POST", path, body);
        assert!(made.contains(&format!("Flow rule #{id} created")), "{made}");
    }
    let rules = panel.primary_status().phy_ports[1].flow.len();
    assert_eq!(rules, 149);
    assert_eq!(panel.ok("pri flow list phy:1").lines().count(), 150);
    assert_eq!(
        reply("DELETE", path, ""),
        r#"{"result": "success", "message": "Flow rule all destroyed"}"#
    );
    assert_eq!(panel.primary_status().phy_ports[1].flow.len(), 0);
    assert_eq!(create(RULE), "Flow rule #0 created\n");
    panel.finish();
}

/// net_tap without the kernel's flower classifier: the driver names what it refuses. With it, the rule is taken.
#[test]
fn a_tap_device_says_what_its_kernel_cannot_do() {
    let interface = unique("f");
    let panel = Panel::builder()
        .memory(128)
        .primary_args([
            "--rings",
            "4",
            "--vdev",
            &format!("net_tapf,iface={interface}"),
        ])
        .start();
    let finished = panel.spp(
        &format!("pri flow create phy:0 {RULE}")
            .split(' ')
            .collect::<Vec<_>>(),
    );
    if finished.status.success() {
        println!("this kernel has the flower classifier: {}", finished.output);
        assert_eq!(
            panel.ok("pri flow destroy phy:0 ALL"),
            "Flow rule all destroyed\n"
        );
    } else {
        let said = finished.failure();
        assert!(
            said.contains("Flow create error\nerror type: 2 (Flow rule (handle))\n"),
            "{said}"
        );
        assert!(
            said.contains("Kernel too old for flower support\n"),
            "{said}"
        );
        assert!(said.contains("driver net_tap) refuses this"), "{said}");
        assert_eq!(panel.primary_status().phy_ports[0].flow.len(), 0);
    }
    // An action that this driver does not have, whatever the kernel.
    let said = panel.refused(
        "pri flow create phy:0 ingress pattern eth / end actions queue index 0 / of_pop_vlan / end",
    );
    assert!(
        said.contains("error type: 16 (Specific action)\n"),
        "{said}"
    );
    assert!(
        said.contains("refuses this: action 2 (of_pop_vlan)"),
        "{said}"
    );
    panel.finish();
}

#[track_caller]
fn end(proc: &mut testbed::Proc, peer: &mut Peer) {
    assert_eq!(
        peer.ask("exit"),
        r#"{"result":"succeeded","command":"exit"}"#
    );
    assert!(proc.wait_exit(LIMIT).success());
}
