//! Replies of processes, byte for byte as the original writes them.

mod flow;
mod info;
mod results;
mod status;

use serde::{Deserialize, Serialize};

use crate::command::{CommandError, NfvCommand, PanelCommand, PrimaryCommand};
use crate::impair::Impairment;
use crate::json;
pub use flow::{FlowReply, FlowStep, Refusal};
pub use info::{ComponentInfo, MAX_SHOWN};
pub use results::{ErrorDetails, ResultEntry, VfReply};
pub use status::{
    ForwarderStatus, NfvStatus, PhyPortStatus, PrimaryStatus, Queues, RingPortStatus,
};

/// Largest reply before `_framing newline`, in bytes: what the original's controller takes.
pub const MAX_BARE_REPLY: usize = 32768;

/// Kind of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ProcessKind {
    /// Owns memory; id 0.
    Primary,
    /// Panel worker.
    Nfv,
    /// Components and classifier.
    Vf,
    /// Copies packets.
    Mirror,
    /// Captures packets.
    Pcap,
}

impl ProcessKind {
    /// The word of the wire and of REST.
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Nfv => "nfv",
            Self::Vf => "vf",
            Self::Mirror => "mirror",
            Self::Pcap => "pcap",
        }
    }

    /// Whether its replies are of the family with a `results` array.
    pub fn has_results(self) -> bool {
        matches!(self, Self::Vf | Self::Mirror | Self::Pcap)
    }
}

impl std::fmt::Display for ProcessKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What a process of ours adds to its registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of SPP.
    pub version: String,
    /// 16 hex digits that change with every start of the process.
    pub incarnation: String,
    /// Framings that it knows beside that of the original: `newline`.
    #[serde(default)]
    pub framing: Vec<String>,
}

/// Reply to `_get_client_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientId {
    /// One element, `success`.
    pub results: Vec<ResultEntry>,
    /// Id of the process; 0 is the primary.
    pub client_id: i64,
    /// Its kind.
    pub process_type: ProcessKind,
    /// Present in processes of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spp: Option<Hello>,
}

impl ClientId {
    /// Registration of a process of ours, which knows newline framing.
    pub fn new(kind: ProcessKind, id: u32, version: &str, incarnation: &str) -> Self {
        Self {
            results: vec![ResultEntry::success()],
            client_id: i64::from(id),
            process_type: kind,
            spp: Some(Hello {
                version: version.to_owned(),
                incarnation: incarnation.to_owned(),
                framing: vec!["newline".to_owned()],
            }),
        }
    }

    /// The bytes of the wire, without a newline, in the form that processes of this kind use.
    pub fn to_json(&self) -> String {
        match self.process_type.has_results() {
            true => json::wide(self),
            false => json::compact(self),
        }
    }
}

/// Source and destination of a patch, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PatchPorts {
    /// Where packets are taken.
    pub src: String,
    /// Where they go; `udf` in the original when that port is gone.
    pub dst: String,
    /// What happens to packets on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::impair::Properties>))]
    pub with: Option<Impairment>,
}

/// Reply of `nfv` and `primary` to a command that asks for nothing but its effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simple {
    /// `succeeded` or `failed`.
    pub result: String,
    /// The command word; empty if there was none.
    pub command: String,
    /// The port of `add`, `del` and `unpatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The ports of `patch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PatchPorts>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Simple {
    /// Reply to a command without ports; an error makes it `failed` with its words.
    pub fn new<E: ToString>(command: &str, result: Result<(), E>) -> Self {
        let error = result.err().map(|error| error.to_string());
        Self {
            result: if error.is_some() {
                "failed"
            } else {
                "succeeded"
            }
            .to_owned(),
            command: command.to_owned(),
            port: None,
            ports: None,
            error,
        }
    }

    /// Reply to `command`, with the ports that belong to it.
    pub fn panel<E: ToString>(command: &PanelCommand, result: Result<(), E>) -> Self {
        let mut reply = Self::new(command.word(), result);
        match command {
            PanelCommand::Add { port, .. }
            | PanelCommand::Del(port)
            | PanelCommand::Unpatch(port) => reply.port = Some(port.to_string()),
            PanelCommand::Patch { src, dst, with, .. } => {
                reply.ports = Some(PatchPorts {
                    src: src.to_string(),
                    dst: dst.to_string(),
                    with: *with,
                });
            }
            _ => {}
        }
        reply
    }

    /// Reply to a command of `nfv`.
    pub fn nfv<E: ToString>(command: &NfvCommand, result: Result<(), E>) -> Self {
        match command {
            NfvCommand::Panel(command) => Self::panel(command, result),
            NfvCommand::SetClientId(_) => Self::new("_set_client_id", result),
        }
    }

    /// Reply to a command of `primary`. Commands of `flow` are answered by [`FlowReply`].
    pub fn primary<E: ToString>(command: &PrimaryCommand, result: Result<(), E>) -> Self {
        match command {
            PrimaryCommand::Panel(command) => Self::panel(command, result),
            PrimaryCommand::Launch { .. } => Self::new("launch", result),
            PrimaryCommand::Unlaunch(_) => Self::new("unlaunch", result),
            PrimaryCommand::Upgrade(_) => Self::new("upgrade", result),
            PrimaryCommand::Flow(_) => Self::new("flow", result),
        }
    }

    /// Reply to a text that is no command.
    pub fn refused(error: &CommandError) -> Self {
        Self::new(error.command(), Err(error))
    }

    /// The bytes of the wire, without a newline.
    pub fn to_json(&self) -> String {
        json::compact(self)
    }
}

#[cfg(test)]
mod tests;
