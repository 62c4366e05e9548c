//! What is generated from the table of commands and from the options: the reference, the man page,
//! completion for the system's shells.

mod man;
mod reference;
mod shells;

use std::path::Path;

use clap::CommandFactory;

use crate::cli::Options;
use crate::commands::quote;
use crate::commands::spec::Command;
use crate::commands::table::COMMANDS;
use crate::failure::Failure;

/// All generated files: the path in the tree, and the text.
pub fn files() -> Vec<(&'static str, String)> {
    vec![
        ("docs/commands.md", reference::page()),
        ("docs/man/spp.1", man::page()),
        ("completions/spp.bash", shells::bash()),
        ("completions/_spp", shells::zsh()),
        ("completions/spp.fish", shells::fish()),
    ]
}

/// Writes them below a folder.
pub fn write(folder: &str) -> Result<(), Failure> {
    for (name, text) in files() {
        let path = Path::new(folder).join(name);
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| {
                let path = path.display().to_string();
                Failure::refused(format!("Cannot write '{}': {error}", quote(&path)))
            })?;
    }
    Ok(())
}

/// The options, without what differs from build to build.
fn options() -> clap::Command {
    Options::command()
        .version(env!("CARGO_PKG_VERSION"))
        .term_width(100)
        .mut_args(|arg| arg.hide_env_values(true))
}

/// The commands in groups: what stands before them, and the commands themselves. Those of the shell
/// come first; each other group belongs to the entry that names a process.
fn groups() -> Vec<(Option<&'static Command>, Vec<&'static Command>)> {
    let (naming, plain): (Vec<_>, Vec<_>) = COMMANDS
        .iter()
        .partition(|command| !command.inner().is_empty());
    let mut groups: Vec<(Option<&'static Command>, Vec<&'static Command>)> = vec![(None, plain)];
    for command in naming {
        groups.push((Some(command), command.inner().iter().collect()));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, text) in files() {
            let kept = std::fs::read_to_string(root.join(name)).unwrap_or_default();
            assert!(
                kept == text,
                "{name} is not what the table of commands gives: renew it by `cargo run -p spp -- __generate .`"
            );
        }
    }
}
