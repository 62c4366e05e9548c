//! `forward`, `stop`, `clear`: alike for nfv and primary.

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::pri;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::context::{Context, Outcome, Report};

/// `forward`
pub fn forward(context: &mut Context, args: &Args) -> Outcome {
    set(context, args, "start")?;
    Ok(Report::done("Start forwarding."))
}

/// `stop`
pub fn stop(context: &mut Context, args: &Args) -> Outcome {
    set(context, args, "stop")?;
    Ok(Report::done("Stop forwarding."))
}

fn set(context: &Context, args: &Args, action: &str) -> Result<(), crate::failure::Failure> {
    pri::needs_forwarder(context, args.target)?;
    let path = format!("{}/forward", args.target.path());
    context
        .client
        .put(&path, &json!({"action": action}))
        .map_err(|failure| in_words(context, args.target, failure))
}

/// `clear`
pub fn clear(context: &mut Context, args: &Args) -> Outcome {
    let what = match args.target {
        Target::Nfv(_) => "counters",
        _ => "status",
    };
    let path = format!("{}/{what}", args.target.path());
    context
        .client
        .delete(&path)
        .map_err(|failure| in_words(context, args.target, failure))?;
    Ok(Report::done("Clear port statistics."))
}
