//! The operator's command of SPP: a shell, single commands, scripts.

#![forbid(unsafe_code)]

mod access;
mod address;
mod cli;
mod client;
mod commands;
mod complete;
mod context;
mod events;
mod failure;
mod rates;
mod render;
mod script;
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
use crate::context::Context;
use crate::script::Source;
use crate::style::Style;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os()) {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    let mut out = BufWriter::new(io::stdout());
    let mut err = io::stderr();
    let access = match Access::read(&options) {
        Ok(access) => access,
        Err(failure) => {
            eprintln!("spp: {failure}");
            return ExitCode::from(failure.code());
        }
    };
    let mut context = Context {
        client: Client::new(options.bind_addr.clone()).secured(access),
        out: &mut out,
        err: &mut err,
        json: options.json,
        style: Style::detect(),
        full_screen: io::stdin().is_terminal() && io::stdout().is_terminal(),
        interrupt: Default::default(),
        subgraphs: Vec::new(),
        leave: false,
    };
    let typed = io::stdin().is_terminal();
    // Not locked: the line editor reads from it too.
    let mut input = BufReader::new(io::stdin());
    ExitCode::from(run(&mut context, &options, typed, &mut input))
}

/// Does what the options say; gives the exit status. `typed`: somebody sits at the input.
fn run(context: &mut Context, options: &Options, typed: bool, input: &mut dyn BufRead) -> u8 {
    if let Some(path) = &options.file {
        return script::run_file(context, path, input, options.keep_going);
    }
    let result = if !options.command.is_empty() {
        commands::execute(context, &options.command.join(" "))
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
