//! Replies to `status`, with the order of members that the original has.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PatchPorts;
use crate::json;

/// Reply of `nfv` to `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct NfvStatus {
    /// Id of the process.
    pub client_id: u32,
    /// `running` or `idling`.
    pub status: String,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// All CPUs, the main one first.
    pub lcores: Vec<u32>,
    /// Ports as reported (`phy:0 nq 1`).
    pub ports: Vec<String>,
    /// Patches, with ports as reported.
    pub patches: Vec<PatchPorts>,
}

impl NfvStatus {
    /// The bytes of the wire, without a newline.
    pub fn to_json(&self) -> String {
        json::compact(self)
    }
}

/// The primary's own forwarder in its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForwarderStatus {
    /// `running` or `idling`.
    pub status: String,
    /// Ports as reported.
    pub ports: Vec<String>,
    /// Patches, with ports as reported.
    pub patches: Vec<PatchPorts>,
}

/// Numbers of configured queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Queues {
    /// Receive queues.
    pub rx: u16,
    /// Transmit queues.
    pub tx: u16,
}

/// A physical port in the status of the primary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhyPortStatus {
    /// Number of the port.
    pub id: u16,
    /// MAC address, lower case with colons.
    pub eth: String,
    /// Packets received by panel workers.
    pub rx: u64,
    /// Packets sent.
    pub tx: u64,
    /// Packets dropped because the port did not take them.
    pub tx_drop: u64,
    /// Configured queues.
    pub nof_queues: Queues,
    /// Flow rules.
    pub flow: Vec<Value>,
}

/// A ring in the status of the primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RingPortStatus {
    /// Number of the ring.
    pub id: u16,
    /// Packets taken from it.
    pub rx: u64,
    /// Always 0 in the original.
    pub rx_drop: u64,
    /// Packets put into it.
    pub tx: u64,
    /// Packets dropped because it was full.
    pub tx_drop: u64,
}

/// Reply of `primary` to `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrimaryStatus {
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// All CPUs, ascending.
    pub lcores: Vec<u32>,
    /// Present only if the primary has a forwarder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder: Option<ForwarderStatus>,
    /// Physical ports.
    pub phy_ports: Vec<PhyPortStatus>,
    /// One entry a ring.
    pub ring_ports: Vec<RingPortStatus>,
}

impl PrimaryStatus {
    /// The bytes of the wire, without a newline.
    pub fn to_json(&self) -> String {
        json::compact(self)
    }

    /// The same within `limit` bytes, as the original cuts it: whole rings are left out from the
    /// end, then whole physical ports.
    pub fn to_json_within(mut self, limit: usize) -> String {
        loop {
            let text = self.to_json();
            if text.len() <= limit {
                return text;
            }
            // Each ring takes 45 bytes or more, so a cut of this size does not go too far.
            let surplus = (text.len() - limit).div_ceil(128).max(1);
            let rings = self.ring_ports.len();
            if rings > 0 {
                self.ring_ports.truncate(rings.saturating_sub(surplus));
            } else if self.phy_ports.pop().is_none() {
                return text;
            }
        }
    }
}
