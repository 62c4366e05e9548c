//! The description of REST: kept in the tree, and true of the running program.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use support::results::*;
use support::*;

/// `docs/openapi.json`.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[tokio::test]
async fn the_kept_description_is_current() {
    let ctl = Ctl::start(|_| {}).await;
    let response = ctl.get("/v1/openapi.json").await;
    assert_eq!(response.status, 200);
    if std::env::var_os("SPP_RENEW_DOCS").is_some() {
        std::fs::write(kept(), &response.body).unwrap();
    }
    let kept = std::fs::read_to_string(kept()).unwrap_or_default();
    assert!(
        kept == response.body,
        "docs/openapi.json is not what the controller serves; renew it by\n  \
         SPP_RENEW_DOCS=1 cargo test -p controller --test openapi the_kept"
    );
}

#[tokio::test]
async fn every_operation_is_described() {
    let ctl = Ctl::start(|_| {}).await;
    let body = ctl.get("/v1/openapi.json").await.body;
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    let mut ids = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        let mut names: Vec<&str> = path
            .split('{')
            .skip(1)
            .map(|part| part.split('}').next().unwrap())
            .collect();
        for (method, operation) in methods.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{what}");
            let given = operation["parameters"].as_array();
            let mut given: Vec<&str> = given
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            given.sort_unstable();
            names.sort_unstable();
            assert_eq!(given, names, "{what}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            let head = ctl
                .request("PATCH", &path.replace(['{', '}'], ""), "")
                .await
                .head;
            let allow = head.lines().find_map(|line| line.strip_prefix("allow: "));
            let allowed = allow.unwrap().split(',').any(|allowed| allowed == method);
            assert!(allowed, "{what}: {head}");
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "two operations have the same id");
    assert!(count >= 40, "{count}");
}

/// The program, killed when a test ends before it does.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `spp-ctl`; gives where it waits for the primary, for secondaries and for REST.
fn start() -> (Program, [SocketAddr; 3]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_spp-ctl"))
        .args(["-p", "0", "-s", "0", "-a", "0"])
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let program = Program(child);
    let listening = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("listening: "))
        .expect("it does not say where it listens");
    // Nobody reads on, and a full pipe must not stop it.
    thread::spawn(move || lines.for_each(drop));
    let addresses: Vec<SocketAddr> = listening
        .split([' ', ','])
        .filter_map(|word| word.parse().ok())
        .collect();
    (program, addresses.try_into().expect("three addresses"))
}

/// Plays a process that connects again whenever its connection ends, as they do.
fn play_for_ever<S, F>(address: SocketAddr, style: Style, script: S)
where
    S: Fn() -> F + Send + 'static,
    F: FnMut(&str) -> Option<String> + Send + 'static,
{
    tokio::spawn(async move {
        loop {
            play(address, style, script()).await.ended().await;
        }
    });
}

/// One of ours that takes every command.
fn agreeing(kind: &'static str, id: u32, status: &'static str) -> impl Fn(&str) -> Option<String> {
    let answer = ours(kind, id, "00000000000000cc");
    move |command| {
        Some(match command.split(' ').next().unwrap() {
            "status" => status.to_owned(),
            "_detail" => format!(
                r#"{{"type":"{kind}","client-id":{id},"pid":7,"version":"0.1.0","dpdk":"22.11","incarnation":"00000000000000cc","status":"running","tsc-hz":1,"tsc":2,"ports":[],"patches":[],"workers":[]}}"#
            ),
            "flow" => r#"{"result": "success", "message": "Flow rule #0 created", "rule_id": "0"}"#
                .to_owned(),
            // Of a trace: that it has begun, and that it is over.
            "trace" => {
                r#"{"result":"succeeded","command":"trace","trace":1,"packets":[],"done":true}"#
                    .to_owned()
            }
            "_get_client_id" => answer(command),
            word => format!(r#"{{"result":"succeeded","command":"{word}"}}"#),
        })
    }
}

/// One of the original that takes every command.
fn agreeing_original(
    kind: &'static str,
    id: u32,
    info: &'static str,
) -> impl FnMut(&str) -> Option<String> {
    let mut answer = with_results(kind, id, info, &[("ok", "")]);
    move |command| {
        answer(match command {
            "_get_client_id" | "status" => command,
            _ => "ok",
        })
    }
}

/// Where `scripts/setup.sh --tests` installs it.
fn schemathesis() -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
    let output = Command::new("bash")
        .args(["-c", ". ./lib.sh && cache_dir"])
        .current_dir(scripts)
        .output()
        .unwrap();
    let cache = String::from_utf8(output.stdout).unwrap();
    Path::new(cache.trim()).join("schemathesis/bin/schemathesis")
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let program = schemathesis();
    assert!(
        program.exists(),
        "{} is missing: scripts/setup.sh --tests installs it",
        program.display()
    );
    let (_ctl, [primary, secondary, rest]) = start();
    play_for_ever(primary, Style::Ours, || {
        agreeing("primary", 0, PRIMARY_STATUS)
    });
    play_for_ever(secondary, Style::Ours, || agreeing("nfv", 1, NFV_STATUS));
    play_for_ever(secondary, Style::Bare, || {
        agreeing_original("vf", 2, VF_BUSY)
    });
    play_for_ever(secondary, Style::Bare, || {
        agreeing_original("mirror", 3, MIRROR_INFO)
    });
    play_for_ever(secondary, Style::Bare, || {
        agreeing_original("pcap", 4, PCAP_RUNNING)
    });
    let url = format!("http://{rest}/v1/openapi.json");
    // Both forms of errors: that of the original's clients with all it can think of, then ours.
    ask_all(&program, &url, &[], 800).await;
    let ours = [
        "--phases=fuzzing",
        "--max-examples=4",
        "--header=Accept: application/problem+json",
    ];
    ask_all(&program, &url, &ours, 100).await;
}

/// Has schemathesis ask for all operations; at least `cases` requests have to be made.
async fn ask_all(program: &Path, url: &str, more: &[&str], cases: usize) {
    let folder = std::env::temp_dir().join(format!("spp-openapi-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis.toml");
    let run = tokio::process::Command::new(program)
        .args(["--config-file", config.to_str().unwrap(), "run", url])
        .args(more)
        .current_dir(&folder)
        .env("HOME", &folder)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LONG * 9, run).await;
    std::fs::remove_dir_all(&folder).unwrap();
    let output = output.expect("schemathesis does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    // A run that asked nothing would succeed, too.
    let count = said
        .lines()
        .find_map(|line| line.trim().split_once(" generated, "));
    let count: usize = count.expect("no count of cases").0.parse().unwrap();
    assert!(count >= cases, "{said}");
    println!("{said}");
}
