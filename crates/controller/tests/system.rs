//! The system as a document: exported, applied, and with a controller that keeps nothing.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use support::nfv::{Has, add, build, gone, join, start, told};
use support::{Ctl, Style, play, recorded, until};

#[tokio::test]
async fn a_document_is_applied_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let has = Has::default();
    let played = join(&ctl, &has, "1111111111111111").await;
    build(&ctl).await;
    let exported = ctl.get("/v1/system").await.body;
    let before = has.lock().unwrap().clone();
    let so_far = told(&played).len();
    // What is there is not touched.
    let same = ctl.request("PUT", "/v1/system", &exported).await;
    assert_eq!(
        (same.status, same.body.as_str()),
        (
            200,
            r#"{"dry-run": false, "processes": [{"process": "nfv:1", "result": "unchanged", "commands": []}]}"#
        )
    );
    let other = r#"{"spp":1,"processes":{"nfv:1":{"ports":["vhost:1 client","ring:1"],
        "patches":[{"src":"vhost:1","dst":"ring:0","cpu":1},{"src":"ring:1","dst":"vhost:1"}]}}}"#;
    let wanted = r#"["unpatch ring:0", "del vhost:2", "add ring:1", "patch ring:1 vhost:1"]"#;
    let dry = ctl.request("PUT", "/v1/system?dry-run=true", other).await;
    assert!(
        dry.body.contains(wanted) && dry.body.contains(r#""result": "planned""#),
        "{}",
        dry.body
    );
    assert_eq!(told(&played).len(), so_far);
    // The last command of it is refused: it is as it was.
    let bad = other.replace(
        r#""src":"ring:1","dst":"vhost:1""#,
        r#""src":"ring:50","dst":"vhost:1""#,
    );
    let failed = ctl.request("PUT", "/v1/system", &bad).await;
    assert_eq!(failed.status, 400);
    assert!(
        failed
            .body
            .contains("nfv:1: 'add ring:50' failed: no ring:50; it is brought back")
            && failed.body.contains("nothing else is changed"),
        "{}",
        failed.body
    );
    let back = has.lock().unwrap().clone();
    assert!(protocol::desired::plan(&before, &back, protocol::desired::Form::Ours).is_empty());
    let so_far = told(&played).len();
    let done = ctl.request("PUT", "/v1/system", other).await;
    assert!(
        done.body.contains(wanted) && done.body.contains(r#""result": "done""#),
        "{}",
        done.body
    );
    assert_eq!(
        told(&played)[so_far..],
        [
            "unpatch ring:0",
            "del vhost:2",
            "add ring:1",
            "patch ring:1 vhost:1"
        ]
    );
    // And that is what it shall have from now on.
    played.kill();
    gone(&ctl).await;
    let again = Has::default();
    let second = join(&ctl, &again, "2222222222222222").await;
    until(
        async || again.lock().unwrap().patches.len() == 2,
        "put back",
    )
    .await;
    assert_eq!(told(&second)[..2], ["stop", "add vhost:1 client"]);
}

#[tokio::test]
async fn documents_that_make_no_sense_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let played = join(&ctl, &Has::default(), "1111111111111111").await;
    for (path, body, reason) in [
        ("/v1/system", "x", "Not in json format."),
        ("/v1/system", "{}", "missing field"),
        (
            "/v1/system",
            r#"{"spp":1,"processes":{"nfv:1":{"ports":["x"]}}}"#,
            "no known port type",
        ),
        (
            "/v1/system",
            r#"{"spp":1,"processes":{"nfv:1":{},"nfv:2":{}}}"#,
            "nfv:2 is not connected",
        ),
        (
            "/v1/system",
            r#"{"spp":1,"processes":{"pcap:1":{"forward":true}}}"#,
            "it has capture",
        ),
        (
            "/v1/system?dry-run=maybe",
            r#"{"spp":1,"processes":{}}"#,
            "dry-run",
        ),
        ("/v1/system?dry=true", r#"{"spp":1,"processes":{}}"#, "dry"),
    ] {
        let answer = ctl.request("PUT", path, body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.body.contains(reason), "{body}: {}", answer.body);
    }
    assert!(told(&played).is_empty());
}

#[tokio::test]
async fn without_a_folder_nothing_is_kept() {
    let ctl = Ctl::start(|_| {}).await;
    let has = Has::default();
    let first = join(&ctl, &has, "1111111111111111").await;
    build(&ctl).await;
    first.kill();
    gone(&ctl).await;
    let second = join(&ctl, &Has::default(), "2222222222222222").await;
    add(&ctl, "ring:7").await;
    assert_eq!(told(&second), ["add ring:7"]);
    let answer = ctl.get("/v1/differences").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("--stateless"), "{}", answer.body);
    // Documents work all the same.
    let exported = ctl.get("/v1/system").await.body;
    assert!(exported.contains("ring:7"), "{exported}");
    let empty = r#"{"spp":1,"processes":{"nfv:1":{}}}"#;
    let applied = ctl.request("PUT", "/v1/system", empty).await;
    assert!(applied.body.contains("del ring:7"), "{}", applied.body);
}

#[tokio::test]
async fn what_would_damage_a_process_of_the_original_is_refused_before_anything_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let played = play(ctl.secondary, Style::Padded, recorded(support::NFV)).await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    for dry_run in [true, false] {
        let body = r#"{"spp":1,"processes":{"nfv:1":{"ports":["ring:0","tap:1"]}}}"#;
        let path = format!("/v1/system?dry-run={dry_run}");
        let answer = ctl.request("PUT", &path, body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(
            answer.body.contains("cannot add or delete phy and tap"),
            "{}",
            answer.body
        );
    }
    assert!(told(&played).is_empty(), "{:?}", told(&played));
}
