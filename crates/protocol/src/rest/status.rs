//! What `vf`, `mirror` and `pcap` say of themselves, in the shape of REST.

use serde::{Deserialize, Serialize};

use crate::command::component::{ClassifierMac, Settings, VlanTag};

/// Answer to `GET /v1/vfs/{id}` and `GET /v1/mirrors/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentStatus {
    /// Id of the process.
    #[serde(rename = "client-id")]
    pub client_id: u32,
    /// Ports as reported (`phy:0 nq 1`).
    pub ports: Vec<String>,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// Components by CPU, then in the order of their start.
    pub components: Vec<Component>,
    /// The classifier's table; only of a vf. A vf of ours shows its first 256 entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_table: Option<Vec<ClassifierRow>>,
    /// How many entries the table has; only there if that is more than are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_table_size: Option<usize>,
}

/// A component, or a CPU without one (`unuse`: then only `core` and `type` are there).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Component {
    /// CPU on which it runs.
    pub core: u32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `forward`, `merge`, `classifier`, `mirror` or `unuse`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Ports that it receives from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_port: Option<Vec<ComponentPort>>,
    /// Ports that it sends to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_port: Option<Vec<ComponentPort>>,
    /// What it needs before it moves packets; not there if it does, and only of processes of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// What is set of it; only of processes of ours.
    #[serde(flatten)]
    pub set: Settings,
}

/// A port of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentPort {
    /// Port as reported.
    pub port: String,
    /// What is done to VLAN tags there.
    pub vlan: ComponentVlan,
}

/// What is done to VLAN tags at a port of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentVlan {
    /// `none`, `add` or `del`.
    pub operation: String,
    /// VLAN id; 0 but for `add`.
    pub id: i32,
    /// Priority; 0 but for `add`.
    pub pcp: i32,
}

impl ComponentVlan {
    /// Of a tag operation, or of none.
    pub fn of(tag: Option<VlanTag>) -> Self {
        let (operation, id, pcp) = match tag {
            None => ("none", 0, 0),
            Some(VlanTag::Add { id, pcp }) => ("add", id.into(), pcp.into()),
            Some(VlanTag::Del) => ("del", 0, 0),
        };
        Self {
            operation: operation.to_owned(),
            id,
            pcp,
        }
    }
}

/// An entry of the classifier's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClassifierRow {
    /// `mac` or `vlan`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A MAC address in upper case or `default`; for `vlan` with the VLAN id and `/` in front.
    pub value: String,
    /// Where such packets go.
    pub port: String,
}

impl ClassifierRow {
    /// The row of an entry; `port` as reported.
    pub fn of(vlan: Option<u16>, mac: ClassifierMac, port: String) -> Self {
        let mac = match mac {
            ClassifierMac::Default => mac.to_string(),
            ClassifierMac::Address(_) => mac.to_string().to_ascii_uppercase(),
        };
        let (kind, value) = match vlan {
            None => ("mac", mac),
            Some(id) => ("vlan", format!("{id}/{mac}")),
        };
        Self {
            kind: kind.to_owned(),
            value,
            port,
        }
    }
}

/// An entry of the classifier's table with what is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TableEntry {
    /// The entry.
    #[serde(flatten)]
    pub row: ClassifierRow,
    /// The classifier that goes by it; not there if its port is attached to none, or the same stands at a port that was
    /// attached later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Packets that it sent since the last clear.
    pub hits: u64,
    /// Whether it was learned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learned: bool,
}

/// A part of a classifier's table (`GET /v1/vfs/{id}/classifier_table`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TablePage {
    /// Entries in all.
    pub total: usize,
    /// How many are left out before the first one.
    pub offset: usize,
    /// Those that come then, at most 1000: first those in force, by component, VLAN (untagged last) and address.
    pub entries: Vec<TableEntry>,
}

/// Answer to `GET /v1/pcaps/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptureStatus {
    /// Id of the process.
    #[serde(rename = "client-id")]
    pub client_id: u32,
    /// `running` or `idle`.
    pub status: String,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// The receiver, then the writers.
    pub core: Vec<CaptureCore>,
}

/// A worker of a `pcap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptureCore {
    /// Its CPU.
    pub core: u32,
    /// `receive` or `write`.
    pub role: String,
    /// The captured port; only of the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_port: Option<Vec<CapturedPort>>,
    /// The file that is being written, or empty; only of a writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// The port that a `pcap` captures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CapturedPort {
    /// Port as reported.
    pub port: String,
}
