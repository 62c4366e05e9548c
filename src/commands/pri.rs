//! `pri; status`, and what the other commands of the primary have in common.

use protocol::reply::{ForwarderStatus, PrimaryStatus};
use serde_json::Value;

use crate::commands::args::Args;
use crate::commands::nfv::with_detail;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render;

/// `pri; status`: the original's lines, then our own sections.
pub fn status(context: &mut Context, _args: &Args) -> Outcome {
    let document = get(context)?;
    let status = parse(&document)?;
    let detail = context.client.detail(Target::Primary.id())?;
    let mut text = render::status::primary(&status);
    if let Some(detail) = &detail {
        text.push_str(&render::counters::process(detail));
        text.push_str(&render::launched::section(detail));
    }
    Ok(Report::new(text, with_detail(document, &detail)))
}

/// The forwarder of the primary, or why there is none.
pub fn read_forwarder(context: &Context) -> Result<ForwarderStatus, Failure> {
    read(context)?.forwarder.ok_or_else(|| {
        Failure::refused("No forwarder is running. (the primary needs two or more lcores for one)")
    })
}

/// For the primary: refuses if it has no forwarder. A controller of the original would report
/// success for commands that such a primary cannot carry out.
pub fn needs_forwarder(context: &Context, target: Target) -> Result<(), Failure> {
    match target {
        Target::Primary => read_forwarder(context).map(drop),
        _ => Ok(()),
    }
}

/// Status of the primary.
pub fn read(context: &Context) -> Result<PrimaryStatus, Failure> {
    parse(&get(context)?)
}

fn get(context: &Context) -> Result<Value, Failure> {
    context
        .client
        .get("/v1/primary/status")
        .map_err(|failure| in_words(context, Target::Primary, failure))
}

fn parse(document: &Value) -> Result<PrimaryStatus, Failure> {
    serde_json::from_value(document.clone()).map_err(|error| {
        Failure::refused(format!(
            "the status of the primary has another form: {error}"
        ))
    })
}
