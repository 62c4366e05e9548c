//! The form of an entry in the table of commands.

use crate::commands::args::Args;
use crate::context::{Context, Outcome};

/// Words before the command proper say whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Commands of the shell itself.
    Shell,
    /// `pri; …`
    Primary,
    /// `nfv ID; …`
    Nfv(u32),
}

/// Ports that an argument may name; decides what is offered on completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// A port to be added: any type that is added at run time.
    New,
    /// A port of the process that can be deleted.
    Removable,
    /// A port of the process or a ring of the primary.
    Any,
    /// A port that is the source of a patch.
    Patched,
}

/// Values that an argument takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    /// A port, in one word or several.
    Port(Ports),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in this range.
    Number(u64, u64),
    /// A time in seconds, at least this long.
    Seconds(f64),
    /// The name of a command, in one word or several.
    Command,
    /// Where a drawing goes: one of these words, or a file.
    FileOr(&'static [&'static str]),
    /// All words that are left, not looked at here.
    Rest,
}

/// How an argument stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Must be there; without it this is said.
    Required(&'static str),
    /// May be missing.
    Optional,
    /// May be missing; comes after this word.
    After(&'static str),
    /// May be missing; comes anywhere after this option.
    Option(&'static str),
}

/// An argument of a command.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// Name in the help and in [`Args`].
    pub name: &'static str,
    /// Values that it takes.
    pub values: Values,
    /// Where it stands.
    pub place: Place,
}

impl Arg {
    /// How it is shown in a usage line.
    pub fn usage(&self) -> String {
        let name = match self.values {
            Values::Choice(words) => words.join("|"),
            _ => self.name.to_owned(),
        };
        match self.place {
            _ if self.values == Values::Rest => name,
            Place::Required(_) => name,
            Place::Optional => format!("[{name}]"),
            Place::After(word) | Place::Option(word) => format!("[{word} {name}]"),
        }
    }
}

/// What an entry does.
#[derive(Clone, Copy)]
pub enum Action {
    /// It is carried out by this.
    Run(fn(&mut Context, &Args) -> Outcome),
    /// It names the primary; these are its commands.
    Primary(&'static [Command]),
    /// It names, with an id, an nfv process; these are its commands.
    Nfv(&'static [Command]),
}

/// An entry in the table: everything that help, completion and execution know of a command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Name: one word, or two where a command has a special form (`patch reset`).
    pub name: &'static str,
    /// Other names by which it is known.
    pub aliases: &'static [&'static str],
    /// Arguments, in their order.
    pub args: &'static [Arg],
    /// What it does, in one line.
    pub summary: &'static str,
    /// What else there is to know; lines of the help.
    pub details: &'static str,
    /// What it does.
    pub action: Action,
}

impl Command {
    /// True if `word` is its name or one of its other names.
    pub fn is(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }

    /// Commands that it contains, if it only names a process.
    pub fn inner(&self) -> &'static [Command] {
        match self.action {
            Action::Run(_) => &[],
            Action::Primary(commands) | Action::Nfv(commands) => commands,
        }
    }

    /// The words before an inner command, and empty for others.
    pub fn prefix(&self) -> String {
        match self.action {
            Action::Run(_) => String::new(),
            Action::Primary(_) => format!("{}; ", self.name),
            Action::Nfv(_) => format!("{} ID; ", self.name),
        }
    }

    /// Name and arguments, after `prefix`.
    pub fn usage(&self, prefix: &str) -> String {
        let mut text = format!("{prefix}{}", self.name);
        for arg in self.args {
            text.push(' ');
            text.push_str(&arg.usage());
        }
        text
    }
}
