//! Nodes that run DPDK: programs, and panels of SPP.

use protocol::port::PortName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Shell, Short};

/// A DPDK program whose ports are links. `{eal}` in its command stands for the EAL's arguments.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dpdk {
    /// The command, as a shell takes it: `dpdk-testpmd {eal} -- --forward-mode=mac`.
    pub command: Shell,
    /// The driver of its ports (af_packet).
    #[serde(default)]
    pub driver: Driver,
    /// Megabytes of memory (128).
    #[serde(default = "memory")]
    pub memory: u32,
    /// CPUs, as EAL's `--lcores` takes them (`0`).
    #[serde(default = "lcores")]
    pub lcores: String,
    /// What it writes when it is ready: the network counts as up then. Without it, when it has taken its links.
    #[serde(default)]
    pub ready: Option<String>,
}

impl Short for Dpdk {
    const EXPECTED: &'static str =
        "a DPDK program: its command with {eal}, or a mapping with command, driver, memory, lcores";

    fn short(texts: Vec<String>) -> Result<Self, String> {
        let [text] =
            <[String; 1]>::try_from(texts).map_err(|_| format!("expected {}", Self::EXPECTED))?;
        Ok(Self {
            command: text.parse()?,
            driver: Driver::default(),
            memory: memory(),
            lcores: lcores(),
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
}

/// A panel of SPP.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Panel {
    /// Megabytes of hugepages (256).
    pub memory: Option<u32>,
    /// Its secondary processes.
    pub processes: Vec<PanelProcess>,
}

impl Short for Panel {
    const EXPECTED: &'static str = "a panel: a mapping with memory, processes";

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

/// A secondary process of a panel.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PanelProcess {
    /// What it is.
    pub kind: ProcessKind,
    /// Its id, from 1 to 127.
    pub id: u8,
    /// Ports that are added to it.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub ports: Vec<PortName>,
    /// Patches, each from a port to a port.
    #[serde(default)]
    #[schemars(with = "Vec<[String; 2]>")]
    pub patches: Vec<[PortName; 2]>,
}

/// Kinds of secondary processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProcessKind {
    /// `spp-nfv`
    Nfv,
    /// `spp-vf`
    Vf,
    /// `spp-mirror`
    Mirror,
    /// `spp-pcap`
    Pcap,
}

fn memory() -> u32 {
    128
}

fn lcores() -> String {
    "0".into()
}
