//! The controller is killed and started again.

use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::machine::cpu;
use testbed::{Proc, http, wait_for, wait_until};

use crate::hand::{Hand, LIMIT};
use crate::{controller, get};

/// A primary and two nfvs whose controller the test starts.
fn processes(hand: &Hand) -> [Proc; 3] {
    let line = format!(
        "-l {} -n 4 -m 256 --file-prefix {} --no-pci --vdev net_null0 -- -p 1 -n 8 -s 127.0.0.1:{}",
        cpu(0),
        hand.prefix,
        hand.ports[0]
    );
    let primary = hand.start("spp-primary", &line);
    let nfv = |id| {
        let line = hand.nfv(id, &format!("--ctl 127.0.0.1:{}", hand.ports[1]));
        hand.start("spp-nfv", &line)
    };
    [primary, nfv(1), nfv(2)]
}

/// All that processes say of themselves, if all three answer.
fn details(hand: &Hand) -> Option<Vec<Value>> {
    let answer = http::request(hand.rest(), "GET", "/v1/details", &[], "", LIMIT).ok()?;
    let all = serde_json::from_str::<Vec<Value>>(&answer.body).ok()?;
    let details: Vec<Value> = all.into_iter().map(|one| one["detail"].clone()).collect();
    (details.len() == 3 && details.iter().all(Value::is_object)).then_some(details)
}

/// What stays the same while nobody changes anything.
fn shape(details: &[Value]) -> Vec<Value> {
    let names = |list: &Value, keys: &[&str]| -> Vec<String> {
        let entries = list.as_array().into_iter().flatten();
        entries
            .map(|entry| keys.iter().map(|key| entry[*key].to_string()).collect())
            .collect()
    };
    let one = |detail: &Value| {
        serde_json::json!([
            detail["incarnation"],
            detail["status"],
            names(&detail["ports"], &["name", "link"]),
            names(&detail["patches"], &["src", "dst", "cpu"]),
        ])
    };
    details.iter().map(one).collect()
}

/// Packets that the first patch of a process took.
fn moved(detail: &Value) -> u64 {
    detail["patches"][0]["tx-packets"]
        .as_u64()
        .expect("a counter")
}

#[test]
fn a_controller_that_is_killed_and_started_again_costs_nothing() {
    const ROUNDS: usize = 5;
    let hand = Hand::new();
    let (mut ctl, _) = controller(&hand);
    let mut all = processes(&hand);
    hand.wait_ok("nfv 1 add nullpmd:0");
    hand.wait_ok("nfv 2 add nullpmd:1");
    for line in [
        "nfv 1 patch nullpmd:0 ring:0",
        "nfv 2 patch ring:0 nullpmd:1",
    ] {
        hand.wait_ok(line);
    }
    let mut pauses = Vec::new();
    for _ in 0..ROUNDS {
        let before = wait_for("all to answer", LIMIT, || details(&hand));
        ctl.kill();
        ctl = controller(&hand).0;
        let begin = Instant::now();
        wait_until("all to be registered", LIMIT, || {
            get(hand.rest(), "/v1/processes")
                .body
                .matches("type")
                .count()
                == 3
        });
        pauses.push(begin.elapsed());
        let after = wait_for("all to answer", LIMIT, || details(&hand));
        assert_eq!(shape(&before), shape(&after));
        // Counters went on from where they were, and nobody began anew.
        for (before, after) in before[1..].iter().zip(&after[1..]) {
            assert!(
                moved(after) > moved(before),
                "{} -> {}",
                moved(before),
                moved(after)
            );
        }
    }
    pauses.sort_unstable();
    println!("registered again after {pauses:?}");
    // Each of them may meet a moment in which the machine does something else.
    assert!(pauses[ROUNDS / 2] < Duration::from_secs(1), "{pauses:?}");

    // Packet for packet: what one process put into the ring the other took out of it.
    hand.wait_ok("nfv 1 stop");
    wait_until(
        "the ring to be empty and all packets counted",
        LIMIT,
        || {
            let now = wait_for("all to answer", LIMIT, || details(&hand));
            now[0]["rings"][0]["used"] == 0 && moved(&now[1]) == moved(&now[2])
        },
    );
    for proc in all.iter_mut().rev() {
        assert!(proc.terminate(LIMIT).success());
    }
    assert!(ctl.terminate(LIMIT).success());
    hand.wait_nothing_left();
}
