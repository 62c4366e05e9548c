//! `env`, `pwd`, `cd`: what programs started from here would find.

use std::collections::BTreeMap;
use std::env;

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::files::no_folder;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `env [PREFIX]`
pub fn env(_context: &mut Context, args: &Args) -> Outcome {
    let prefix = args.word("PREFIX").unwrap_or_default();
    let found: BTreeMap<String, String> = env::vars_os()
        .map(|(name, value)| {
            let text = |raw: std::ffi::OsString| raw.to_string_lossy().into_owned();
            (text(name), text(value))
        })
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    let text: String = found
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    Ok(Report::new(text, json!(found)))
}

/// `pwd`
pub fn pwd(_context: &mut Context, _args: &Args) -> Outcome {
    current()
}

/// `cd FOLDER`
pub fn cd(_context: &mut Context, args: &Args) -> Outcome {
    let folder = args.required("FOLDER")?;
    env::set_current_dir(folder).map_err(|error| no_folder(folder, &error))?;
    current()
}

fn current() -> Outcome {
    let folder = env::current_dir()
        .map_err(|error| Failure::refused(format!("The current folder is not there: {error}")))?;
    Ok(Report::new(folder.display().to_string(), json!(folder)))
}
