//! `pcap ID; …`

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::commands::secondary;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::components::{self, CaptureStatus};

/// `pcap ID; status`
pub fn status(context: &mut Context, args: &Args) -> Outcome {
    let (document, status) = secondary::status::<CaptureStatus>(context, args.target)?;
    Ok(Report::new(components::pcap(&status), document))
}

/// `pcap ID; start`
pub fn start(context: &mut Context, args: &Args) -> Outcome {
    set(context, args, "start")?;
    Ok(Report::done("Start packet capture."))
}

/// `pcap ID; stop`
pub fn stop(context: &mut Context, args: &Args) -> Outcome {
    set(context, args, "stop")?;
    Ok(Report::done("Stop packet capture."))
}

fn set(context: &Context, args: &Args, action: &str) -> Result<(), Failure> {
    let path = format!("{}/capture", args.target.path());
    context
        .client
        .put(&path, &json!({"action": action}))
        .map_err(|failure| in_words(context, args.target, failure))
}
