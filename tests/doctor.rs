//! `spp doctor` on this machine: what it says agrees with the kernel, small limits are seen, and what it removes is of the dead alone.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testbed::machine::{self, TempDir, unique};
use testbed::{Panel, Proc, huge, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// A user that nobody else is.
const USER: &str = "61725";

/// What it found, and how it ended.
struct Examination {
    status: Option<i32>,
    findings: Vec<Value>,
}

impl Examination {
    /// Runs it by `command`, which it does not outlive for long. Standard output has one array and nothing else.
    #[track_caller]
    fn by(command: &mut Command) -> Self {
        let done = command.output().expect("spp doctor");
        let (out, err) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        let findings = serde_json::from_str(&out)
            .unwrap_or_else(|error| panic!("no array: {error}\n{out}\n{err}"));
        Self {
            status: done.status.code(),
            findings,
        }
    }

    #[track_caller]
    fn of(words: &[&str]) -> Self {
        Self::by(doctor(&machine::bin("spp")).args(words))
    }

    /// The finding whose words have this.
    #[track_caller]
    fn about(&self, text: &str) -> &Value {
        let says = |finding: &&Value| finding["found"].as_str().unwrap_or_default().contains(text);
        let found = self.findings.iter().find(says);
        found.unwrap_or_else(|| panic!("nothing says '{text}': {:#?}", self.findings))
    }

    fn says(&self, text: &str) -> bool {
        let has = |finding: &Value| finding["found"].as_str().unwrap_or_default().contains(text);
        self.findings.iter().any(has)
    }
}

/// `spp doctor --json`, ended if it takes too long.
fn doctor(spp: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(spp).args(["doctor", "--json"]);
    command
}

fn meminfo(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|value| value.split_whitespace().next());
    value
        .and_then(|value| value.parse().ok())
        .expect("a number")
}

#[test]
fn every_check_has_a_finding_of_a_known_form_and_hugepages_agree_with_the_kernel() {
    let all = Examination::of(&[]);
    let list = Command::new(machine::bin("spp"))
        .args(["doctor", "--list", "--json"])
        .output()
        .expect("spp doctor --list");
    let checks: Vec<Value> = serde_json::from_slice(&list.stdout).expect("an array");
    assert_eq!(checks.len(), 14);
    for check in &checks {
        let found = all.findings.iter().any(|f| f["name"] == check["name"]);
        assert!(found, "{check} found nothing");
    }
    let mut fails = false;
    for finding in &all.findings {
        let state = finding["state"].as_str().expect("a state");
        assert!(["ok", "warn", "fail"].contains(&state), "{finding}");
        fails |= state == "fail";
        assert!(
            finding["found"]
                .as_str()
                .is_some_and(|found| !found.is_empty())
        );
        assert!(finding["figures"].is_object() && finding["paths"].is_array());
        assert!(finding["remedy"].is_string() || finding["remedy"].is_null());
        assert!(finding["as-root"].is_boolean());
    }
    assert_eq!(all.status, Some(i32::from(fails)));
    let programs = all.about("drivers in");
    assert!(
        programs["figures"]["drivers"].as_u64() > Some(10),
        "{programs}"
    );
    // Others take and give back pages meanwhile.
    wait_until("figures between two equal looks", LIMIT, || {
        let figures = || (meminfo("HugePages_Free"), meminfo("HugePages_Total"));
        let before = figures();
        let seen = Examination::of(&["hugepages"]);
        let found = seen.about("pages of 2 MB free")["figures"].clone();
        before == figures()
            && (found["free"].as_u64(), found["total"].as_u64()) == (Some(before.0), Some(before.1))
    });
}

#[test]
fn small_limits_of_a_process_are_seen() {
    let limited = |limit: &str| {
        let mut command = Command::new("prlimit");
        command.arg(limit).arg("timeout").arg("60");
        Examination::by(
            command
                .arg(machine::bin("spp"))
                .args(["doctor", "--json", "limits"]),
        )
    };
    let few = limited("--nofile=200:200");
    let files = few.about("open files: 200");
    assert_eq!(
        (files["state"].as_str(), few.status),
        (Some("warn"), Some(0))
    );
    assert!(
        files["remedy"]
            .as_str()
            .expect("a remedy")
            .starts_with("ulimit -n ")
    );
    let fewer = limited("--nofile=100:100");
    assert_eq!(fewer.about("open files: 100")["state"], "fail");
    assert_eq!(fewer.status, Some(1));
    let narrow = limited("--as=8589934592:8589934592");
    assert_eq!(narrow.about("address space: 8 GB")["state"], "fail");
}

/// A control group of its own, with a limit on hugepages.
struct Group {
    folder: PathBuf,
    /// Its parent did not pass the controller on before.
    passed_on: bool,
}

impl Group {
    /// `None` where the kernel has no such limits, or version 1 of control groups has them.
    fn new(limit: &str) -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
        let top = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(point))
        })?;
        let has = |file: &str| {
            let list = std::fs::read_to_string(top.join(file)).unwrap_or_default();
            list.split_whitespace().any(|name| name == "hugetlb")
        };
        if !has("cgroup.controllers") {
            return None;
        }
        let passed_on = !has("cgroup.subtree_control");
        std::fs::write(top.join("cgroup.subtree_control"), "+hugetlb").ok()?;
        let this = Self {
            folder: top.join(unique("spp-doctor-")),
            passed_on,
        };
        std::fs::create_dir(&this.folder).ok()?;
        std::fs::write(this.folder.join("hugetlb.2MB.max"), limit).ok()?;
        Some(this)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
        if self.passed_on {
            let control = self.folder.with_file_name("cgroup.subtree_control");
            if let Err(error) = std::fs::write(&control, "-hugetlb") {
                eprintln!("{} stays as it is: {error}", control.display());
            }
        }
    }
}

#[test]
fn a_small_limit_of_the_control_group_is_seen() {
    let Some(group) = Group::new("67108864") else {
        println!("skipped: no control group with a limit on hugepages can be made here");
        return;
    };
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "echo $$ > \"$0\"/cgroup.procs && exec timeout 60 \"$1\" doctor --json cgroup",
        ])
        .arg(&group.folder)
        .arg(machine::bin("spp"));
    let seen = Examination::by(&mut command);
    let limit = seen.about("64 MB of 64 MB are left");
    assert_eq!(
        (limit["state"].as_str(), seen.status),
        (Some("warn"), Some(0))
    );
    let file = group.folder.join("hugetlb.2MB.max");
    assert_eq!(limit["remedy"], format!("echo max > {}", file.display()));
}

#[test]
fn a_missing_engine_is_a_warning_with_its_address() {
    let mut command = doctor(&machine::bin("spp"));
    command
        .arg("engine")
        .env("DOCKER_HOST", "unix:///no/such/engine.sock");
    let seen = Examination::by(&mut command);
    let engine = seen.about("/no/such/engine.sock");
    assert_eq!(
        (engine["state"].as_str(), seen.status),
        (Some("warn"), Some(0))
    );
    assert!(engine["remedy"].is_string());
}

#[test]
fn an_ordinary_user_is_told_what_is_missing_and_what_cannot_be_seen() {
    let panel = Panel::builder().memory(256).start();
    let home = TempDir::new();
    // What is built may lie in a private folder. Copied by another process: while we had it open for writing, a child of another test
    // could keep it so, and it could not be run.
    let spp = home.join("spp");
    let copied = Command::new("cp")
        .arg(machine::bin("spp"))
        .arg(&spp)
        .status();
    assert!(copied.expect("cp").success());
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
        .args([
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
            "--",
            "timeout",
            "60",
        ])
        .arg(&spp)
        .args(["doctor", "--json", "--clean", "mounts", "runtime", "stale"])
        .env("XDG_RUNTIME_DIR", home.join("none"));
    let seen = Examination::by(&mut command);
    assert_eq!(seen.status, Some(1));
    let mount = seen.about(&format!("where user {USER} can write"));
    assert_eq!(mount["state"], "fail");
    let remedy = format!("scripts/setup.sh --runtime --user {USER}");
    assert_eq!(
        (&mount["remedy"], &mount["as-root"]),
        (&Value::from(remedy), &Value::from(true))
    );
    let runtime = seen.about("cannot be made in");
    assert_eq!(runtime["state"], "fail");
    let hidden = seen.about("hugepage files of other users");
    assert_eq!(
        (hidden["state"].as_str(), hidden["as-root"].as_bool()),
        (Some("warn"), Some(true))
    );
    assert!(!huge::files_of(panel.prefix()).is_empty());
    panel.finish();
}

#[test]
fn what_a_killed_panel_left_is_removed_and_the_living_one_beside_it_goes_on() {
    let living = Panel::builder().memory(256).nfv(1).start();
    for line in [
        "nfv 1 add nullpmd:0",
        "nfv 1 add nullpmd:1",
        "nfv 1 add vhost:1",
        "nfv 1 patch nullpmd:0 ring:0",
        "nfv 1 patch ring:0 nullpmd:1",
    ] {
        living.ok(line);
    }
    let carried = || living.patch(1, "ring:0").counters.tx_packets;
    let mut dead = Panel::builder().memory(256).nfv(1).start();
    dead.ok("nfv 1 add vhost:1");
    let shape = living.shape();

    // A primary alone that died leaves a panel that is still in use.
    dead.kill_primary();
    let prefix = dead.prefix().to_owned();
    let half = Examination::of(&["--clean", "--file-prefix", &prefix, "stale"]);
    let orphans = half.about("its primary is gone, and nfv:1 (pid ");
    assert_eq!(
        orphans["remedy"],
        format!("spp-primary --file-prefix {prefix} --replace")
    );
    let files = huge::files_of(&prefix).len();
    assert!(files > 0 && dead.socket(1).exists());

    dead.kill_nfv(1);
    let told = Examination::of(&["stale"]);
    let left = told.about(&format!("panel {prefix}: all processes are dead"));
    assert_eq!(
        (left["state"].as_str(), told.status),
        (Some("warn"), Some(0))
    );
    let bytes = left["figures"]["bytes"].as_u64().expect("bytes");
    assert!(bytes >= 256 << 20, "{bytes}");
    assert_eq!(huge::files_of(&prefix).len(), files);
    // Of another panel nothing is removed by this name.
    let other = Examination::of(&["--clean", "--file-prefix", &unique("none"), "stale"]);
    assert!(!other.says("removed"));
    assert!(huge::runtime_dir(&prefix).exists());

    let before = carried();
    let gone = Examination::of(&["--clean", "--file-prefix", &prefix, "stale"]);
    let removed = gone.about(&format!("{prefix}: removed"));
    assert_eq!(
        (removed["state"].as_str(), gone.status),
        (Some("ok"), Some(0))
    );
    let paths: Vec<&str> = removed["paths"]
        .as_array()
        .expect("paths")
        .iter()
        .filter_map(|path| path["path"].as_str())
        .collect();
    assert!(
        paths.iter().any(|path| Path::new(path) == dead.socket(1)),
        "{paths:?}"
    );
    assert!(paths.iter().filter(|path| path.contains(&prefix)).count() > files);
    assert!(huge::files_of(&prefix).is_empty());
    assert!(!huge::runtime_dir(&prefix).exists() && !dead.socket(1).exists());
    let again = Examination::of(&["--clean", "--file-prefix", &prefix, "stale"]);
    assert!(again.says("nothing is left of dead ones"));

    // The living one has all it had, and carries packets.
    let whole = Examination::of(&["--clean", "--file-prefix", living.prefix(), "stale"]);
    assert!(whole.says(&format!("running: {}", living.prefix())) && !whole.says("removed"));
    assert_eq!(living.shape(), shape);
    assert!(living.socket(1).exists() && !huge::files_of(living.prefix()).is_empty());
    wait_until("more packets", LIMIT, || carried() > before + 100_000);
    living.ok("nfv 1 patch ring:0 nullpmd:0");
    dead.finish();
    living.finish();
}

#[test]
fn a_dead_program_of_others_is_cleaned_up_after_only_by_name() {
    let prefix = unique("dr");
    let _swept = Sweep(&prefix);
    huge::need(32);
    let cpu = machine::cpu(0);
    let mut command = Command::new("stdbuf");
    command
        .args([
            "-oL",
            "dpdk-testpmd",
            "--lcores",
            &format!("0@{cpu},1@{cpu}"),
        ])
        .args([
            "--no-pci",
            "--no-telemetry",
            "--iova-mode=va",
            "-m",
            "64",
            "--vdev",
            "net_null0",
        ])
        .args(["--file-prefix", &prefix, "--huge-dir"])
        .arg(huge::mount())
        .args([
            "--",
            "--interactive",
            "--no-mlockall",
            "--total-num-mbufs=4096",
        ]);
    let mut pmd = Proc::spawn_with_prompt("testpmd", &mut command);
    pmd.wait_output("testpmd> ", LIMIT);
    assert!(!huge::files_of(&prefix).is_empty());
    let named = ["--clean", "--file-prefix", &prefix, "stale"];
    let seen = Examination::of(&named);
    assert!(seen.says(&format!("running: {prefix}")) && !seen.says("removed"));
    pmd.kill();
    let theirs = Examination::of(&["stale"]);
    let left = theirs.about(&format!("file prefix {prefix} of another DPDK program"));
    assert_eq!(left["state"], "warn");
    assert_eq!(
        left["remedy"],
        format!("spp doctor --clean --file-prefix {prefix} stale")
    );
    let gone = Examination::of(&named);
    gone.about(&format!("{prefix}: removed"));
    assert!(huge::files_of(&prefix).is_empty() && !huge::runtime_dir(&prefix).exists());
}

/// Removes what a test that failed would leave.
struct Sweep<'a>(&'a str);

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        huge::sweep(self.0);
    }
}
