//! Commands of the shell itself: nothing of them is told to a process.

use crate::commands::spec::{Action, Arg, Command, Offer, Place, Values};
use crate::commands::{config, environment, files, history, inspect, playback, plugins, server};

const NO_FOLDER: Place = Place::Required("No such a directory.");
const NO_RECIPE: Place = Place::Required("Record file is required!");

pub(super) const CONFIG: Command = Command {
    name: "config",
    aliases: &[],
    args: &[Arg {
        name: "[KEY [VALUE]]",
        values: Values::Rest(Offer::Config),
        place: Place::Optional,
    }],
    summary: "show or set how this shell works",
    details: "Without VALUE: all entries whose key begins with KEY. `--config FILE` reads them at start.",
    rest: &[],
    wire: &[],
    action: Action::Run(config::run),
};

pub(super) const SERVER: Command = Command {
    name: "server",
    aliases: &[],
    args: &[Arg {
        name: "[list|N|ADDR[:PORT]|add ADDR[:PORT]|del N|del ADDR[:PORT]]",
        values: Values::Rest(Offer::Server),
        place: Place::Optional,
    }],
    summary: "the controllers of this shell, and which one commands go to",
    details: "`server` lists them, a number or an address switches, add and del change the list.",
    rest: &["GET /v1/processes"],
    wire: &[],
    action: Action::Run(server::run),
};

pub(super) const RECORD: Command = Command {
    name: "record",
    aliases: &[],
    args: &[Arg {
        name: "FILE",
        values: Values::File,
        place: NO_RECIPE,
    }],
    summary: "write the lines that follow into FILE, for `playback`",
    details: "Replaces FILE. Ends with `record stop`, `playback`, `bye` or `exit`, which are not written.",
    rest: &[],
    wire: &[],
    action: Action::Run(playback::record),
};

pub(super) const RECORD_STOP: Command = Command {
    name: "record stop",
    aliases: &[],
    args: &[],
    summary: "end the record",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(playback::stop),
};

pub(super) const PLAYBACK: Command = Command {
    name: "playback",
    aliases: &[],
    args: &[Arg {
        name: "FILE",
        values: Values::File,
        place: NO_RECIPE,
    }],
    summary: "run the lines of FILE",
    details: "Every line is shown as a comment first. Lines that fail do not end it; it fails if one did.",
    rest: &[],
    wire: &[],
    action: Action::Run(playback::play),
};

pub(super) const HISTORY: Command = Command {
    name: "history",
    aliases: &[],
    args: &[],
    summary: "earlier lines, with their numbers",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(history::list),
};

pub(super) const REDO: Command = Command {
    name: "redo",
    aliases: &[],
    args: &[Arg {
        name: "N",
        values: Values::Number(1, u32::MAX as u64),
        place: Place::Required("Which line? Give its number (`history` lists them)."),
    }],
    summary: "run line N of the history again",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(history::redo),
};

pub(super) const LOAD_CMD: Command = Command {
    name: "load_cmd",
    aliases: &[],
    args: &[Arg {
        name: "NAME",
        values: Values::Plugin,
        place: Place::Required("Which plugin is to be loaded?"),
    }],
    summary: "make the plugin NAME a command",
    details: "Plugins are programs in $SPP_PLUGINS, ~/.config/spp/plugins and share/spp/plugins beside bin.\n\
              NAME ARGUMENTS then runs it with the controller's address in $SPP_CTL.",
    rest: &[],
    wire: &[],
    action: Action::Run(plugins::load),
};

pub(super) const INSPECT: Command = Command {
    name: "inspect",
    aliases: &[],
    args: &[],
    summary: "what this shell knows of itself",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(inspect::run),
};

pub(super) const ENV: Command = Command {
    name: "env",
    aliases: &[],
    args: &[Arg {
        name: "PREFIX",
        values: Values::Word,
        place: Place::Optional,
    }],
    summary: "environment variables whose names begin with PREFIX",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(environment::env),
};

pub(super) const PWD: Command = Command {
    name: "pwd",
    aliases: &[],
    args: &[],
    summary: "the current folder",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(environment::pwd),
};

pub(super) const CD: Command = Command {
    name: "cd",
    aliases: &[],
    args: &[Arg {
        name: "FOLDER",
        values: Values::Folder,
        place: NO_FOLDER,
    }],
    summary: "change the current folder",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(environment::cd),
};

pub(super) const LS: Command = Command {
    name: "ls",
    aliases: &[],
    args: &[Arg {
        name: "FOLDER",
        values: Values::Folder,
        place: Place::Optional,
    }],
    summary: "what is in a folder: / a folder, * a program, @ a link, | a pipe, = a socket",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(files::ls),
};

pub(super) const MKDIR: Command = Command {
    name: "mkdir",
    aliases: &[],
    args: &[Arg {
        name: "FOLDER",
        values: Values::Files,
        place: Place::Optional,
    }],
    summary: "make folders, and those that they lie in",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(files::mkdir),
};

pub(super) const CAT: Command = Command {
    name: "cat",
    aliases: &[],
    args: &[Arg {
        name: "FILE",
        values: Values::File,
        place: NO_FOLDER,
    }],
    summary: "show a file",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(files::cat),
};

pub(super) const LESS: Command = Command {
    name: "less",
    aliases: &[],
    args: &[Arg {
        name: "FILE",
        values: Values::File,
        place: NO_FOLDER,
    }],
    summary: "show a file page by page, by the program in $PAGER",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(files::less),
};
