//! Types of REST that are not replies of processes.

mod request;
mod status;

use serde::{Deserialize, Serialize};

use crate::desired::ProcessName;
use crate::reply::ProcessKind;
pub use request::{
    ClassifierRequest, ComponentPortRequest, ComponentRequest, FlowRequest, FlowRule,
    ForwardRequest, LaunchRequest, MirrorRequest, NumberOrText, PatchRequest, PortRequest,
    SettingRequest, VlanRequest,
};
pub use status::{
    CaptureCore, CaptureStatus, CapturedPort, ClassifierRow, Component, ComponentPort,
    ComponentStatus, ComponentVlan, TableEntry, TablePage,
};

/// An element of `GET /v1/processes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProcessEntry {
    /// Kind of the process.
    #[serde(rename = "type")]
    pub kind: ProcessKind,
    /// Id; absent for the primary.
    #[serde(rename = "client-id", default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<u32>,
}

/// An element of `GET /v1/cpu_usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct CpuUsage {
    /// Kind of the process.
    pub proc_type: ProcessKind,
    /// Id; absent for the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<u32>,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u64,
    /// All CPUs of the process.
    pub lcores: Vec<u64>,
}

/// An element of `GET /v1/cpu_layout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CpuSocket {
    /// Number of the CPU package.
    pub socket_id: u32,
    /// Its cores, ascending.
    pub cores: Vec<CpuCore>,
}

/// A core of a [`CpuSocket`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CpuCore {
    /// Number within the socket.
    pub core_id: u32,
    /// CPUs (hardware threads) of it, ascending.
    pub lcores: Vec<u32>,
}

/// Answer to `GET /v1/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Version {
    /// `spp-ctl`.
    pub name: String,
    /// Version of SPP.
    pub version: String,
}

/// An error of REST for clients that accept `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank`: the status says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The words of the status.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// The reason, in words.
    pub detail: String,
}

/// Answer to `PUT /v1/system`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Applied {
    /// Nothing was changed: these are the commands that would be sent.
    pub dry_run: bool,
    /// The processes of the document.
    pub processes: Vec<AppliedProcess>,
}

/// A process in [`Applied`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppliedProcess {
    /// Which.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub process: ProcessName,
    /// `unchanged`, `planned` or `done`.
    pub result: String,
    /// Commands as they go to the process, in their order.
    pub commands: Vec<String>,
}

/// An element of `GET /v1/differences`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Difference {
    /// Which process.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub process: ProcessName,
    /// `as desired`, `differs`, `not connected` or `not known`.
    pub status: String,
    /// Commands that would lead from what it has to what it shall have.
    pub commands: Vec<String>,
    /// What could not be put back when it registered.
    pub failed: Vec<FailedCommand>,
    /// Why nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A command that did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailedCommand {
    /// As it was sent.
    pub command: String,
    /// The reason.
    pub error: String,
}
