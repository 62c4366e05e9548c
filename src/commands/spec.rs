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
    /// `vf ID; …`
    Vf(u32),
    /// `mirror ID; …`
    Mirror(u32),
    /// `pcap ID; …`
    Pcap(u32),
}

/// Ports that an argument may name; decides what is offered on completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// A port to be added: any type that is added at run time.
    New,
    /// A port of the process that can be deleted: not physical, in no patch.
    Removable,
    /// A port of the process or a ring of the primary, without a patch from it.
    Source,
    /// A port of the process or a ring of the primary, without a patch to it.
    Destination,
    /// A port that is the source of a patch.
    Patched,
    /// Any port that a component of the process may be attached to.
    Any,
    /// A port that a component of the process is attached to.
    Attached,
}

/// What is offered on completion for words that a command looks at itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Type, id and options of a process to be launched.
    Launch,
    /// Words of a flow rule.
    Flow,
    /// What happens to packets on a patch.
    Impairment,
    /// What is done to VLAN tags at a port.
    VlanTag,
    /// What can be set of a component.
    Setting,
    /// Controllers of this shell, and what can be done with them.
    Server,
    /// Keys of the configuration.
    Config,
    /// What can be done with subgraphs.
    Subgraph,
    /// Options of a run of traffic.
    Traffic,
    /// Checks of the host, and options.
    Doctor,
    /// Words of a command for containers.
    Container(Containers),
    /// Words of a command for emulated networks.
    Lab(Labs),
}

/// What the words of a command for emulated networks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labs {
    /// The command itself.
    Command,
    /// A file, and options.
    File,
    /// Networks.
    Names,
    /// Nodes of a network, this many.
    Nodes(usize),
    /// Interfaces of nodes, any number.
    Places,
    /// A node, a file or a network.
    Shell,
    /// A network, and a file behind `-o`.
    Saved,
    /// A file and a network.
    FileAndName,
    /// Nothing to offer.
    Nothing,
}

/// What the words of a command for containers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containers {
    /// The command itself.
    Command,
    /// Options of `apps`.
    Apps,
    /// Options of `build`.
    Build,
    /// An application and its options.
    Run,
    /// An application, a program, and options.
    Dev,
    /// A use case and options of `demo`.
    Demo,
    /// Options of `ps`.
    Ps,
    /// A container and options of `logs`.
    Logs,
    /// A container, and what is not ours to offer.
    Name,
    /// Containers.
    Names,
}

impl Offer {
    /// True if words such as `--json` are meant for somebody else, too.
    pub fn passes_on(self) -> bool {
        matches!(
            self,
            Self::Launch | Self::Config | Self::Traffic | Self::Container(_) | Self::Lab(_)
        )
    }
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
    /// A file; its name may be quoted.
    File,
    /// A folder; its name may be quoted.
    Folder,
    /// Files or folders, one or more.
    Files,
    /// Any one word; the name of the argument is shown on completion.
    Word,
    /// A component of the process.
    Component,
    /// A name for a component that is to be.
    NewComponent,
    /// A CPU of the process on which no component runs.
    IdleCpu,
    /// An address of a network card, or `default`.
    Mac,
    /// A plugin that can be loaded.
    Plugin,
    /// All words that are left, not looked at here.
    Rest(Offer),
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
            Place::After(word) => format!("[{word} {name}]"),
            _ if matches!(self.values, Values::Rest(_)) => name,
            Place::Required(_) => name,
            Place::Optional => format!("[{name}]"),
            Place::Option(word) => format!("[{word} {name}]"),
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
    /// It names, with an id, another process; these are its commands.
    Secondary(fn(u32) -> Target, &'static [Command]),
}

/// An entry in the table: everything that help, completion, execution and the generated
/// documentation know of a command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Name: one word, or more where a command has several forms (`patch reset`).
    pub name: &'static str,
    /// Other names by which it is known.
    pub aliases: &'static [&'static str],
    /// Arguments, in their order.
    pub args: &'static [Arg],
    /// What it does, in one line.
    pub summary: &'static str,
    /// What else there is to know; lines of the help.
    pub details: &'static str,
    /// Resources of REST that it uses, `METHOD PATH`. A path that does not begin with `/v1` goes on
    /// from that of the process.
    pub rest: &'static [&'static str],
    /// What the controller then says to the process.
    pub wire: &'static [&'static str],
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
            Action::Primary(commands) | Action::Secondary(_, commands) => commands,
        }
    }

    /// The words before an inner command, and empty for others.
    pub fn prefix(&self) -> String {
        match self.action {
            Action::Run(_) => String::new(),
            Action::Primary(_) => format!("{}; ", self.name),
            Action::Secondary(..) => format!("{} ID; ", self.name),
        }
    }

    /// Path of the process that it names; empty for commands of the shell.
    pub fn base(&self) -> String {
        match self.action {
            Action::Run(_) => String::new(),
            Action::Primary(_) => Target::Primary.path(),
            Action::Secondary(..) => format!("/v1/{}s/{{id}}", self.name),
        }
    }

    /// True if its words are split as in a system shell: quotes keep blanks together.
    pub fn quotes(&self) -> bool {
        let file = |arg: &Arg| {
            matches!(
                arg.values,
                Values::File
                    | Values::Folder
                    | Values::Files
                    | Values::FileOr(_)
                    | Values::Rest(Offer::Traffic | Offer::Container(_) | Offer::Lab(_))
            )
        };
        self.args.iter().any(file)
    }

    /// The resources of REST that it uses, with whole paths.
    pub fn resources(&self, base: &str) -> Vec<String> {
        let whole = |resource: &&str| match resource.split_once(' ') {
            Some((method, path)) if !path.starts_with("/v1") => format!("{method} {base}{path}"),
            _ => (*resource).to_owned(),
        };
        self.rest.iter().map(whole).collect()
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
