//! The classifier's table of vf.

use protocol::rest::{TableEntry, TablePage};
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::columns::{Align, lines};

/// `classifier_table add mac MAC PORT`, `classifier_table add vlan VID MAC PORT`
pub fn add(context: &mut Context, args: &Args) -> Outcome {
    change(context, args, "add")
}

/// `classifier_table del mac MAC PORT`, `classifier_table del vlan VID MAC PORT`
pub fn del(context: &mut Context, args: &Args) -> Outcome {
    change(context, args, "del")
}

/// `classifier_table list [OFFSET [COUNT]]`
pub fn list(context: &mut Context, args: &Args) -> Outcome {
    let offset = args.number("OFFSET").unwrap_or(0);
    let count = args.number("COUNT").unwrap_or(100);
    let path = format!(
        "{}/classifier_table?offset={offset}&limit={count}",
        args.target.path()
    );
    let document = context
        .client
        .get(&path)
        .map_err(|failure| in_words(context, args.target, failure))?;
    let page: TablePage = serde_json::from_value(document.clone())
        .map_err(|error| Failure::refused(format!("the table has another form: {error}")))?;
    Ok(Report::new(table(&page), document))
}

/// A part of the table as lines.
fn table(page: &TablePage) -> String {
    let row = |entry: &TableEntry| {
        let component = entry.component.as_deref().unwrap_or("-");
        let hits = entry.hits.to_string();
        let mark = if entry.learned { "learned" } else { "" };
        let cells = [
            entry.row.value.as_str(),
            &entry.row.port,
            component,
            &hits,
            mark,
        ];
        cells.map(str::to_owned).to_vec()
    };
    let rows: Vec<Vec<String>> = page.entries.iter().map(row).collect();
    let head = [
        ("ADDRESS", Align::Left),
        ("PORT", Align::Left),
        ("COMPONENT", Align::Left),
        ("HITS", Align::Right),
        ("", Align::Left),
    ];
    let first = page.offset + usize::from(!rows.is_empty());
    let last = page.offset + rows.len();
    format!(
        "Entries {first} to {last} of {}:\n{}",
        page.total,
        lines(2, &head, &rows)
    )
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
