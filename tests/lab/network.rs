//! Networks of one test: a folder of their own, names of their own, and a look at what is left.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use testbed::proc::{self, Finished};
use testbed::{machine, wait_until};

/// For any command.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Where a test's networks are remembered. Dropped, it takes down what is up, and sees that nothing is left.
pub struct Place {
    folder: machine::TempDir,
    /// Of the one network that most tests have; no other test has it.
    pub name: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: machine::TempDir::new(),
            name: machine::unique("l"),
        }
    }

    /// A file with this text.
    pub fn file(&self, text: &str) -> String {
        let path = self.folder.join("net.yaml");
        std::fs::write(&path, text).expect("the file is written");
        path.display().to_string()
    }

    /// A file with the text of a program: the path.
    pub fn script(&self, text: &str) -> String {
        let path = self.path("script");
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    /// A path of a file of this test's.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// What programs of a node wrote so far.
    pub fn wrote(&self, node: &str) -> String {
        let path = self.state().join(&self.name).join(format!("{node}.log"));
        std::fs::read_to_string(path).expect("the node's log")
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// `spp lab`, to be started.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(machine::bin("spp"));
        command
            .arg("lab")
            .args(words)
            .env("SPP_LAB_DIR", self.state())
            // The program of an example.
            .env("NF_ROUTER", machine::bin_dir().join("nf-router"));
        command
    }

    /// Runs `spp lab`.
    pub fn lab(&self, words: &[&str]) -> Finished {
        proc::run(&mut self.command(words), LIMIT)
    }

    /// Brings a file up under this test's name.
    pub fn up(&self, file: &str, more: &[&str]) -> Finished {
        self.lab(&[&["up", file, "--name", &self.name], more].concat())
    }

    /// What is remembered of networks.
    pub fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.state())
            .into_iter()
            .flatten()
            .flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// PIDs of the processes that keep a network of this name.
    pub fn keepers(name: &str) -> Vec<u32> {
        let comm = format!("lab:{name}");
        let comm = &comm[..comm.len().min(15)];
        let pids = std::fs::read_dir("/proc").expect("/proc").flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                // One that ended stays in the list until whoever is its parent now has waited for it.
                let read = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                read.is_ok_and(|name| name.trim_end() == comm) && sys::proc::is_alive(*pid)
            })
            .collect()
    }

    /// Waits until the network is without a trace.
    #[track_caller]
    pub fn wait_gone(&self, name: &str) {
        wait_until(&format!("the keeper of {name} to end"), LIMIT, || {
            Self::keepers(name).is_empty()
        });
        assert!(
            !self.left().contains(&name.to_owned()),
            "something is remembered of {name}"
        );
    }
}

/// Folders in which DPDK keeps what programs of networks have in common with others.
fn runtime_folders(network: &str) -> usize {
    let folders = std::fs::read_dir("/var/run/dpdk")
        .into_iter()
        .flatten()
        .flatten();
    let ours = format!("lab-{network}-");
    folders
        .filter(|folder| folder.file_name().to_string_lossy().starts_with(&ours))
        .count()
}

impl Drop for Place {
    fn drop(&mut self) {
        let down = self.lab(&["down", "--all"]);
        let clean = self.lab(&["clean"]);
        if !std::thread::panicking() {
            down.success();
            clean.success();
            assert_eq!(
                self.left(),
                Vec::<String>::new(),
                "something is left of networks"
            );
            self.wait_gone(&self.name);
            assert_eq!(runtime_folders(&self.name), 0, "DPDK's folders of nodes");
        }
    }
}
