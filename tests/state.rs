//! The desired state with real processes: what was acknowledged is there again after any death.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::machine::{TempDir, bin, cpu};
use testbed::{Panel, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn panel() -> Panel {
    Panel::builder()
        .memory(256)
        .keeps_state()
        .nfv_on(1, cpu(1))
        .start()
}

/// What concerns nfv 1 in `GET /v1/differences`.
fn difference(panel: &Panel) -> Value {
    let all = panel.http("GET", "/v1/differences", "").json();
    let mut all = all.as_array().expect("an array").iter();
    let found = all.find(|process| process["process"] == "nfv:1");
    found.cloned().unwrap_or(Value::Null)
}

fn wait_as_desired(panel: &Panel) {
    wait_until("nfv 1 to have what it shall have", LIMIT, || {
        difference(panel)["status"] == "as desired"
    });
}

fn build(panel: &Panel) {
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add vhost:2 client");
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch vhost:1 ring:0");
    panel.ok("nfv 1 patch nullpmd:0 vhost:2 on 1");
    panel.ok("nfv 1 patch ring:1 vhost:1");
    panel.ok("nfv 1 unpatch nullpmd:0");
    panel.ok("nfv 1 stop");
}

/// Ports and patches, and whether it forwards, without what changes with each run.
fn shape(panel: &Panel) -> (Vec<String>, Vec<(String, String)>, String) {
    let mut ports = panel.port_names(1);
    ports.sort();
    (ports, panel.patches(1), panel.detail(1).status)
}

#[test]
fn a_killed_nfv_has_everything_again_within_a_second_of_its_return() {
    let mut panel = panel();
    build(&panel);
    let before = shape(&panel);
    assert_eq!(before.1.len(), 2, "{before:?}");
    for _ in 0..3 {
        panel.kill_nfv(1);
        wait_until("the controller to see its end", LIMIT, || {
            difference(&panel)["status"] == "not connected"
        });
        panel.start_nfv(1);
        // It is listed: from here on.
        let begin = Instant::now();
        wait_as_desired(&panel);
        let taken = begin.elapsed();
        assert_eq!(shape(&panel), before);
        println!("back {taken:?} after it was listed");
    }
    panel.finish();
}

#[test]
fn an_end_on_purpose_forgets_and_sigterm_does_not() {
    let mut panel = panel();
    panel.ok("nfv 1 add vhost:1");
    panel.stop_nfv(1);
    panel.start_nfv(1);
    wait_as_desired(&panel);
    assert_eq!(panel.port_names(1), ["vhost:1"]);
    panel.ok("nfv 1 exit");
    panel.nfv(1).wait_exit(LIMIT);
    panel.start_nfv(1);
    wait_as_desired(&panel);
    assert!(panel.port_names(1).is_empty());
    panel.finish();
}

#[test]
fn a_system_is_exported_compared_and_applied() {
    let panel = panel();
    build(&panel);
    let exported = panel.ok("export");
    let file = panel.dir().join("system.yaml");
    let name = file.display().to_string();
    std::fs::write(&file, &exported).expect("a file");
    assert_eq!(panel.ok(&format!("diff {name}")), "");
    assert_eq!(
        panel.ok(&format!("apply {name}")),
        "Nothing to do: the system is as the file says.\n"
    );
    let before = shape(&panel);

    let other = "\
spp: 1
processes:
  nfv:1:
    forward: true
    ports: [vhost:1, nullpmd:0]
    patches:
    - {src: vhost:1, dst: ring:0}
    - {src: nullpmd:0, dst: vhost:1}
";
    std::fs::write(&file, other).expect("a file");
    let commands = "nfv 1; unpatch ring:1\nnfv 1; del vhost:2\nnfv 1; del ring:1\n\
                    nfv 1; patch nullpmd:0 vhost:1\nnfv 1; forward\n";
    let differs = panel.spp(&["diff", &name]);
    assert_eq!(differs.status.code(), Some(1));
    assert!(differs.output.contains(commands), "{}", differs.output);
    assert_eq!(
        panel.ok(&format!("apply {name} --dry-run")),
        format!("{commands}5 commands would be sent.\n")
    );
    assert_eq!(shape(&panel), before);
    assert_eq!(
        panel.ok(&format!("apply {name}")),
        format!("{commands}Done: 5 commands.\n")
    );
    assert_eq!(panel.ok(&format!("diff {name}")), "");

    // The last patch is refused: nothing of it stays.
    let before = shape(&panel);
    let bad = other.replace("ports: [vhost:1,", "ports: [vhost:1, vhost:7, ring:99,");
    std::fs::write(&file, bad).expect("a file");
    let refused = panel.refused(&format!("apply {name}"));
    assert!(
        refused.contains("nfv:1: 'add ring:99' failed: ring:99 does not exist")
            && refused.contains("it is brought back to where it was"),
        "{refused}"
    );
    assert_eq!(shape(&panel), before);
    wait_as_desired(&panel);
    // And a file that makes no sense names its line.
    std::fs::write(&file, other.replace("ring:0", "rink:0")).expect("a file");
    let refused = panel.refused(&format!("apply {name}"));
    assert!(
        refused.contains("system.yaml:7:") && refused.contains("rink:0"),
        "{refused}"
    );
    panel.finish();
}

#[test]
fn a_controller_killed_while_it_changes_an_nfv_knows_every_acknowledged_change() {
    let mut panel = panel();
    panel.ok("nfv 1 add nullpmd:0");
    for round in 0..4u16 {
        let first = round * 3;
        let pid = wait_for("one controller", LIMIT, || match panel.controllers()[..] {
            [pid] => Some(pid),
            _ => None,
        });
        let mut acknowledged = Vec::new();
        let mut killer = None;
        for ring in first..first + 3 {
            let body = format!(r#"{{"action":"add","port":"ring:{ring}"}}"#);
            let answer =
                testbed::http::request(panel.rest(), "PUT", "/v1/nfvs/1/ports", &[], &body, LIMIT);
            match answer {
                Ok(answer) if answer.status == 204 => {
                    acknowledged.push(format!("ring:{ring}"));
                    // Killed while the next ones are added.
                    killer.get_or_insert_with(|| {
                        std::thread::spawn(move || {
                            testbed::proc::kill_pid(pid);
                        })
                    });
                }
                _ => break,
            }
        }
        let killer = killer.expect("the first change is acknowledged");
        killer.join().expect("killed");
        wait_until("nfv 1 to be connected again", LIMIT, || {
            testbed::http::request(panel.rest(), "GET", "/v1/processes", &[], "", LIMIT)
                .is_ok_and(|answer| answer.body.contains("nfv"))
        });
        wait_as_desired(&panel);
        let kept = shape(&panel);
        assert!(
            acknowledged.iter().all(|port| kept.0.contains(port)),
            "{acknowledged:?} are to be in {kept:?}"
        );
        // What it has, acknowledged or found out by asking, comes back.
        panel.kill_nfv(1);
        panel.start_nfv(1);
        wait_as_desired(&panel);
        assert_eq!(shape(&panel), kept);
    }
    panel.finish();
}

/// A file system of 64 KiB in memory, unmounted when it is dropped.
struct Small(TempDir);

impl Small {
    fn mount() -> Self {
        let dir = TempDir::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=0700", "none"])
            .arg(dir.path())
            .status();
        assert!(mounted.expect("mount").success());
        Self(dir)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_refuses_changes_and_keeps_what_is_there() {
    let small = Small::mount();
    let state = small.0.path().join("state").display().to_string();
    let panel = Panel::builder()
        .memory(256)
        .env("SPP_STATE_DIR", &state)
        .keeps_state()
        .nfv_on(1, cpu(1))
        .start();
    panel.ok("nfv 1 add ring:0");
    let filler = small.0.path().join("filler");
    // Only the last bytes of the journal's own page are left.
    let mut room = 65536;
    while room > 0 && std::fs::write(&filler, vec![1; room]).is_err() {
        room -= 4096;
    }
    let mut refused = None;
    for ring in 1..16 {
        let body = format!(r#"{{"action":"add","port":"ring:{ring}"}}"#);
        let answer = panel.http("PUT", "/v1/nfvs/1/ports", &body);
        if answer.status != 204 {
            refused = Some((ring, answer));
            break;
        }
        // Takes room in the journal's page, and nothing else.
        for _ in 0..8 {
            let again = panel.http("PUT", "/v1/nfvs/1/forward", r#"{"action":"start"}"#);
            assert!(again.status == 204 || again.status == 500, "{}", again.body);
        }
    }
    let (ring, answer) = refused.expect("a change is refused");
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(
        answer.body.contains("No space left on device")
            && answer.body.contains("nothing is changed"),
        "{}",
        answer.body
    );
    let names = panel.port_names(1);
    assert_eq!(names.len(), ring, "{names:?}");
    // With room again, changes go on.
    std::fs::remove_file(&filler).expect("removed");
    panel.ok(&format!("nfv 1 add ring:{ring}"));
    wait_as_desired(&panel);
    panel.finish();
}

#[test]
fn without_state_a_killed_nfv_starts_empty() {
    let mut panel = Panel::builder().memory(256).nfv_on(1, cpu(1)).start();
    panel.ok("nfv 1 add vhost:1");
    panel.kill_nfv(1);
    panel.start_nfv(1);
    assert!(panel.port_names(1).is_empty());
    let refused = panel.http("GET", "/v1/differences", "");
    assert_eq!(refused.status, 400);
    assert!(!panel.state_dir().exists());
    let primary = bin("spp-primary");
    let both = Command::new(primary)
        .args(["--stateless", "--state-dir", "/tmp"])
        .output()
        .expect("spp-primary");
    assert_eq!(both.status.code(), Some(2));
    panel.finish();
}
