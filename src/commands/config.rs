//! `config`: how the shell works.

use serde_json::{Map, Value, json};

use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};

/// `config`, `config KEY`, `config KEY VALUE`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    // As in the original all quotes go, and blanks within the value stay.
    let text = args.text.replace(['"', '\''], "");
    match text.split_once(' ') {
        Some((key, value)) => {
            context.session.config.set(key, value)?;
            Ok(Report::done(format!("Set {key}: \"{value}\"")))
        }
        None => Ok(show(context, &text)),
    }
}

/// The entry `key`, or all whose keys begin with it.
fn show(context: &Context, key: &str) -> Report {
    let entries = context.session.config.entries();
    let exact: Vec<_> = entries.iter().filter(|entry| entry.key == key).collect();
    let shown = match exact.is_empty() {
        true => entries
            .iter()
            .filter(|entry| entry.key.starts_with(key))
            .collect(),
        false => exact,
    };
    let mut text = String::new();
    let mut members = Map::new();
    for entry in shown {
        let (key, value, description) = (entry.key, &entry.value, &entry.description);
        text.push_str(&format!("- {key}: \"{value}\"\t# {description}\n"));
        members.insert(key.to_owned(), json!({"val": value, "desc": description}));
    }
    Report::new(text, Value::Object(members))
}
