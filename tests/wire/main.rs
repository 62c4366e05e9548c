//! The original's controller drives our processes: byte for byte what was recorded, where the
//! original's answer was right, and the same shape with a reason where it was not.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/fake.rs"]
mod fake;
#[path = "../common/hand.rs"]
mod hand;

use fake::{Door, Peer};
use hand::{Hand, LIMIT};
use serde_json::Value;
use testbed::machine::cpu;
use testbed::{Proc, wait_for};

/// What is expected of a reply.
enum Expect {
    /// These bytes.
    Bytes(&'static str),
    /// A failure with these members first and the reason last.
    Failed(&'static str),
    /// A refusal of any shape, with a reason.
    Refused,
}
use Expect::{Bytes, Failed, Refused};

#[track_caller]
fn play(peer: &mut Peer, script: &[(&str, Expect)]) {
    for (command, expect) in script {
        let reply = peer.ask(command);
        match expect {
            Bytes(bytes) => assert_eq!(reply, *bytes, "{command}"),
            Failed(members) => {
                let start = format!("{{\"result\":\"failed\",{members},\"error\":\"");
                assert!(reply.starts_with(&start), "{command}: {reply}");
                assert!(
                    reply.len() > start.len() + 10,
                    "{command}: no reason: {reply}"
                );
                serde_json::from_str::<Value>(&reply).expect("JSON");
            }
            Refused => {
                let value: Value = serde_json::from_str(&reply).expect("JSON");
                assert_eq!(value["result"], "failed", "{command}: {reply}");
                assert!(
                    value["error"].as_str().is_some_and(|why| why.len() > 10),
                    "{reply}"
                );
            }
        }
    }
}

/// A primary with two null devices, two queues in the first one, and its connection.
fn primary(hand: &Hand, lcores: &str, rings: u32, megabytes: u32) -> (Proc, Peer) {
    let door = Door::open(hand.ports[0]);
    let line = format!(
        "-l {lcores} -n 4 -m {megabytes} --proc-type primary --file-prefix {} --no-pci \
         --vdev net_null0 --vdev net_null1 -- -p 0x03 -n {rings} -s 127.0.0.1:{} --port-num 0 rxq 2 txq 2",
        hand.prefix, hand.ports[0]
    );
    let proc = hand.start("spp-primary", &line);
    let peer = door.accept();
    (proc, peer)
}

fn nfv(hand: &Hand, door: &Door, id: u32) -> (Proc, Peer) {
    let line = format!(
        "--lcores 1@{},2@{} -n 4 -m 64 --proc-type secondary --file-prefix {} -- -n {id} -s 127.0.0.1:{}",
        cpu(0),
        cpu(1),
        hand.prefix,
        hand.ports[1]
    );
    let proc = hand.start("spp-nfv", &line);
    let mut peer = door.accept();
    // What the original asks first of all.
    let hello = peer.ask("_get_client_id");
    let start =
        format!(r#"{{"results":[{{"result":"success"}}],"client_id":{id},"process_type":"nfv""#);
    assert!(hello.starts_with(&start), "{hello}");
    (proc, peer)
}

fn end(proc: &mut Proc, peer: &mut Peer) {
    assert_eq!(
        peer.ask("exit"),
        r#"{"result":"succeeded","command":"exit"}"#
    );
    assert!(proc.wait_exit(LIMIT).success());
}

/// The members of a status of the primary, with the addresses of its ports put in.
fn primary_status(head: &str, status: &str, rings: u32) -> String {
    let value: Value = serde_json::from_str(status).expect("a status in JSON");
    let address = |port: usize| {
        value["phy_ports"][port]["eth"]
            .as_str()
            .expect("an address")
            .to_owned()
    };
    let (one, two) = (address(0), address(1));
    assert_eq!((one.len(), two.len()), (17, 17), "{status}");
    let ring = |n| format!(r#"{{"id":{n},"rx":0,"rx_drop":0,"tx":0,"tx_drop":0}}"#);
    let rings: Vec<_> = (0..rings).map(ring).collect();
    format!(
        r#"{{{head},"phy_ports":[{{"id":0,"eth":"{one}","rx":0,"tx":0,"tx_drop":0,"nof_queues":{{"rx":2,"tx":2}},"flow":[]}},{{"id":1,"eth":"{two}","rx":0,"tx":0,"tx_drop":0,"nof_queues":{{"rx":1,"tx":1}},"flow":[]}}],"ring_ports":[{}]}}"#,
        rings.join(",")
    )
}

#[test]
fn a_primary_with_one_lcore_answers_as_recorded() {
    let hand = Hand::new();
    let (mut proc, mut peer) = primary(&hand, &cpu(0).to_string(), 10, 256);
    let status = peer.ask("status");
    let head = format!(r#""master-lcore":{0},"lcores":[{0}]"#, cpu(0));
    assert_eq!(status, primary_status(&head, &status, 10));
    play(
        &mut peer,
        &[
            (
                "clear",
                Bytes(r#"{"result":"succeeded","command":"clear"}"#),
            ),
            ("foo", Failed(r#""command":"foo""#)),
            (
                "patch phy:0 phy:1",
                Failed(r#""command":"patch","ports":{"src":"phy:0","dst":"phy:1"}"#),
            ),
            ("patch phy:0", Failed(r#""command":"patch""#)),
            ("add bogus", Failed(r#""command":"add""#)),
            // The original says that these were done, though there is no forwarder.
            ("add ring:0", Failed(r#""command":"add","port":"ring:0""#)),
            ("forward", Failed(r#""command":"forward""#)),
            ("stop", Failed(r#""command":"stop""#)),
            ("add", Refused),
            ("launch", Refused),
        ],
    );
    // The original echoes this; ours says who it is.
    let hello: Value = serde_json::from_str(&peer.ask("_get_client_id")).expect("JSON");
    assert_eq!(
        (hello["client_id"].as_u64(), hello["process_type"].as_str()),
        (Some(0), Some("primary"))
    );
    end(&mut proc, &mut peer);
    hand.wait_nothing_left();
}

#[test]
fn a_primary_with_a_forwarder_answers_as_recorded() {
    let hand = Hand::new();
    let vhost = 20_000 + std::process::id() % 20_000;
    let (mut proc, mut peer) = primary(&hand, &format!("{},{}", cpu(0), cpu(1)), 10, 256);
    let status = peer.ask("status");
    let head = |forwarder: &str| {
        format!(
            r#""master-lcore":{0},"lcores":[{0},{1}],"forwarder":{{{forwarder}}}"#,
            cpu(0),
            cpu(1)
        )
    };
    // The original's forwarder knows the first queue of a port only, and calls it by the port's name.
    let idling =
        head(r#""status":"idling","ports":["phy:0 nq 0","phy:0 nq 1","phy:1"],"patches":[]"#);
    assert_eq!(status, primary_status(&idling, &status, 10));
    play(
        &mut peer,
        &[
            (
                "add ring:0",
                Bytes(r#"{"result":"succeeded","command":"add","port":"ring:0"}"#),
            ),
            ("add ring:50", Failed(r#""command":"add","port":"ring:50""#)),
            (
                "add nullpmd:3",
                Bytes(r#"{"result":"succeeded","command":"add","port":"nullpmd:3"}"#),
            ),
            (
                "patch phy:0 ring:0",
                Bytes(
                    r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0","dst":"ring:0"}}"#,
                ),
            ),
            (
                "patch ring:0 phy:1",
                Bytes(
                    r#"{"result":"succeeded","command":"patch","ports":{"src":"ring:0","dst":"phy:1"}}"#,
                ),
            ),
        ],
    );
    let add = format!("add vhost:{vhost}");
    assert_eq!(
        peer.ask(&add),
        format!(r#"{{"result":"succeeded","command":"add","port":"vhost:{vhost}"}}"#)
    );
    let status = peer.ask("status");
    let patched = head(&format!(
        r#""status":"idling","ports":["phy:0 nq 0","phy:0 nq 1","phy:1","ring:0","nullpmd:3","vhost:{vhost}"],"patches":[{{"src":"phy:0 nq 0","dst":"ring:0"}},{{"src":"ring:0","dst":"phy:1"}}]"#
    ));
    assert_eq!(status, primary_status(&patched, &status, 10));
    play(
        &mut peer,
        &[
            (
                "forward",
                Bytes(r#"{"result":"succeeded","command":"forward"}"#),
            ),
            ("stop", Bytes(r#"{"result":"succeeded","command":"stop"}"#)),
            (
                "del ring:0",
                Bytes(r#"{"result":"succeeded","command":"del","port":"ring:0"}"#),
            ),
            // The original echoes this one.
            (
                "patch reset",
                Bytes(r#"{"result":"succeeded","command":"patch reset"}"#),
            ),
            (
                "launch 5 spp_nfv",
                Bytes(r#"{"result":"succeeded","command":"launch"}"#),
            ),
        ],
    );
    let refused = |word: &str| {
        format!(
            "{{\"result\": \"error\", \"message\": \"Flow {word} error\\nerror type: 1 (Cause unspecified)\\n\
             error message: Function not implemented\\nrte_errno: Function not implemented\", \"error\": \"phy:0 "
        )
    };
    for (flow, start) in [
        (
            "validate phy:0 ingress pattern eth / end actions queue index 0 / end",
            refused("validate"),
        ),
        ("destroy phy:0 ALL", refused("destroy")),
        (
            "destroy phy:9 ALL",
            r#"{"result": "error", "message": "Invalid port 9"}"#.to_owned(),
        ),
    ] {
        let reply = peer.ask(&format!("flow {flow}"));
        assert!(reply.starts_with(&start), "{reply}: not {start}");
    }
    let del = format!("del vhost:{vhost}");
    assert_eq!(
        peer.ask(&del),
        format!(r#"{{"result":"succeeded","command":"del","port":"vhost:{vhost}"}}"#)
    );
    end(&mut proc, &mut peer);
    hand.wait_nothing_left();
}

#[test]
fn an_nfv_answers_as_recorded() {
    let hand = Hand::new();
    let door = Door::open(hand.ports[1]);
    let (mut primary, mut to_primary) = primary(&hand, &cpu(0).to_string(), 10, 256);
    let (mut proc, mut peer) = nfv(&hand, &door, 1);
    play(
        &mut peer,
        &[
            (
                "status",
                Bytes(
                    r#"{"client-id":1,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1"],"patches":[]}"#,
                ),
            ),
            (
                "_set_client_id 1",
                Bytes(r#"{"result":"succeeded","command":"_set_client_id"}"#),
            ),
            // The original takes any; ours keeps what it has a lease for.
            ("_set_client_id 7", Failed(r#""command":"_set_client_id""#)),
            ("_set_client_id x", Failed(r#""command":"_set_client_id""#)),
            ("foo bar", Failed(r#""command":"foo""#)),
            ("patch phy:1", Failed(r#""command":"patch""#)),
            (
                "patch reset",
                Bytes(r#"{"result":"succeeded","command":"patch reset"}"#),
            ),
            (
                "add ring:0",
                Bytes(r#"{"result":"succeeded","command":"add","port":"ring:0"}"#),
            ),
            ("add ring:50", Failed(r#""command":"add","port":"ring:50""#)),
            (
                "add ring:1",
                Bytes(r#"{"result":"succeeded","command":"add","port":"ring:1"}"#),
            ),
            (
                "add nullpmd:1",
                Bytes(r#"{"result":"succeeded","command":"add","port":"nullpmd:1"}"#),
            ),
            (
                "add nullpmd:1",
                Failed(r#""command":"add","port":"nullpmd:1""#),
            ),
            // A repeated add of a ring is done, as in the original.
            (
                "add ring:0",
                Bytes(r#"{"result":"succeeded","command":"add","port":"ring:0"}"#),
            ),
            (
                "patch phy:0nq0 ring:0",
                Bytes(
                    r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0nq0","dst":"ring:0"}}"#,
                ),
            ),
            (
                "patch phy:0 ring:0",
                Bytes(
                    r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0","dst":"ring:0"}}"#,
                ),
            ),
            (
                "patch phy:0nq2 phy:1",
                Failed(r#""command":"patch","ports":{"src":"phy:0nq2","dst":"phy:1"}"#),
            ),
            (
                "patch phy:1 phy:0nq1",
                Bytes(
                    r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:1","dst":"phy:0nq1"}}"#,
                ),
            ),
            ("patch ring:1 bogus", Refused),
            (
                "patch ring:1 ring:1",
                Bytes(
                    r#"{"result":"succeeded","command":"patch","ports":{"src":"ring:1","dst":"ring:1"}}"#,
                ),
            ),
            (
                "status",
                Bytes(
                    r#"{"client-id":1,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1","ring:0","ring:1","nullpmd:1"],"patches":[{"src":"phy:0 nq 0","dst":"ring:0"},{"src":"phy:1","dst":"phy:0 nq 1"},{"src":"ring:1","dst":"ring:1"}]}"#,
                ),
            ),
            (
                "forward",
                Bytes(r#"{"result":"succeeded","command":"forward"}"#),
            ),
            (
                "status",
                Bytes(
                    r#"{"client-id":1,"status":"running","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1","ring:0","ring:1","nullpmd:1"],"patches":[{"src":"phy:0 nq 0","dst":"ring:0"},{"src":"phy:1","dst":"phy:0 nq 1"},{"src":"ring:1","dst":"ring:1"}]}"#,
                ),
            ),
            ("stop", Bytes(r#"{"result":"succeeded","command":"stop"}"#)),
            (
                "del nullpmd:1",
                Bytes(r#"{"result":"succeeded","command":"del","port":"nullpmd:1"}"#),
            ),
            // The original's `del` takes away another port's patch, and leaves this one's as `udf`.
            (
                "del ring:0",
                Bytes(r#"{"result":"succeeded","command":"del","port":"ring:0"}"#),
            ),
            (
                "status",
                Bytes(
                    r#"{"client-id":1,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1","ring:1"],"patches":[{"src":"phy:1","dst":"phy:0 nq 1"},{"src":"ring:1","dst":"ring:1"}]}"#,
                ),
            ),
            // Blanks are blanks, however many; a newline at the end does no harm.
            (
                "  add   ring 2  \n",
                Bytes(r#"{"result":"succeeded","command":"add","port":"ring:2"}"#),
            ),
        ],
    );
    end(&mut proc, &mut peer);
    end(&mut primary, &mut to_primary);
    hand.wait_nothing_left();
}

#[test]
fn commands_that_are_torn_or_stuck_together_do_no_harm() {
    let hand = Hand::new();
    let door = Door::open(hand.ports[1]);
    let (mut primary, mut to_primary) = primary(&hand, &cpu(0).to_string(), 10, 256);
    let (mut proc, mut peer) = nfv(&hand, &door, 1);
    let status = peer.ask("status");
    for _ in 0..20 {
        // Two writes: one command or, if the machine was slow in between, two that are refused.
        peer.send(b"sta");
        peer.send(b"tus");
        let mut replies = peer.reply();
        if replies != status {
            // Two refusals, in one read or two.
            if replies.matches("\"result\"").count() < 2 {
                replies += &peer.reply();
            }
            assert_eq!(
                replies.matches(r#""result":"failed""#).count(),
                2,
                "{replies}"
            );
            assert!(replies.contains("unknown command 'sta'"), "{replies}");
        }
        assert_eq!(peer.ask("status"), status);
    }
    for together in [
        "statusstatus",
        "status status",
        "add ring:1add ring:2",
        "status\nstatus",
    ] {
        let reply = peer.ask(together);
        assert!(
            reply.starts_with(r#"{"result":"failed","command":""#),
            "{together}: {reply}"
        );
        assert_eq!(peer.ask("status"), status, "{together}");
    }
    end(&mut proc, &mut peer);
    end(&mut primary, &mut to_primary);
    hand.wait_nothing_left();
}

#[test]
fn a_command_of_two_megabytes_is_refused() {
    let hand = Hand::new();
    let door = Door::open(hand.ports[1]);
    let (mut primary, mut to_primary) = primary(&hand, &cpu(0).to_string(), 10, 256);
    let (mut proc, mut peer) = nfv(&hand, &door, 1);
    let long = "add ring:1 ".repeat((2 << 20) / 11);
    for peer in [&mut peer, &mut to_primary] {
        let status = peer.ask("status");
        for _ in 0..3 {
            peer.send(long.as_bytes());
            let first = peer.reply();
            assert!(first.contains("longer than 32768 bytes"), "{first}");
            // If we were slow the process took it for several commands: until it has heard all.
            let mut number = 0;
            wait_for("an answer to the command after it", LIMIT, || {
                number += 1;
                let next = format!("foo{number}");
                peer.send(next.as_bytes());
                let answers = peer.replies_until(&next)?;
                for answer in answers.split_inclusive('}') {
                    assert!(answer.starts_with(r#"{"result":"failed","#), "{answer}");
                }
                Some(())
            });
            assert_eq!(peer.ask("status"), status);
        }
    }
    end(&mut proc, &mut peer);
    end(&mut primary, &mut to_primary);
    hand.wait_nothing_left();
}

#[test]
fn a_long_status_comes_in_one_piece() {
    let hand = Hand::new();
    let (mut proc, mut peer) = primary(&hand, &cpu(0).to_string(), 99, 400);
    for _ in 0..20 {
        let status = peer.ask("status");
        assert!(status.len() > 4096, "{}", status.len());
        let head = format!(r#""master-lcore":{0},"lcores":[{0}]"#, cpu(0));
        assert_eq!(status, primary_status(&head, &status, 99));
    }
    end(&mut proc, &mut peer);
    hand.wait_nothing_left();
}

#[test]
fn a_process_comes_back_to_a_controller_that_was_restarted() {
    let hand = Hand::new();
    let (mut primary, mut to_primary) = primary(&hand, &cpu(0).to_string(), 10, 256);
    let mut door = Door::open(hand.ports[1]);
    let (mut proc, mut peer) = nfv(&hand, &door, 1);
    assert_eq!(
        peer.ask("add ring:3"),
        r#"{"result":"succeeded","command":"add","port":"ring:3"}"#
    );
    let status = peer.ask("status");
    for restart in [false, true] {
        drop(peer);
        if restart {
            drop(door);
            door = Door::open(hand.ports[1]);
        }
        peer = door.accept();
        assert!(peer.ask("_get_client_id").contains(r#""client_id":1"#));
        assert_eq!(peer.ask("status"), status);
    }
    end(&mut proc, &mut peer);
    end(&mut primary, &mut to_primary);
    hand.wait_nothing_left();
}
