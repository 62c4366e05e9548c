//! The same by podman's socket, where podman is installed: a service of its own, with a folder of its own for what it keeps.

use std::process::{Command, Stdio};

use testbed::machine::{self, TempDir, cpu};
use testbed::proc::{self, Finished};
use testbed::{Panel, Proc, skipped, wait_until};

use crate::engine::{LIMIT, docker, engine, image_name, nfv_line};

/// podman with a folder of its own, and its service.
struct Podman {
    folder: TempDir,
    service: Option<Proc>,
    names: Vec<String>,
}

impl Podman {
    /// `None`, with a word about it, where there is none.
    fn start(test: &str) -> Option<Self> {
        if Command::new("podman").arg("--version").output().is_err() {
            skipped(test, "podman is not installed");
            return None;
        }
        if !engine(test) {
            return None;
        }
        let folder = TempDir::new();
        // No more descriptors and processes than any machine permits, and nobody else's records.
        let settings = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n[engine]\nevents_logger = \"file\"\ncgroup_manager = \"cgroupfs\"\n";
        std::fs::write(folder.join("containers.conf"), settings).expect("the settings");
        let mut podman = Self {
            folder,
            service: None,
            names: Vec::new(),
        };
        let socket = podman.socket();
        let mut command = podman.podman(&["system", "service", "--time=0", &socket]);
        podman.service = Some(Proc::spawn("podman", &mut command));
        let path = podman.folder.join("podman.sock");
        wait_until("podman's socket", LIMIT, || path.exists());
        podman.take_over(&image_name("spp"));
        Some(podman)
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.folder.join("podman.sock").display())
    }

    fn podman(&self, words: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_CONF", self.folder.join("containers.conf"))
            .arg("--root")
            .arg(self.folder.join("root"))
            .arg("--runroot")
            .arg(self.folder.join("run"))
            .args(["--storage-driver=vfs"])
            .args(words);
        command
    }

    /// Has it take an image that docker has.
    fn take_over(&self, image: &str) {
        let file = self.folder.join("image.tar").display().to_string();
        docker(&["save", "-o", &file, image]).success();
        proc::run(&mut self.podman(&["load", "-q", "-i", &file]), LIMIT).success();
        std::fs::remove_file(file).expect("the image's file");
    }

    /// Runs `spp container` with it.
    fn spp(&self, words: &[&str]) -> Finished {
        let mut command = Command::new(machine::bin("spp"));
        command.env("DOCKER_HOST", self.socket()).arg("container");
        proc::run(command.args(words), LIMIT)
    }

    fn name(&mut self, name: &str) -> String {
        let name = machine::unique(&format!("spptest-{name}-"));
        self.names.push(name.clone());
        name
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let quiet = |command: &mut Command| {
            // Some have gone by themselves.
            let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        };
        for name in &self.names {
            quiet(&mut self.podman(&["rm", "-f", "-t", "0", name]));
        }
        drop(self.service.take());
        // What watched a command stays for five minutes; the folder's name is in its command line, and in no other.
        let folder = self.folder.path().display().to_string();
        quiet(Command::new("pkill").args(["-KILL", "-f", &folder]));
    }
}

#[test]
fn podman_does_what_docker_does() {
    let Some(mut podman) = Podman::start("podman_does_what_docker_does") else {
        return;
    };
    let panel = Panel::builder().memory(256).start();
    let name = podman.name("nfv");
    let line = nfv_line(&panel, 1, cpu(0));
    let mut words = vec!["run", "spp-nfv", "--name", &name];
    words.extend(line.split_whitespace());
    podman.spp(&words).success();
    panel.ok("nfv 1 add vhost:1");
    let list = podman.spp(&["ps"]).success();
    let shown = list.lines().find(|line| line.starts_with(&name));
    assert!(shown.is_some_and(|line| line.contains("Up ")), "{list}");
    let log = podman.spp(&["logs", &name, "--tail", "5"]).success();
    assert!(log.contains("registered with the controller"), "{log}");
    let version = podman.spp(&["exec", &name, "spp", "--version"]).success();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let mut pid = podman.podman(&["inspect", "--format", "{{.State.Pid}}", &name]);
    let pid = proc::run(&mut pid, LIMIT).success();
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
    let status = status.expect("the container's process");
    for right in ["NoNewPrivs:\t1\n", "Seccomp:\t2\n"] {
        assert!(status.contains(right), "{status} lacks {right}");
    }
    podman.spp(&["stop", &name]).success();
    wait_until("the process to be gone", LIMIT, || {
        panel.ok("status").contains("nfv:1: gone since")
    });
    // What dies at once is told with its last words.
    let other = podman.name("nfv");
    let mut words = vec!["run", "spp-nfv", "--name", &other];
    words.extend(line.split_whitespace());
    words.extend(["--", "--nonsense"]);
    let told = podman.spp(&words).failure();
    assert!(told.contains("--nonsense"), "{told}");
    panel.finish();
}
