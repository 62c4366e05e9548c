//! The program `spp-ctl`, killed with SIGKILL while it makes changes.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use protocol::command::{Change, PanelCommand};
use protocol::desired::{Desired, Form, plan};
use protocol::port::PortName;
use serde_json::{Value, json};
use support::nfv::{Has, nfv};
use support::{Ctl, LONG, Played, Style, limited, play, until};
use testbed::Random;
use testbed::machine::free_ports;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running `spp-ctl`; killed when it is dropped.
struct Running {
    child: Child,
    secondary: SocketAddr,
    rest: SocketAddr,
}

impl Running {
    async fn start(ports: [u16; 3], state: &Path) -> Self {
        let [primary, secondary, rest] = ports;
        let mut command = Command::new(env!("CARGO_BIN_EXE_spp-ctl"));
        command
            .args(["-p", &primary.to_string(), "-s", &secondary.to_string()])
            .args(["-a", &rest.to_string(), "--state-dir"])
            .arg(state)
            .env_remove("RUST_LOG")
            .stderr(Stdio::null());
        let mut running = Self {
            child: command.spawn().unwrap(),
            secondary: ([127, 0, 0, 1], secondary).into(),
            rest: ([127, 0, 0, 1], rest).into(),
        };
        let answers = async || ask(running.rest, "GET", "/v1/version", "").await.is_some();
        until(answers, "spp-ctl answers").await;
        let ended = running.child.try_wait().unwrap();
        assert!(ended.is_none(), "not this spp-ctl answers: it {ended:?}");
        running
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body; `None` if there was no whole answer.
async fn ask(rest: SocketAddr, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let exchange = async {
        let mut stream = TcpStream::connect(rest).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    limited(exchange).await
}

/// Changes that are the same in each run: where it is killed depends on the machine all the same.
struct Changes(Random);

impl Changes {
    /// A change, and the request that makes it.
    fn change(&mut self) -> (Change, &'static str, String, String) {
        let ring = PortName::Ring(self.0.below(12) as u16);
        let vhost = PortName::Vhost(self.0.below(12) as u16);
        let base = "/v1/nfvs/1";
        let (command, method, path, body) = match self.0.below(5) {
            0 | 1 => {
                let body = json!({"action": "add", "port": vhost});
                (
                    PanelCommand::Add {
                        port: vhost,
                        mode: None,
                    },
                    "PUT",
                    format!("{base}/ports"),
                    body,
                )
            }
            2 => {
                let body = json!({"action": "del", "port": ring});
                (
                    PanelCommand::Del(ring),
                    "PUT",
                    format!("{base}/ports"),
                    body,
                )
            }
            3 => {
                let command = PanelCommand::Patch {
                    src: vhost,
                    dst: ring,
                    cpu: None,
                    with: None,
                };
                (
                    command,
                    "PUT",
                    format!("{base}/patches"),
                    json!({"src": vhost, "dst": ring}),
                )
            }
            _ => {
                let path = format!("{base}/patches/{vhost}");
                (PanelCommand::Unpatch(vhost), "DELETE", path, Value::Null)
            }
        };
        (command.into(), method, path, body.to_string())
    }
}

fn same(one: &Desired, other: &Desired) -> bool {
    plan(one, other, Form::Ours).is_empty() && plan(other, one, Form::Ours).is_empty()
}

async fn differences(rest: SocketAddr) -> Value {
    let answer = ask(rest, "GET", "/v1/differences", "").await;
    answer.map_or(Value::Null, |(_, body)| {
        serde_json::from_str(&body).unwrap()
    })
}

/// Registers and waits until the controller is done with it.
async fn join(ctl: &Running, has: &Has, incarnation: u64) -> Played {
    let name: &'static str = format!("{incarnation:016x}").leak();
    let played = play(ctl.secondary, Style::Ours, nfv(has, name, None)).await;
    let listed = r#"[{"type": "nfv", "client-id": 1}]"#;
    let there = async || {
        let answer = ask(ctl.rest, "GET", "/v1/processes", "").await;
        answer.is_some_and(|(_, body)| body == listed)
    };
    until(there, "it is registered").await;
    let settled = async || differences(ctl.rest).await[0]["status"] == "as desired";
    until(settled, "it has what it shall have").await;
    played
}

#[tokio::test]
async fn no_acknowledged_change_is_lost_and_none_is_half_done() {
    const CHANGES: u64 = 1000;
    const KILLS: u64 = 16;
    let dir = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let mut changes = Changes(Random(7));
    let mut has = Has::default();
    let mut acknowledged = Desired::default();
    let (mut made, mut kills, mut incarnation) = (0, 0, 1);
    let mut ctl = Running::start(ports, dir.path()).await;
    let mut played = join(&ctl, &has, incarnation).await;
    loop {
        // Killed beside the requests, at an instant that follows none of them.
        let pid = ctl.child.id().to_string();
        let (after, turns) = (
            changes.0.below((CHANGES / KILLS) as usize) as u64,
            changes.0.below(1 << 20),
        );
        let so_far = Arc::new(AtomicU64::new(0));
        let (last, counted) = (kills == KILLS, so_far.clone());
        let killer = std::thread::spawn(move || {
            if last {
                return;
            }
            while counted.load(Ordering::Relaxed) < after {
                std::thread::yield_now();
            }
            (0..turns).for_each(|_| std::hint::spin_loop());
            assert!(
                Command::new("kill")
                    .args(["-9", &pid])
                    .status()
                    .unwrap()
                    .success()
            );
        });
        let mut in_flight = None;
        while made < CHANGES || !last {
            let (change, method, path, body) = changes.change();
            in_flight = Some(change.clone());
            let Some((status, words)) = ask(ctl.rest, method, &path, &body).await else {
                break;
            };
            assert_eq!(status, 204, "{change}: {words}");
            acknowledged.take(&change);
            in_flight = None;
            made += 1;
            so_far.fetch_add(1, Ordering::Relaxed);
        }
        killer.join().unwrap();
        if last {
            break;
        }
        ctl.kill();
        kills += 1;
        // In every other round the process has died, too, and has nothing any more.
        played.kill();
        if kills % 2 == 0 {
            has = Has::default();
            incarnation += 1;
        }
        ctl = Running::start(ports, dir.path()).await;
        played = join(&ctl, &has, incarnation).await;
        let now = has.lock().unwrap().clone();
        let mut with = acknowledged.clone();
        in_flight.iter().for_each(|change| with.take(change));
        assert!(
            same(&now, &acknowledged) || same(&now, &with),
            "kill {kills}: {now:?} is neither {acknowledged:?} nor that with {in_flight:?}"
        );
        acknowledged = now;
    }
    assert!(same(&has.lock().unwrap(), &acknowledged));
    assert!(
        kills == KILLS && made >= CHANGES,
        "{made} changes, {kills} kills"
    );
    println!("{made} changes acknowledged, {kills} kills");
}

#[tokio::test]
async fn two_controllers_do_not_share_ports_or_state() {
    let dir = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let first = Running::start(ports, dir.path()).await;
    let second = |ports: [u16; 3], folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spp-ctl"));
        for (option, port) in ["-p", "-s", "-a"].iter().zip(ports) {
            command.args([option, &port.to_string()[..]]);
        }
        let output = command.arg("--state-dir").arg(folder).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let words = second(ports, dir.path());
    assert!(words.contains("cannot listen on 127.0.0.1"), "{words}");
    let words = second([0; 3], dir.path());
    let holder = format!("in use by another spp-ctl (process {})", first.child.id());
    assert!(
        words.contains(&holder) && words.contains("--state-dir DIR"),
        "{words}"
    );
    let words = second([0; 3], Path::new("/dev/null/state"));
    assert!(
        words.contains("cannot make the folder /dev/null/state") && words.contains("--stateless"),
        "{words}"
    );
    assert!(ask(first.rest, "GET", "/v1/version", "").await.is_some());
}

/// Prints what the journal costs; the time itself is nothing that a busy machine keeps.
#[tokio::test]
async fn a_thousand_patches_are_one_document() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = Ctl::start(|config| config.state = Some(dir.path().to_owned())).await;
    let has = Has::default();
    let _played = play(
        ctl.secondary,
        Style::Ours,
        nfv(&has, "1111111111111111", None),
    )
    .await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    let patches: Vec<Value> = (0..1000)
        .map(|n| json!({"src": format!("vhost:{n}"), "dst": "nullpmd:0"}))
        .collect();
    let document = json!({"spp": 1, "processes": {"nfv:1": {"patches": patches}}}).to_string();
    let begin = Instant::now();
    let answer = ctl.request("PUT", "/v1/system", &document).await;
    let apply = begin.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(has.lock().unwrap().patches.len(), 1000);
    let mut times = Vec::new();
    for n in 0..200 {
        let body = format!(r#"{{"src":"vhost:{n}","dst":"nullpmd:1"}}"#);
        let begin = Instant::now();
        ctl.expect("PUT", "/v1/nfvs/1/patches", &body, 204, "")
            .await;
        times.push(begin.elapsed());
    }
    let mut syncs = Vec::new();
    let file = std::fs::File::create(dir.path().join("probe")).unwrap();
    for _ in 0..200 {
        let begin = Instant::now();
        std::io::Write::write_all(&mut &file, &[1; 150]).unwrap();
        file.sync_data().unwrap();
        syncs.push(begin.elapsed());
    }
    times.sort();
    syncs.sort();
    println!(
        "1000 patches applied in {apply:?}; one patch by REST {:?} (99th percentile {:?}), \
         of which an fsync here takes {:?} ({:?})",
        times[100], times[197], syncs[100], syncs[197]
    );
    assert!(apply < LONG);
}
