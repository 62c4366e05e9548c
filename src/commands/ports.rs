//! `add`, `del`, `patch`, `patch reset`, `unpatch`: alike for nfv and primary.

use protocol::impair::Impairment;
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::commands::{nfv, pri};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `add PORT [server|client]`
pub fn add(context: &mut Context, args: &Args) -> Outcome {
    let port = args.port("PORT")?;
    let mut body = json!({"action": "add", "port": port.to_string()});
    if let Some(mode) = args.word("MODE") {
        if port.kind() != "vhost" {
            let text = format!(
                "Only a vhost port is '{mode}' of its socket, not {}.",
                port.report()
            );
            return Err(Failure::usage(text));
        }
        body["mode"] = json!(mode);
    }
    put(context, args, "ports", &body)?;
    Ok(Report::done(format!("Add {}.", port.report())))
}

/// `del PORT`
pub fn del(context: &mut Context, args: &Args) -> Outcome {
    let port = args.port("PORT")?;
    if port.kind() == "phy" {
        return Err(Failure::refused(format!(
            "Cannot delete phy port '{}'.",
            port.report()
        )));
    }
    // The process takes the patches of the port out; the user is told which.
    let path = args.target.path();
    let patches = match args.target {
        Target::Nfv(_) => nfv::read(context, args.target)?.patches,
        _ => pri::read_forwarder(context)?.patches,
    };
    let name = port.report();
    let body = json!({"action": "del", "port": port.to_string()});
    context
        .client
        .put(&format!("{path}/ports"), &body)
        .map_err(|failure| in_words(context, args.target, failure))?;
    let mut text = String::new();
    for patch in patches
        .iter()
        .filter(|patch| patch.src == name || patch.dst == name)
    {
        text.push_str(&format!("Unpatch ({} -> {}).\n", patch.src, patch.dst));
    }
    text.push_str(&format!("Delete {name}."));
    Ok(Report::done(text))
}

/// `patch SRC DST [on CPU] [with IMPAIRMENT]`
pub fn patch(context: &mut Context, args: &Args) -> Outcome {
    let (src, dst) = (args.port("SRC")?, args.port("DST")?);
    let mut body = json!({"src": src.to_string(), "dst": dst.to_string()});
    let mut on = String::new();
    if let Some(cpu) = args.number("CPU") {
        body["lcore"] = json!(cpu);
        on = format!(" on {cpu}");
    }
    let mut link = String::new();
    let with: Vec<&str> = args
        .words("IMPAIRMENT")
        .iter()
        .map(String::as_str)
        .collect();
    if !with.is_empty() {
        let with =
            Impairment::of_words(&with).map_err(|error| Failure::usage(format!("{error}.")))?;
        body["with"] = json!(with);
        link = format!(" with {with}");
    }
    put(context, args, "patches", &body)?;
    Ok(Report::done(format!(
        "Patch ports ({} -> {}){on}{link}.",
        src.report(),
        dst.report()
    )))
}

/// `patch reset`
pub fn reset(context: &mut Context, args: &Args) -> Outcome {
    delete(context, args, "patches")?;
    Ok(Report::done("Clear all of patches."))
}

/// `unpatch SRC`
pub fn unpatch(context: &mut Context, args: &Args) -> Outcome {
    let src = args.port("SRC")?;
    delete(context, args, &format!("patches/{src}"))?;
    Ok(Report::done(format!("Unpatch {}.", src.report())))
}

fn put(
    context: &Context,
    args: &Args,
    what: &str,
    body: &serde_json::Value,
) -> Result<(), Failure> {
    pri::needs_forwarder(context, args.target)?;
    let path = format!("{}/{what}", args.target.path());
    context
        .client
        .put(&path, body)
        .map_err(|failure| in_words(context, args.target, failure))
}

fn delete(context: &Context, args: &Args, what: &str) -> Result<(), Failure> {
    pri::needs_forwarder(context, args.target)?;
    let path = format!("{}/{what}", args.target.path());
    context
        .client
        .delete(&path)
        .map_err(|failure| in_words(context, args.target, failure))
}
