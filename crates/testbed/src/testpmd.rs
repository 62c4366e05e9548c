//! DPDK's testpmd as a peer, driven through its prompt.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::proc::Proc;
use crate::{huge, machine};

const START: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(20);
const PROMPT: &str = "testpmd> ";

/// How testpmd is to be started. Made by [`TestPmd::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    cpu: u32,
    memory: u64,
    mode: String,
    vdevs: Vec<String>,
    eal: Vec<String>,
    args: Vec<String>,
}

impl Builder {
    /// Adds a port: a vhost-user client (virtio_user, one queue pair) of this socket.
    pub fn vhost_client(self, socket: &Path) -> Self {
        let number = self.vdevs.len();
        self.vdev(format!(
            "virtio_user{number},path={},queues=1,queue_size=512",
            socket.display()
        ))
        // The rings that the queues have: 512 entries.
        .args(["--txd=512", "--rxd=512"])
    }

    /// Adds a port: a vhost-user server (net_vhost) on this socket.
    pub fn vhost_server(self, socket: &Path) -> Self {
        let number = self.vdevs.len();
        self.vdev(format!("net_vhost{number},iface={}", socket.display()))
    }

    /// Adds a port as EAL's `--vdev` takes it: `net_null0`.
    pub fn vdev(mut self, vdev: impl Into<String>) -> Self {
        self.vdevs.push(vdev.into());
        self
    }

    /// Forwarding mode: `txonly`, `rxonly`, `io` (the default), `mac`, `macswap`, `flowgen`, ….
    pub fn mode(mut self, mode: &str) -> Self {
        self.mode = mode.to_owned();
        self
    }

    /// The CPU that it polls on (the first one if not said).
    pub fn cpu(mut self, cpu: u32) -> Self {
        self.cpu = cpu;
        self
    }

    /// Hugepage memory in MB (128 if not said).
    pub fn memory(mut self, megabytes: u64) -> Self {
        self.memory = megabytes;
        self
    }

    /// More arguments for EAL.
    pub fn eal<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.eal.extend(args.into_iter().map(Into::into));
        self
    }

    /// More arguments for testpmd itself.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args.into_iter().map(Into::into) {
            if !self.args.contains(&arg) {
                self.args.push(arg);
            }
        }
        self
    }

    /// Starts it and waits for its prompt. It does not forward yet.
    ///
    /// # Panics
    /// If the prompt does not come within a minute.
    #[track_caller]
    pub fn start(self) -> TestPmd {
        huge::need(self.memory / 2);
        let prefix = machine::unique("pmd");
        // Its standard output would otherwise be held back until 4 KiB are full.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "dpdk-testpmd", "--lcores"]);
        // The main lcore waits at the prompt; the other one polls.
        command.arg(format!("0@{cpu},1@{cpu}", cpu = self.cpu));
        // In memory: its hugepages go when it goes, even if it is killed. Single segments: vhost
        // takes few memory regions.
        command.args([
            "--no-pci",
            "--in-memory",
            "--single-file-segments",
            "--iova-mode=va",
        ]);
        command.args(["--no-telemetry", "--file-prefix", &prefix]);
        command.arg("--huge-dir").arg(huge::mount());
        command.args(["-m", &self.memory.to_string()]);
        for vdev in &self.vdevs {
            command.args(["--vdev", vdev]);
        }
        command
            .args(&self.eal)
            .args(["--", "--interactive", "--no-mlockall"]);
        command
            .arg("--total-num-mbufs=8192")
            .arg(format!("--forward-mode={}", self.mode));
        command.args(&self.args);
        let mut proc = Proc::spawn_with_prompt(&format!("testpmd {}", self.name), &mut command);
        proc.wait_output(PROMPT, START);
        TestPmd { proc, prefix }
    }
}

/// A running testpmd. Killed on drop.
pub struct TestPmd {
    proc: Proc,
    prefix: String,
}

/// What testpmd's `show port stats` prints: all that a port has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets that did not fit into the receive queue.
    pub rx_missed: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Erroneous packets.
    pub rx_errors: u64,
    /// Packets for which there was no mbuf.
    pub rx_nombuf: u64,
    /// Packets that the port took.
    pub tx_packets: u64,
    /// Packets that it failed to send.
    pub tx_errors: u64,
    /// Bytes that it took.
    pub tx_bytes: u64,
}

/// What testpmd counted for one port since forwarding was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForwardStats {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets that the port missed.
    pub rx_dropped: u64,
    /// Packets that the port took.
    pub tx_packets: u64,
    /// Packets that it refused; they are not in `tx_packets`.
    pub tx_dropped: u64,
}

impl TestPmd {
    /// Begins the description of a testpmd; `name` is for messages.
    pub fn builder(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            cpu: machine::cpu(0),
            memory: 128,
            mode: "io".to_owned(),
            vdevs: Vec::new(),
            eal: Vec::new(),
            args: Vec::new(),
        }
    }

    /// Types a command at the prompt and gives what it printed.
    ///
    /// # Panics
    /// If the prompt is not back within 20 s.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> String {
        let from = self.proc.position();
        self.proc.send(command);
        let answer = self.proc.wait_output_from(from, PROMPT, ANSWER);
        if answer.contains("Bad arguments") || answer.contains("Command not found") {
            self.proc.fail(&format!("does not understand {command:?}"));
        }
        // The first line is what we typed.
        answer
            .split_once('\n')
            .map(|(_, rest)| rest.replace('\r', ""))
            .unwrap_or_default()
    }

    /// Starts forwarding.
    #[track_caller]
    pub fn start(&mut self) {
        self.command("start");
    }

    /// Sends `bursts` bursts of 32 packets from every port, then forwards.
    #[track_caller]
    pub fn start_tx_first(&mut self, bursts: u32) {
        self.command(&format!("start tx_first {bursts}"));
    }

    /// Stops forwarding; gives what was counted since it started, by port.
    #[track_caller]
    pub fn stop(&mut self) -> Vec<ForwardStats> {
        let answer = self.command("stop");
        forward_stats(&answer)
    }

    /// What was counted since forwarding started, by port.
    #[track_caller]
    pub fn forward_stats(&mut self) -> Vec<ForwardStats> {
        let answer = self.command("show fwd stats all");
        forward_stats(&answer)
    }

    /// Statistics of a port.
    #[track_caller]
    pub fn port_stats(&mut self, port: u16) -> PortStats {
        let answer = self.command(&format!("show port stats {port}"));
        let field = |name| match number(&answer, name) {
            Some(number) => number,
            None => panic!("no {name} in the statistics of testpmd's port {port}: {answer}"),
        };
        PortStats {
            rx_packets: field("RX-packets"),
            rx_missed: field("RX-missed"),
            rx_bytes: field("RX-bytes"),
            rx_errors: field("RX-errors"),
            rx_nombuf: field("RX-nombuf"),
            tx_packets: field("TX-packets"),
            tx_errors: field("TX-errors"),
            tx_bytes: field("TX-bytes"),
        }
    }

    /// Whether a port's link is up.
    #[track_caller]
    pub fn link_up(&mut self, port: u16) -> bool {
        self.command(&format!("show port info {port}"))
            .contains("Link status: up")
    }

    /// Ends it properly.
    ///
    /// # Panics
    /// If it does not end, or not with success.
    #[track_caller]
    pub fn quit(mut self) {
        self.proc.send("quit");
        let status = self.proc.wait_exit(ANSWER);
        assert!(status.success(), "testpmd ended with {status}");
    }

    /// Its process: to be killed or stopped.
    pub fn proc(&mut self) -> &mut Proc {
        &mut self.proc
    }
}

impl Drop for TestPmd {
    fn drop(&mut self) {
        // Dead before its folder goes.
        if self.proc.is_running() {
            self.proc.kill();
        }
        huge::sweep(&self.prefix);
    }
}

/// The number after `field:`.
fn number(text: &str, field: &str) -> Option<u64> {
    let rest = text.split_once(&format!("{field}:"))?.1.trim_start();
    rest[..rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len())]
        .parse()
        .ok()
}

fn forward_stats(answer: &str) -> Vec<ForwardStats> {
    let stats: Option<Vec<_>> = answer
        .split("Forward statistics for port ")
        .skip(1)
        .map(|section| {
            Some(ForwardStats {
                rx_packets: number(section, "RX-packets")?,
                rx_dropped: number(section, "RX-dropped")?,
                tx_packets: number(section, "TX-packets")?,
                tx_dropped: number(section, "TX-dropped")?,
            })
        })
        .collect();
    match stats {
        Some(stats) if !stats.is_empty() => stats,
        _ => panic!("no forwarding statistics in testpmd's answer: {answer}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_statistics_are_read_by_port() {
        let text = "Telling cores to stop...\n\
            ---------------------- Forward statistics for port 0  ------\n\
            RX-packets: 7             RX-dropped: 1             RX-total: 8\n\
            TX-packets: 0             TX-dropped: 0             TX-total: 0\n\
            ---------------------- Forward statistics for port 1  ------\n\
            RX-packets: 0             RX-dropped: 0             RX-total: 0\n\
            TX-packets: 5             TX-dropped: 2             TX-total: 7\n\
            +++++ Accumulated forward statistics for all ports+++++\n\
            RX-packets: 9             RX-dropped: 9             RX-total: 9\n";
        let expected = [
            ForwardStats {
                rx_packets: 7,
                rx_dropped: 1,
                ..Default::default()
            },
            ForwardStats {
                tx_packets: 5,
                tx_dropped: 2,
                ..Default::default()
            },
        ];
        assert_eq!(forward_stats(text), expected);
    }
}
