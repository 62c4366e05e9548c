//! Network namespaces: hosts with the kernel's own stack.

use std::process::Command;
use std::time::Duration;

use crate::machine;
use crate::proc::{Finished, run};

const LIMIT: Duration = Duration::from_secs(30);

/// A network namespace with its loopback up. Removed on drop, and the processes in it before.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one.
    ///
    /// # Panics
    /// If the kernel refuses (it takes CAP_SYS_ADMIN).
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        let name = machine::unique("spp");
        ip(&["netns", "add", &name]);
        let this = Self { name };
        this.ip(&["link", "set", "lo", "up"]);
        this
    }

    /// Its name, as `ip netns` takes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
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
        ip(&[&["-n", &self.name], words].concat())
    }

    /// Moves a device of our own namespace into this one, turns off the offloads that a DPDK port
    /// does not understand, gives it an address such as `10.0.0.1/24`, and brings it up.
    ///
    /// # Panics
    /// If one of these fails.
    #[track_caller]
    pub fn take(&self, device: &str, address: &str) {
        ip(&["link", "set", device, "netns", &self.name]);
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
            &other.name,
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
            &format!("an answer of {address} in {}", self.name),
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
        // Only what still runs in a namespace of our own making.
        let pids = Command::new("ip")
            .args(["netns", "pids", &self.name])
            .output();
        let pids = pids.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
        for pid in pids.unwrap_or_default().split_whitespace() {
            if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        match Command::new("ip")
            .args(["netns", "delete", &self.name])
            .status()
        {
            Ok(status) if status.success() => {}
            outcome => eprintln!("namespace {} was not removed: {outcome:?}", self.name),
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
