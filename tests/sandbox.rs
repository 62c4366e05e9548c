//! Worker processes in containers: each in namespaces of its own and without capabilities, on a primary
//! outside.

#![allow(clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use testbed::machine::{self, TempDir};
use testbed::{Panel, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// Starts the worker process in a sandbox that has what a container needs at least: the hugepages, the
/// panel's runtime folder and the folder of the sockets. All process ids in it are as low as in any other.
const NFV: &str = r#"#!/bin/sh
exec bwrap --unshare-pid --unshare-ipc --unshare-uts --cap-drop ALL --die-with-parent \
    --ro-bind / / --dev /dev --proc /proc \
    --bind /dev/hugepages /dev/hugepages --bind /run /run --bind /tmp /tmp \
    OPTIONS -- REAL "$@"
"#;

/// A folder of programs in which worker processes start in sandboxes.
fn programs(options: &str) -> TempDir {
    let dir = TempDir::new();
    for name in ["spp-primary", "spp-ctl", "spp"] {
        std::fs::copy(machine::bin(name), dir.join(name)).expect("a copy of a program");
    }
    let script = NFV
        .replace("OPTIONS", options)
        .replace("REAL", &machine::bin("spp-nfv").display().to_string());
    write_program(&dir.join("spp-nfv"), &script);
    dir
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a program");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// Two sandboxes at once, packets from one to the other, and one that goes and comes back.
fn two_sandboxes(options: &str) {
    let programs = programs(options);
    let mut panel = Panel::builder()
        .bin_dir(programs.path())
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv(1)
        .nfv(2)
        .start();
    for line in [
        "nfv 1 add nullpmd:0",
        "nfv 2 add nullpmd:0",
        "nfv 1 patch nullpmd:0 ring:0",
        "nfv 2 patch ring:0 nullpmd:0",
    ] {
        panel.ok(line);
    }
    let received = |panel: &Panel| panel.detail(2).patches[0].counters.rx_packets;
    wait_until("packets from sandbox to sandbox", LIMIT, || {
        received(&panel) > 10_000
    });
    end(&mut panel, 1);
    panel.start_nfv(1);
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    let before = received(&panel);
    wait_until("packets after the return", LIMIT, || {
        received(&panel) > before + 10_000
    });
    end(&mut panel, 1);
    end(&mut panel, 2);
    panel.finish();
}

/// By command: a signal would be for the sandbox, not for what runs in it.
#[track_caller]
fn end(panel: &mut Panel, id: u32) {
    panel.ok(&format!("nfv {id} exit"));
    assert!(panel.nfv(id).wait_exit(LIMIT).success());
    panel.stop_nfv(id);
}

#[test]
fn two_sandboxes_with_low_process_ids_work_on_one_panel() {
    two_sandboxes("");
}

#[test]
fn two_sandboxes_whose_worker_process_is_the_first_work_on_one_panel() {
    two_sandboxes("--as-pid-1");
}
