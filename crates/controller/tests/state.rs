//! The desired state: kept over restarts of the controller, put back to processes that return.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use protocol::command::{Change, PanelCommand};
use support::nfv::{
    BUILT, Has, PATCHES, PORTS, add, build, difference, end, gone, join, nfv, ok, start, told,
    without_handshake,
};
use support::{Ctl, Gate, Played, Style, limited, ours, play, recorded, until};

#[tokio::test]
async fn a_process_that_crashed_gets_its_state_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let has = Has::default();
    let first = join(&ctl, &has, "1111111111111111").await;
    build(&ctl).await;
    let before = has.lock().unwrap().clone();
    first.kill();
    gone(&ctl).await;
    assert_eq!(difference(&ctl).await[0]["status"], "not connected");

    let again = Has::default();
    let second = join(&ctl, &again, "2222222222222222").await;
    until(async || told(&second) == BUILT, "all is put back").await;
    assert_eq!(again.lock().unwrap().clone(), before);
    assert_eq!(difference(&ctl).await[0]["status"], "as desired");

    // The same after a restart of the controller, which knows the second one now.
    second.kill();
    gone(&ctl).await;
    end(ctl).await;
    let ctl = start(dir.path()).await;
    let third = Has::default();
    let third_nfv = join(&ctl, &third, "3333333333333333").await;
    until(async || told(&third_nfv) == BUILT, "all is put back").await;
    assert_eq!(third.lock().unwrap().clone(), before);
}

#[tokio::test]
async fn a_process_that_kept_running_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let has = Has::default();
    let nfv = join(&ctl, &has, "1111111111111111").await;
    build(&ctl).await;
    end(ctl).await;
    nfv.kill();
    // Somebody else changed it meanwhile.
    has.lock().unwrap().patches.pop();
    let ctl = start(dir.path()).await;
    let nfv = join(&ctl, &has, "1111111111111111").await;
    until(
        async || difference(&ctl).await[0]["status"] == "differs",
        "the difference",
    )
    .await;
    let differs = difference(&ctl).await;
    assert_eq!(
        differs[0]["commands"],
        serde_json::json!(["patch ring:0 vhost:2"])
    );
    assert!(told(&nfv).is_empty(), "{:?}", told(&nfv));
    // Changes go on, and what it shall have is what it was told.
    ok(&ctl, "PUT", PATCHES, r#"{"src":"ring:0","dst":"vhost:2"}"#).await;
    assert_eq!(difference(&ctl).await[0]["status"], "as desired");
}

#[tokio::test]
async fn exit_forgets_and_a_crash_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let has = Has::default();
    join(&ctl, &has, "1111111111111111").await;
    build(&ctl).await;
    ok(&ctl, "DELETE", "/v1/nfvs/1", "").await;
    gone(&ctl).await;
    assert_eq!(difference(&ctl).await, serde_json::json!([]));
    end(ctl).await;
    let ctl = start(dir.path()).await;
    let again = Has::default();
    let second = join(&ctl, &again, "2222222222222222").await;
    // A change comes after whatever is put back.
    add(&ctl, "ring:7").await;
    assert_eq!(told(&second), ["add ring:7"]);
}

#[tokio::test]
async fn users_wait_until_the_state_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let has = Has::default();
    let first = join(&ctl, &has, "1111111111111111").await;
    build(&ctl).await;
    first.kill();
    gone(&ctl).await;
    let gate = Gate::default();
    let held = Some(("add vhost:2", gate.clone()));
    let script = nfv(&Has::default(), "2222222222222222", held);
    // The script blocks its thread, so it has one of its own.
    let (address, (sender, receiver)) = (ctl.secondary, tokio::sync::oneshot::channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let played = play(address, Style::Ours, script).await;
            sender.send(played.told.clone()).unwrap();
            played.closed().await;
        });
    });
    let told_list = limited(receiver).await.unwrap();
    let told = || without_handshake(&told_list.lock().unwrap());
    let half = || told().contains(&"add vhost:2".to_owned());
    until(async || half(), "the first half is back").await;
    let user = async {
        add(&ctl, "ring:9").await;
    };
    let opener = async {
        // Connections that were begun later are answered: so the user's is waiting within.
        for _ in 0..20 {
            assert_eq!(ctl.get("/v1/processes").await.status, 200);
        }
        assert_eq!(told().last().unwrap(), "add vhost:2");
        gate.open();
    };
    limited(async { tokio::join!(user, opener) }).await;
    let all: Vec<&str> = BUILT.iter().copied().chain(["add ring:9"]).collect();
    assert_eq!(told(), all);
}

#[tokio::test]
async fn what_cannot_be_put_back_is_told_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    // This one has a ring:50.
    let has = Has::default();
    has.lock().unwrap().take(&Change::from(PanelCommand::Add {
        port: "ring:50".parse().unwrap(),
        mode: None,
    }));
    let first = join(&ctl, &has, "1111111111111111").await;
    add(&ctl, "vhost:1").await;
    first.kill();
    gone(&ctl).await;
    let again = Has::default();
    let second = join(&ctl, &again, "2222222222222222").await;
    until(
        async || difference(&ctl).await[0]["failed"][0]["command"] == "add ring:50",
        "the failure is told",
    )
    .await;
    let differs = difference(&ctl).await;
    assert_eq!(differs[0]["status"], "differs");
    assert_eq!(differs[0]["commands"], serde_json::json!(["add ring:50"]));
    assert_eq!(differs[0]["failed"][0]["error"], "no ring:50");
    assert!(told(&second).contains(&"add vhost:1".to_owned()));
    second.kill();
    gone(&ctl).await;
    let third = join(&ctl, &Has::default(), "3333333333333333").await;
    until(
        async || told(&third).iter().any(|command| command == "add ring:50"),
        "it is tried again",
    )
    .await;
}

#[tokio::test]
async fn a_refused_change_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let first = join(&ctl, &Has::default(), "1111111111111111").await;
    let body = r#"{"action":"add","port":"ring:50"}"#;
    ctl.expect("PUT", PORTS, body, 400, "no ring:50").await;
    add(&ctl, "ring:1").await;
    first.kill();
    gone(&ctl).await;
    let second = join(&ctl, &Has::default(), "2222222222222222").await;
    until(
        async || told(&second) == ["add ring:1"],
        "what was not refused",
    )
    .await;
}

#[tokio::test]
async fn processes_of_the_original_are_restored_only_when_they_have_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = start(dir.path()).await;
    let first = play(ctl.secondary, Style::Padded, recorded(support::NFV)).await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    add(&ctl, "ring:0").await;
    ok(&ctl, "PUT", PATCHES, r#"{"src":"phy:0nq1","dst":"ring:0"}"#).await;
    ok(&ctl, "PUT", "/v1/nfvs/1/forward", r#"{"action":"start"}"#).await;
    first.kill();
    gone(&ctl).await;
    // It has a patch: it was not started anew.
    let busy: &'static [(&str, &str)] = Box::leak(Box::new([
        support::NFV[0],
        (
            "status",
            r#"{"client-id":1,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":["phy:1"],"patches":[{"src":"phy:1","dst":"phy:1"}]}"#,
        ),
    ]));
    let second = play(ctl.secondary, Style::Padded, recorded(busy)).await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    until(
        async || difference(&ctl).await[0]["status"] == "differs",
        "differs",
    )
    .await;
    assert!(told(&second).is_empty());
    second.kill();
    gone(&ctl).await;
    let third = play(ctl.secondary, Style::Padded, recorded(support::NFV)).await;
    let wanted = ["add ring:0", "patch phy:0nq1 ring:0", "forward"];
    until(async || told(&third) == wanted, "it is put back").await;
}

#[tokio::test]
async fn a_reply_that_never_came_is_found_out_by_asking() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = Ctl::start(|config| {
        config.state = Some(dir.path().to_owned());
        config.limits.command = std::time::Duration::from_millis(300);
    })
    .await;
    let has = Has::default();
    let mut script = nfv(&has, "1111111111111111", None);
    // It carries this one out, and its reply gets lost.
    let played = play(ctl.secondary, Style::Ours, move |command| {
        let reply = script(command);
        reply.filter(|_| command != "add ring:5")
    })
    .await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    let late = ctl
        .request("PUT", PORTS, r#"{"action":"add","port":"ring:5"}"#)
        .await;
    assert_eq!(late.status, 500, "{}", late.body);
    played.kill();
    gone(&ctl).await;
    let played = join(&ctl, &has, "1111111111111111").await;
    until(
        async || difference(&ctl).await[0]["status"] == "as desired",
        "found done",
    )
    .await;
    played.kill();
    gone(&ctl).await;
    let second = join(&ctl, &Has::default(), "2222222222222222").await;
    until(async || told(&second) == ["add ring:5"], "it counts").await;
}

/// Ordinary, then waiting for the other one to be asked, too, then silent.
const MEETS: u8 = 1;
const SILENT: u8 = 2;

/// Connects a process with this id on a thread of its own, which its script may block. It does not answer a `status`
/// before `mine` is open, and opens `others`.
async fn meeting(ctl: &Ctl, id: u32, how: &Arc<AtomicU8>, mine: &Gate, others: &Gate) {
    let (how, mine, others) = (how.clone(), mine.clone(), others.clone());
    let answer = ours("nfv", id, "00000000000000aa");
    let status = format!(
        r#"{{"client-id":{id},"status":"running","master-lcore":0,"lcores":[0,1],"ports":[],"patches":[]}}"#
    );
    let script = move |command: &str| {
        if command != "status" {
            return Some(answer(command));
        }
        match how.load(Ordering::SeqCst) {
            MEETS => {
                others.open();
                mine.wait();
            }
            SILENT => return None,
            _ => {}
        }
        Some(status.clone())
    };
    let address = ctl.secondary;
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { Played::ended(play(address, Style::Ours, script).await).await });
    });
    let id = format!(r#""client-id": {id}"#);
    let listed = async || ctl.get("/v1/processes").await.body.contains(&id);
    until(listed, "the process is listed").await;
}

#[tokio::test]
async fn processes_are_asked_for_differences_at_once_and_a_silent_one_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = Ctl::start(|config| {
        config.state = Some(dir.path().to_owned());
        config.limits.status = Duration::from_secs(3);
    })
    .await;
    let (one, two) = (Gate::default(), Gate::default());
    let modes = [Arc::new(AtomicU8::new(0)), Arc::new(AtomicU8::new(0))];
    meeting(&ctl, 1, &modes[0], &one, &two).await;
    meeting(&ctl, 2, &modes[1], &two, &one).await;
    let statuses = async || {
        let differences = difference(&ctl).await;
        let differences = differences.as_array().unwrap().clone();
        let statuses = differences.iter().map(|one| one["status"].clone());
        serde_json::json!(statuses.collect::<Vec<_>>())
    };
    let both = serde_json::json!(["as desired", "as desired"]);
    until(async || statuses().await == both, "both have their state").await;

    // Neither answers before the other was asked: one after the other, the first is given up.
    modes
        .iter()
        .for_each(|mode| mode.store(MEETS, Ordering::SeqCst));
    assert_eq!(statuses().await, both);

    modes[0].store(SILENT, Ordering::SeqCst);
    assert_eq!(
        statuses().await,
        serde_json::json!(["not known", "as desired"])
    );
}

#[tokio::test]
async fn each_fsync_of_the_journal_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let count = async |ctl: &Ctl| {
        let page = ctl.get("/metrics").await.body;
        let name = "spp_controller_journal_fsync_seconds_count ";
        let found = page.lines().find_map(|line| line.strip_prefix(name));
        found.map(|count| count.parse::<u64>().unwrap())
    };
    let ctl = start(dir.path()).await;
    let has = Has::default();
    let _nfv = join(&ctl, &has, "1111111111111111").await;
    add(&ctl, "ring:1").await;
    let before = count(&ctl).await.unwrap();
    assert!(before >= 1);
    add(&ctl, "ring:2").await;
    add(&ctl, "ring:3").await;
    // Each change waits for one before its command goes out.
    assert!(count(&ctl).await.unwrap() >= before + 2);
    end(ctl).await;

    let ctl = Ctl::start(|_| {}).await;
    assert_eq!(count(&ctl).await, None);
}
