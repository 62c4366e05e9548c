//! Paths of the resources of a process, and its refusals in the words of the original's shell.

use protocol::rest::ProcessEntry;

use crate::commands::spec::Target;
use crate::context::Context;
use crate::failure::Failure;

impl Target {
    /// Path of the process, without a slash at the end.
    pub fn path(self) -> String {
        match self {
            Self::Primary => "/v1/primary".to_owned(),
            Self::Shell => "/v1".to_owned(),
            _ => format!("/v1/{}s/{}", self.kind(), self.id()),
        }
    }

    /// Kind of the process; `primary` if it is none with an id.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Nfv(_) => "nfv",
            Self::Vf(_) => "vf",
            Self::Mirror(_) => "mirror",
            Self::Pcap(_) => "pcap",
            Self::Primary | Self::Shell => "primary",
        }
    }

    /// Id under which the controller keeps its details.
    pub fn id(self) -> u32 {
        match self {
            Self::Nfv(id) | Self::Vf(id) | Self::Mirror(id) | Self::Pcap(id) => id,
            Self::Primary | Self::Shell => 0,
        }
    }
}

/// Puts a missing process in the words of the original's shell, and says which are there.
pub fn in_words(context: &Context, target: Target, failure: Failure) -> Failure {
    if failure.status() != Some(404) {
        return failure;
    }
    let reason = failure.to_string();
    match target {
        Target::Primary if reason.contains("primary not found") => Failure::Refused {
            text: "No spp_primary is running.".to_owned(),
            status: Some(404),
        },
        Target::Nfv(id) | Target::Vf(id) | Target::Mirror(id) | Target::Pcap(id)
            if reason.contains(&format!("sec_id {id} not found")) =>
        {
            let there = match context.client.processes() {
                Ok(processes) => registered(&processes),
                Err(_) => String::new(),
            };
            let text = format!("\"{} {id}\" does not exist.{there}", target.kind());
            Failure::Refused {
                text,
                status: Some(404),
            }
        }
        _ => failure,
    }
}

/// ` (registered: primary, nfv:1)`.
pub fn registered(processes: &[ProcessEntry]) -> String {
    let names: Vec<_> = processes
        .iter()
        .map(|process| match process.client_id {
            Some(id) => format!("{}:{id}", process.kind),
            None => process.kind.to_string(),
        })
        .collect();
    match names.is_empty() {
        true => " (no process is registered)".to_owned(),
        false => format!(" (registered: {})", names.join(", ")),
    }
}
