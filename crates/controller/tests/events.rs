//! `GET /v1/events` against played processes.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reader of events, and all that it was told.
struct Reader {
    stream: TcpStream,
    text: String,
}

impl Reader {
    async fn open(ctl: &Ctl, headers: &str) -> Self {
        let mut stream = TcpStream::connect(ctl.rest).await.unwrap();
        let head = format!("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        Self {
            stream,
            text: String::new(),
        }
    }

    /// Waits until it was told `what`; gives all of it, and forgets it.
    async fn told(&mut self, what: &str) -> String {
        let mut buffer = vec![0; 65536];
        let read = async {
            // The end of the message, too.
            while !self
                .text
                .split_once(what)
                .is_some_and(|(_, rest)| rest.contains("\n\n"))
            {
                let got = self.stream.read(&mut buffer).await.unwrap();
                assert_ne!(got, 0, "it ended without '{what}': {}", self.text);
                self.text
                    .push_str(std::str::from_utf8(&buffer[..got]).unwrap());
            }
        };
        if tokio::time::timeout(LONG, read).await.is_err() {
            panic!("never told '{what}', but: {}", self.text);
        }
        std::mem::take(&mut self.text)
    }

    /// Waits for the end.
    async fn ended(mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = limited(self.stream.read_to_end(&mut rest)).await;
        self.text + &String::from_utf8(rest).unwrap()
    }
}

/// The id in the last message of `text`.
fn id(text: &str) -> String {
    let line = text.lines().rfind(|line| line.starts_with("id: "));
    line.unwrap()["id: ".len()..].to_owned()
}

/// What a played process has, to be changed while it runs.
type Has = Arc<Mutex<(Vec<(&'static str, &'static str)>, &'static str)>>;

async fn nfv(ctl: &Ctl, has: &Has) -> Played {
    let (has, answer) = (has.clone(), ours("nfv", 1, "00000000000000bb"));
    let script = move |command: &str| {
        if command != "_detail" {
            if command.starts_with("add ") {
                has.lock().unwrap().0.push(("ring:7", "-"));
            }
            return Some(answer(command));
        }
        let (ports, status) = has.lock().unwrap().clone();
        let ports: Vec<_> = ports
            .iter()
            .map(|(name, link)| serde_json::json!({"name": name, "link": link, "info": "", "rx-packets": 0, "rx-bytes": 0, "tx-packets": 0, "tx-bytes": 0}))
            .collect();
        let detail = serde_json::json!({"type": "nfv", "client-id": 1, "pid": 1, "version": "0.1.0", "dpdk": "22.11", "incarnation": "00000000000000bb", "status": status, "tsc-hz": 1, "tsc": 1, "ports": ports, "patches": [], "workers": []});
        Some(detail.to_string())
    };
    play(ctl.secondary, Style::Ours, script).await
}

#[tokio::test]
async fn a_change_by_us_is_told_at_once_and_not_at_the_next_probe() {
    // The probe comes only after LONG.
    let ctl = Ctl::start(|_| {}).await;
    let mut reader = Reader::open(&ctl, "").await;
    let hello = reader.told("event: hello").await;
    assert!(
        hello
            .to_ascii_lowercase()
            .contains("content-type: text/event-stream"),
        "{hello}"
    );
    assert!(hello.contains(r#""snapshot":0}"#), "{hello}");
    let has = Has::new(Mutex::new((vec![("vhost:1", "down")], "running")));
    let _nfv = nfv(&ctl, &has).await;
    let joined = reader.told("event: forward-started").await;
    let at = |what: &str| {
        joined
            .find(what)
            .unwrap_or_else(|| panic!("no {what}: {joined}"))
    };
    assert!(at("event: process-joined") < at("event: port-added"));
    assert!(
        joined.contains(r#""process":"nfv:1","version":"0.1.0","incarnation":"00000000000000bb"}"#)
    );
    assert!(joined.contains(r#""process":"nfv:1","port":"vhost:1","link":"down"}"#));
    let start = Instant::now();
    let body = r#"{"action": "add", "port": "ring:7"}"#;
    ctl.expect("PUT", "/v1/nfvs/1/ports", body, 204, "").await;
    let added = reader.told(r#""port":"ring:7""#).await;
    assert!(added.contains("event: port-added"), "{added}");
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_changes_by_itself_is_told_at_the_pace_of_the_probe() {
    let ctl = Ctl::start(|config| config.limits.probe_every = Duration::from_millis(20)).await;
    let mut reader = Reader::open(&ctl, "").await;
    let has = Has::new(Mutex::new((vec![("vhost:1", "down")], "idling")));
    let played = nfv(&ctl, &has).await;
    reader.told("event: port-added").await;
    *has.lock().unwrap() = (vec![("vhost:1", "up")], "idling");
    reader.told("event: link-up").await;
    *has.lock().unwrap() = (vec![("vhost:1", "down")], "running");
    let told = reader.told("event: forward-started").await;
    assert!(told.contains("event: link-down"), "{told}");
    *has.lock().unwrap() = (vec![], "running");
    reader.told("event: port-deleted").await;
    played.kill();
    let left = reader.told("event: process-left").await;
    assert!(
        left.contains(r#""reason":"closed its connection","clean":false"#),
        "{left}"
    );
}

#[tokio::test]
async fn a_process_that_falls_silent_is_told_once() {
    let ctl = Ctl::start(|config| {
        config.limits.status = Duration::from_millis(50);
        config.limits.probe_every = Duration::from_millis(20);
    })
    .await;
    let mut reader = Reader::open(&ctl, "").await;
    let answer = ours("nfv", 1, "00000000000000bb");
    let script = move |command: &str| (command != "_detail").then(|| answer(command));
    let played = play(ctl.secondary, Style::Ours, script).await;
    let mut told = reader.told("event: process-silent").await;
    played.kill();
    told += &reader.told("event: process-left").await;
    assert_eq!(told.matches("process-silent\n").count(), 1, "{told}");
}

#[tokio::test]
async fn of_a_process_of_the_original_its_status_is_told() {
    let ctl = Ctl::start(|_| {}).await;
    let mut reader = Reader::open(&ctl, "").await;
    let _nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    let told = reader.told(r#""port":"phy:1""#).await;
    assert!(
        told.contains(r#""event":"process-joined","process":"nfv:1"}"#),
        "{told}"
    );
    assert!(
        told.contains(r#""port":"phy:0 nq 1","link":"-"}"#),
        "{told}"
    );
}

#[tokio::test]
async fn a_reader_goes_on_after_the_event_that_it_had_last() {
    let ctl = Ctl::start(|_| {}).await;
    let mut reader = Reader::open(&ctl, "").await;
    let has = Has::new(Mutex::new((vec![("vhost:1", "down")], "idling")));
    let played = nfv(&ctl, &has).await;
    reader.told("event: port-added").await;
    drop(reader);
    played.kill();
    ctl.until_processes("[]").await;
    let first = id(&Reader::open(&ctl, "").await.told("event: hello").await);
    let (controller, _) = first.split_once('-').unwrap();
    // The second was that of the port.
    let after = format!("Last-Event-ID: {controller}-2\r\n");
    let told = Reader::open(&ctl, &after)
        .await
        .told("event: process-left")
        .await;
    assert!(
        !told.contains("process-joined") && !told.contains("resync"),
        "{told}"
    );
    let after = format!("Last-Event-ID: {controller}-0\r\n");
    let told = Reader::open(&ctl, &after)
        .await
        .told("event: process-left")
        .await;
    assert!(
        told.contains("event: process-joined") && told.contains("event: port-added"),
        "{told}"
    );
    for id in ["0123456789abcdef-1", "1", "", "\u{e9}"] {
        let after = format!("Last-Event-ID: {id}\r\n");
        let told = Reader::open(&ctl, &after).await.told("event: resync").await;
        assert!(
            told.contains("event: hello") && !told.contains("process-"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn readers_have_a_limit_and_end_with_the_controller() {
    let mut ctl = Ctl::start(|_| {}).await;
    let mut readers = Vec::new();
    for _ in 0..64 {
        let mut reader = Reader::open(&ctl, "").await;
        reader.told("event: hello").await;
        readers.push(reader);
    }
    let words = "64 readers follow the events already: end one of them";
    ctl.expect("GET", "/v1/events", "", 503, words).await;
    readers.pop();
    let freed = async || {
        let mut reader = Reader::open(&ctl, "Connection: close\r\n").await;
        let mut head = [0; 12];
        reader.stream.read_exact(&mut head).await.unwrap();
        &head == b"HTTP/1.1 200"
    };
    until(freed, "a place for another reader").await;
    let start = Instant::now();
    ctl.stop();
    for reader in readers {
        reader.ended().await;
    }
    ctl.ended().await;
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
}

/// A process with 300 ports of long names, which are others whenever it is asked while `changing` is set: more than the
/// kernel keeps of a connection is soon told of it.
async fn restless(ctl: &Ctl, changing: &Arc<AtomicBool>) -> Played {
    let (changing, answer) = (changing.clone(), ours("nfv", 1, "00000000000000bb"));
    let has = |letter: &str| {
        let port = |number| {
            let name = format!("{number}{}", letter.repeat(3000));
            serde_json::json!({"name": name, "link": "-", "info": "", "rx-packets": 0, "rx-bytes": 0, "tx-packets": 0, "tx-bytes": 0})
        };
        let ports: Vec<_> = (0..300).map(port).collect();
        serde_json::json!({"type": "nfv", "client-id": 1, "pid": 1, "version": "0.1.0", "dpdk": "22.11", "incarnation": "00000000000000bb", "status": "running", "tsc-hz": 1, "tsc": 1, "ports": ports, "patches": [], "workers": []}).to_string()
    };
    let looks = [has("a"), has("b")];
    let mut shown = 0;
    let script = move |command: &str| {
        if command != "_detail" {
            return Some(answer(command));
        }
        if changing.load(Ordering::SeqCst) {
            shown = 1 - shown;
        }
        Some(looks[shown].clone())
    };
    play(ctl.secondary, Style::Ours, script).await
}

/// Numbers of the events in the ids of `text`; whatever is cut off at its end is left out.
fn numbers(text: &str) -> Vec<u64> {
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    let ids = whole.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| id.rsplit_once('-').unwrap().1.parse().unwrap())
        .collect()
}

fn assert_without_gap(numbers: &[u64]) {
    let gap = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(gap, None);
}

/// Reads until an event with this number or a later one; gives all numbers.
async fn read_to(mut reader: Reader, last: u64) -> Vec<u64> {
    let (mut all, mut rest) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 1 << 20];
    while all.last().is_none_or(|number| *number < last) {
        let got = limited(reader.stream.read(&mut buffer)).await.unwrap();
        assert_ne!(got, 0, "it ended after {:?}", all.last());
        rest.extend_from_slice(&buffer[..got]);
        let end = rest.windows(2).rposition(|pair| pair == b"\n\n");
        let whole = rest.drain(..end.map_or(0, |end| end + 2));
        all.extend(numbers(&String::from_utf8(whole.collect()).unwrap()));
    }
    all
}

async fn metric(ctl: &Ctl, name: &str) -> u64 {
    let page = ctl.get("/metrics").await.body;
    let found = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap().parse().unwrap()
}

fn signal(child: &Child, name: &str) {
    let mut command = Command::new("kill");
    command.args([&format!("-{name}"), &child.id().to_string()]);
    assert!(command.status().unwrap().success());
}

/// Far more events than the 4096 that are kept and those that fit into the kernel's buffers (31 MB in all).
const MANY: u64 = 10_000;

#[tokio::test]
async fn a_client_that_stops_reading_is_told_and_cut_off_and_others_miss_nothing() {
    let ctl = Ctl::start(|config| {
        config.limits.probe_every = Duration::from_millis(10);
        // It is not given up while it is stopped.
        config.limits.write = LONG * 10;
    })
    .await;
    let changing = Arc::new(AtomicBool::new(false));
    let _nfv = restless(&ctl, &changing).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events");
    let mut command = Command::new("curl");
    command.arg("-sSN").arg("-o").arg(&file);
    command.arg(format!("http://{}/v1/events", ctl.rest));
    let mut slow = command.spawn().unwrap();
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    until(async || read().contains("event: hello"), "curl reads").await;
    signal(&slow, "STOP");

    let others = Reader::open(&ctl, "").await;
    changing.store(true, Ordering::SeqCst);
    let others = limited(read_to(others, MANY)).await;
    assert_without_gap(&others);
    assert_eq!(
        metric(&ctl, "spp_events_lost_total").await,
        0,
        "not told yet"
    );

    changing.store(false, Ordering::SeqCst);
    signal(&slow, "CONT");
    until(
        async || slow.try_wait().unwrap().is_some(),
        "curl is cut off",
    )
    .await;
    let text = read();
    let (before, resync) = text.rsplit_once("event: resync\n").expect("a resync");
    assert!(resync.contains("this reader is too slow"), "{resync}");
    assert_eq!(
        resync.matches("\nid: ").count() + resync.matches("event: ").count(),
        0,
        "it is the last"
    );
    let told = numbers(before);
    assert_without_gap(&told);
    assert!((told.len() as u64) < MANY - 4096, "{}", told.len());
    assert!(metric(&ctl, "spp_events_lost_total").await > 0);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up_and_others_miss_nothing() {
    let ctl = Ctl::start(|config| {
        config.limits.probe_every = Duration::from_millis(10);
        config.limits.write = Duration::from_secs(1);
    })
    .await;
    let changing = Arc::new(AtomicBool::new(false));
    let _nfv = restless(&ctl, &changing).await;
    let silent = Reader::open(&ctl, "").await;
    let mut others = Reader::open(&ctl, "").await;
    others.told("event: hello").await;
    let both = async || metric(&ctl, "spp_event_readers").await == 2;
    until(both, "both are there").await;
    changing.store(true, Ordering::SeqCst);
    let others = tokio::spawn(read_to(others, MANY));
    let one = async || metric(&ctl, "spp_event_readers").await < 2;
    until(one, "the silent one is given up").await;
    assert_without_gap(&limited(others).await.unwrap());
    drop(silent);
}
