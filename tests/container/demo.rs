//! `spp container demo`: use cases from nothing to packets that are counted, and nothing left of them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testbed::machine;
use testbed::proc::{self, Finished, Signal};
use testbed::{Panel, Proc, huge, wait_until};

use crate::engine::{LIMIT, docker, engine, spp};

/// Words of a demo of this test's own.
fn words<'a>(case: &'a str, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let start = ["container", "demo", case, "--name", name];
    [&start, more].concat()
}

fn run(words: &[&str]) -> Finished {
    huge::need(192);
    proc::run(Command::new(machine::bin("spp")).args(words), LIMIT)
}

fn containers(name: &str) -> Vec<String> {
    let filter = format!("name={name}-");
    let list = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).success();
    list.lines().map(str::to_owned).collect()
}

/// Removes what is left of a demo when the test ends, passed or not.
struct Demo(String);

impl Demo {
    fn new() -> Self {
        Self(machine::unique("spptest-demo"))
    }

    fn folder(&self) -> String {
        format!("/tmp/spp-{}", self.0)
    }

    #[track_caller]
    fn assert_gone(&self) {
        assert_eq!(containers(&self.0), [""; 0]);
        assert!(!Path::new(&self.folder()).exists());
        assert!(!huge::runtime_dir(&self.0).exists());
        let files = huge::files_of(&self.0);
        assert!(files.is_empty(), "{files:?}");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for name in containers(&self.0) {
            docker(&["rm", "-f", "-v", &name]);
        }
        huge::sweep(&self.0);
        // Mostly it has gone with the demo.
        let _ = std::fs::remove_dir_all(self.folder());
    }
}

/// What a document says of the account: all is there, and adds up.
#[track_caller]
fn assert_accounted(document: &Value, sent: u64) {
    let account = &document["account"];
    let number = |name: &str| account[name].as_u64().expect("a number");
    assert_eq!(number("sent"), sent, "{document}");
    assert_eq!(number("received") + number("dropped"), sent, "{document}");
    assert!(
        number("received") > 0 && number("faults") == 0,
        "{document}"
    );
    let drops = account["drops"].as_array().expect("drops");
    let sum: u64 = drops
        .iter()
        .filter_map(|drop| drop["packets"].as_u64())
        .sum();
    assert_eq!(sum, number("dropped"), "{document}");
}

fn document(finished: &Finished) -> Value {
    let line = finished
        .output
        .lines()
        .find(|line| line.starts_with("{\"result\""));
    let line = line.unwrap_or_else(|| panic!("no document: {}", finished.output));
    serde_json::from_str(line).expect("JSON")
}

#[test]
fn a_chain_of_services_accounts_for_every_packet_and_leaves_nothing() {
    if !engine("a_chain_of_services_accounts_for_every_packet_and_leaves_nothing") {
        return;
    }
    let demo = Demo::new();
    let more = ["--packets", "20000", "--rate", "10kpps", "--json"];
    let finished = run(&words("sfc", &demo.0, &more));
    assert!(finished.status.success(), "{}", finished.output);
    let document = document(&finished);
    assert_accounted(&document, 20_000);
    // Through vhost ports packets are copied: what the other demo proves can fail.
    let buffers = &document["buffers"];
    assert_eq!(buffers["looked-at"], 64, "{document}");
    assert!(buffers["same"].as_u64() < Some(32), "{document}");
    // Every thread has been laid out.
    let placed = document["layout"]["placed"].as_array().expect("a layout");
    let names: Vec<&str> = placed
        .iter()
        .filter_map(|placed| placed["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "primary",
            "nfv1",
            "nfv2",
            "nfv3",
            "nfv4",
            "l2fwd",
            "generator"
        ]
    );
    demo.assert_gone();
}

#[test]
fn packets_keep_their_buffers_over_rings_and_a_demo_that_is_kept_ends_as_it_says() {
    if !engine("packets_keep_their_buffers_over_rings_and_a_demo_that_is_kept_ends_as_it_says") {
        return;
    }
    let demo = Demo::new();
    let more = [
        "--packets",
        "20000",
        "--rate",
        "10kpps",
        "--show-buffers",
        "200",
        "--keep",
    ];
    let finished = run(&words("rings", &demo.0, &more));
    let output = &finished.output;
    assert!(finished.status.success(), "{output}");
    assert!(output.contains("they agree"), "{output}");
    assert!(
        output.contains("200 of 200 packets came in the buffer that they were sent in"),
        "{output}"
    );
    // What is printed can be typed.
    let (_, end) = output.split_once("End it all:\n  ").expect("how to end it");
    let address = output
        .split("spp -b ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let address = address.expect("the address of its controller");
    let status = spp(&["-b", address, "nfv", "4", "status"]).success();
    assert!(status.contains("ring:3 -> ring:4"), "{status}");
    let list = spp(&["container", "ps"]).success();
    assert_eq!(containers(&demo.0).len(), 6, "{list}");
    let bin = machine::bin_dir().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").expect("a path"));
    let line = end.lines().next().expect("a line");
    proc::run(
        Command::new("sh").args(["-c", line]).env("PATH", path),
        LIMIT,
    )
    .success();
    demo.assert_gone();
}

#[test]
fn an_interrupted_demo_and_one_whose_container_dies_leave_nothing() {
    if !engine("an_interrupted_demo_and_one_whose_container_dies_leave_nothing") {
        return;
    }
    let endless = ["--packets", "1000000", "--rate", "1kpps"];
    for interrupted in [true, false] {
        let demo = Demo::new();
        huge::need(192);
        let mut command = Command::new(machine::bin("spp"));
        let mut run = Proc::spawn("demo", command.args(words("rings", &demo.0, &endless)));
        let sender = format!("{}-sender", demo.0);
        wait_until("packets to be sent", LIMIT, || {
            containers(&demo.0).contains(&sender)
        });
        let reason = if interrupted {
            run.signal(Signal::INT);
            "interrupted"
        } else {
            docker(&["kill", &format!("{}-nfv3", demo.0)]).success();
            "-nfv3 has died"
        };
        let status = run.wait_exit(LIMIT);
        let output = run.output();
        assert_eq!(status.code(), Some(1), "{output}");
        assert!(output.contains(reason), "{output}");
        demo.assert_gone();
    }
}

#[test]
fn a_demo_that_nobody_reads_leaves_nothing() {
    if !engine("a_demo_that_nobody_reads_leaves_nothing") {
        return;
    }
    let demo = Demo::new();
    huge::need(192);
    let program = machine::bin("spp").display().to_string();
    let line = format!(
        "{program} container demo rings --name {} --keep | head -n 30",
        demo.0
    );
    let finished = proc::run(Command::new("sh").args(["-c", &line]), LIMIT);
    assert!(
        finished.output.contains("run spp-primary"),
        "{}",
        finished.output
    );
    demo.assert_gone();
}

#[test]
fn what_a_demo_cannot_have_is_refused_before_anything_is_started() {
    if !engine("what_a_demo_cannot_have_is_refused_before_anything_is_started") {
        return;
    }
    for (line, status, reason) in [
        ("demo", 2, "Which demo?"),
        ("demo nat", 2, "there are: sfc, rings"),
        ("demo sfc --packets 0", 2, "--packets '0'"),
        ("demo sfc --lcores 5-3", 2, "--lcores 5-3"),
        ("demo sfc --lcores 127", 1, "CPU 127 is not there"),
        ("demo sfc --name a/b", 2, "--name 'a/b'"),
        ("demo sfc --rate fast", 2, "--rate 'fast'"),
        ("run testpmd --lcores auto:0", 2, "the number of workers"),
        ("run testpmd --lcores auto -l 1", 2, "one of them"),
    ] {
        let words: Vec<&str> = ["container"].into_iter().chain(line.split(' ')).collect();
        let refused = spp(&words);
        assert_eq!(
            refused.status.code(),
            Some(status),
            "{line}: {}",
            refused.output
        );
        assert!(
            refused.output.contains(reason),
            "{line}: {}",
            refused.output
        );
    }
    // A panel that is there is not taken for one of a demo, and stays.
    let panel = Panel::builder().memory(256).start();
    let refused = spp(&["container", "demo", "rings", "--name", panel.prefix()]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.output);
    assert!(
        refused.output.contains("there is a panel"),
        "{}",
        refused.output
    );
    panel.finish();
    // Laid out, an application gets CPUs and lcore ids, in a dry run as well.
    let dry = spp(&[
        "container",
        "run",
        "testpmd",
        "--lcores",
        "auto:2",
        "--dry-run",
    ])
    .success();
    assert!(
        dry.contains("--lcores 0@") && dry.contains("THREADS OF"),
        "{dry}"
    );
}
