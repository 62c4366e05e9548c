//! The recipes: each line is a command, each sequence holds together, and those for which all processes exist do what
//! they say, with packets.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod components;
mod model;
mod nfv;
mod nodes;
mod pcap;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testbed::{Panel, Proc, machine, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/usecases")
}

/// All recipes below a folder, in the order of their paths.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            assert_eq!(
                path.extension().and_then(|e| e.to_str()),
                Some("rcps"),
                "{}",
                path.display()
            );
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A panel with two physical ports that give packets without end, and idle nfvs with these ids.
fn panel(nfvs: &[u32]) -> Panel {
    let mut builder =
        Panel::builder()
            .memory(256)
            .primary_args(["--vdev", "net_null0", "--vdev", "net_null1"]);
    for id in nfvs {
        builder = builder.nfv(*id).nfv_args(*id, ["--idle"]);
    }
    builder.start()
}

/// Plays a recipe as `spp -f FILE`; gives what it printed.
#[track_caller]
fn play(panel: &Panel, recipe: &str) -> String {
    let path = folder().join(format!("{recipe}.rcps"));
    let path = path.to_str().expect("a path");
    let finished = panel.spp(&["-f", path]);
    assert!(finished.status.success(), "{recipe}: {}", finished.output);
    finished.output
}

/// Plays a recipe by `playback FILE` in the shell, which reads its lines from a pipe; gives what it printed.
#[track_caller]
fn play_back(panel: &Panel, recipe: &str) -> String {
    let mut command = panel.command(Command::new(machine::bin("spp")));
    command.args(["-b", &panel.rest().to_string()]);
    in_shell(&mut command, &[recipe])
}

/// Runs a shell that plays these recipes; gives what it printed.
#[track_caller]
fn in_shell(command: &mut Command, recipes: &[&str]) -> String {
    let mut shell = Proc::spawn("spp", command);
    for recipe in recipes {
        let path = folder().join(format!("{recipe}.rcps"));
        shell.send(&format!("playback {}", path.display()));
    }
    shell.close_input();
    let status = shell.wait_exit(LIMIT);
    assert!(status.success(), "{recipes:?}: {}", shell.output());
    shell.output()
}

/// The process forwards and has exactly these patches, over each of which packets go.
#[track_caller]
fn runs(panel: &Panel, id: u32, patches: &[(&str, &str)]) {
    let mut found = panel.patches(id);
    found.sort();
    let mut expected: Vec<_> = patches
        .iter()
        .map(|(src, dst)| ((*src).to_owned(), (*dst).to_owned()))
        .collect();
    expected.sort();
    assert_eq!(found, expected, "process {id}");
    assert_eq!(panel.detail(id).status, "running", "process {id}");
    for (src, dst) in patches {
        // A ring that nobody reads from takes a thousand packets; the others are dropped.
        let before = panel.patch(id, src).counters.rx_packets;
        let what = format!("packets from {src} to {dst} of process {id}");
        wait_until(&what, LIMIT, || {
            let counters = panel.patch(id, src).counters;
            counters.rx_packets > before && counters.tx_packets > 0
        });
    }
}

/// The process idles, without patches, and has exactly these ports.
#[track_caller]
fn idles(panel: &Panel, id: u32, ports: &[&str]) {
    assert_eq!(panel.detail(id).status, "idling", "process {id}");
    assert_eq!(panel.patches(id), [], "process {id}");
    assert_eq!(panel.port_names(id), ports, "process {id}");
}
