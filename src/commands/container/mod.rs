//! `container …`: DPDK applications in containers. What they are and how they start is in the crate of that name.

mod build;
mod demo;
mod dev;
mod foreground;
mod help;
mod run;
mod running;

use std::path::PathBuf;

use container::Error;
use container::app::{self, App};
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::words::{NO_PROGRAM, Words};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::columns::{self, Align};

pub use build::build;
pub use demo::{CASES as DEMOS, demo};
pub use dev::dev;
pub use foreground::interruptible;
pub use help::names;
pub use run::run;
pub use running::{exec, logs, ps, stop};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Usage(_) | Error::App { .. } => Failure::usage(error.to_string()),
            Error::Refused(_) | Error::Engine(_) | Error::Io { .. } => {
                Failure::refused(error.to_string())
            }
        }
    }
}

/// `container`
pub fn overview(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "COMMAND", NO_PROGRAM);
    match taken.words.first() {
        Some(word) => Err(Failure::usage(format!(
            "'{word}' is no command for containers.\n{}",
            help::commands()
        ))),
        None => Ok(Report::new(help::commands(), json!(help::names()))),
    }
}

/// The folder that `--apps` names.
fn folder(words: &[String]) -> Option<PathBuf> {
    let inline = |word: &String| word.strip_prefix("--apps=").map(PathBuf::from);
    words.iter().find_map(inline).or_else(|| {
        let at = words.iter().position(|word| word == "--apps")?;
        words.get(at + 1).map(PathBuf::from)
    })
}

/// `container apps [--apps DIR]`
pub fn apps(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "[--apps DIR]", NO_PROGRAM);
    let folder = folder(&taken.words);
    let expected = match &folder {
        Some(_) if taken.words.len() > 1 && taken.words[0] == "--apps" => 2,
        Some(_) => 1,
        None => 0,
    };
    if let Some(word) = taken.words.get(expected) {
        return Err(Failure::usage(format!(
            "'{word}' has no meaning here.\nUsage: container apps [--apps DIR]"
        )));
    }
    let apps = app::all(folder.as_deref())?;
    let file = |app: &App| app.file.as_ref().map(|path| path.display().to_string());
    let row = |app: &App| vec![app.name.clone(), app.image.clone(), app.summary.clone()];
    let header = [
        ("APP", Align::Left),
        ("IMAGE", Align::Left),
        ("WHAT", Align::Left),
    ];
    let rows: Vec<Vec<String>> = apps.iter().map(row).collect();
    let documents: Vec<_> = apps
        .iter()
        .map(|app| {
            json!({"name": app.name, "image": app.image, "binary": app.binary, "summary": app.summary, "file": file(app)})
        })
        .collect();
    Ok(Report::new(
        columns::lines(0, &header, &rows),
        json!(documents),
    ))
}
