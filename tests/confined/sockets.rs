//! Whose the sockets of ports are.

use std::os::unix::fs::MetadataExt;

use testbed::{Panel, TestPmd, machine, wait_until};

use crate::{LIMIT, status};

const USER: u32 = 61_723;
const GROUP: u32 = 61_724;

fn who(path: &std::path::Path) -> (u32, u32, u32) {
    let found = std::fs::symlink_metadata(path).expect("the socket");
    (found.uid(), found.gid(), found.mode() & 0o777)
}

#[test]
fn sockets_are_for_the_panels_user_alone_whatever_the_umask() {
    let panel = Panel::builder().memory(160).start();
    // Started by a shell that would let everybody in.
    let program = machine::bin("spp-nfv");
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", "umask 0; exec \"$@\"", "sh"])
        .arg(program);
    shell.args(["--sec-id", "1", "--file-prefix", panel.prefix()]);
    let mut nfv = testbed::Proc::spawn("spp-nfv 1", &mut panel.command(shell));
    wait_until("the process to be listed", LIMIT, || {
        panel.spp(&["nfv", "1", "status"]).status.success()
    });
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add memif:1");
    for name in ["sock1", "memif1"] {
        assert_eq!(who(&panel.vhost_dir().join(name)), (0, 0, 0o600), "{name}");
    }
    // Nor for a moment before they had that mode.
    assert_eq!(status(nfv.pid(), "Umask"), "0077");
    assert!(nfv.terminate(LIMIT).success());
    panel.finish();
}

#[test]
fn sockets_are_given_to_the_user_that_virtual_machines_run_as() {
    let owner = format!("{USER}:{GROUP}");
    let mut panel = Panel::builder()
        .memory(256)
        .primary_args(["--vhost-owner", &owner])
        .nfv(1)
        .nfv_args(2, ["--vhost-owner", "61725"])
        .start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add memif:1");
    panel.ok("nfv 2 add vhost:2");
    for name in ["sock1", "memif1"] {
        assert_eq!(
            who(&panel.vhost_dir().join(name)),
            (USER, GROUP, 0o660),
            "{name}"
        );
    }
    assert_eq!(who(&panel.socket(2)), (61_725, 0, 0o600));
    // It can still be used, left behind by a process that was killed, and taken again.
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 vhost:1");
    let mut peer = TestPmd::builder("rx")
        .vhost_client(&panel.socket(1))
        .mode("rxonly")
        .memory(64)
        .start();
    peer.start();
    wait_until("packets", LIMIT, || peer.port_stats(0).rx_packets > 1_000);
    peer.quit();
    panel.kill_nfv(1);
    assert_eq!(who(&panel.socket(1)), (USER, GROUP, 0o660));
    panel.start_nfv(1);
    panel.ok("nfv 1 add vhost:1");
    assert_eq!(who(&panel.socket(1)), (USER, GROUP, 0o660));
    panel.ok("nfv 1 del vhost:1");
    assert!(!panel.socket(1).exists());
    panel.finish();
}

#[test]
fn an_owner_who_is_not_there_is_refused() {
    let mut command = std::process::Command::new(machine::bin("spp-nfv"));
    command.args(["--sec-id", "1", "--vhost-owner", "nobody-of-this-name"]);
    let told = testbed::proc::run(&mut command, LIMIT).failure();
    assert!(
        told.contains("there is no user 'nobody-of-this-name'"),
        "{told}"
    );
}
