//! `topo_subgraph`: ports that are drawn together under a label, as long as the shell runs.

use serde_json::json;

use crate::commands::args::Args;
use crate::commands::quote;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::topology::Subgraph;

/// `topo_subgraph`, `topo_subgraph add LABEL PORTS`, `topo_subgraph del LABEL`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let words: Vec<&str> = args
        .words("[add LABEL PORTS|del LABEL]")
        .iter()
        .map(String::as_str)
        .collect();
    match words.as_slice() {
        [] => Ok(list(context)),
        ["add", label, ports @ ..] if !ports.is_empty() => {
            let subgraph = Subgraph::read(label, &ports.join(" "))
                .map_err(|reason| invalid(&words, &format!("{reason}.")))?;
            let found = context
                .subgraphs
                .iter_mut()
                .find(|known| known.label == *label);
            match found {
                Some(known) => *known = subgraph,
                None => context.subgraphs.push(subgraph),
            }
            Ok(Report::done(format!("Add subgraph '{label}'")))
        }
        ["del" | "delete" | "remove", label] => {
            let before = context.subgraphs.len();
            context.subgraphs.retain(|known| known.label != *label);
            if context.subgraphs.len() == before {
                let text = format!(
                    "There is no subgraph '{}': `topo_subgraph` lists them.",
                    quote(label)
                );
                return Err(Failure::refused(text));
            }
            Ok(Report::done(format!("Delete subgraph '{label}'")))
        }
        ["add" | "del" | "delete" | "remove", ..] => Err(invalid(&words, "")),
        // Misspelt as the original does.
        [other, ..] => Err(Failure::usage(format!(
            "Ivalid subcommand '{}'!\n{USAGE}",
            quote(other)
        ))),
    }
}

const USAGE: &str = "Usage: topo_subgraph [add LABEL PORTS | del LABEL]";

fn invalid(words: &[&str], reason: &str) -> Failure {
    let words = quote(&words.join(" "));
    let text = format!("Invalid syntax '{words}'!\n{reason}\n{USAGE}");
    Failure::usage(text.replace("\n\n", "\n"))
}

fn list(context: &Context) -> Report {
    let subgraphs = &context.subgraphs;
    let lines = subgraphs.iter().map(|subgraph| {
        let ports = subgraph.ports.join(";");
        format!("label: {}\tsubgraph: \"{ports}\"", subgraph.label)
    });
    let lines: Vec<_> = lines.collect();
    let shown = |subgraph: &Subgraph| json!({"label": subgraph.label, "ports": subgraph.ports});
    let json = subgraphs.iter().map(shown).collect();
    match lines.is_empty() {
        true => Report::new("No subgraph.", json),
        false => Report::new(lines.join("\n"), json),
    }
}
