//! A machine that has run out: what runs goes on, what wanted more fails and says of what, nothing is left half made, and
//! with room again the same is done.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::machine::{TempDir, cpu};
use testbed::{Panel, huge, proc, wait_until};

use crate::hand::Hand;
use crate::scene::{LIMIT, Scene, small};

/// A file system of its own, gone with this.
struct Mounted(PathBuf);

impl Mounted {
    fn new(kind: &str, options: &str, at: &Path) -> Self {
        std::fs::create_dir_all(at).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options, "none"]).arg(at);
        proc::run(&mut mount, LIMIT).success();
        Mounted(at.to_owned())
    }

    /// Writes until there is no room but for `left` kilobytes; gives the file that takes it all.
    fn fill(&self, left: u64) -> PathBuf {
        let ballast = self.0.join("ballast");
        let free = rustix::fs::statvfs(&self.0).expect("its figures");
        let bytes = (free.f_bavail * free.f_frsize).saturating_sub(left << 10);
        std::fs::write(&ballast, vec![1; bytes as usize]).expect("written");
        ballast
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A test that has failed already says why; the folder stays then.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A scene without guests: nfv 1 carries packets that must not notice.
fn scene() -> Scene {
    let panel = small().nfv_on(1, cpu(0)).start();
    for line in [
        "nfv 1 add ring:0",
        "nfv 1 add ring:1",
        "nfv 1 patch ring:0 ring:1",
    ] {
        panel.ok(line);
    }
    Scene::around(panel)
}

/// The limit under which a process can open `more` descriptors.
fn limit_for(pid: u32, more: usize) -> u64 {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let open: Vec<u64> = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let mut free = (0..).filter(|number| !open.contains(number));
    free.nth(more).expect("a number")
}

/// Sets how many files a process may have open, as its soft limit; gives what it was.
fn limit_files(pid: u32, files: u64) -> u64 {
    let prlimit = |arguments: String| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &pid.to_string()]);
        command.args(arguments.split_whitespace());
        proc::run(&mut command, LIMIT).success()
    };
    let before = prlimit("--nofile --output SOFT --noheadings".into());
    prlimit(format!("--nofile={files}:"));
    before.trim().parse().expect("a number")
}

#[test]
fn a_worker_without_descriptors_refuses_ports_and_goes_on() {
    let mut scene = scene();
    let pid = scene.panel.nfv(1).pid();
    let before = scene.panel.port_names(1);
    let limit = limit_files(pid, limit_for(pid, 10));
    let mut made = Vec::new();
    let refusal = (10..40).find_map(|number| {
        for kind in ["vhost", "memif"] {
            let port = format!("{kind}:{number}");
            let done = scene.panel.spp(&["nfv", "1", "add", &port]);
            if !done.status.success() {
                return Some((port, done.output));
            }
            made.push(port);
        }
        None
    });
    let (port, words) = refusal.expect("a port that is refused");
    println!("{} ports were made, then: {words}", made.len());
    assert!(words.contains("Too many open files"), "{words}");
    scene.assert_flows();
    // Nothing of it is left, and the same works when there is room.
    assert_eq!(
        scene.panel.port_names(1),
        [before.clone(), made.clone()].concat()
    );
    let (kind, number) = port.split_once(':').expect("a port");
    let file = scene.panel.vhost_dir().join(match kind {
        "vhost" => format!("sock{number}"),
        _ => format!("memif{number}"),
    });
    assert!(!file.exists(), "{} is left", file.display());
    limit_files(pid, limit);
    scene.panel.ok(&format!("nfv 1 add {port}"));
    for port in made.iter().chain([&port]) {
        scene.panel.ok(&format!("nfv 1 del {port}"));
    }
    assert_eq!(scene.panel.port_names(1), before);
    scene.end();
}

#[test]
fn a_controller_and_a_primary_without_descriptors_go_on_when_they_have_some() {
    let mut scene = scene();
    let prefix = scene.panel.prefix().to_owned();
    let primary = scene.panel.primary().pid();
    let controller = proc::marked(&prefix).into_iter().find(|pid| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.trim() == "spp-ctl"
    });
    let controller = controller.expect("the controller");
    let shape = (scene.panel.port_names(1), scene.panel.patches(1));
    let limits = [controller, primary].map(|pid| limit_files(pid, limit_for(pid, 2)));
    let rest = scene.panel.rest();
    let told = "cannot accept a REST connection: Too many open files";
    // Connections that take what is left; then nobody is let in, and it is said.
    let mut held = Vec::new();
    wait_until("the controller to have no descriptor left", LIMIT, || {
        held.push(std::net::TcpStream::connect(rest));
        scene.panel.primary().output().contains(told)
    });
    // A newcomer finds no way in either, and goes on asking.
    let mut late = testbed::Proc::spawn("spp-nfv 2", &mut scene.panel.nfv_command(2));
    drop(held);
    for (pid, limit) in [controller, primary].into_iter().zip(limits) {
        limit_files(pid, limit);
    }
    wait_until("the controller to answer again", LIMIT, || {
        testbed::http::request(rest, "GET", "/v1/processes", &[], "", LIMIT).is_ok()
    });
    late.wait_output("connected to the controller", LIMIT);
    assert!(late.terminate(LIMIT).success());
    scene.assert_flows();
    let after = (scene.panel.port_names(1), scene.panel.patches(1));
    assert_eq!(after, shape);
    scene.end();
}

#[test]
fn a_full_runtime_folder_refuses_processes_and_harms_none() {
    let hand = Hand::new();
    let folder = huge::runtime_dir(&hand.prefix);
    let disk = Mounted::new("tmpfs", "size=16m", &folder);
    let full = disk.fill(1024);
    let told = hand.run("spp-primary", &hand.primary("")).failure();
    assert!(told.contains("kB free, a process needs 4096"), "{told}");
    assert!(told.contains(&folder.display().to_string()), "{told}");
    assert!(huge::files_of(&hand.prefix).is_empty());
    let _ = std::fs::remove_file(full);

    let mut primary = hand.start("spp-primary", &hand.primary(""));
    primary.wait_output("is ready", LIMIT);
    let mut first = hand.start("spp-nfv", &hand.nfv(1, ""));
    first.wait_output("is ready", LIMIT);
    let full = disk.fill(16);
    let told = hand.run("spp-nfv", &hand.nfv(2, "")).failure();
    assert!(
        told.contains("No space left on device") || told.contains("kB free"),
        "{told}"
    );
    assert!(first.is_running() && primary.is_running());
    std::fs::remove_file(full).expect("removed");
    let mut second = hand.start("spp-nfv", &hand.nfv(2, ""));
    second.wait_output("is ready", LIMIT);
    for process in [&mut first, &mut second, &mut primary] {
        assert!(process.terminate(LIMIT).success(), "{}", process.output());
    }
    drop(disk);
    hand.wait_nothing_left();
}

#[test]
fn a_second_panel_without_hugepages_is_refused_and_leaves_nothing() {
    let scene = scene();
    let hand = Hand::new();
    // A mount that gives no more than this.
    let disk = Mounted::new("hugetlbfs", "pagesize=2M,size=64M", &hand.dir.join("huge"));
    let options = format!("--huge-dir {}", disk.0.display());
    let told = hand.run("spp-primary", &hand.primary(&options)).failure();
    assert!(
        told.contains("256 MB of hugepages are asked for, 64 MB are free"),
        "{told}"
    );
    assert_eq!(std::fs::read_dir(&disk.0).expect("it").count(), 0);
    hand.wait_nothing_left();
    scene.assert_flows();
    drop(disk);
    let disk = Mounted::new("hugetlbfs", "pagesize=2M,size=300M", &hand.dir.join("huge"));
    let mut primary = hand.start("spp-primary", &hand.primary(&options));
    primary.wait_output("is ready", LIMIT);
    assert!(primary.terminate(LIMIT).success());
    drop(disk);
    scene.end();
}

#[test]
fn a_log_that_cannot_be_written_harms_nobody() {
    let dir = TempDir::new();
    let panel = Panel::builder().memory(256).start();
    let full = || {
        let file = std::fs::OpenOptions::new().write(true).open("/dev/full");
        Stdio::from(file.expect("it"))
    };
    let mut child = panel
        .nfv_command(1)
        .stdout(full())
        .stderr(full())
        .spawn()
        .expect("started");
    wait_until("the worker to be there", LIMIT, || {
        panel
            .details()
            .iter()
            .any(|process| process.client_id == 1 && process.detail.is_some())
    });
    for line in [
        "nfv 1 add ring:0",
        "nfv 1 add nullpmd:1",
        "nfv 1 patch nullpmd:1 ring:0",
    ] {
        panel.ok(line);
    }
    // Refusals are logged, and so is this end.
    for _ in 0..100 {
        panel.refused("nfv 1 add ring:99");
    }
    panel.ok("nfv 1 exit");
    assert!(child.wait().expect("it ended").success());
    drop(dir);
    panel.finish();
}
