//! Questions of several clients to one process.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::*;

#[tokio::test]
async fn a_status_is_never_older_than_the_question() {
    let mut ctl = Ctl::start(|_| {}).await;
    let (asked, gate) = (Arc::new(AtomicU32::new(0)), Gate::default());
    let (count, opened) = (asked.clone(), gate.clone());
    let answer = ours("nfv", 1, "00000000000000dd");
    let script = move |command: &str| {
        if command != "status" {
            return Some(answer(command));
        }
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        if number == 1 {
            opened.wait();
        }
        Some(format!(r#"{{"client-id":1,"status":"number {number}"}}"#))
    };
    // The script blocks its thread, so it has one of its own.
    let address = ctl.secondary;
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { play(address, Style::Ours, script).await.closed().await });
    });
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    let first = ctl.get("/v1/nfvs/1");
    let later = async {
        until(
            async || asked.load(Ordering::SeqCst) == 1,
            "the first question is on its way",
        )
        .await;
        // Whether it arrives before the first answer or after it: that one began too early.
        let open = async { gate.open() };
        tokio::join!(ctl.get("/v1/nfvs/1"), ctl.get("/v1/nfvs/1"), open)
    };
    let (first, (second, third, ())) = tokio::join!(first, later);
    assert!(first.body.contains("number 1"), "{}", first.body);
    for late in [second, third] {
        assert_eq!(late.status, 200);
        assert!(!late.body.contains("number 1"), "{}", late.body);
    }
    ctl.stop();
    ctl.ended().await;
    process.join().unwrap();
}

#[tokio::test]
async fn many_who_ask_a_hanging_process_all_hear_of_it() {
    let ctl = Ctl::start(|config| config.limits.status = Duration::from_secs(1)).await;
    let hangs = |command: &str| (command == "_get_client_id").then(|| NFV[0].1.to_owned());
    let _nfv = play(ctl.secondary, Style::Bare, hangs).await;
    let _vf = play(ctl.secondary, Style::Bare, recorded(VF)).await;
    let both = r#"[{"type": "nfv", "client-id": 1}, {"type": "vf", "client-id": 2}]"#;
    until(
        async || ctl.get("/v1/processes").await.body.matches("type").count() == 2,
        both,
    )
    .await;
    let ctl = Arc::new(ctl);
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let ctl = ctl.clone();
            tokio::spawn(async move { ctl.get("/v1/nfvs/1").await })
        })
        .collect();
    // Somebody else is answered meanwhile, as often as he asks.
    for _ in 0..20 {
        assert_eq!(ctl.get("/v1/vfs/2").await.status, 200);
    }
    for asked in asking {
        let response = limited(asked).await.unwrap();
        assert_eq!(response.status, 500, "{}", response.body);
        assert!(
            response.body.starts_with("nfv 1 did not answer within 1s"),
            "{}",
            response.body
        );
    }
}
