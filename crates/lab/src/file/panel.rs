//! Nodes that run DPDK: programs, and panels of SPP.

use std::collections::BTreeMap;
use std::path::PathBuf;

use protocol::desired::{Desired, System};
use protocol::port::PortName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::workers::Workers;
use super::{Shell, Short};

/// A DPDK program whose ports are links: a command of this machine, or an app in a container.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dpdk {
    /// The command, as a shell takes it: `dpdk-testpmd {eal} -- --forward-mode=mac`. `{eal}` stands for the EAL's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Shell>,
    /// An app of `spp container`, which runs in a container: `testpmd`, `l2fwd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Options of the app, as behind `spp container run APP`: `-p 0x3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// The driver of its ports (af_packet).
    #[serde(default)]
    pub driver: Driver,
    /// Megabytes of memory (128).
    #[serde(default = "memory")]
    pub memory: u32,
    /// CPUs, as EAL's `--lcores` takes them (`0`).
    #[serde(default = "lcores")]
    pub lcores: String,
    /// Its core files are kept: it runs in a folder of its own for them, with no limit of their length.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cores: bool,
    /// What it writes when it is ready: the network counts as up then. Without it, when it has taken its links.
    #[serde(default)]
    pub ready: Option<String>,
}

impl Short for Dpdk {
    const EXPECTED: &'static str = "a DPDK program: its command with {eal}, or a mapping with command or app, options, driver, memory, lcores";

    fn short(texts: Vec<String>) -> Result<Self, String> {
        let [text] =
            <[String; 1]>::try_from(texts).map_err(|_| format!("expected {}", Self::EXPECTED))?;
        Ok(Self {
            command: Some(text.parse()?),
            app: None,
            options: None,
            driver: Driver::default(),
            memory: memory(),
            lcores: lcores(),
            cores: false,
            ready: None,
        })
    }
}

/// DPDK's drivers for a device of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// `net_af_packet`: a packet socket.
    #[default]
    #[serde(alias = "net_af_packet", alias = "eth_af_packet")]
    AfPacket,
    /// `net_af_xdp`: an XDP socket.
    #[serde(alias = "net_af_xdp")]
    AfXdp,
    /// `net_tap`: a device that the program makes, which becomes the interface at the other end of the link.
    #[serde(alias = "net_tap")]
    Tap,
}

/// A panel of SPP. Its n-th link, from 0 on, is its port `tap:n`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Panel {
    /// Megabytes of hugepages (192).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Number of rings (16).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rings: Option<u16>,
    /// Core files of its processes are kept: they run in a folder of their own for them, with no limit of their length.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cores: bool,
    /// Its processes (`nfv:1`, `vf:2`, `mirror:3`) and what each is to have: as in files for `spp apply`. `primary` is its primary, if
    /// that is to forward, too. Of a `pcap:4` its `port`, and maybe `folder`, `filter` and `capture`.
    #[schemars(with = "BTreeMap<String, serde_json::Map<String, serde_json::Value>>")]
    pub processes: Workers,
}

/// A process that writes the packets of a port into files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recorder {
    /// The port, of which it is the only one that takes packets.
    pub port: PortName,
    /// Folder of the files, in the folder of the network unless it begins with `/` (`p1.pcap.4`). It is made if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Which packets, in tcpdump's language (all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// It captures from the beginning on (true), or when it is told to (`spp pcap 4 start`).
    #[serde(default = "yes")]
    pub capture: bool,
}

impl Short for Panel {
    const EXPECTED: &'static str = "a panel: a mapping with memory, rings, cores, processes";

    fn short(texts: Vec<String>) -> Result<Self, String> {
        match texts.first() {
            None => Ok(Self::default()),
            Some(text) => Err(format!(
                "'{text}' says nothing of a panel: expected {}",
                Self::EXPECTED
            )),
        }
    }
}

impl Panel {
    /// What is wrong with its processes, given how many links it has: the text, and what would be right.
    pub(super) fn wrong(&self, links: usize) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let desired = self.processes.desired();
        if let Err(error) = System::new(desired.clone()).check() {
            wrong.push((error.to_string(), "as in files for `spp apply`".to_owned()));
        }
        for (name, desired) in &desired {
            let recorded = self.processes.recorders.get(name);
            let recorded = recorded.map(|recorder| recorder.port);
            let is_missing =
                |port: &PortName| matches!(port, PortName::Tap(n) if usize::from(*n) >= links);
            let missing = ports(desired).chain(recorded).find(is_missing);
            if let Some(port) = missing {
                wrong.push((
                    format!("{name} has {port}, but the panel has {links} links"),
                    "its first link is tap:0".to_owned(),
                ));
            }
        }
        wrong
    }

    /// Whether a process of it has a port.
    pub(super) fn uses(&self, port: PortName) -> bool {
        let mut recorders = self.processes.recorders.values();
        let mut others = self.processes.others.values();
        recorders.any(|recorder| recorder.port == port)
            || others.any(|desired| ports(desired).any(|of| of == port))
    }
}

/// All ports that are named by what a process is to have.
fn ports(desired: &Desired) -> impl Iterator<Item = PortName> {
    let added = desired.ports.iter().map(|added| added.port);
    let patched = desired
        .patches
        .iter()
        .flat_map(|patch| [patch.src, patch.dst]);
    let components = desired.components.iter();
    let attached = components.flat_map(|component| component.rx.iter().chain(&component.tx));
    added.chain(patched).chain(attached.map(|end| end.port))
}

fn memory() -> u32 {
    128
}

fn yes() -> bool {
    true
}

fn lcores() -> String {
    "0".into()
}
