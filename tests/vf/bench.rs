//! A panel with one process of components, whose ports are capture files.

use std::path::PathBuf;

use testbed::machine::{TempDir, cpu};
use testbed::{Panel, wait_until};

use crate::LIMIT;
use crate::frames::{self, Frame};

/// A panel with a vf or mirror as process 1, its workers shown as the CPUs 2 to 5.
pub struct Bench {
    pub panel: Panel,
    dir: TempDir,
    kind: &'static str,
}

/// Four workers under these numbers on the CPUs that there are.
pub fn lcores() -> String {
    let places: Vec<String> = (2..=5).map(|n| format!("{n}@{}", cpu(n))).collect();
    places.join(",")
}

impl Bench {
    pub fn vf() -> Self {
        Self::new("vf")
    }

    pub fn mirror() -> Self {
        Self::new("mirror")
    }

    fn new(kind: &'static str) -> Self {
        let dir = TempDir::new();
        let builder = Panel::builder().memory(256);
        let builder = match kind {
            "vf" => builder.vf(1),
            _ => builder.mirror(1),
        };
        let folder = dir.path().display().to_string();
        let panel = builder
            .nfv_args(1, ["--lcores".to_owned(), lcores()])
            .nfv_args(1, ["--pcap-dir".to_owned(), folder])
            .start();
        Self { panel, dir, kind }
    }

    /// Carries out lines of commands for the process.
    #[track_caller]
    pub fn play(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.panel.ok(&format!("{} 1 {line}", self.kind));
        }
    }

    /// A command that is refused, with its reason.
    #[track_caller]
    pub fn refused(&self, line: &str) -> String {
        self.panel.refused(&format!("{} 1 {line}", self.kind))
    }

    /// The status as the operator sees it.
    #[track_caller]
    pub fn status(&self) -> String {
        self.panel.ok(&format!("{} 1 status", self.kind))
    }

    /// The file that `pcap:N` reads.
    fn source(&self, port: u16) -> PathBuf {
        self.dir.join(&format!("spp-rx{port}.pcap"))
    }

    /// Lets `pcap:N` give these frames once it is attached.
    #[track_caller]
    pub fn feed(&self, port: u16, frames: &[Frame]) {
        frames::write(&self.source(port), frames);
    }

    /// Waits until `pcap:N` has given all its frames, and they are where they belong.
    #[track_caller]
    pub fn drained(&self, port: u16, count: usize) {
        let name = format!("pcap:{port}");
        wait_until("all frames to be taken", LIMIT, || {
            self.panel.port(1, &name).counters.rx_packets == count as u64
        });
        // What was received before this has been sent when the worker has another table.
        let role = if self.kind == "vf" {
            "forward"
        } else {
            "mirror"
        };
        self.play(&format!(
            "component start passed 2 {role}\ncomponent stop passed"
        ));
    }

    /// What `pcap:N` wrote.
    #[track_caller]
    pub fn written(&self, port: u16) -> Vec<Frame> {
        frames::read(&self.dir.join(&format!("spp-tx{port}.pcap")))
    }
}

/// Fails with the first difference, not with all bytes.
#[track_caller]
pub fn assert_frames(got: &[Frame], wanted: &[Frame], what: &str) {
    let pairs = got.iter().zip(wanted).enumerate();
    for (at, (got, wanted)) in pairs {
        assert_eq!(got, wanted, "{what}: frame {at}");
    }
    assert_eq!(got.len(), wanted.len(), "{what}: number of frames");
}
