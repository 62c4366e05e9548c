//! Help for the commands that read their words themselves.

use container::options::Opt;

use crate::commands::table::COMMANDS;

/// Names of the commands for containers.
pub fn names() -> Vec<&'static str> {
    let name = |command: &crate::commands::spec::Command| command.name;
    let all = COMMANDS.iter().map(name);
    all.filter_map(|name| name.strip_prefix("container "))
        .collect()
}

/// The commands, a line each.
pub fn commands() -> String {
    let all = COMMANDS
        .iter()
        .filter(|command| command.name.starts_with("container "));
    let line = |command: &crate::commands::spec::Command| {
        format!("{}\n    {}", command.usage(""), command.summary)
    };
    all.map(line).collect::<Vec<_>>().join("\n")
}

/// Options, each with what it says.
pub fn options(heading: &str, options: &[Opt]) -> String {
    let mut text = format!("{heading}\n");
    for option in options {
        text.push_str(&format!("  {}\n      {}", option.usage(), option.help));
        if let Some(default) = &option.default {
            text.push_str(&format!(" [default: {default}]"));
        }
        text.push('\n');
    }
    text
}
