//! Bodies of requests.
//!
//! The controller reads them member by member, in the original's order of checks; these types are their
//! description, and what a client may send.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::command::component::{ClassifierMac, ComponentKind, ComponentName, Direction};
use crate::impair::Impairment;
use crate::port::PortName;

/// Body of `PUT …/forward` and `PUT …/capture`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForwardRequest {
    /// `start` or `stop`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(start|stop)$"))]
    pub action: String,
}

/// Body of `PUT …/ports` of `nfv` and `primary`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortRequest {
    /// `add` or `del`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(add|del)$"))]
    pub action: String,
    /// The port.
    pub port: PortName,
    /// For vhost ports of our processes: `server` or `client`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(server|client)$"))]
    pub mode: Option<String>,
}

/// Body of `PUT …/patches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PatchRequest {
    /// Where packets are taken.
    pub src: PortName,
    /// Where they go.
    pub dst: PortName,
    /// CPU whose worker shall run it; only for processes of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lcore: Option<u32>,
    /// What happens to packets on the way; only for processes of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::impair::Properties>))]
    pub with: Option<Impairment>,
}

/// A number, for which the original's clients also send its digits as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum NumberOrText {
    /// As a number.
    Number(u16),
    /// As text.
    Text(String),
}

/// Body of `PUT /v1/primary/launch`. Values of options are numbers, words, or `null` or `""` for none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaunchRequest {
    /// Id of the new process, 1 or more.
    pub client_id: NumberOrText,
    /// Its program.
    #[cfg_attr(feature = "openapi", schema(pattern = "^spp[_-](nfv|vf|mirror|pcap)$"))]
    pub proc_name: String,
    /// Options of EAL: `--proc-type`, and one of `-c`, `-l` and `--lcores`, are needed.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::EalOptions))]
    pub eal: BTreeMap<String, Value>,
    /// Options of the program.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::schema::AppOptions))]
    pub app: BTreeMap<String, Value>,
}

/// Body of `POST …/flow_rules/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowRequest {
    /// The rule.
    pub rule: FlowRule,
}

/// A flow rule for a NIC, in the words of testpmd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowRule {
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<i64>,
    /// Priority within the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// `ingress` or `egress`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(ingress|egress)$"))]
    pub direction: String,
    /// Whether it applies to the switch of the NIC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<bool>,
    /// What packets look like, one item each, such as `eth dst is 02:00:00:00:00:01`.
    pub pattern: Vec<String>,
    /// What happens to them, one action each, such as `queue index 1`.
    pub actions: Vec<String>,
}

/// Body of `POST …/components` of a vf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentRequest {
    /// Its name, unique in the process.
    pub name: ComponentName,
    /// CPU on which it runs.
    #[cfg_attr(feature = "openapi", schema(maximum = 127))]
    pub core: u32,
    /// What it does: `forward`, `merge` or `classifier`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^(forward|merge|classifier)$"))]
    pub kind: ComponentKind,
}

/// Body of `POST …/components` of a mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MirrorRequest {
    /// Its name, unique in the process.
    pub name: ComponentName,
    /// CPU on which it runs.
    #[cfg_attr(feature = "openapi", schema(maximum = 127))]
    pub core: u32,
    /// `mirror`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^mirror$"))]
    pub kind: ComponentKind,
}

/// Body of `PUT …/components/{name}/ports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentPortRequest {
    /// `attach` or `detach`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(attach|detach)$"))]
    pub action: String,
    /// The port.
    pub port: PortName,
    /// Side of the component.
    pub dir: Direction,
    /// What is done to VLAN tags; a mirror ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanRequest>,
}

/// Body of `PUT …/components/{name}/settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingRequest {
    /// `copy`, `snap` or `filter` of a mirror, `learn` of a classifier.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(copy|snap|filter|learn)$"))]
    pub key: String,
    /// As in the command: `shallow` or `deep`; bytes or `off`; a filter or `off`; `on`, `on SECONDS` or `off`.
    pub value: String,
}

/// What is done to VLAN tags at a port; `null` and `{}` are `none`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VlanRequest {
    /// `none`, `add` or `del`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(none|add|del)$"))]
    pub operation: String,
    /// VLAN id; needed for `add`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 4095))]
    pub id: Option<u16>,
    /// Priority; needed for `add`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 7))]
    pub pcp: Option<u8>,
}

/// Body of `PUT …/classifier_table`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClassifierRequest {
    /// `add` or `del`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(add|del)$"))]
    pub action: String,
    /// `mac` for packets without a tag, `vlan` for those with one.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(mac|vlan)$"))]
    pub kind: String,
    /// Where such packets go.
    pub port: PortName,
    /// Destination address, or `default` for all that no other entry names.
    pub mac_address: ClassifierMac,
    /// VLAN id, 0 to 4095; needed for type `vlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<NumberOrText>,
}
