//! The classifier's table of vf.

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::context::{Context, Outcome, Report};

/// `classifier_table add mac MAC PORT`, `classifier_table add vlan VID MAC PORT`
pub fn add(context: &mut Context, args: &Args) -> Outcome {
    change(context, args, "add")
}

/// `classifier_table del mac MAC PORT`, `classifier_table del vlan VID MAC PORT`
pub fn del(context: &mut Context, args: &Args) -> Outcome {
    change(context, args, "del")
}

fn change(context: &Context, args: &Args, action: &str) -> Outcome {
    let vlan = args.number("VID");
    let mut body = json!({
        "action": action,
        "type": if vlan.is_some() { "vlan" } else { "mac" },
        "mac_address": args.required("MAC")?,
        "port": args.port("PORT")?.to_string(),
    });
    if let Some(vlan) = vlan {
        // As the original's shell sends it.
        body["vlan"] = json!(vlan.to_string());
    }
    let path = format!("{}/classifier_table", args.target.path());
    context
        .client
        .put(&path, &body)
        .map_err(|failure| in_words(context, args.target, failure))?;
    Ok(Report::done(format!("Succeeded to {action}")))
}
