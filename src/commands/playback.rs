//! `record` and `playback`: lines to a file, and from one.

use std::path::Path;

use crate::commands::args::Args;
use crate::commands::{execute_line, is_comment, quote, split, told};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::session::record::Record;

/// Lines that begin with these are not written: they end the record.
const UNWRITTEN: [&str; 3] = ["playback", "bye", "exit"];
/// Longest file that is played back, in bytes.
const LONGEST_FILE: u64 = 16 << 20;

/// `record FILE`
pub fn record(context: &mut Context, args: &Args) -> Outcome {
    let path = args.required("FILE")?;
    let record = Record::start(Path::new(path))
        .map_err(|error| Failure::refused(format!("Cannot write '{}': {error}", quote(path))))?;
    let closing = close(context);
    context.session.record = Some(record);
    Ok(Report::done(closing.trim_end()))
}

/// `record stop`
pub fn stop(context: &mut Context, _args: &Args) -> Outcome {
    let closing = close(context);
    if closing.is_empty() {
        return Err(Failure::refused(
            "Nothing is recorded. (`record FILE` begins)",
        ));
    }
    Ok(Report::done(closing.trim_end()))
}

/// Ends a record; gives the line that says so, empty if there was none.
pub fn close(context: &mut Context) -> String {
    match context.session.record.take() {
        Some(_) => "Closing file\n".to_owned(),
        None => String::new(),
    }
}

/// Writes a line that was typed, before it runs, if a record is going on.
pub fn note(context: &mut Context, line: &str) -> Result<(), Failure> {
    let Some(record) = &mut context.session.record else {
        return Ok(());
    };
    let words = split(line);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    if context.session.queue.playing()
        || UNWRITTEN.contains(&word(0))
        || (word(0), word(1)) == ("record", "stop")
    {
        return Ok(());
    }
    let Err(error) = record.write(line.trim_end_matches(['\r', '\n'])) else {
        return Ok(());
    };
    let path = record.path.display();
    let text = format!("The record ends, '{path}' cannot be written: {error}");
    context.session.record = None;
    Err(Failure::refused(text))
}

/// `playback FILE`: its lines wait for their turn until this command is over.
pub fn play(context: &mut Context, args: &Args) -> Outcome {
    let path = args.required("FILE")?;
    let wrong = |reason: String| {
        Failure::refused(format!(
            "Error: File does not exist.\n('{}' cannot be read: {reason})",
            quote(path)
        ))
    };
    let length = std::fs::metadata(path)
        .map_err(|error| wrong(error.to_string()))?
        .len();
    if length > LONGEST_FILE {
        return Err(wrong(format!("it is longer than {LONGEST_FILE} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    context
        .session
        .queue
        .add(path, &text)
        .map_err(Failure::refused)?;
    Ok(Report::done(close(context).trim_end()))
}

/// Runs the lines that wait. Those that fail are told and do not stop the others; the failure that
/// is given says how many there were.
pub fn drain(context: &mut Context) -> Result<(), Failure> {
    let json = context.json;
    let (mut ran, mut failed, mut worst) = (0, 0, 0);
    while let Some(queued) = context.session.queue.next() {
        if context.leave || context.interrupted() {
            break;
        }
        let line = queued.line.trim();
        ran += 1;
        let result = echo(context, line).and_then(|()| execute_line(context, line));
        let result = told(context, result);
        context.json = json;
        if let Err(failure) = result {
            if matches!(failure, Failure::Output(_)) {
                context.session.queue.clear();
                return Err(failure);
            }
            context.print_failure(&queued.place, &failure);
            failed += 1;
            worst = worst.max(failure.code());
        }
    }
    let left = context.session.queue.clear();
    if left > 0 && !context.leave {
        return Err(Failure::refused(format!(
            "Interrupted: {left} lines of the playback were not run."
        )));
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Several {
            text: format!("{failed} of {ran} lines of the playback failed (see above)."),
            code: worst,
        }),
    }
}

fn echo(context: &mut Context, line: &str) -> Result<(), Failure> {
    // A comment shows itself; documents are not to be mixed with other lines.
    if !is_comment(line) && !context.json {
        writeln!(context.out, "# {line}")?;
        context.out.flush()?;
    }
    Ok(())
}
