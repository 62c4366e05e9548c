//! The TCP protocol, past all checks of the controller and the shell.

use serde_json::Value;
use testbed::machine::cpu;
use testbed::{Proc, Random};

use crate::fake::{Door, Peer};
use crate::hand::{Hand, LIMIT};
use crate::{ABSURD, LONG, long_word};

/// What a process is apart from its counters.
fn shape(peer: &mut Peer) -> Value {
    let mut detail: Value = serde_json::from_str(&peer.ask_line(b"_detail")).expect("details");
    for part in ["ports", "patches"] {
        for entry in detail[part].as_array_mut().into_iter().flatten() {
            let entry = entry.as_object_mut().expect("an object");
            entry.retain(|name, _| ["name", "link", "src", "dst", "cpu"].contains(&name.as_str()));
        }
    }
    let detail = detail.as_object_mut().expect("an object");
    detail.retain(|name, _| !["tsc", "workers", "pools", "rings"].contains(&name.as_str()));
    Value::Object(detail.clone())
}

/// Says `command`, which is refused with a reason, and looks whether anything changed.
#[track_caller]
fn refused(peer: &mut Peer, command: &[u8], before: &Value) {
    let reply = peer.ask_line(command);
    let shown = String::from_utf8_lossy(&command[..command.len().min(80)]).into_owned();
    let value: Value =
        serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{shown:?}: {e}: {reply}"));
    let words = if value["result"] == "error" {
        &value["message"]
    } else {
        assert_eq!(value["result"], "failed", "{shown:?}: {reply}");
        &value["error"]
    };
    let words = words.as_str().unwrap_or_default();
    assert!(
        words.len() > 10 && words.len() < 1000,
        "{shown:?} is refused without a reason: {reply}"
    );
    assert!(
        !words.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}: {words:?}"
    );
    assert_eq!(shape(peer), *before, "{shown:?}");
}

/// Every command with missing, extra and absurd words.
fn abuse(peer: &mut Peer, own: &[&str]) {
    let before = shape(peer);
    let alone = [
        "status",
        "forward",
        "stop",
        "clear",
        "exit",
        "patch reset",
        "_get_client_id",
        "_detail",
    ];
    let with_port = [
        "add",
        "del",
        "unpatch",
        "patch",
        "patch ring:0",
        "patch nullpmd:0 nullpmd:0 on",
        "_framing",
    ];
    for command in with_port.iter().chain(own) {
        refused(peer, command.as_bytes(), &before);
    }
    for word in ABSURD {
        for command in alone.iter().chain(&with_port).chain(own) {
            refused(peer, format!("{command} {word}").as_bytes(), &before);
            refused(peer, format!("{command}{word}").as_bytes(), &before);
        }
        refused(peer, word.as_bytes(), &before);
        refused(peer, format!("add vhost:3 {word}").as_bytes(), &before);
        refused(peer, format!("add ring:2 {word}").as_bytes(), &before);
        refused(peer, format!("del nullpmd:0 {word}").as_bytes(), &before);
        refused(
            peer,
            format!("patch nullpmd:0 nullpmd:0 {word}").as_bytes(),
            &before,
        );
        refused(
            peer,
            format!("patch nullpmd:0 nullpmd:0 on {word}").as_bytes(),
            &before,
        );
        refused(peer, format!("patch nullpmd:0 {word}").as_bytes(), &before);
        refused(peer, format!("patch {word} nullpmd:0").as_bytes(), &before);
    }
    for size in [1000, 32_000, 32_767, 32_768, 32_769, 40_000, LONG] {
        for command in ["", "add ", "add ring:", "patch ", "status ", "exit "] {
            refused(
                peer,
                (command.to_owned() + &long_word(size)).as_bytes(),
                &before,
            );
        }
    }
    refused(peer, b"", &before);
    refused(peer, b" \t ", &before);
    refused(peer, &[0xff, 0xfe, 0x80], &before);
    refused(peer, b"add \xc3\x28", &before);
    refused(peer, "add ring:2 ".repeat(2000).as_bytes(), &before);
    let mut random = Random(0x5eed);
    for _ in 0..200 {
        let count = 1 + random.below(300);
        let mut bytes = random.bytes(count);
        bytes.retain(|byte| *byte != b'\n');
        refused(peer, &bytes, &before);
    }
}

/// Starts a process of `line` and speaks lines with it.
fn connect(hand: &Hand, door: &Door, program: &str, line: &str) -> (Proc, Peer) {
    let proc = hand.start(program, line);
    let mut peer = door.accept();
    peer.lines();
    (proc, peer)
}

#[test]
fn nothing_that_the_wire_brings_changes_or_ends_a_process() {
    let hand = Hand::new();
    let [to_primary, to_secondary] = [0, 1].map(|n| Door::open(hand.ports[n]));
    let line = format!(
        "-l {},{} -m 256 --file-prefix {} --no-pci --vdev net_null0 -- -p 1 -n 16 -s 127.0.0.1:{}",
        cpu(0),
        cpu(1),
        hand.prefix,
        hand.ports[0]
    );
    let (mut primary, mut pri) = connect(&hand, &to_primary, "spp-primary", &line);
    let line = hand.nfv(1, &format!("--idle --ctl 127.0.0.1:{}", hand.ports[1]));
    let (mut nfv, mut peer) = connect(&hand, &to_secondary, "spp-nfv", &line);
    for peer in [&mut pri, &mut peer] {
        for command in ["add nullpmd:0", "add ring:0", "patch nullpmd:0 nullpmd:0"] {
            let reply = peer.ask_line(command.as_bytes());
            assert!(reply.starts_with(r#"{"result":"succeeded""#), "{reply}");
        }
    }
    abuse(
        &mut peer,
        &[
            "_set_client_id",
            "_set_client_id 2",
            "launch 1 spp_nfv",
            "flow list",
        ],
    );
    abuse(
        &mut pri,
        &[
            "launch",
            "launch 1",
            "launch 0 spp_nfv",
            "launch 128 spp_nfv",
            "launch x spp_nfv",
            "launch 1 sh -c",
            "launch 1 ../spp_nfv",
            "launch 1 spp_ctl",
            "unlaunch",
            "unlaunch 1",
            "unlaunch 0",
            "unlaunch ../1",
            "_leaving ",
            "_leaving 128",
            "_set_client_id 0",
            "flow",
            "flow create phy:0",
        ],
    );
    for (proc, peer) in [(&mut nfv, &mut peer), (&mut primary, &mut pri)] {
        assert_eq!(
            peer.ask_line(b"exit"),
            r#"{"result":"succeeded","command":"exit"}"#
        );
        assert!(proc.wait_exit(LIMIT).success());
    }
    hand.wait_nothing_left();
}
