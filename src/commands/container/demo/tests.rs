use super::account::{Account, Drop, Totals, dropped_by_l2fwd};

fn totals(sent: &[(u64, &str)], received: &[(u64, &str)]) -> Totals {
    let list = |buffers: &[(u64, &str)]| {
        let one = |(sequence, address): &(u64, &str)| serde_json::json!({"flow": 0, "sequence": sequence, "address": address});
        buffers.iter().map(one).collect::<Vec<_>>()
    };
    let document = serde_json::json!({
        "size": 64, "sent": 5, "received": 4, "duplicated": 0, "bad": 0, "unplaced": 0, "foreign": 0,
        "buffers_sent": list(sent), "buffers_received": list(received),
    });
    Totals::read(&format!(
        "[log] is running\n{{\"interval\":1}}\n{document}\nbye\n"
    ))
    .unwrap()
}

#[test]
fn only_the_same_buffers_at_both_ends_are_a_proof() {
    let sent = [(0, "0xa"), (1, "0xb")];
    let proof = |received: &[(u64, &str)]| {
        let compared = totals(&sent, received).buffers();
        (compared.proves_no_copy(), compared.same())
    };
    assert_eq!(proof(&[(1, "0xb"), (0, "0xa")]), (true, 2));
    // Copied, exchanged, missing, and one that nobody noted.
    assert_eq!(proof(&[(0, "0xa"), (1, "0xc")]), (false, 1));
    assert_eq!(proof(&[(0, "0xb"), (1, "0xa")]), (false, 0));
    assert_eq!(proof(&[(0, "0xa")]), (false, 1));
    assert_eq!(proof(&[(0, "0xa"), (1, "0xb"), (2, "0xd")]), (false, 2));
    assert!(!totals(&[], &[]).buffers().proves_no_copy());
    let lines = totals(&sent, &[(0, "0xa")]).buffers().lines(5);
    assert!(
        lines.contains("sent in 0xb  received in (not among"),
        "{lines}"
    );
}

#[test]
fn totals_that_are_not_there_are_no_totals() {
    let error = Totals::read("spp-traffic: no such port\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("without totals") && error.contains("no such port"),
        "{error}"
    );
    assert!(
        Totals::read("{\"size\":64}")
            .unwrap_err()
            .to_string()
            .contains("another form")
    );
}

#[test]
fn an_account_agrees_only_if_each_packet_is_somewhere() {
    let account = Account {
        sent: 10,
        received: 7,
        faults: 0,
        drops: vec![Drop {
            place: "nfv 1, ring:0 -> ring:1".to_owned(),
            reason: "full".to_owned(),
            packets: 3,
        }],
    };
    assert!(account.agrees());
    assert!(
        account
            .text()
            .ends_with("10 sent = 7 received + 3 dropped: they agree")
    );
    assert_eq!(account.json()["dropped"], 3);
    for wrong in [
        Account {
            sent: 11,
            ..account.clone()
        },
        Account {
            faults: 1,
            ..account.clone()
        },
        Account {
            drops: Vec::new(),
            ..account.clone()
        },
        Account {
            sent: 3,
            received: 0,
            ..account.clone()
        },
    ] {
        assert!(
            !wrong.agrees() && wrong.text().contains("do not agree"),
            "{wrong:?}"
        );
    }
}

#[test]
fn the_last_statistics_of_l2fwd_count() {
    let block = |dropped: u64| {
        format!(
            "Packets dropped: 9\nTotal packets received:   5\nTotal packets dropped: {dropped:>14}\n====\n"
        )
    };
    assert_eq!(
        dropped_by_l2fwd(&format!("{}{}", block(1), block(4))),
        Some(4)
    );
    assert_eq!(dropped_by_l2fwd("nothing yet"), None);
}
