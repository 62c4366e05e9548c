//! What all processes have in common.

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `exit`: ends the process.
pub fn exit(context: &mut Context, args: &Args) -> Outcome {
    let target = args.target;
    context
        .client
        .delete(&target.path())
        .map_err(|failure| in_words(context, target, failure))?;
    Ok(Report::done(match target {
        Target::Primary | Target::Shell => "Exit primary".to_owned(),
        _ => exit_line(target.kind(), target.id()),
    }))
}

/// The original's lines: only that of nfv has no full stop.
pub fn exit_line(kind: &str, id: u32) -> String {
    let stop = if kind == "nfv" { "" } else { "." };
    format!("Exit {kind} {id}{stop}")
}

/// The status of a process, in the form that REST gives it.
pub fn status<T: serde::de::DeserializeOwned>(
    context: &Context,
    target: Target,
) -> Result<(serde_json::Value, T), Failure> {
    let document = context
        .client
        .get(&target.path())
        .map_err(|failure| in_words(context, target, failure))?;
    let status = serde_json::from_value(document.clone()).map_err(|error| {
        Failure::refused(format!(
            "the status of {} {} has another form: {error}",
            target.kind(),
            target.id()
        ))
    })?;
    Ok((document, status))
}
