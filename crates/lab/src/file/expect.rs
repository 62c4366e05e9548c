//! What is expected of a network.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rate, Several, Shell, Time};

/// Something that has to hold.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// One node reaches an address, or does not, within some time.
    Ping(PingExpectation),
    /// Every host and router reaches every other one that has an address.
    Pingall,
    /// No packet was dropped at an interface of these nodes, or by a panel, while the network was tested; `[]` is all of them.
    NoDrops(Drops),
    /// Packets from one node to another, and back, take a way.
    Path(PathExpectation),
    /// So much passes from one node to another.
    Rate(RateExpectation),
    /// Packets of a capture are sent by one node, and those of another capture arrive at another one.
    Packets(PacketsExpectation),
    /// A command on a node ends as it should.
    Run(CommandExpectation),
}

impl Expectation {
    /// What is expected, in a few words: the name of the test.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Ping(ping) => ping.words(),
            Self::Pingall => "all reach all".into(),
            Self::Path(path) => path.words(),
            Self::Rate(rate) => rate.words(),
            Self::Packets(packets) => packets.words(),
            Self::NoDrops(Drops(nodes)) if nodes.is_empty() => "no drops".into(),
            Self::NoDrops(Drops(nodes)) => format!("no drops at {}", nodes.join(", ")),
            Self::Run(run) => run
                .name
                .clone()
                .unwrap_or_else(|| format!("{}: {}", run.on, run.command.0)),
        }
    }
}

/// Nodes at which nothing may be dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Drops(pub Vec<String>);

/// ICMP echo requests from one node to another, and the answers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PingExpectation {
    /// Node that asks.
    pub from: String,
    /// Node or address that is asked; of a node its first address.
    pub to: String,
    /// How many requests (3).
    #[serde(default = "three")]
    pub count: u16,
    /// Answers are expected, of all requests (true), or none (false).
    #[serde(default = "yes")]
    pub answered: bool,
    /// Least time from a request to its answer.
    #[serde(default)]
    pub min: Option<Time>,
    /// Longest time from a request to its answer. The first one is not measured, as addresses are resolved then.
    #[serde(default)]
    pub max: Option<Time>,
    /// How long to wait for an answer (2s).
    #[serde(default = "two_seconds")]
    pub limit: Time,
}

impl PingExpectation {
    fn words(&self) -> String {
        let verb = if self.answered {
            "reaches"
        } else {
            "does not reach"
        };
        let mut text = format!("{} {verb} {}", self.from, self.to);
        match (self.min, self.max) {
            (None, None) => {}
            (Some(min), None) => text += &format!(" in {min} or more"),
            (None, Some(max)) => text += &format!(" within {max}"),
            (Some(min), Some(max)) => text += &format!(" in {min} to {max}"),
        }
        text
    }
}

/// The way of echo requests and their answers, by the counters of the kernel's interfaces.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathExpectation {
    /// Node that asks.
    pub from: String,
    /// Node or address that is asked.
    pub to: String,
    /// Nodes, or interfaces of them (`r1:eth0`), that they pass.
    #[serde(default)]
    pub through: Several<String>,
    /// Nodes and interfaces that they do not pass.
    #[serde(default)]
    pub around: Several<String>,
    /// How many requests (20). What others say meanwhile has to be less.
    #[serde(default = "twenty")]
    pub count: u16,
}

impl PathExpectation {
    fn words(&self) -> String {
        let mut text = format!("from {} to {}", self.from, self.to);
        for (how, places) in [("through", &self.through), ("around", &self.around)] {
            if !places.is_empty() {
                text += &format!(" {how} {}", places.join(", "));
            }
        }
        text
    }
}

/// What a TCP connection brings from one node to another.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateExpectation {
    /// Node that sends.
    pub from: String,
    /// Node that receives.
    pub to: String,
    /// Least bits a second that arrive, without headers.
    #[serde(default)]
    pub min: Option<Rate>,
    /// Most bits a second that arrive, without headers.
    #[serde(default)]
    pub max: Option<Rate>,
    /// How long they are counted, after a fourth of it for TCP to begin (2s).
    #[serde(default = "two_seconds")]
    pub during: Time,
}

impl RateExpectation {
    fn words(&self) -> String {
        let mut text = format!("TCP from {} to {}", self.from, self.to);
        match (self.min, self.max) {
            (None, None) => {}
            (Some(min), None) => text += &format!(" with {min} or more"),
            (None, Some(max)) => text += &format!(" with {max} at most"),
            (Some(min), Some(max)) => text += &format!(" with {min} to {max}"),
        }
        text
    }
}

/// Frames that one node sends as they are, and those that arrive at another one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PacketsExpectation {
    /// Capture file (pcap or pcapng of Ethernet frames) of what is sent, one frame after the other. A relative path begins at the
    /// folder of the network's file.
    pub send: PathBuf,
    /// Node that sends, or the interface of it (`h1:eth0`).
    pub from: String,
    /// Node or interface at which frames are awaited.
    pub to: String,
    /// Capture file of what has to arrive; `true` for what was sent, as it was; `false` if nothing of that may arrive.
    #[serde(default)]
    pub arrive: Arriving,
    /// What of a frame may be different.
    #[serde(default)]
    pub except: Several<Part>,
    /// In any order (false).
    #[serde(default)]
    pub unordered: bool,
    /// Nothing else arrives until the limit (false), apart from what hosts say by themselves: ARP, neighbour discovery and multicast
    /// listeners' reports.
    #[serde(default)]
    pub only: bool,
    /// From one frame to the next one (1ms).
    #[serde(default = "a_millisecond")]
    pub every: Time,
    /// How long to wait after the last one was sent (2s).
    #[serde(default = "two_seconds")]
    pub limit: Time,
    /// What the test is called.
    #[serde(default)]
    pub name: Option<String>,
}

/// Which frames have to arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a capture file, true or false")]
pub enum Arriving {
    /// Those that were sent (`true`), or none of them (`false`).
    Sent(bool),
    /// Those of a capture file.
    File(PathBuf),
}

impl Default for Arriving {
    fn default() -> Self {
        Self::Sent(true)
    }
}

/// A part of a frame that is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Both Ethernet addresses.
    Mac,
    /// IPv4's time to live with the checksum of its header; IPv6's hop limit.
    HopLimit,
    /// Checksums of IPv4, TCP, UDP, ICMP and ICMPv6.
    Checksums,
}

impl PacketsExpectation {
    /// Its capture files.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let arriving = match &mut self.arrive {
            Arriving::File(path) => Some(path),
            Arriving::Sent(_) => None,
        };
        std::iter::once(&mut self.send).chain(arriving)
    }

    fn words(&self) -> String {
        let shown = |path: &PathBuf| path.file_name().unwrap_or_default().display().to_string();
        let what = match &self.arrive {
            Arriving::Sent(true) => "arrives".to_owned(),
            Arriving::Sent(false) => "does not arrive".to_owned(),
            Arriving::File(path) => format!("arrives as {}", shown(path)),
        };
        let (send, from, to) = (shown(&self.send), &self.from, &self.to);
        let name = self.name.clone();
        name.unwrap_or_else(|| format!("{send} from {from} {what} at {to}"))
    }
}

/// A command on a node, and how it has to end.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandExpectation {
    /// Node that it runs on.
    pub on: String,
    /// The command, as a shell takes it.
    pub command: Shell,
    /// Its exit status (0).
    #[serde(default)]
    pub status: u8,
    /// A part of what it writes.
    #[serde(default)]
    pub output: Option<String>,
    /// How long it may take (30s).
    #[serde(default = "half_a_minute")]
    pub limit: Time,
    /// What the test is called; node and command if not given.
    #[serde(default)]
    pub name: Option<String>,
}

fn a_millisecond() -> Time {
    Time(std::time::Duration::from_millis(1))
}

fn twenty() -> u16 {
    20
}

fn three() -> u16 {
    3
}

fn yes() -> bool {
    true
}

fn two_seconds() -> Time {
    Time(std::time::Duration::from_secs(2))
}

fn half_a_minute() -> Time {
    Time(std::time::Duration::from_secs(30))
}
