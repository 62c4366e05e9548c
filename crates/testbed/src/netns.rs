//! Network namespaces: hosts with the kernel's own stack.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::machine;
use crate::proc::{Finished, run};

const LIMIT: Duration = Duration::from_secs(30);
const HOST: &str = "host";

/// A host of a [`lab`] network that has no other: a network namespace with its loopback up. Removed on drop, and the processes in it
/// before; also removed when this process is killed.
#[derive(Debug)]
pub struct Netns {
    network: lab::Running,
    place: PathBuf,
}

impl Netns {
    /// Makes one.
    ///
    /// # Panics
    /// If the kernel refuses (it takes CAP_SYS_ADMIN).
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        let network = lab::Lab::new().host(HOST).up().expect("a host");
        let place = network.namespace(HOST).expect("its namespace");
        Self { network, place }
    }

    /// Its namespace, as a file: what `ip link set DEVICE netns` and `nsenter --net` take.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// A command that will run in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.place.display()));
        command.args(["--", program]);
        command
    }

    /// Runs a command in it to its end.
    #[track_caller]
    pub fn run(&self, words: &[&str], limit: Duration) -> Finished {
        run(self.command(words[0]).args(&words[1..]), limit)
    }

    /// Runs `ip` in it and gives the output.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ip(&self, words: &[&str]) -> String {
        self.run(&[&["ip"], words].concat(), LIMIT).success()
    }

    /// Moves a device of our own namespace into this one, turns off the offloads that a DPDK port
    /// does not understand, gives it an address such as `10.0.0.1/24`, and brings it up.
    ///
    /// # Panics
    /// If one of these fails.
    #[track_caller]
    pub fn take(&self, device: &str, address: &str) {
        ip(&[
            "link",
            "set",
            device,
            "netns",
            &self.place.to_string_lossy(),
        ]);
        self.set_up(device, address);
    }

    #[track_caller]
    fn set_up(&self, device: &str, address: &str) {
        // A device may lack one of them; what it has must be off, or TCP's checksums are wrong.
        for offload in ["tx", "gso", "tso", "gro"] {
            self.run(&["ethtool", "-K", device, offload, "off"], LIMIT);
        }
        self.ip(&["address", "add", address, "dev", device]);
        self.ip(&["link", "set", device, "up"]);
    }

    /// Connects this namespace to another by a veth pair.
    ///
    /// # Panics
    /// If that fails.
    #[track_caller]
    pub fn cable(&self, address: &str, other: &Netns, other_address: &str) {
        // 'a' and 'b' of one number: both fit into 15 bytes.
        let (near, far) = (machine::unique("va"), machine::unique("vb"));
        self.ip(&[
            "link",
            "add",
            &near,
            "type",
            "veth",
            "peer",
            "name",
            &far,
            "netns",
            &other.place.to_string_lossy(),
        ]);
        self.set_up(&near, address);
        other.set_up(&far, other_address);
    }

    /// Waits until an address answers a ping.
    ///
    /// # Panics
    /// If it does not within 30 s.
    #[track_caller]
    pub fn wait_ping(&self, address: &str) {
        crate::wait_until(
            &format!("an answer of {address} in {}", self.network.name()),
            LIMIT,
            || {
                self.run(&["ping", "-c", "1", "-W", "1", address], LIMIT)
                    .status
                    .success()
            },
        );
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // They are in our PID namespace, so they do not end with the network.
        for process in self.network.processes().unwrap_or_default() {
            if let Some(pid) = i32::try_from(process.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Runs `ip` in our own namespace and gives its output.
///
/// # Panics
/// If it fails.
#[track_caller]
pub fn ip(words: &[&str]) -> String {
    let finished = run(Command::new("ip").args(words), LIMIT);
    assert!(
        finished.status.success(),
        "ip {}: {}",
        words.join(" "),
        finished.output
    );
    finished.output
}
