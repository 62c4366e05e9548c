//! `spp.1`: options by clap's generator, commands by our own.

use clap_mangen::Man;

use super::{groups, options};
use crate::cli::EXIT_STATUS;
use crate::commands::spec::Command;

/// The page as a whole.
pub fn page() -> String {
    let man = Man::new(options());
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = man
        .render_title(&mut bytes)
        .and_then(|()| man.render_name_section(&mut bytes))
        .and_then(|()| man.render_synopsis_section(&mut bytes))
        .and_then(|()| man.render_description_section(&mut bytes))
        .and_then(|()| man.render_options_section(&mut bytes));
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.push_str(".SH COMMANDS\n");
    paragraph(
        &mut text,
        "Typed in the shell, given to the program, or read from a file. [...] may be left out, A|B is one of them.",
    );
    for (naming, commands) in groups() {
        let (heading, prefix) = match naming {
            None => ("The shell".to_owned(), String::new()),
            Some(naming) => (naming.summary.to_owned(), naming.prefix()),
        };
        text.push_str(&format!(".SS {}\n", plain(&heading)));
        for command in commands {
            entry(&mut text, command, &prefix);
        }
    }
    text.push_str(".SH \"EXIT STATUS\"\n");
    for line in EXIT_STATUS.lines().skip(1) {
        match line.trim_start().split_once("  ") {
            Some((code, meaning)) => {
                text.push_str(&format!(".TP\n.B {code}\n{}\n", plain(meaning)));
            }
            None => paragraph(&mut text, line),
        }
    }
    text.push_str(".SH FILES\n.TP\n.B ~/.spp_history\nLines that were typed.\n");
    text.push_str(".TP\n.B ~/.config/spp/plugins\nPrograms that `load_cmd` makes commands.\n");
    text.push_str(".SH \"SEE ALSO\"\n");
    text.push_str(".I shell.md\nand\n.I commands.md\nin share/doc/spp/docs below the folder that SPP is installed in\n");
    text
}

fn entry(text: &mut String, command: &Command, prefix: &str) {
    text.push_str(&format!(
        ".TP\n.B {}\n{}\n",
        plain(&command.usage(prefix)),
        plain(command.summary)
    ));
    for line in command.details.lines() {
        text.push_str(&format!(".br\n{}\n", plain(line.trim_start())));
    }
}

fn paragraph(text: &mut String, words: &str) {
    text.push_str(&format!(".PP\n{}\n", plain(words)));
}

/// Text in which troff finds nothing to obey.
fn plain(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('…', "...")
        .replace('`', "\\(ga");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}
