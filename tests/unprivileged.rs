//! A whole panel of an ordinary user who has no capability at all, only a hugetlbfs mount and a runtime
//! folder of its own.

#![allow(clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testbed::machine::{self, TempDir, cpu};
use testbed::panel::Builder;
use testbed::{Panel, TestPmd, proc, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// A user that nobody else is, without an entry in any database.
const USER: u32 = 61_723;

/// Runs a program as that user, stripped of all that could make it more; the folder of the sockets is
/// given to the user before.
const AS_USER: &str = r#"#!/bin/sh
last=
for word; do
    [ "$last" = --vhost-dir ] && chown USER "$word"
    last=$word
done
exec setpriv --reuid USER --regid USER --clear-groups --bounding-set -all --inh-caps -all \
    --no-new-privs -- FOLDER/PROGRAM --huge-dir HUGE "$@"
"#;

/// What `scripts/setup.sh --user` prepares, and programs that run as the user.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        let this = Home {
            dir: TempDir::new(),
        };
        for folder in ["huge", "run", "real", "bin"] {
            std::fs::create_dir(this.dir.join(folder)).expect("a folder");
        }
        let user = USER.to_string();
        let chown = Command::new("chown")
            .arg(&user)
            .arg(this.run_dir())
            .status();
        assert!(chown.expect("chown").success());
        let options = format!("pagesize=2M,uid={USER},gid={USER},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "hugetlbfs", "-o", &options, "nodev"]);
        proc::run(mount.arg(this.huge_dir()), LIMIT).success();
        // Where the user can read them; what is built may lie in a private folder.
        for name in ["spp-primary", "spp-nfv", "spp-ctl", "spp"] {
            std::fs::copy(machine::bin(name), this.real(name)).expect("a copy of a program");
        }
        for name in ["spp-primary", "spp-nfv"] {
            let script = AS_USER
                .replace("USER", &user)
                .replace("FOLDER", &this.dir.join("real").display().to_string())
                .replace("PROGRAM", name)
                .replace("HUGE", &this.huge_dir().display().to_string());
            let path = this.bin_dir().join(name);
            std::fs::write(&path, script).expect("a program");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
        }
        std::fs::copy(machine::bin("spp"), this.bin_dir().join("spp")).expect("a copy");
        this
    }

    fn huge_dir(&self) -> PathBuf {
        self.dir.join("huge")
    }

    fn run_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    fn bin_dir(&self) -> PathBuf {
        self.dir.join("bin")
    }

    fn real(&self, name: &str) -> PathBuf {
        self.dir.join("real").join(name)
    }

    fn builder(&self) -> Builder {
        Panel::builder()
            .bin_dir(&self.bin_dir())
            .env("XDG_RUNTIME_DIR", &self.run_dir().display().to_string())
            .primary_args(["--memory", "256"])
            .pages(256)
    }

    /// Nothing is left of a panel that has ended.
    fn assert_clean(&self) {
        let entries = |path: &Path| {
            std::fs::read_dir(path).map_or_else(|_| Vec::new(), |e| e.flatten().collect())
        };
        let files = entries(&self.huge_dir());
        assert!(files.is_empty(), "hugepages are left: {files:?}");
        let panels = entries(&self.run_dir().join("dpdk"));
        assert!(panels.is_empty(), "runtime folders are left: {panels:?}");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        match Command::new("umount").arg(self.huge_dir()).status() {
            Ok(status) if status.success() => {}
            outcome => eprintln!("{} stays mounted: {outcome:?}", self.huge_dir().display()),
        }
    }
}

/// The capabilities of a process are all zero, and so is what it may ever have.
fn assert_powerless(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(
            status.contains(&format!("{set}:\t0000000000000000\n")),
            "{status}"
        );
    }
    assert!(status.contains(&format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}\n")));
}

#[test]
fn a_user_without_capabilities_runs_a_panel() {
    let home = Home::new();
    let mut panel = home.builder().nfv(1).nfv(2).start();
    for pid in [
        panel.primary().pid(),
        panel.nfv(1).pid(),
        panel.nfv(2).pid(),
    ] {
        assert_powerless(pid);
    }
    for process in panel.details() {
        assert_eq!(process.status, "ok", "{process:?}");
    }
    for line in [
        "nfv 1 add vhost:1",
        "nfv 2 add vhost:2",
        "nfv 1 patch vhost:1 ring:0",
        "nfv 2 patch ring:0 vhost:2",
        "nfv 1 add nullpmd:0",
        "nfv 2 add nullpmd:0",
    ] {
        panel.ok(line);
    }
    let peer = |name: &str, number, mode, on| {
        TestPmd::builder(name)
            .vhost_client(&panel.socket(number))
            .mode(mode)
            .memory(64)
            .cpu(on)
            .start()
    };
    let mut receiver = peer("rx", 2, "rxonly", cpu(1));
    let mut sender = peer("tx", 1, "txonly", cpu(0));
    receiver.start();
    sender.start();
    wait_until("packets from peer to peer", LIMIT, || {
        receiver.port_stats(0).rx_packets > 10_000
    });
    let sent = sender.stop()[0].tx_packets;
    panel.wait_accounted(sent, || receiver.port_stats(0).rx_packets);
    sender.quit();
    receiver.quit();

    let reason = panel.refused("nfv 1 add tap:1");
    assert!(reason.contains("CAP_NET_ADMIN"), "{reason}");
    panel.ok("nfv 1 add memif:1");
    panel.ok("nfv 1 del memif:1");

    panel.ok("nfv 1 patch nullpmd:0 ring:1");
    panel.ok("nfv 2 patch ring:1 nullpmd:0");
    wait_until("packets from null to null", LIMIT, || {
        let detail = panel.detail(2);
        let patch = detail.patches.iter().find(|patch| patch.src == "ring:1");
        patch.is_some_and(|patch| patch.counters.tx_packets > 10_000)
    });
    panel.finish();
    home.assert_clean();
}

#[test]
fn a_killed_worker_of_a_user_without_capabilities_is_cleaned_up_after() {
    let home = Home::new();
    let mut panel = home.builder().nfv(1).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    wait_until("a full ring", LIMIT, || panel.in_rings() > 1_000);
    panel.kill_nfv(1);
    wait_until("its mbufs to come back", LIMIT, || {
        let detail = panel.detail(0);
        detail.pools[0].size == detail.pools[0].free + detail.rings[0].used
    });
    panel.start_nfv(1);
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.finish();
    home.assert_clean();
}

#[test]
fn devices_that_need_a_capability_name_it() {
    let home = Home::new();
    for (vdev, capability) in [
        ("net_tap1,iface=none", "CAP_NET_ADMIN"),
        ("net_af_packet0,iface=lo", "CAP_NET_RAW"),
        ("net_af_xdp0,iface=lo", "CAP_NET_ADMIN"),
    ] {
        let mut command = Command::new(home.bin_dir().join("spp-primary"));
        command
            .env("XDG_RUNTIME_DIR", home.run_dir())
            .args(["--file-prefix", "refused", "--memory", "256", "--no-ctl"])
            .args(["--vdev", vdev]);
        let said = proc::run(&mut command, LIMIT).failure();
        let name = vdev.split(',').next().unwrap_or(vdev);
        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains(name) && last.contains(capability), "{said}");
    }
}

#[test]
fn a_user_without_hugepages_is_told_what_to_do() {
    let home = Home::new();
    let mut command = Command::new("setpriv");
    command
        .env("XDG_RUNTIME_DIR", home.run_dir())
        .args(["--reuid", "61724", "--regid", "61724", "--clear-groups"])
        .args(["--bounding-set", "-all", "--inh-caps", "-all", "--"])
        .arg(home.real("spp-primary"))
        .args(["--file-prefix", "refused", "--no-ctl"]);
    // Neither the mount nor the runtime folder is this user's.
    let said = proc::run(&mut command, LIMIT).failure();
    assert!(
        said.contains(&home.run_dir().display().to_string()),
        "{said}"
    );
    command.env("XDG_RUNTIME_DIR", "");
    let own = TempDir::new();
    let chown = Command::new("chown").arg("61724").arg(own.path()).status();
    assert!(chown.expect("chown").success());
    command.env("XDG_RUNTIME_DIR", own.path());
    let said = proc::run(&mut command, LIMIT).failure();
    assert!(
        said.contains("hugetlbfs") && said.contains("scripts/setup.sh --user"),
        "{said}"
    );
}
