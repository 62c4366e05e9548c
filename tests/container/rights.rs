//! What a container may do.

use std::process::Command;

use testbed::machine::{TempDir, cpu};
use testbed::{Panel, proc, wait_until};

use crate::engine::{Containers, LIMIT, engine, inspect, spp};

/// The bit of SYS_NICE.
const SYS_NICE: u64 = 1 << 23;

#[track_caller]
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let text = line
        .unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim();
    u64::from_str_radix(text, 16).expect("a number")
}

#[test]
fn a_container_has_one_capability_a_list_of_calls_and_nothing_to_write_to() {
    if !engine("a_container_has_one_capability_a_list_of_calls_and_nothing_to_write_to") {
        return;
    }
    let panel = Panel::builder().memory(256).start();
    let containers = Containers::new();
    let name = containers.nfv(&panel, 1, cpu(0));
    let run = |program: &str| spp(&["container", "exec", &name, "sh", "-c", program]);
    let status = run("cat /proc/self/status").success();
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(field(&status, set) & !SYS_NICE, 0, "{status}");
    }
    assert_eq!(field(&status, "NoNewPrivs:"), 1);
    assert_eq!(field(&status, "Seccomp:"), 2);
    for refused in [
        "touch /usr/x",
        "mount -t tmpfs x /tmp",
        "unshare -m true",
        "mknod /tmp/x c 1 3",
        "chroot / true",
    ] {
        assert!(!run(refused).status.success(), "{refused}");
    }
    run("touch /tmp/x && mkfifo /run/y").success();
    let host = &inspect(&name)["HostConfig"];
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["ReadonlyRootfs"], true);
    spp(&["container", "stop", &name]).success();
    panel.finish();
}

/// A user that nobody else is.
const USER: u32 = 61_724;

/// A hugetlbfs mount of a user's own.
struct Huge(TempDir);

impl Huge {
    fn new() -> Self {
        let this = Huge(TempDir::new());
        let options = format!("pagesize=2M,uid={USER},gid={USER},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "hugetlbfs", "-o", &options, "nodev"]);
        proc::run(mount.arg(this.0.path()), LIMIT).success();
        this
    }
}

impl Drop for Huge {
    fn drop(&mut self) {
        match Command::new("umount").arg(self.0.path()).status() {
            Ok(status) if status.success() => {}
            outcome => eprintln!("{} stays mounted: {outcome:?}", self.0.path().display()),
        }
    }
}

/// Not root in the container either: hugepages and socket are the user's.
#[test]
fn an_ordinary_user_in_a_container_sends_through_a_panel() {
    if !engine("an_ordinary_user_in_a_container_sends_through_a_panel") {
        return;
    }
    let huge = Huge::new();
    let panel = Panel::builder()
        .memory(256)
        .primary_args(["--vhost-owner", &USER.to_string()])
        .nfv_on(1, cpu(0))
        .start();
    for line in [
        "nfv 1 add vhost:1",
        "nfv 1 add nullpmd:0",
        "nfv 1 patch vhost:1 nullpmd:0",
    ] {
        panel.ok(line);
    }
    let containers = Containers::new();
    let line = format!(
        "--user {USER}:{USER} --huge-dir {} --vhost-dir {} --lcores 0@{cpu},1@{cpu} --share-lcores -m 64 -d vhost:1 \
         --forward-mode txonly --total-num-mbufs 8192 --no-mlockall --stats-period 1",
        huge.0.path().display(),
        panel.vhost_dir().display(),
        cpu = cpu(1)
    );
    let name = containers.run("testpmd", "user", &line);
    wait_until("packets of the user's", LIMIT, || {
        panel.port(1, "vhost:1").counters.rx_packets > 10_000
    });
    let status = spp(&["container", "exec", &name, "cat", "/proc/1/status"]).success();
    assert_eq!(field(&status, "CapEff:"), 0, "{status}");
    assert!(
        status.contains(&format!("Uid:\t{USER}\t{USER}")),
        "{status}"
    );
    spp(&["container", "stop", &name]).success();
    panel.finish();
}

/// Nobody has to say so: sockets tell whose they are, and a guest's memory is its own.
#[test]
fn a_guest_runs_as_the_owner_of_its_sockets() {
    if !engine("a_guest_runs_as_the_owner_of_its_sockets") {
        return;
    }
    let panel = Panel::builder()
        .memory(256)
        .primary_args(["--vhost-owner", &USER.to_string()])
        .nfv_on(1, cpu(0))
        .start();
    for line in [
        "nfv 1 add vhost:1",
        "nfv 1 add nullpmd:0",
        "nfv 1 patch vhost:1 nullpmd:0",
    ] {
        panel.ok(line);
    }
    let containers = Containers::new();
    let line = format!(
        "--vhost-dir {} --lcores 0@{cpu},1@{cpu} --share-lcores -m 64 -d vhost:1 --forward-mode txonly \
         --total-num-mbufs 8192 --no-mlockall --stats-period 1",
        panel.vhost_dir().display(),
        cpu = cpu(1)
    );
    let name = containers.run("testpmd", "owner", &line);
    wait_until("packets of the owner's", LIMIT, || {
        panel.port(1, "vhost:1").counters.rx_packets > 1000
    });
    let status = spp(&["container", "exec", &name, "cat", "/proc/1/status"]).success();
    assert!(status.contains(&format!("Uid:\t{USER}\t")), "{status}");
    spp(&["container", "stop", &name]).success();
    panel.finish();
}
