//! `export`: the running system as a document for `apply`.

use protocol::desired::System;
use serde_json::json;

use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `export`
pub fn run(context: &mut Context, _args: &Args) -> Outcome {
    let system: System = context.client.read("/v1/system")?;
    Ok(Report::new(yaml(&system)?, json!(system)))
}

/// The document as text.
pub fn yaml(system: &System) -> Result<String, Failure> {
    serde_norway::to_string(system)
        .map_err(|error| Failure::refused(format!("the system cannot be written as YAML: {error}")))
}
