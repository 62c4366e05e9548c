//! The original's controller drives vf and mirror: byte for byte what was recorded, with the reason behind the message
//! of a refusal, and behind what is incomplete.

use serde_json::Value;
use testbed::machine::cpu;
use testbed::{Proc, Random};

use crate::LIMIT;
use crate::fake::{Door, Peer};
use crate::hand::Hand;

const DONE: &str = r#"{ "results": [ { "result": "success" } ] }"#;

/// A primary with two queues in the first of its ports, and its connection.
fn primary(hand: &Hand) -> (Proc, Peer) {
    let door = Door::open(hand.ports[0]);
    let line = format!(
        "-l {} -n 4 -m 256 --proc-type primary --file-prefix {} --no-pci \
         --vdev net_null0 --vdev net_null1 -- -p 0x03 -n 10 -s 127.0.0.1:{} --port-num 0 rxq 2 txq 2",
        cpu(0),
        hand.prefix,
        hand.ports[0]
    );
    let proc = hand.start("spp-primary", &line);
    let peer = door.accept();
    (proc, peer)
}

/// A process in the original's form: lcores with these numbers, the first one for control.
fn start(hand: &Hand, door: &Door, kind: &str, id: u32, lcores: &[u32]) -> (Proc, Peer) {
    let places: Vec<String> = lcores
        .iter()
        .map(|n| format!("{n}@{}", cpu(*n as usize)))
        .collect();
    let line = format!(
        "--lcores {} -n 4 -m 64 --proc-type secondary --file-prefix {} -- --client-id {id} -s 127.0.0.1:{}",
        places.join(","),
        hand.prefix,
        hand.ports[1]
    );
    let proc = hand.start(format!("spp-{kind}"), &line);
    let mut peer = door.accept();
    let hello = peer.ask("_get_client_id");
    let wanted = format!(
        r#"{{ "results": [ {{ "result": "success" }} ], "client_id": {id}, "process_type": "{kind}", "spp": {{ "#
    );
    assert!(hello.starts_with(&wanted), "{hello}");
    (proc, peer)
}

fn done(peer: &mut Peer, commands: &[&str]) {
    for command in commands {
        assert_eq!(peer.ask(command), DONE, "{command}");
    }
}

/// These are refused in these words of the original's.
#[track_caller]
fn refused(peer: &mut Peer, message: &str, commands: &[&str]) {
    for command in commands {
        let reply = peer.ask(command);
        let bare = format!(
            r#"{{ "results": [ {{ "result": "error", "error_details": {{ "message": "{message}""#
        );
        assert!(reply.starts_with(&bare), "{command}: {reply}");
        let value: Value = serde_json::from_str(&reply).expect("JSON");
        assert_eq!(value["results"][0]["error_details"]["message"], message);
    }
}

const NONE: &str = r#""vlan": { "operation": "none", "id": 0, "pcp": 0 }"#;

#[test]
fn a_vf_answers_as_recorded() {
    let hand = Hand::new();
    // In the folder of all: a number that no other test has.
    let vhost = 20_000 + std::process::id() % 20_000;
    let (mut first, mut pri) = primary(&hand);
    let door = Door::open(hand.ports[1]);
    let (mut proc, mut vf) = start(&hand, &door, "vf", 2, &[3, 4, 5, 6]);
    let status = |core: &str, ports: &str, table: &str| {
        format!(
            r#"{{ "results": [ {{ "result": "success" }} ], "info": {{ "client-id": 2, "phy": [ "0 nq 0", "0 nq 1", "1" ], {ports}, "master-lcore": 3, "core": [ {core} ], "classifier_table": [ {table} ] }} }}"#
        )
    };
    let unused = |core: u32| format!(r#"{{ "core": {core}, "type": "unuse" }}"#);
    let idle = [unused(4), unused(5), unused(6)].join(", ");
    let nothing = r#""vhost": [  ], "ring": [  ]"#;
    assert_eq!(vf.ask("status"), status(&idle, nothing, ""));
    done(
        &mut vf,
        &[
            "component start fw 4 forward",
            "component start mg 4 merge",
            "component start cls 5 classifier",
            "component stop nope",
            "port del ring:9 rx cls",
            "port add phy:0nq0 rx fw",
            "port add ring:1 tx fw add_vlantag 100 3",
            "port add phy:0nq1 rx mg",
            "port add ring:2 rx mg",
            "port add phy:1 tx mg",
            "port add ring:1 rx cls del_vlantag",
            "port add ring:3 tx cls",
            &format!("port add vhost:{vhost} tx cls"),
            &format!("classifier_table add vlan 100 default vhost:{vhost}"),
            "classifier_table add mac 52:54:00:00:00:0a ring:3",
        ],
    );
    let core = [
        format!(
            r#"{{ "core": 4, "name": "fw", "type": "forward", "rx_port": [ {{ "port": "phy:0 nq 0", {NONE} }} ], "tx_port": [ {{ "port": "ring:1", "vlan": {{ "operation": "add", "id": 100, "pcp": 3 }} }} ] }}"#
        ),
        format!(
            r#"{{ "core": 4, "name": "mg", "type": "merge", "rx_port": [ {{ "port": "phy:0 nq 1", {NONE} }}, {{ "port": "ring:2", {NONE} }} ], "tx_port": [ {{ "port": "phy:1", {NONE} }} ] }}"#
        ),
        format!(
            r#"{{ "core": 5, "name": "cls", "type": "classifier", "rx_port": [ {{ "port": "ring:1", "vlan": {{ "operation": "del", "id": 0, "pcp": 0 }} }} ], "tx_port": [ {{ "port": "ring:3", {NONE} }}, {{ "port": "vhost:{vhost}", {NONE} }} ] }}"#
        ),
        unused(6),
    ];
    let table = format!(
        r#"{{ "type": "vlan", "value": "100/default", "port": "vhost:{vhost}" }}, {{ "type": "mac", "value": "52:54:00:00:00:0A", "port": "ring:3" }}"#
    );
    let ports = format!(r#""vhost": [ "{vhost}" ], "ring": [ "1", "2", "3" ]"#);
    let full = status(&core.join(", "), &ports, &table);
    assert_eq!(vf.ask("status"), full);

    refused(
        &mut vf,
        "Invalid value (command)",
        &["foo", "Status", "start"],
    );
    let short = [
        "status x",
        "component start",
        "port add ring:5",
        "classifier_table add mac default",
    ];
    refused(&mut vf, "Wrong message format", &short);
    refused(&mut vf, "Wrong message format", &["a b c d e f g h i"]);
    let action = [
        "component foo x",
        "port foo ring:5 tx cls",
        "classifier_table foo mac default ring:3",
    ];
    refused(&mut vf, "Invalid value (action)", &action);
    let name = [
        "component start fw 5 forward",
        "component start fw 200 zap",
        "port add ring:5 rx nope",
    ];
    refused(&mut vf, "Invalid value (component name)", &name);
    let port = [
        "port add phy:0 rx fw",
        "port add phy:1nq0 rx fw",
        "port add phy:9 rx fw",
        "port add ring:1 rx cls",
        "classifier_table add mac default ring:9",
        "classifier_table add mac 52:54:00:00:00:0a ring:3",
        "classifier_table del mac 52:54:00:00:00:0c ring:3",
    ];
    refused(&mut vf, "Invalid value (port)", &port);
    let rxtx = [
        "port add phy:0nq2 rx fw",
        "port add phy:0nq0 rx mg",
        "port add ring:5 xx cls",
    ];
    refused(&mut vf, "Invalid value (port rxtx)", &rxtx);
    refused(
        &mut vf,
        "Invalid value (port vid)",
        &["port add ring:5 tx cls add_vlantag 5000 1"],
    );
    refused(
        &mut vf,
        "Invalid value (port pcp)",
        &["port add ring:5 tx cls add_vlantag 5 9"],
    );
    refused(
        &mut vf,
        "Invalid value (vlan id)",
        &["classifier_table add vlan 5000 default ring:3"],
    );
    let failed = [
        "port add ring:2 tx fw",
        "component start a 99 forward",
        // The control core.
        "component start a 3 forward",
        // Beyond the primary's: the original creates it or is of no use any more.
        "port add ring:55 rx mg",
    ];
    refused(&mut vf, "error occur", &failed);
    let core = [
        "component start a 200 forward",
        "component start a x forward",
    ];
    refused(&mut vf, "Invalid value (core)", &core);
    refused(
        &mut vf,
        "Invalid value (component type)",
        &["component start a 4 zap", "component start a 4 mirror"],
    );
    refused(
        &mut vf,
        "Invalid value (port vlan operation)",
        &["port del phy:0nq0 rx fw x y z"],
    );
    // Nothing of that changed anything, or made anything worse.
    assert_eq!(vf.ask("status"), full);

    done(
        &mut vf,
        &[
            "port add ring:1 tx fw add_vlantag 7 1",
            "port del ring:2 rx mg",
            "component stop mg",
            &format!("classifier_table del vlan 100 default vhost:{vhost}"),
        ],
    );
    let status = vf.ask("status");
    assert!(
        status.contains(r#""operation": "add", "id": 7, "pcp": 1"#),
        "{status}"
    );
    // What was opened stays.
    assert!(status.contains(&ports), "{status}");
    assert!(
        !status.contains("100/default") && !status.contains("\"mg\""),
        "{status}"
    );

    done(&mut vf, &["exit"]);
    assert!(proc.wait_exit(LIMIT).success());
    assert_eq!(
        pri.ask("exit"),
        r#"{"result":"succeeded","command":"exit"}"#
    );
    assert!(first.wait_exit(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn a_mirror_answers_as_recorded() {
    let hand = Hand::new();
    let (mut first, mut pri) = primary(&hand);
    let door = Door::open(hand.ports[1]);
    let (mut proc, mut mirror) = start(&hand, &door, "mirror", 3, &[6, 7, 8]);
    assert_eq!(
        mirror.ask("status"),
        r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 3, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [  ], "ring": [  ], "master-lcore": 6, "core": [ { "core": 7, "type": "unuse" }, { "core": 8, "type": "unuse" } ] } }"#
    );
    done(
        &mut mirror,
        &[
            "component start m 7 mirror",
            "port add phy:0nq0 rx m",
            "port add ring:3 tx m",
            "port add ring:4 tx m add_vlantag 10 2",
            "classifier_table add mac default ring:3",
        ],
    );
    refused(
        &mut mirror,
        "Invalid value (component type)",
        &["component start m2 8 forward"],
    );
    refused(&mut mirror, "Invalid value (command)", &["start"]);
    assert_eq!(
        mirror.ask("status"),
        format!(
            r#"{{ "results": [ {{ "result": "success" }} ], "info": {{ "client-id": 3, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [  ], "ring": [ "3", "4" ], "master-lcore": 6, "core": [ {{ "core": 7, "name": "m", "type": "mirror", "rx_port": [ {{ "port": "phy:0 nq 0", {NONE} }} ], "tx_port": [ {{ "port": "ring:3", {NONE} }}, {{ "port": "ring:4", "vlan": {{ "operation": "add", "id": 10, "pcp": 2 }} }} ] }}, {{ "core": 8, "type": "unuse" }} ] }} }}"#
        )
    );
    // A third output is a second copy; what is incomplete says what it lacks.
    done(
        &mut mirror,
        &[
            "port add ring:5 tx m",
            "component start m2 7 mirror",
            "component set m snap 64",
        ],
    );
    let value: Value = serde_json::from_str(&mirror.ask("status")).expect("JSON");
    let core = &value["info"]["core"];
    assert_eq!(core[0]["tx_port"].as_array().map(Vec::len), Some(3));
    assert_eq!(core[0]["snap"], 64);
    assert_eq!(
        core[1]["lacks"],
        "a port to receive from and two ports to send to"
    );
    done(&mut mirror, &["exit"]);
    assert!(proc.wait_exit(LIMIT).success());
    assert_eq!(
        pri.ask("exit"),
        r#"{"result":"succeeded","command":"exit"}"#
    );
    assert!(first.wait_exit(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn signals_end_them_cleanly() {
    let hand = Hand::new();
    let (mut first, _pri) = primary(&hand);
    let door = Door::open(hand.ports[1]);
    let (mut vf, mut peer) = start(&hand, &door, "vf", 2, &[3, 4]);
    done(
        &mut peer,
        &[
            "component start fw 4 forward",
            "port add phy:1 rx fw",
            "port add ring:1 tx fw",
        ],
    );
    let (mut mirror, _peer) = start(&hand, &door, "mirror", 3, &[6, 7]);
    for proc in [&mut vf, &mut mirror, &mut first] {
        assert!(proc.terminate(LIMIT).success());
    }
    hand.wait_nothing_left();
}

#[test]
fn no_words_do_harm() {
    const WORDS: [&str; 44] = [
        "component",
        "start",
        "stop",
        "set",
        "port",
        "add",
        "del",
        "classifier_table",
        "list",
        "mac",
        "vlan",
        "a",
        "b",
        "c",
        "4",
        "5",
        "0x05",
        "-1",
        "99",
        "forward",
        "merge",
        "classifier",
        "mirror",
        "rx",
        "tx",
        "ring:0",
        "ring:1",
        "ring:9999",
        "phy:0nq0",
        "phy:0",
        "phy:1",
        "nullpmd:1",
        "vhost:x",
        "memif:x",
        "default",
        "02:00:00:00:00:01",
        "100",
        "4095",
        "7",
        "add_vlantag",
        "del_vlantag",
        "learn",
        "on",
        "\u{7f}",
    ];
    // What begins a command, so that more than the first word is looked at.
    const BEGINNINGS: [&str; 7] = [
        "component start",
        "component stop",
        "component set",
        "port add",
        "port del",
        "classifier_table add",
        "",
    ];
    let hand = Hand::new();
    let (mut first, _pri) = primary(&hand);
    let door = Door::open(hand.ports[1]);
    let (mut proc, mut vf) = start(&hand, &door, "vf", 2, &[3, 4, 5]);
    vf.lines();
    let mut random = Random(0x5eed);
    let mut taken = 0;
    for _ in 0..3000 {
        let mut words = vec![random.of(&BEGINNINGS)];
        for _ in 0..random.below(8) {
            words.push(random.of(&WORDS));
        }
        let command = words.join(" ");
        let reply = vf.ask_line(command.as_bytes());
        let value: Value =
            serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{command}: {reply}: {e}"));
        match value["results"][0]["result"].as_str() {
            Some("success") => taken += 1,
            Some("error") => {
                let message = &value["results"][0]["error_details"]["message"];
                assert!(
                    message.as_str().is_some_and(|m| !m.is_empty()),
                    "{command}: {reply}"
                );
            }
            _ => panic!("{command}: {reply}"),
        }
    }
    assert!(taken > 20, "only {taken} of them mean something");
    let endless = [b'x'; 40_000];
    assert!(vf.ask_line(&endless).contains("longer than"));
    for name in ["a", "b", "c"] {
        done_line(&mut vf, &format!("component stop {name}"));
    }
    let value: Value = serde_json::from_str(&vf.ask_line(b"status")).expect("JSON");
    assert_eq!(value["info"]["core"][0]["type"], "unuse", "{value}");
    done_line(&mut vf, "exit");
    assert!(proc.wait_exit(LIMIT).success());
    assert!(first.terminate(LIMIT).success());
    hand.wait_nothing_left();
}

fn done_line(peer: &mut Peer, command: &str) {
    assert_eq!(peer.ask_line(command.as_bytes()), DONE, "{command}");
}
