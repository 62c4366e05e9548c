//! Commands from a file or from a pipe, line by line.

use std::io::{self, BufRead, Read};

use crate::commands;
use crate::context::Context;
use crate::failure::Failure;

/// Longest line that is kept; what is longer is refused as a whole.
const LONGEST_LINE: u64 = 1 << 16;

/// Where lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A script: failures are shown with its name and the number of the line.
    Script(&'a str),
    /// What is typed or piped in: failures are shown as they are.
    Input,
}

/// Runs a file; `-` is `input`. Gives the exit status.
pub fn run_file(
    context: &mut Context,
    path: &str,
    input: &mut dyn BufRead,
    keep_going: bool,
) -> u8 {
    if path == "-" {
        return run(context, Source::Script(path), input, keep_going);
    }
    match std::fs::File::open(path) {
        Ok(file) => run(
            context,
            Source::Script(path),
            &mut io::BufReader::new(file),
            keep_going,
        ),
        Err(error) => {
            let failure = Failure::refused(format!("Cannot read '{path}': {error}"));
            context.print_json_failure(&failure);
            context.print_failure("", &failure);
            failure.code()
        }
    }
}

/// Runs lines until the end, until a command leaves, or until one fails; with `keep_going` the
/// others still run. Gives the exit status: 0, or the highest of those that failed.
pub fn run(
    context: &mut Context,
    source: Source,
    reader: &mut dyn BufRead,
    keep_going: bool,
) -> u8 {
    let mut worst = 0;
    for number in 1.. {
        let result = match next_line(reader) {
            Ok(None) => break,
            Ok(Some(line)) => line.and_then(|line| commands::execute(context, &line)),
            // Nothing more can be read, so going on would never end.
            Err(error) => {
                let failure = Failure::refused(format!("cannot read on: {error}"));
                report(context, source, number, &failure);
                return worst.max(failure.code());
            }
        };
        if let Err(failure) = result {
            report(context, source, number, &failure);
            worst = worst.max(failure.code());
            if !keep_going || failure.is_broken_pipe() {
                break;
            }
        }
        if context.leave {
            break;
        }
    }
    worst
}

fn report(context: &mut Context, source: Source, number: u64, failure: &Failure) {
    match source {
        Source::Script(path) => context.print_failure(&format!("{path}:{number}: "), failure),
        Source::Input => context.print_failure("", failure),
    }
}

/// The next line; `Ok(None)` at the end. A line that is too long or no text is refused in itself.
pub fn next_line(reader: &mut dyn BufRead) -> io::Result<Option<Result<String, Failure>>> {
    let mut bytes = Vec::new();
    if reader.take(LONGEST_LINE).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 == LONGEST_LINE && bytes.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
        let text = format!("The line is longer than {LONGEST_LINE} bytes.");
        return Ok(Some(Err(Failure::usage(text))));
    }
    Ok(Some(String::from_utf8(bytes).map_err(|_| {
        Failure::usage("The line is not UTF-8 text.")
    })))
}
