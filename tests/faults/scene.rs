//! A panel in which everything is attacked that is `vhost:3`, and packets that must not notice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use testbed::machine::{self, cpu};
use testbed::panel::Builder;
use testbed::{Panel, Proc, wait_until};

use crate::guest::{FROM_GUEST, Guest};

/// For a condition to come, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);
/// For the command of an operator to be answered, whatever peers do. The controller gives up after 5 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// Packets a second of those that must not notice: a ring holds four seconds of them, so that a machine that is busy
/// elsewhere makes nobody lose one.
const RATE: &str = "1000";

/// A panel with rings of that size.
pub fn small() -> Builder {
    let line = "--rings 8 --ring-size 4096";
    Panel::builder().memory(256).primary_args(line.split(' '))
}

/// nfv 1 takes numbered packets from ring:0 to ring:1 with the same worker that serves the attacked `vhost:3`, which is
/// fed without end and emptied.
pub struct Scene {
    pub panel: Panel,
    traffic: Option<Proc>,
}

impl Scene {
    pub fn set() -> Self {
        let panel = small().nfv_on(1, cpu(0)).start();
        for line in [
            "nfv 1 add ring:0",
            "nfv 1 add ring:1",
            "nfv 1 patch ring:0 ring:1",
            "nfv 1 add vhost:3",
            "nfv 1 add nullpmd:1",
            "nfv 1 add nullpmd:2",
            "nfv 1 patch vhost:3 nullpmd:2",
            "nfv 1 patch nullpmd:1 vhost:3",
        ] {
            panel.ok(line);
        }
        Self::around(panel)
    }

    /// Around a panel with packets from ring:0 to ring:1.
    pub fn around(panel: Panel) -> Self {
        let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
        command.args(["--sec-id", "9", "--file-prefix", panel.prefix()]);
        command.args(["--tx", "ring:0", "--rx", "ring:1", "--patience", "30"]);
        command.args(["--rate", RATE, "--lcores", &cpu(1).to_string()]);
        let traffic = Some(Proc::spawn("spp-traffic", &mut command));
        let this = Scene { panel, traffic };
        this.assert_flows();
        this
    }

    pub fn socket(&self) -> PathBuf {
        self.panel.socket(3)
    }

    /// A guest on the attacked port, whose link is up.
    pub fn guest(&self) -> Guest {
        let guest = Guest::start(&self.socket());
        self.panel.wait_link(1, "vhost:3", "up");
        guest
    }

    /// More of the packets arrive that must not notice.
    #[track_caller]
    pub fn assert_flows(&self) {
        let arrived = || {
            let patches = self.panel.detail(1).patches;
            let patch = patches.into_iter().find(|patch| patch.src == "ring:0");
            patch.map_or(0, |patch| patch.counters.tx_packets)
        };
        let before = arrived();
        wait_until("more packets to arrive", LIMIT, || arrived() > before + 100);
    }

    /// Packets arrive, and commands are answered in time.
    #[track_caller]
    pub fn assert_well(&self) {
        self.assert_flows();
        for line in [
            "nfv 1 status",
            "nfv 1 add ring:5",
            "nfv 1 del ring:5",
            "nfv 1 add vhost:4",
            "nfv 1 patch vhost:4 ring:6",
            "nfv 1 del vhost:4",
            "nfv 1 del ring:6",
        ] {
            let begun = Instant::now();
            self.panel.ok(line);
            let took = begun.elapsed();
            assert!(took < PATIENCE, "{line} took {took:?}");
        }
    }

    /// A good guest is served by the attacked port.
    #[track_caller]
    pub fn assert_serves(&self) {
        let mut guest = self.guest();
        let before = self.received();
        guest.send(100);
        guest.provide(100);
        wait_until("packets of the good guest", LIMIT, || {
            guest.used(FROM_GUEST) == 100 && self.received() >= before + 100
        });
        wait_until("packets for the good guest", LIMIT, || guest.used(0) == 100);
        drop(guest);
        self.panel.wait_link(1, "vhost:3", "down");
    }

    /// Packets that came from guests of the attacked port.
    pub fn received(&self) -> u64 {
        self.panel.port(1, "vhost:3").counters.rx_packets
    }

    /// What is said of the attacked port.
    pub fn said(&self) -> String {
        self.panel.port(1, "vhost:3").info
    }

    /// Ends the packets that must not notice, and sees that not one is missing; then the panel.
    #[track_caller]
    pub fn end(mut self) {
        self.stop_traffic();
        self.panel.finish();
    }

    #[track_caller]
    pub fn stop_traffic(&mut self) {
        let mut traffic = self.traffic.take().expect("it runs");
        let status = traffic.terminate(LIMIT);
        if !status.success() {
            // Which of them counted what is missing.
            println!("{:#?}", self.panel.detail(1).patches);
            traffic.fail("a packet was lost, doubled, damaged or out of order");
        }
        println!("{}", traffic.output());
    }
}

/// What a process holds: descriptors, mappings, and pages of memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    pub descriptors: BTreeMap<String, usize>,
    pub mappings: usize,
    pub kilobytes: u64,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let descriptors: usize = self.descriptors.values().sum();
        write!(
            f,
            "{descriptors} descriptors, {} mappings, {} kB",
            self.mappings, self.kilobytes
        )
    }
}

impl Held {
    pub fn by(pid: u32) -> Self {
        let mut descriptors = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("it runs")
            .flatten()
        {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            let kind = target.to_string_lossy();
            let kind = kind.split(['[', ':']).next().unwrap_or_default().to_owned();
            *descriptors.entry(kind).or_default() += 1;
        }
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.split_whitespace().next());
        Held {
            descriptors,
            mappings: maps.lines().count(),
            kilobytes: resident.and_then(|text| text.parse().ok()).expect("VmRSS"),
        }
    }

    /// Whether it is no more than `before`, but for some memory that allocators keep.
    pub fn is_at_most(&self, before: &Held) -> bool {
        self.descriptors == before.descriptors
            && self.mappings <= before.mappings + 4
            && self.kilobytes <= before.kilobytes + 2048
    }
}
