//! The units for systemd: as files, and as a systemd runs them.

#![allow(clippy::expect_used, clippy::panic)]

mod running;

use std::path::PathBuf;
use std::process::{Command, Output};

use testbed::machine::{self, TempDir};

/// Most that `systemd-analyze security` may find exposed, in tenths: controller, workers, primary.
const EXPOSED: [(&str, &str); 3] = [("spp-ctl", "20"), ("@", "40"), ("spp-primary", "45")];

/// The units as they are installed, with the programs that were built.
fn units(folder: &TempDir) -> Vec<PathBuf> {
    write_units(folder, machine::bin_dir().to_str().expect("text"))
}

/// The units as they are installed, with programs in a folder.
fn write_units(folder: &TempDir, programs: &str) -> Vec<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");
    let mut units = Vec::new();
    for entry in std::fs::read_dir(source).expect("the units").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a unit");
        let path = folder.path().join(entry.file_name());
        std::fs::write(&path, text.replace("@BINDIR@", programs)).expect("a unit");
        units.push(path);
    }
    units.sort();
    assert_eq!(units.len(), 5, "{units:?}");
    units
}

/// What `systemd-analyze` says, if it is there.
fn analyze(folder: &TempDir, args: &[&str]) -> Option<Output> {
    let mut command = Command::new("systemd-analyze");
    // Units that these name are looked for there, too.
    let path = format!("{}:", folder.path().display());
    let outcome = command.env("SYSTEMD_UNIT_PATH", path).args(args).output();
    if outcome.is_err() {
        println!("skipped: systemd-analyze is not installed");
    }
    outcome.ok()
}

#[test]
fn systemd_understands_every_directive() {
    let folder = TempDir::new();
    for unit in units(&folder) {
        let instance = unit.to_str().expect("text").replace("@.", "@1.");
        if instance != unit.to_str().expect("text") {
            std::os::unix::fs::symlink(&unit, &instance).expect("an instance");
        }
        let Some(said) = analyze(&folder, &["verify", "--man=no", &instance]) else {
            return;
        };
        let text = String::from_utf8_lossy(&said.stderr);
        let ours: Vec<_> = text.lines().filter(|line| line.contains("spp")).collect();
        assert!(
            said.status.success() && ours.is_empty(),
            "{instance}: {text}"
        );
    }
}

#[test]
fn little_is_exposed() {
    let folder = TempDir::new();
    for unit in units(&folder) {
        let name = unit.to_str().expect("text");
        let (_, most) = EXPOSED
            .iter()
            .find(|(n, _)| name.contains(n))
            .expect("a limit");
        let threshold = format!("--threshold={most}");
        let args = ["security", "--offline=true", "--no-pager", &threshold, name];
        let Some(said) = analyze(&folder, &args) else {
            return;
        };
        let text = String::from_utf8_lossy(&said.stdout);
        let sum = text.lines().last().unwrap_or_default();
        println!("{sum}");
        assert!(
            said.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}

#[test]
fn programs_accept_what_they_are_started_with() {
    let folder = TempDir::new();
    for unit in units(&folder) {
        let text = std::fs::read_to_string(&unit).expect("a unit");
        let starts = text.lines().filter_map(|l| l.strip_prefix("ExecStart="));
        let starts: Vec<_> = starts.collect();
        assert_eq!(starts.len(), 1, "{text}");
        let line = starts[0].replace("%i", "1");
        let mut words = line.split(' ');
        // Help is given only if everything before it was understood.
        let said = Command::new(words.next().expect("a program"))
            .args(words)
            .arg("--help")
            .output()
            .expect("it runs");
        assert!(said.status.success(), "{line}: {said:?}");
        let help = String::from_utf8_lossy(&said.stdout);
        let set = text.lines().filter_map(|l| l.strip_prefix("Environment="));
        let ours = |variable: &&str| variable.starts_with("SPP_");
        for variable in set.flat_map(|l| l.split(' ')).filter(ours) {
            let (name, _) = variable.split_once('=').expect("a variable");
            assert!(help.contains(&format!("[env: {name}=")), "{name}: {help}");
        }
    }
}
