//! `docs/commands.md`: every command, with its resources of REST and what the wire carries.

use super::{groups, options};
use crate::cli::EXIT_STATUS;
use crate::commands::spec::Command;

/// The page as a whole.
pub fn page() -> String {
    let mut text = String::from(
        "# Commands\n\n\
         Generated from the table of commands (`src/commands/table.rs`) by `cargo run -p spp -- __generate .`; a test\n\
         checks that it is current. How the shell is used: [shell.md](shell.md).\n\n\
         A command is typed in the shell, given to the program (`spp nfv 1 add vhost:1`) or read from a file\n\
         (`spp -f FILE`). `[…]` may be left out, `A|B` is one of them. `--json` at the end of a line gives the result as\n\
         JSON, `--help` this help.\n\n\
         Below each command: the resources of REST that it uses, and what the controller then says to the process.\n\n\
         ## The program\n\n```text\n",
    );
    let help = options().disable_help_flag(false).render_long_help();
    text.push_str(&lines_without_trailing_blanks(&help.to_string()));
    text.push_str(&format!("\n{EXIT_STATUS}\n```\n"));
    for (naming, commands) in groups() {
        let (prefix, base) = match naming {
            None => {
                text.push_str("\n## The shell\n");
                (String::new(), String::new())
            }
            Some(naming) => {
                text.push_str(&format!("\n## {}\n", naming.name));
                if !naming.details.is_empty() {
                    text.push_str(&format!("\n{}\n", naming.details));
                }
                (naming.prefix(), naming.base())
            }
        };
        for command in commands {
            entry(&mut text, command, &prefix, &base);
        }
    }
    text
}

fn entry(text: &mut String, command: &Command, prefix: &str, base: &str) {
    text.push_str(&format!(
        "\n### `{}`\n\n{}.\n",
        command.usage(prefix),
        sentence(command.summary)
    ));
    if !command.aliases.is_empty() {
        text.push_str(&format!("\nAlso: `{}`.\n", command.aliases.join("`, `")));
    }
    if !command.details.is_empty() {
        text.push('\n');
        for line in command.details.lines() {
            text.push_str(&format!("    {}\n", line.trim_start()));
        }
    }
    let list = |name: &str, items: Vec<String>| match items.is_empty() {
        true => String::new(),
        false => format!("- {name}: `{}`\n", items.join("`, `")),
    };
    let wire = command.wire.iter().map(|form| (*form).to_owned()).collect();
    let lists = list("REST", command.resources(base)) + &list("wire", wire);
    if !lists.is_empty() {
        text.push_str(&format!("\n{lists}"));
    }
}

fn sentence(summary: &str) -> String {
    let mut letters = summary.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn lines_without_trailing_blanks(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
