//! `inspect`: what the shell knows of itself.

use serde_json::json;

use crate::address::Address;
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `inspect`
pub fn run(context: &mut Context, _args: &Args) -> Outcome {
    let session = &context.session;
    let servers: Vec<_> = session
        .servers
        .list()
        .iter()
        .map(Address::to_string)
        .collect();
    let config: serde_json::Map<_, _> = session
        .config
        .entries()
        .iter()
        .map(|entry| (entry.key.to_owned(), json!(entry.value)))
        .collect();
    let document = json!({
        "version": crate::cli::VERSION,
        "servers": servers,
        "current": session.servers.current() + 1,
        "config": config,
        "history": session.history.path(),
        "record": session.record.as_ref().map(|record| &record.path),
        "plugins": session.plugins.names().collect::<Vec<_>>(),
        "plugin_folders": session.plugins.folders(),
    });
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::refused(error.to_string()))?;
    Ok(Report::new(text, document))
}
