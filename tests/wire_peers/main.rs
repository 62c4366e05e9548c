//! Peers of the real controller that do not behave, replies in any pieces, and what happens when it is restarted.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/hand.rs"]
mod hand;
mod played;
mod restart;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hand::{Hand, LIMIT};
use played::{Played, STATUS, client_id, connect};
use serde_json::Value;
use testbed::http::{self, Response};
use testbed::{Panel, Proc, proc, wait_until};

fn get(rest: SocketAddr, path: &str) -> Response {
    http::request(rest, "GET", path, &[], "", LIMIT).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A controller without a panel, and where secondaries and REST clients connect.
fn controller(hand: &Hand) -> (Proc, SocketAddr) {
    let [p, s, r] = hand.ports;
    let proc = hand.start("spp-ctl", &format!("-p {p} -s {s} -a {r}"));
    wait_until("the controller to answer", LIMIT, || {
        http::request(hand.rest(), "GET", "/v1/version", &[], "", LIMIT).is_ok()
    });
    (proc, ([127, 0, 0, 1], s).into())
}

/// How long `count` questions take that only nfv 1 can answer: all of them, sorted. Those that went wrong are counted.
fn ask(panel: &Panel, count: usize) -> (Vec<Duration>, usize) {
    let mut wrong = 0;
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let begin = Instant::now();
            let answer = panel.http("GET", "/v1/nfvs/1", "");
            wrong += usize::from(answer.status != 200);
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times, wrong)
}

#[test]
fn peers_that_do_not_behave_hold_up_nobody() {
    const COUNT: usize = 300;
    let panel = Panel::builder().memory(256).nfv(1).start();
    panel.ok("nfv 1 add nullpmd:0");
    let own = |panel: &Panel| {
        [0, 1].map(|id| {
            (
                panel.detail(id).incarnation,
                panel.port_names(id),
                panel.patches(id),
            )
        })
    };
    let before = own(&panel);
    let doors = panel.control();
    let (quiet, _) = ask(&panel, COUNT);

    // Registered, and silent from then on.
    let hanging = Played::start(doors[1], |command, stream| {
        if command == "_get_client_id" {
            let _ = stream.write_all(client_id("50", "nfv").as_bytes());
        }
    });
    wait_until("it to be registered", LIMIT, || {
        panel.http("GET", "/v1/processes", "").body.contains("50")
    });
    // Registered, and answering a byte a second.
    let slow = Played::start(doors[1], |command, stream| {
        let reply = match command {
            "_get_client_id" => client_id("51", "nfv"),
            _ => STATUS.to_owned(),
        };
        let pause = Duration::from_secs(u64::from(command != "_get_client_id"));
        for byte in reply.bytes().take(5).filter(|_| !pause.is_zero()) {
            let _ = stream.write_all(&[byte]);
            std::thread::sleep(pause);
        }
        if pause.is_zero() {
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    let silent: Vec<TcpStream> = (0..100).map(|n| connect(doors[n % 2])).collect();
    // Over and over, while we ask: nonsense, ten megabytes, a registration of a byte a second.
    let ending = Arc::new(AtomicBool::new(false));
    let attack = |bytes: Vec<u8>, piece: usize, pause: Duration| {
        let (ending, rounds) = (
            Arc::clone(&ending),
            Arc::new(std::sync::atomic::AtomicU64::new(0)),
        );
        let count = Arc::clone(&rounds);
        let thread = std::thread::spawn(move || {
            let mut round = 0;
            while !ending.load(Ordering::SeqCst) {
                let mut stream = connect(doors[round % 2]);
                for part in bytes.chunks(piece) {
                    if ending.load(Ordering::SeqCst) || stream.write_all(part).is_err() {
                        break;
                    }
                    std::thread::sleep(pause);
                }
                // Bad manners are tested here, not how much a machine can take.
                std::thread::sleep(Duration::from_millis(20));
                round += 1;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        (thread, rounds)
    };
    let attacks = [
        attack(
            b"HTTP/1.1 400 \xff\xfe{[\"".repeat(20),
            100,
            Duration::from_millis(1),
        ),
        attack(b"{".repeat(10 << 20), 1 << 16, Duration::ZERO),
        attack(b"{\"a\":\"".repeat((10 << 20) / 6), 1 << 20, Duration::ZERO),
        attack(
            client_id("52", "nfv").into_bytes(),
            1,
            Duration::from_secs(1),
        ),
    ];
    wait_until("each attack to have begun anew", LIMIT, || {
        attacks[..3]
            .iter()
            .all(|(_, rounds)| rounds.load(Ordering::SeqCst) > 1)
    });
    let (busy, wrong) = ask(&panel, COUNT);
    let rounds: Vec<u64> = attacks
        .iter()
        .map(|(_, rounds)| rounds.load(Ordering::SeqCst))
        .collect();
    ending.store(true, Ordering::SeqCst);

    let shown = |times: &[Duration]| {
        let [median, p99] = [COUNT / 2, COUNT * 99 / 100].map(|n| times[n]);
        format!(
            "median {median:?}, 99 % {p99:?}, longest {:?}",
            times[COUNT - 1]
        )
    };
    println!("quiet: {}", shown(&quiet));
    println!(
        "attacked ({rounds:?} rounds): {}; {wrong} went wrong",
        shown(&busy)
    );
    // The CPUs are shared with those who attack; a peer that is waited for would cost 500 ms each time.
    assert!(
        busy[COUNT / 2] < Duration::from_millis(250),
        "{}",
        shown(&busy)
    );
    assert!(wrong <= COUNT / 100, "{wrong} of {COUNT}");
    for (thread, _) in attacks {
        thread.join().expect("an attack ended");
    }
    drop((hanging, slow, silent));
    wait_until("only the panel's processes to be listed", LIMIT, || {
        let listed = panel.http("GET", "/v1/processes", "").body;
        listed == r#"[{"type": "primary"}, {"type": "nfv", "client-id": 1}]"#
    });
    // Those who left are still told of; the others are as they were.
    assert_eq!(own(&panel), before);
    panel.finish();
}

/// Writes bytes in these pieces, each a segment of its own: the other side has read one before the next is sent, unless it is
/// very busy.
fn in_pieces(stream: &mut TcpStream, mut bytes: &[u8], sizes: impl Iterator<Item = usize>) {
    for size in sizes {
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        if stream.write_all(piece).is_err() || rest.is_empty() {
            return;
        }
        bytes = rest;
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn replies_are_understood_in_any_pieces() {
    let hand = Hand::new();
    let (mut ctl, door) = controller(&hand);
    let expected: Value = serde_json::from_str(STATUS).expect("JSON");
    let framing = r#"{"result":"succeeded","command":"_framing"}"#;
    let hello = client_id("9", "nfv").replace(
        "\"nfv\"",
        r#""nfv","spp":{"version":"0","incarnation":"0000000000000009","framing":["newline"]}"#,
    );
    for style in ["bare", "padded", "lines"] {
        let mut cut = 0;
        let hello = if style == "lines" {
            hello.clone()
        } else {
            client_id("9", "nfv")
        };
        let peer = Played::start(door, move |command, stream| {
            let reply = match command {
                "_get_client_id" => &hello,
                "_framing newline" => framing,
                _ => STATUS,
            };
            let mut bytes = reply.as_bytes().to_vec();
            match style {
                "padded" => bytes.resize(32768, 0),
                "lines" if command != "_get_client_id" && command != "_framing newline" => {
                    bytes.push(b'\n');
                }
                _ => {}
            }
            cut = cut % (reply.len() - 1) + 1;
            if style == "padded" && cut % 8 == 0 {
                // Odd segments all the way: 1, 3, 5, … bytes.
                in_pieces(stream, &bytes, (0..).map(|n| 2 * n + 1));
            } else {
                in_pieces(stream, &bytes, [cut, usize::MAX].into_iter());
            }
        });
        wait_until("it to be registered", LIMIT, || {
            get(hand.rest(), "/v1/processes").body.contains('9')
        });
        // Every byte of the status is the last one of a piece at least once.
        for _ in 0..STATUS.len() + 8 {
            let answer = get(hand.rest(), "/v1/nfvs/9");
            assert_eq!(answer.status, 200, "{style}: {}", answer.body);
            assert_eq!(answer.json(), expected, "{style}");
        }
        drop(peer);
        wait_until("it to be gone", LIMIT, || {
            get(hand.rest(), "/v1/processes").body == "[]"
        });
    }
    assert!(ctl.terminate(LIMIT).success());
}

#[test]
fn who_cannot_be_registered_is_sent_away() {
    let hand = Hand::new();
    let (mut ctl, door) = controller(&hand);
    let good = Played::nfv(door, 9);
    wait_until("it to be registered", LIMIT, || {
        get(hand.rest(), "/v1/processes").body.contains('9')
    });
    for (id, kind) in [
        ("0", "nfv"),
        ("128", "nfv"),
        ("-1", "nfv"),
        ("4294967297", "nfv"),
        ("1", "dragon"),
        ("1", ""),
        ("0", "primary"),
        // The id of a process that answers.
        ("9", "nfv"),
        ("9", "vf"),
    ] {
        let hello = client_id(id, kind);
        let peer = Played::start(door, move |_, stream| {
            let _ = stream.write_all(hello.as_bytes());
        });
        peer.wait_closed();
        let listed = get(hand.rest(), "/v1/processes").body;
        assert_eq!(
            listed, r#"[{"type": "nfv", "client-id": 9}]"#,
            "{kind} {id}"
        );
    }
    drop(good);
    assert!(ctl.terminate(LIMIT).success());
}

fn signal(pid: u32, signal: &str) {
    proc::run(Command::new("kill").args([signal, &pid.to_string()]), LIMIT).success();
}

#[test]
fn a_process_that_hangs_is_probed_and_loses_its_id_until_it_is_free_again() {
    let mut panel = Panel::builder().memory(256).nfv(1).start();
    let first = panel.detail(1).incarnation;
    let door = panel.control()[1];
    let status = || get(panel.rest(), "/v1/nfvs/1").body;
    // It answers, so it stays.
    Played::nfv(door, 1).wait_closed();
    assert!(!status().contains(r#""client-id": 9"#));

    let pid = panel.nfv(1).pid();
    signal(pid, "-STOP");
    let begin = Instant::now();
    let newcomer = Played::nfv(door, 1);
    let rest = panel.rest();
    let replaced = || get(rest, "/v1/nfvs/1").body.contains(r#""client-id": 9"#);
    wait_until("the newcomer to answer in its place", LIMIT, replaced);
    assert!(
        begin.elapsed() >= Duration::from_millis(500),
        "not probed: {:?}",
        begin.elapsed()
    );
    println!("replaced after {:?}", begin.elapsed());
    // It comes back, and is refused while the newcomer answers.
    signal(pid, "-CONT");
    panel.nfv(1).wait_output("connecting again", LIMIT);
    assert!(replaced());
    drop(newcomer);
    wait_until("the first one to be registered again", LIMIT, || {
        let details = panel.details();
        let found = details.into_iter().find(|process| process.client_id == 1);
        let detail = found.and_then(|process| process.detail);
        detail.is_some_and(|detail| detail.incarnation == first)
    });
    panel.finish();
}
