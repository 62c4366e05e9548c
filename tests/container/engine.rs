//! The engine, its images, and containers that go when a test ends.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use testbed::proc::{self, Finished};
use testbed::{Panel, Proc, machine, skipped};

/// For anything that does not build.
pub const LIMIT: Duration = Duration::from_secs(60);
/// For an image, with its packages.
const BUILD: Duration = Duration::from_secs(600);

/// Says whether the test can go on, with all images: without an engine it is skipped, by name. `scripts/setup.sh --tests` installs
/// one and starts it wherever it can, and images are made once, where the engine keeps them.
pub fn engine(test: &str) -> bool {
    let programs = machine::bin_dir().display().to_string();
    engine_with(test, &[("dpdk", &[]), ("spp", &["--bin-dir", &programs])])
}

/// The same with these images, each with further words for its making. All tests of a program ask for the same ones.
pub fn engine_with(test: &str, images: &[(&str, &[&str])]) -> bool {
    static ENGINE: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = ENGINE.get_or_init(|| {
        let answer = spp(&["container", "ps"]);
        if !answer.status.success() {
            return Err(answer.output);
        }
        for (target, more) in images {
            image(target, more);
        }
        Ok(())
    });
    match prepared {
        Ok(()) => true,
        Err(reason) => {
            skipped(test, reason.trim());
            false
        }
    }
}

/// Makes an image; what has not changed is in the engine's cache.
fn image(target: &str, more: &[&str]) {
    let mut command = Command::new(machine::bin("spp"));
    command
        .args(["container", "build", "-t", target])
        .args(more);
    proc::run(&mut command, BUILD).success();
    // What had that name before, from other programs: it would stay for good.
    let label = format!("label=spp.target={target}");
    docker(&["image", "prune", "--force", "--filter", &label]);
}

/// The name of an image on this host.
pub fn image_name(target: &str) -> String {
    let line = spp(&["container", "build", "-t", target, "--dry-run", "--json"]).success();
    let words: Vec<String> = serde_json::from_str(line.trim()).expect("words");
    let at = words.iter().position(|word| word == "-t").expect("-t");
    words[at + 1].clone()
}

/// Runs the operator's command.
pub fn spp(words: &[&str]) -> Finished {
    proc::run(Command::new(machine::bin("spp")).args(words), LIMIT)
}

/// Runs docker's.
pub fn docker(words: &[&str]) -> Finished {
    proc::run(Command::new("docker").args(words), LIMIT)
}

/// Containers of one test, by their names. All that have such a name go with it, whoever started them.
pub struct Containers {
    stem: String,
}

impl Containers {
    /// None yet.
    pub fn new() -> Self {
        Self {
            stem: machine::unique("spptest-"),
        }
    }

    /// A name of this test's own.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.stem)
    }

    /// Starts an application with these words.
    #[track_caller]
    pub fn try_run(&self, app: &str, name: &str, line: &str) -> Finished {
        let full = self.name(name);
        let mut words = vec!["container", "run", app, "--name", &full];
        words.extend(line.split_whitespace());
        spp(&words)
    }

    /// The same, which succeeds.
    #[track_caller]
    pub fn run(&self, app: &str, name: &str, line: &str) -> String {
        let finished = self.try_run(app, name, line);
        assert!(
            finished.status.success(),
            "{app} {line}: {}",
            finished.output
        );
        self.name(name)
    }

    /// Starts testpmd with a prompt, which is read and written here.
    #[track_caller]
    pub fn testpmd(&self, name: &str, cpu: u32, port: u32, folder: &Path, mode: &str) -> Pmd {
        let full = self.name(name);
        let mut command = Command::new(machine::bin("spp"));
        command.args(["container", "run", "testpmd", "-fg", "-i", "--name", &full]);
        command.args(["--lcores", &format!("0@{cpu},1@{cpu}"), "--share-lcores"]);
        command.args(["-m", "64", "-d", &format!("vhost:{port}")]);
        command.arg("--vhost-dir").arg(folder);
        command.args([
            "--forward-mode",
            mode,
            "--total-num-mbufs",
            "8192",
            "--no-mlockall",
        ]);
        let mut proc = Proc::spawn(&full, &mut command);
        proc.wait_output(PROMPT, LIMIT);
        Pmd { proc }
    }

    /// An nfv process of this panel in a container.
    #[track_caller]
    pub fn nfv(&self, panel: &Panel, id: u32, cpu: u32) -> String {
        let line = nfv_line(panel, id, cpu);
        self.run("spp-nfv", &format!("nfv{id}"), &line)
    }
}

/// The options of an nfv process of this panel.
pub fn nfv_line(panel: &Panel, id: u32, cpu: u32) -> String {
    format!(
        "-i {id} --lcores 0@{cpu},1@{cpu} --share-lcores --file-prefix {} --vhost-dir {} --ctl-port {}",
        panel.prefix(),
        panel.vhost_dir().display(),
        panel.control()[1].port()
    )
}

impl Drop for Containers {
    fn drop(&mut self) {
        let ours = format!("name=^/{}-", self.stem);
        let list = docker(&["ps", "-a", "--filter", &ours, "--format", "{{.Names}}"]);
        // Some have gone by themselves.
        for name in list.output.lines() {
            if std::thread::panicking() {
                eprintln!(
                    "--- {name}\n{}",
                    docker(&["logs", "--tail", "20", name]).output
                );
            }
            docker(&["rm", "-f", "-v", name]);
        }
    }
}

const PROMPT: &str = "testpmd> ";

/// A testpmd in a container, at whose prompt we sit.
pub struct Pmd {
    proc: Proc,
}

impl Pmd {
    /// Types a command; gives what it printed.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> String {
        let from = self.proc.position();
        self.proc.send(command);
        self.proc.wait_output_from(from, PROMPT, LIMIT)
    }

    /// A counter of its port, such as `RX-packets`.
    #[track_caller]
    pub fn counter(&mut self, name: &str) -> u64 {
        let answer = self.command("show port stats 0");
        let after = answer.split_once(&format!("{name}:"));
        let number = after.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {answer}"))
    }

    /// Ends it; the command that stayed with it ends with it.
    #[track_caller]
    pub fn quit(mut self) {
        self.proc.send("quit");
        let status = self.proc.wait_exit(LIMIT);
        assert!(status.success(), "{status}: {}", self.proc.output());
    }
}

/// What docker says of a container.
pub fn inspect(name: &str) -> serde_json::Value {
    let text = docker(&["inspect", name]).success();
    let mut all: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    all.remove(0)
}
