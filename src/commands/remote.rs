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
            Self::Nfv(id) => format!("/v1/nfvs/{id}"),
            Self::Shell => "/v1".to_owned(),
        }
    }

    /// Id under which the controller keeps its details.
    pub fn id(self) -> u32 {
        match self {
            Self::Nfv(id) => id,
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
        Target::Nfv(id) if reason.contains(&format!("sec_id {id} not found")) => {
            let there = match context.client.processes() {
                Ok(processes) => registered(&processes),
                Err(_) => String::new(),
            };
            let text = format!("\"nfv {id}\" does not exist.{there}");
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
