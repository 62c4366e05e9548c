//! The operator's command of SPP: a shell, single commands, scripts. A library only so that the fuzzers reach what reads
//! files and lines; the program is [`main`].

#![forbid(unsafe_code)]

mod access;
mod address;
mod cli;
mod client;
mod commands;
mod complete;
mod context;
mod events;
mod extcap;
mod failure;
mod generate;
mod programs;
mod rates;
mod render;
mod script;
mod session;
mod shell;
mod style;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topology;

use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal};
use std::process::ExitCode;

use crate::access::Access;
use crate::cli::Options;
use crate::client::Client;
use crate::complete::Completion;
use crate::context::Context;
use crate::failure::Failure;
use crate::script::Source;
use crate::session::Session;
use crate::session::config::Config;
use crate::session::history::History;
use crate::session::plugins::Plugins;
use crate::session::servers::Servers;
use crate::style::Style;

/// For the fuzzers: what reads files, without carrying anything out.
#[doc(hidden)]
pub mod fuzz {
    pub use crate::commands::{configuration, document, script, split};
}

/// The program: reads its arguments, gives its exit status.
pub fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os()) {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    let mut out = BufWriter::new(io::stdout());
    let mut err = io::stderr();
    let session = match session(&options) {
        Ok(session) => session,
        Err(failure) => {
            eprintln!("{failure}");
            return ExitCode::from(failure.code());
        }
    };
    let access = match Access::read(&options) {
        Ok(access) => access,
        Err(failure) => {
            eprintln!("spp: {failure}");
            return ExitCode::from(failure.code());
        }
    };
    let address = options.bind_addr.first().cloned().unwrap_or_default();
    let mut context = Context {
        client: Client::new(address).secured(access),
        out: &mut out,
        err: &mut err,
        json: options.json,
        style: Style::detect(),
        full_screen: io::stdin().is_terminal() && io::stdout().is_terminal(),
        interrupt: Default::default(),
        subgraphs: Vec::new(),
        leave: false,
        session,
    };
    let typed = io::stdin().is_terminal();
    // Not locked: the line editor reads from it too.
    let mut input = BufReader::new(io::stdin());
    ExitCode::from(run(&mut context, &options, typed, &mut input))
}

/// What the options and the environment say of the shell itself.
fn session(options: &Options) -> Result<Session, Failure> {
    let config = options.config.as_deref().map(Config::load).transpose()?;
    Ok(Session {
        config: config.unwrap_or_default(),
        servers: Servers::new(options.bind_addr.clone()),
        history: History::at_home(std::env::var_os("HOME")),
        plugins: Plugins::from_environment(),
        ..Session::default()
    })
}

/// Does what the options say; gives the exit status. `typed`: somebody sits at the input.
fn run(context: &mut Context, options: &Options, typed: bool, input: &mut dyn BufRead) -> u8 {
    if options.wait_pri
        && let Err(failure) = commands::wait_for_primary(context)
    {
        // Who types sees it, and may wait longer.
        if !typed {
            context.print_json_failure(&failure);
            context.print_failure("", &failure);
            return failure.code();
        }
    }
    if let Some(path) = &options.file {
        return script::run_file(context, path, input, options.keep_going);
    }
    let words: Vec<&str> = options.command.iter().map(String::as_str).collect();
    let result = if let Some(result) = hidden(context, &words) {
        result
    } else if !words.is_empty() {
        commands::execute(context, &commands::line(&options.command))
    } else if typed {
        shell::run(context)
    } else {
        return script::run(context, Source::Input, input, true);
    };
    match result {
        Ok(()) => 0,
        Err(failure) => {
            context.print_failure("", &failure);
            failure.code()
        }
    }
}

/// Commands for other programs: completion for the system's shells, what is generated from the
/// table of commands, and what Wireshark asks.
fn hidden(context: &mut Context, words: &[&str]) -> Option<Result<(), Failure>> {
    match *words {
        ["__complete", line] => Some(offer(context, line)),
        ["__generate", folder] => Some(generate::write(folder)),
        ["extcap", ref words @ ..] => Some(extcap::run(context, words)),
        _ => None,
    }
}

/// Writes candidates, one a line; a blank at the end says that nothing more belongs to the word.
fn offer(context: &mut Context, line: &str) -> Result<(), Failure> {
    let found = Completion::new(&context.client, &context.session).complete(line);
    for word in found.words {
        // The system's shell would take a semicolon for itself; the command does without.
        writeln!(context.out, "{}", word.replace(';', ""))?;
    }
    context.out.flush()?;
    Ok(())
}
