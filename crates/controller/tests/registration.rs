//! Processes come, stay silent, die, come back; and what the controller makes of it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::time::Duration;

use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ONE_NFV: &str = r#"[{"type": "nfv", "client-id": 1}]"#;

/// Waits until the controller closes the connection.
async fn closes(stream: &mut TcpStream) {
    let mut rest = vec![];
    // A reset is as good as an end.
    let _ = limited(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn processes_of_the_original_are_listed_and_asked() {
    let ctl = Ctl::start(|_| {}).await;
    ctl.expect("GET", "/v1/processes", "", 200, "[]").await;
    let _nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    ctl.until_processes(ONE_NFV).await;
    let _vf = play(ctl.secondary, Style::Bare, recorded(VF)).await;
    let two = r#"[{"type": "nfv", "client-id": 1}, {"type": "vf", "client-id": 2}]"#;
    ctl.until_processes(two).await;
    let _pcap = play(ctl.secondary, Style::Bare, recorded(PCAP)).await;
    let _primary = play(ctl.primary, Style::Split, recorded(PRIMARY)).await;
    let all = r#"[{"type": "primary"}, {"type": "nfv", "client-id": 1}, {"type": "vf", "client-id": 2}, {"type": "pcap", "client-id": 4}]"#;
    ctl.until_processes(all).await;
    let usage = r#"[{"proc-type": "primary", "master-lcore": 0, "lcores": [0, 12]}, {"proc-type": "nfv", "client-id": 1, "master-lcore": 1, "lcores": [1, 2]}, {"proc-type": "vf", "client-id": 2, "master-lcore": 3, "lcores": [3, 4, 5]}, {"proc-type": "pcap", "client-id": 4, "master-lcore": 9, "lcores": [9, 10, 11]}]"#;
    ctl.expect("GET", "/v1/cpu_usage", "", 200, usage).await;
}

#[tokio::test]
async fn a_process_of_ours_gets_lines() {
    let ctl = Ctl::start(|_| {}).await;
    let answer = ours("nfv", 1, "0000000000000001");
    let nfv = play(ctl.secondary, Style::Ours, move |command| {
        Some(answer(command))
    })
    .await;
    ctl.until_processes(ONE_NFV).await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        r#"{"action": "start"}"#,
        204,
        "",
    )
    .await;
    // The played process checks that each command ends with its newline.
    assert_eq!(
        nfv.told(),
        ["_get_client_id", "_framing newline", "forward"]
    );
}

#[tokio::test]
async fn a_silent_peer_blocks_nobody() {
    let ctl = Ctl::start(|config| config.limits.handshake = LONG * 9).await;
    let mut silent = vec![];
    for _ in 0..50 {
        silent.push(TcpStream::connect(ctl.secondary).await.unwrap());
    }
    let _nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    ctl.until_processes(ONE_NFV).await;
}

#[tokio::test]
async fn a_silent_peer_is_sent_away() {
    let ctl = Ctl::start(|config| config.limits.handshake = Duration::from_millis(20)).await;
    for address in [ctl.primary, ctl.secondary] {
        closes(&mut TcpStream::connect(address).await.unwrap()).await;
    }
    ctl.expect("GET", "/v1/processes", "", 200, "[]").await;
}

#[tokio::test]
async fn who_is_no_secondary_is_sent_away() {
    let ctl = Ctl::start(|_| {}).await;
    let client = |id: &str, kind: &str| {
        format!(
            r#"{{"results":[{{"result":"success"}}],"client_id":{id},"process_type":"{kind}"}}"#
        )
    };
    for answer in [
        client("0", "nfv"),
        client("-1", "nfv"),
        client("128", "nfv"),
        client("4294967296", "nfv"),
        client("1.5", "nfv"),
        client("\"1\"", "nfv"),
        client("1", "zap"),
        client("0", "primary"),
        r#"{"results":[{"result":"error"}],"client_id":1,"process_type":"nfv"}"#.to_owned(),
        r#"{"results":[]}"#.to_owned(),
        "{\"a\":]}".to_owned(),
        "{}".to_owned(),
        "_get_client_id".to_owned(),
        "HTTP/1.1 400 Bad Request".to_owned(),
        "{".repeat(100_000) + &"}".repeat(100_000),
    ] {
        let peer = play(ctl.secondary, Style::Padded, move |_| Some(answer.clone())).await;
        peer.closed().await;
    }
    let nfv = client("1", "nfv");
    let peer = play(ctl.primary, Style::Bare, move |_| Some(nfv.clone())).await;
    peer.closed().await;
    ctl.expect("GET", "/v1/processes", "", 200, "[]").await;
}

#[tokio::test]
async fn ten_megabytes_of_junk_end_the_connection_only() {
    let ctl = Ctl::start(|config| config.limits.handshake = LONG).await;
    let _nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    for junk in [&b"x"[..], b"{", b"{\"a\":\"", b"\xff\xfe"] {
        let mut stream = TcpStream::connect(ctl.secondary).await.unwrap();
        let bytes = junk.repeat(10_000_000 / junk.len());
        // The controller closes while we write.
        let _ = limited(stream.write_all(&bytes)).await;
        closes(&mut stream).await;
    }
    ctl.until_processes(ONE_NFV).await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        r#"{"action": "stop"}"#,
        204,
        "",
    )
    .await;
}

#[tokio::test]
async fn junk_from_a_registered_process_ends_its_connection() {
    let ctl = Ctl::start(|_| {}).await;
    let mut stream = TcpStream::connect(ctl.secondary).await.unwrap();
    let mut question = [0; 14];
    stream.read_exact(&mut question).await.unwrap();
    stream.write_all(NFV[0].1.as_bytes()).await.unwrap();
    ctl.until_processes(ONE_NFV).await;
    let _ = limited(stream.write_all(&b"{".repeat(10_000_000))).await;
    closes(&mut stream).await;
    ctl.until_processes("[]").await;
}

#[tokio::test]
async fn a_living_process_keeps_its_id() {
    let ctl = Ctl::start(|_| {}).await;
    let first = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    ctl.until_processes(ONE_NFV).await;
    let answer = ours("nfv", 1, "0000000000000002");
    let second = play(ctl.secondary, Style::Ours, move |command| {
        Some(answer(command))
    })
    .await;
    second.closed().await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        r#"{"action": "stop"}"#,
        204,
        "",
    )
    .await;
    assert_eq!(first.told().last().unwrap(), "stop");
}

#[tokio::test]
async fn a_hanging_process_loses_its_id_to_a_new_one() {
    let ctl = Ctl::start(|config| config.limits.status = Duration::from_millis(30)).await;
    let hangs = |command: &str| (command == "_get_client_id").then(|| NFV[0].1.to_owned());
    let first = play(ctl.secondary, Style::Bare, hangs).await;
    ctl.until_processes(ONE_NFV).await;
    let second = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    first.closed().await;
    ctl.expect(
        "PUT",
        "/v1/nfvs/1/forward",
        r#"{"action": "stop"}"#,
        204,
        "",
    )
    .await;
    assert_eq!(second.told().last().unwrap(), "stop");
}

#[tokio::test]
async fn the_same_incarnation_replaces_at_once() {
    // The old connection would answer, but only after this long.
    let ctl = Ctl::start(|config| config.limits.status = LONG * 9).await;
    let answer = ours("nfv", 1, "0000000000000003");
    let silent = move |command: &str| (command != "status").then(|| answer(command));
    let first = play(ctl.secondary, Style::Ours, silent).await;
    ctl.until_processes(ONE_NFV).await;
    let answer = ours("nfv", 1, "0000000000000003");
    let _second = play(ctl.secondary, Style::Ours, move |command| {
        Some(answer(command))
    })
    .await;
    first.closed().await;
    ctl.until_processes(ONE_NFV).await;
}

#[tokio::test]
async fn a_dead_process_is_gone_and_may_return() {
    let ctl = Ctl::start(|_| {}).await;
    let nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    let primary = play(ctl.primary, Style::Padded, recorded(PRIMARY)).await;
    ctl.until_processes(r#"[{"type": "primary"}, {"type": "nfv", "client-id": 1}]"#)
        .await;
    primary.kill();
    nfv.kill();
    ctl.until_processes("[]").await;
    ctl.expect("GET", "/v1/primary/status", "", 404, "primary not found.")
        .await;
    ctl.expect("GET", "/v1/nfvs/1", "", 404, "sec_id 1 not found.")
        .await;
    let details = ctl.get("/v1/details").await.body;
    let gone = r#"[{"type": "primary", "client-id": 0, "status": "gone", "detail": null, "error": "primary: closed its connection, "#;
    assert!(details.starts_with(gone), "{details}");
    assert_eq!(details.matches("gone").count(), 2, "{details}");
    let _nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    ctl.until_processes(ONE_NFV).await;
    let one = ctl.get("/v1/details/1").await.body;
    assert!(
        one.starts_with(r#"{"type": "nfv", "client-id": 1, "status": "ok", "#),
        "{one}"
    );
}

#[tokio::test]
async fn what_is_gone_is_forgotten_after_its_time() {
    let ctl = Ctl::start(|config| config.limits.remember_gone = Duration::from_millis(30)).await;
    let nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    ctl.until_processes(ONE_NFV).await;
    nfv.kill();
    ctl.until_processes("[]").await;
    until(
        async || ctl.get("/v1/details").await.body == "[]",
        "nothing is remembered",
    )
    .await;
}

/// Answers `add ring:0` only when told, and everything else at once.
async fn slow(ctl: &Ctl, style: Style) -> (Told, Gate) {
    let gate = Gate::default();
    let opened = gate.clone();
    let answer = ours("nfv", 1, "0000000000000004");
    let original = move |command: &str| {
        NFV.iter()
            .find(|(request, _)| *request == command)
            .map(|(_, reply)| (*reply).to_owned())
    };
    let script = move |command: &str| {
        if command == "add ring:0" {
            opened.wait();
        }
        if style == Style::Ours {
            Some(answer(command))
        } else {
            original(command)
        }
    };
    // The script blocks its thread, so it has one of its own.
    let address = ctl.secondary;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let played = play(address, style, script).await;
            let told = played.told.clone();
            sender.send(told).unwrap();
            played.closed().await;
        });
    });
    let told = receiver.await.unwrap();
    (told, gate)
}

#[tokio::test]
async fn a_late_reply_answers_no_other_command() {
    for style in [Style::Padded, Style::Ours] {
        let mut ctl = Ctl::start(|config| {
            config.limits.command = Duration::from_millis(600);
            config.limits.status = Duration::from_millis(600);
        })
        .await;
        let (nfv, gate) = slow(&ctl, style).await;
        ctl.until_processes(ONE_NFV).await;
        let add = r#"{"action": "add", "port": "ring:0"}"#;
        let response = ctl.request("PUT", "/v1/nfvs/1/ports", add).await;
        assert_eq!(response.status, 500, "{}", response.body);
        assert!(
            response
                .body
                .starts_with("nfv 1 did not answer within 600ms"),
            "{}",
            response.body
        );
        // It stays listed, and what is asked now is not sent to it.
        ctl.expect("GET", "/v1/processes", "", 200, ONE_NFV).await;
        let stop = r#"{"action": "stop"}"#;
        let response = ctl
            .request_with(
                "PUT",
                "/v1/nfvs/1/forward",
                stop.as_bytes(),
                "Accept: text/html, application/problem+json;q=0.9\r\n",
            )
            .await;
        assert_eq!(response.status, 504, "{}", response.body);
        let details = ctl.get("/v1/details/1").await.body;
        assert!(
            details.contains(r#""status": "not responding""#),
            "{details}"
        );
        gate.open();
        until(
            async || {
                ctl.request("GET", "/v1/details/1", "")
                    .await
                    .body
                    .contains(r#""ok""#)
            },
            "it responds again",
        )
        .await;
        let forward = r#"{"action": "start"}"#;
        ctl.expect("PUT", "/v1/nfvs/1/forward", forward, 204, "")
            .await;
        let told = nfv.lock().unwrap().clone();
        assert_eq!(told.last().unwrap(), "forward");
        assert!(
            !told.contains(&"stop".to_owned()),
            "sent after its failure was told"
        );
        ctl.stop();
        ctl.ended().await;
    }
}

#[tokio::test]
async fn a_hanging_process_is_noticed_and_stays_listed() {
    let ctl = Ctl::start(|config| {
        config.limits.probe_every = Duration::from_millis(20);
        config.limits.status = Duration::from_millis(30);
    })
    .await;
    let hangs = |command: &str| (command == "_get_client_id").then(|| NFV[0].1.to_owned());
    let _nfv = play(ctl.secondary, Style::Bare, hangs).await;
    let noticed = r#""status": "not responding""#;
    until(
        async || ctl.get("/v1/details").await.body.contains(noticed),
        noticed,
    )
    .await;
    ctl.expect("GET", "/v1/processes", "", 200, ONE_NFV).await;
}

#[tokio::test]
async fn a_hanging_process_does_not_slow_the_list_or_others() {
    let ctl = Ctl::start(|config| config.limits.command = LONG * 9).await;
    // It answers what it is asked from time to time, and hangs at the first command.
    let hangs = |command: &str| {
        let known = ["_get_client_id", "status"].contains(&command);
        known.then(|| recorded(NFV)(command)).flatten()
    };
    let nfv = play(ctl.secondary, Style::Bare, hangs).await;
    let _vf = play(ctl.secondary, Style::Bare, recorded(VF)).await;
    let both = r#"[{"type": "nfv", "client-id": 1}, {"type": "vf", "client-id": 2}]"#;
    until(
        async || ctl.get("/v1/processes").await.body.matches("type").count() == 2,
        both,
    )
    .await;
    let hanging = ctl.request("PUT", "/v1/nfvs/1/forward", r#"{"action": "start"}"#);
    let others = async {
        until(
            async || nfv.told().contains(&"forward".to_owned()),
            "the command is sent",
        )
        .await;
        assert_eq!(ctl.get("/v1/processes").await.status, 200);
        assert_eq!(ctl.get("/v1/vfs/2").await.status, 200);
    };
    tokio::select! {
        _ = hanging => panic!("nobody answered"),
        () = others => {}
    }
}

#[tokio::test]
async fn it_ends_with_the_panel_if_told_so() {
    let ctl = Ctl::start(|config| {
        config.exit_when_idle = true;
        config.limits.idle_grace = Duration::from_millis(40);
    })
    .await;
    let mut primary = TcpStream::connect(ctl.primary).await.unwrap();
    let answer = ours("primary", 0, "0000000000000005");
    let mut buffer = [0; 100];
    let got = primary.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..got], b"_get_client_id");
    primary
        .write_all(answer("_get_client_id").as_bytes())
        .await
        .unwrap();
    let got = primary.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..got], b"_framing newline");
    primary
        .write_all(answer("_framing").as_bytes())
        .await
        .unwrap();
    ctl.until_processes(r#"[{"type": "primary"}]"#).await;
    primary.write_all(b"_bye\n").await.unwrap();
    drop(primary);
    ctl.ended().await;
}

#[tokio::test]
async fn it_ends_with_the_panel_after_exit_by_rest() {
    let ctl = Ctl::start(|config| {
        config.exit_when_idle = true;
        config.limits.idle_grace = Duration::from_millis(40);
    })
    .await;
    let primary = play(ctl.primary, Style::Padded, recorded(PRIMARY)).await;
    ctl.until_processes(r#"[{"type": "primary"}]"#).await;
    ctl.expect("DELETE", "/v1/primary", "", 204, "").await;
    primary.closed().await;
    ctl.ended().await;
}
