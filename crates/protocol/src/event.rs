//! What changes in a panel, as `GET /v1/events` tells it and `spp watch` reads it.

use serde::{Deserialize, Serialize};

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Counts the events of one run of the controller, from 1, without gaps.
    pub seq: u64,
    /// When the controller saw it: milliseconds since 1970 by its clock.
    pub time_ms: u64,
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
}

/// What changed. Processes are named `primary` or `nfv:1`, ports as the process reports them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Change {
    /// A process is connected. Its ports and patches follow as added.
    ProcessJoined {
        /// The process.
        process: String,
        /// Its version of SPP; `None` for a process of the original.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// Which run of it this is; `None` for a process of the original.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incarnation: Option<String>,
    },
    /// A process is not connected any more; its ports and patches are gone with it.
    ProcessLeft {
        /// The process.
        process: String,
        /// Why, in words.
        reason: String,
        /// It ended on purpose.
        clean: bool,
    },
    /// A process does not answer; what it does is not known until it is back.
    ProcessSilent {
        /// The process.
        process: String,
    },
    /// A process answers again.
    ProcessBack {
        /// The process.
        process: String,
    },
    /// A port is there.
    PortAdded {
        /// The process.
        process: String,
        /// The port.
        port: String,
        /// `up`, `down`, or `-` where the kind has no link or it is not known.
        link: String,
    },
    /// A port is gone.
    PortDeleted {
        /// The process.
        process: String,
        /// The port.
        port: String,
    },
    /// A patch is there.
    PatchAdded {
        /// The process.
        process: String,
        /// Source port.
        src: String,
        /// Destination port.
        dst: String,
    },
    /// A patch is gone.
    PatchDeleted {
        /// The process.
        process: String,
        /// Source port.
        src: String,
        /// Destination port.
        dst: String,
    },
    /// The other end of a port is there.
    LinkUp {
        /// The process.
        process: String,
        /// The port.
        port: String,
    },
    /// The other end of a port is gone.
    LinkDown {
        /// The process.
        process: String,
        /// The port.
        port: String,
    },
    /// A worker of a process has not gone on for a while: it is held, or it came into a loop.
    WorkerStuck {
        /// The process.
        process: String,
        /// The CPU of the worker.
        cpu: u32,
    },
    /// A worker that was stuck goes on, or has ended.
    WorkerBack {
        /// The process.
        process: String,
        /// The CPU of the worker.
        cpu: u32,
    },
    /// A process forwards packets from now on.
    ForwardStarted {
        /// The process.
        process: String,
    },
    /// A process forwards no packets any more.
    ForwardStopped {
        /// The process.
        process: String,
    },
}

impl Change {
    /// Its name, as in the member `event`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ProcessJoined { .. } => "process-joined",
            Self::ProcessLeft { .. } => "process-left",
            Self::ProcessSilent { .. } => "process-silent",
            Self::ProcessBack { .. } => "process-back",
            Self::PortAdded { .. } => "port-added",
            Self::PortDeleted { .. } => "port-deleted",
            Self::PatchAdded { .. } => "patch-added",
            Self::PatchDeleted { .. } => "patch-deleted",
            Self::LinkUp { .. } => "link-up",
            Self::LinkDown { .. } => "link-down",
            Self::WorkerStuck { .. } => "worker-stuck",
            Self::WorkerBack { .. } => "worker-back",
            Self::ForwardStarted { .. } => "forward-started",
            Self::ForwardStopped { .. } => "forward-stopped",
        }
    }
}

/// The first thing that a reader of events is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hello {
    /// Which run of the controller this is: 16 hex digits.
    pub controller: String,
    /// Number of the last event before this: what is read of the panel from now on is at least as
    /// new, and all later events follow.
    pub snapshot: u64,
}

/// Said when events were missed: read the panel anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resync {
    /// Why, in words.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_document() {
        let event = Event {
            seq: 7,
            time_ms: 1,
            change: Change::PatchAdded {
                process: "nfv:1".to_owned(),
                src: "ring:0".to_owned(),
                dst: "vhost:1".to_owned(),
            },
        };
        let text = r#"{"seq":7,"time-ms":1,"event":"patch-added","process":"nfv:1","src":"ring:0","dst":"vhost:1"}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
        assert!(text.contains(event.change.name()));
    }
}
