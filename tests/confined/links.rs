//! Links that somebody has planted under names that are known beforehand.

use std::os::unix::fs::symlink;
use std::path::Path;

use testbed::machine::{self, TempDir};
use testbed::{Panel, proc};

use crate::LIMIT;

const TEXT: &str = "not ours";

#[track_caller]
fn untouched(file: &Path) {
    assert_eq!(std::fs::read_to_string(file).expect("the file"), TEXT);
}

#[test]
fn links_in_the_place_of_sockets_and_captures_are_not_followed() {
    let victims = TempDir::new();
    let victim = victims.join("victim");
    std::fs::write(&victim, TEXT).expect("a file");
    let captures = TempDir::new();
    let dir = captures.path().to_str().expect("text").to_owned();
    let panel = Panel::builder()
        .memory(160)
        .nfv_args(1, ["--pcap-dir", &dir])
        .start();
    let folder = panel.vhost_dir();
    let absent = victims.join("absent");
    for (name, port, target) in [
        ("sock1", "vhost:1", &victim),
        ("sock2", "vhost:2", &absent),
        ("memif1", "memif:1", &victim),
        ("memif2", "memif:2", &absent),
    ] {
        symlink(target, folder.join(name)).expect("a link");
        panel.refused(&format!("nfv 1 add {port}"));
        assert!(!absent.exists(), "{port} was made behind a link");
        std::fs::remove_file(folder.join(name)).expect("the link is left alone");
        panel.ok(&format!("nfv 1 add {port}"));
        panel.ok(&format!("nfv 1 del {port}"));
    }
    for name in ["spp-rx1.pcap", "spp-tx1.pcap"] {
        symlink(&victim, captures.join(name)).expect("a link");
        let told = panel.refused("nfv 1 add pcap:1");
        assert!(told.contains("links are not followed"), "{told}");
        std::fs::remove_file(captures.join(name)).expect("the link is left alone");
    }
    untouched(&victim);
    panel.finish();
}

#[test]
fn links_in_the_folder_of_the_desired_state_are_not_followed() {
    for name in ["journal", "lock", "journal.new"] {
        let state = TempDir::new();
        let victim = state.join("victim");
        std::fs::write(&victim, TEXT).expect("a file");
        symlink(&victim, state.join(name)).expect("a link");
        let mut command = std::process::Command::new(machine::bin("spp-ctl"));
        command
            .args(["-p", "0", "-s", "0", "-a", "0", "--state-dir"])
            .arg(state.path());
        let told = proc::run(&mut command, LIMIT).failure();
        assert!(told.contains(name.trim_end_matches(".new")), "{told}");
        untouched(&victim);
    }
}
