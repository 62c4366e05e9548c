//! The shell: lines from a terminal, with history and completion.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustyline::completion::{Completer, Pair};
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Editor, Helper};

use crate::commands;
use crate::complete::{Candidates, Completion};
use crate::context::Context;
use crate::failure::Failure;
use crate::session::history::settings;

const WELCOME: &str = "Welcome to the SPP CLI. Type `help` or `?` to list commands.\n";
/// Lines beginning with these are remembered, but are no occasion to write the history.
const UNWRITTEN: [&str; 4] = ["bye", "exit", "history", "redo"];

/// What lines are typed for.
pub trait Room {
    /// Says what it has to say before the first line.
    fn begin(&mut self, context: &mut Context) -> Result<(), Failure>;
    /// What stands before a line.
    fn prompt(&self, context: &Context) -> String;
    /// What offers words: is given the line up to the cursor.
    fn offers(&self, context: &Context) -> Offers;
    /// Carries out a line.
    fn run(&mut self, context: &mut Context, line: &str) -> Result<(), Failure>;
    /// What the end of the input (Ctrl-D) stands for.
    fn end(&mut self, context: &mut Context) -> Result<(), Failure>;
    /// No further line is wanted.
    fn is_over(&self, context: &Context) -> bool;
}

/// Gives candidates for the last word of a line.
pub type Offers = Box<dyn Fn(&str) -> Candidates>;

/// All commands.
struct Whole;

impl Room for Whole {
    fn begin(&mut self, context: &mut Context) -> Result<(), Failure> {
        writeln!(context.out, "{WELCOME}")?;
        if let Err(failure) = context.client.processes() {
            context.print_failure("", &failure);
        }
        Ok(())
    }

    fn prompt(&self, context: &Context) -> String {
        context.session.config.get("prompt").to_owned()
    }

    fn offers(&self, context: &Context) -> Offers {
        let completion = Completion::new(&context.client, &context.session);
        Box::new(move |head| completion.complete(head))
    }

    fn run(&mut self, context: &mut Context, line: &str) -> Result<(), Failure> {
        commands::execute(context, line)
    }

    fn end(&mut self, context: &mut Context) -> Result<(), Failure> {
        commands::execute(context, "exit")
    }

    fn is_over(&self, context: &Context) -> bool {
        context.leave
    }
}

/// Reads and runs lines until the user leaves. Commands that fail do not end it.
pub fn run(context: &mut Context) -> Result<(), Failure> {
    stay(context, &mut Whole)
}

/// Reads lines and runs them in a room until it is left.
pub fn stay(context: &mut Context, room: &mut dyn Room) -> Result<(), Failure> {
    // Outside the line editor Ctrl-C ends the command that runs, not the shell.
    let interrupt = Arc::clone(&context.interrupt);
    let signal = signal_hook::flag::register(signal_hook::consts::SIGINT, interrupt)?;
    let result = lines(context, room);
    signal_hook::low_level::unregister(signal);
    result
}

fn lines(context: &mut Context, room: &mut dyn Room) -> Result<(), Failure> {
    let mut editor: Editor<LineHelper, FileHistory> =
        Editor::with_config(settings()).map_err(no_terminal)?;
    editor.set_completion_type(CompletionType::List);
    let history = History::open(context, &mut editor);
    room.begin(context)?;
    context.out.flush()?;
    while !room.is_over(context) {
        // The controller, the configuration or the plugins may be others by now.
        editor.set_helper(Some(LineHelper {
            offers: room.offers(context),
        }));
        match editor.readline(&room.prompt(context)) {
            Ok(line) => {
                context.interrupt.store(false, Ordering::Relaxed);
                if !line.trim().is_empty() {
                    editor
                        .add_history_entry(line.as_str())
                        .map_err(no_terminal)?;
                }
                run_line(context, room, &line)?;
                history.write(context, &mut editor, &line);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => {
                room.end(context)?;
            }
            Err(error) => return Err(no_terminal(error)),
        }
    }
    Ok(())
}

fn run_line(context: &mut Context, room: &mut dyn Room, line: &str) -> Result<(), Failure> {
    match room.run(context, line) {
        Ok(()) => {}
        // Without an output there is no use in going on.
        Err(failure @ Failure::Output(_)) => return Err(failure),
        Err(failure) => {
            let text = context.style.alarm(&failure.to_string());
            writeln!(context.err, "{text}")?;
        }
    }
    context.out.flush()?;
    Ok(())
}

fn no_terminal(error: ReadlineError) -> Failure {
    Failure::refused(format!("cannot read from the terminal: {error}"))
}

/// Keeps the file of earlier lines.
struct History {
    path: Option<PathBuf>,
    warned: Cell<bool>,
}

impl History {
    /// Makes the file if it is not there, and reads it.
    fn open(context: &mut Context, editor: &mut Editor<LineHelper, FileHistory>) -> Self {
        let history = Self {
            path: context.session.history.path().map(PathBuf::from),
            warned: Cell::new(false),
        };
        if let Some(path) = &history.path {
            // Others are not to read what was typed.
            let made = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path);
            let result = made
                .map_err(ReadlineError::from)
                .and_then(|_| editor.load_history(path));
            history.warn(context, result);
        }
        history
    }

    fn write(
        &self,
        context: &mut Context,
        editor: &mut Editor<LineHelper, FileHistory>,
        line: &str,
    ) {
        let first = commands::split(line).into_iter().next().unwrap_or_default();
        if let Some(path) = &self.path
            && !UNWRITTEN.contains(&first.as_str())
        {
            let result = editor.append_history(path);
            self.warn(context, result);
        }
    }

    /// Says once that the history cannot be kept; the shell works without.
    fn warn(&self, context: &mut Context, result: rustyline::Result<()>) {
        if let (Err(error), Some(path)) = (result, &self.path)
            && !self.warned.replace(true)
        {
            let path = path.display();
            let text = format!("the history is not kept: {path}: {error}");
            context.print_failure("", &Failure::refused(text));
        }
    }
}

/// Ties completion to the line editor.
struct LineHelper {
    offers: Offers,
}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let found = (self.offers)(&line[..position]);
        let mut pairs: Vec<Pair> = found
            .words
            .into_iter()
            .chain(found.hints)
            .map(|word| Pair {
                display: word.trim_end().to_owned(),
                replacement: word,
            })
            .collect();
        if let Some(note) = found.note.filter(|_| pairs.is_empty()) {
            // Shown as a list of two, of which neither changes the line.
            for display in [note, String::new()] {
                let replacement = line[found.start..position].to_owned();
                pairs.push(Pair {
                    display,
                    replacement,
                });
            }
        }
        Ok((found.start, pairs))
    }
}

impl Hinter for LineHelper {
    type Hint = String;
}

impl Highlighter for LineHelper {}
impl Validator for LineHelper {}
impl Helper for LineHelper {}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::testing::fake::with_context;

    fn editor() -> Editor<LineHelper, FileHistory> {
        Editor::with_config(settings()).unwrap()
    }

    fn lives_in(context: &mut Context, home: impl Into<OsString>) {
        context.session.history = crate::session::history::History::at_home(Some(home.into()));
    }

    fn home(name: &str) -> PathBuf {
        let home = std::env::temp_dir().join(format!("spp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        home
    }

    #[test]
    fn the_history_is_kept_and_leaving_is_no_occasion_to_write_it() {
        let home = home("history");
        let file = home.join(".spp_history");
        let ran = with_context(|context| {
            let mut editor = editor();
            lives_in(context, home.clone());
            let history = History::open(context, &mut editor);
            assert!(file.exists());
            for (line, written) in [("status", true), ("bye sec", false), ("# note", true)] {
                editor.add_history_entry(line).unwrap();
                history.write(context, &mut editor, line);
                let text = std::fs::read_to_string(&file).unwrap();
                assert_eq!(text.contains(line), written, "{line}: {text}");
            }
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.ends_with("status\nbye sec\n# note\n"), "{text}");
            assert_eq!(
                context.session.history.lines().unwrap(),
                ["status", "bye sec", "# note"]
            );
        });
        std::fs::remove_dir_all(&home).unwrap();
        assert_eq!(ran.err, "");
    }

    #[test]
    fn a_history_that_cannot_be_kept_is_said_once() {
        let ran = with_context(|context| {
            let mut editor = editor();
            lives_in(context, "/nonexistent");
            let history = History::open(context, &mut editor);
            editor.add_history_entry("status").unwrap();
            history.write(context, &mut editor, "status");
            lives_in(context, "");
            History::open(context, &mut editor).write(context, &mut editor, "status");
        });
        assert_eq!(
            ran.err.matches("the history is not kept").count(),
            1,
            "{}",
            ran.err
        );
    }
}
