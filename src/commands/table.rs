//! The table of commands: the one place that knows their names, arguments and help. Execution,
//! `help` and completion are all driven by it.

mod components;
mod container;
mod lab;
mod local;
mod panel;
mod probes;
mod system;

use crate::commands::spec::{Action, Arg, Command, Place, Target, Values};
use crate::commands::{help, leave, status, top, topo, wait};
use components::{MIRROR, PCAP, VF};
use panel::{NFV, PRIMARY};

/// Kinds of processes that have an id, in the order of the original's lists.
pub const SECONDARIES: &[&str] = &["nfv", "vf", "mirror", "pcap"];

/// Commands of the shell.
pub static COMMANDS: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "who is there, and all patches with their counters",
        details: "",
        rest: &["GET /v1/processes", "GET /v1/details"],
        wire: &["status", "_detail"],
        action: Action::Run(status::run),
    },
    Command {
        name: "pri",
        aliases: &[],
        args: &[],
        summary: "a command for the primary: `pri; COMMAND`",
        details: "",
        rest: &[],
        wire: &[],
        action: Action::Primary(PRIMARY),
    },
    Command {
        name: "nfv",
        aliases: &["sec"],
        args: &[],
        summary: "a command for the nfv process ID: `nfv ID; COMMAND`",
        details: "The older name `sec` means the same.",
        rest: &[],
        wire: &[],
        action: Action::Secondary(Target::Nfv, NFV),
    },
    Command {
        name: "vf",
        aliases: &[],
        args: &[],
        summary: "a command for the vf process ID: `vf ID; COMMAND`",
        details: "",
        rest: &[],
        wire: &[],
        action: Action::Secondary(Target::Vf, VF),
    },
    Command {
        name: "mirror",
        aliases: &[],
        args: &[],
        summary: "a command for the mirror process ID: `mirror ID; COMMAND`",
        details: "",
        rest: &[],
        wire: &[],
        action: Action::Secondary(Target::Mirror, MIRROR),
    },
    Command {
        name: "pcap",
        aliases: &[],
        args: &[],
        summary: "a command for the pcap process ID: `pcap ID; COMMAND`",
        details: "",
        rest: &[],
        wire: &[],
        action: Action::Secondary(Target::Pcap, PCAP),
    },
    Command {
        name: "topo",
        aliases: &[],
        args: &[
            Arg {
                name: "DST",
                values: Values::FileOr(&["term", "http"]),
                place: Place::Required("Usage: topo dst [ftype]"),
            },
            Arg {
                name: "FTYPE",
                values: Values::Choice(&[
                    "jpg", "png", "bmp", "dot", "yml", "js", "yaml", "json", "svg", "mmd",
                ]),
                place: Place::Optional,
            },
            Arg {
                name: "S",
                values: Values::Seconds(0.1),
                place: Place::Option("--rates"),
            },
            Arg {
                name: "PERCENT",
                values: Values::Number(1, 100),
                place: Place::Option("--size"),
            },
        ],
        summary: "the topology as a drawing (`topo term`), as a page (`topo http`), or as a file (`topo FILE.svg`)",
        details: "`topo term` measures rates for half a second and draws each process as a box: a line a\n\
                  patch, with its rate and its drops, and lines outside for rings between them. Where the\n\
                  terminal shows pictures (sixel), it is a picture of PERCENT (`topo_size`) of its full size.\n\
                  `topo http` says where the live panel is for a browser.\n\
                  Files: dot, svg, png, jpg, bmp, mmd (Mermaid), and json, js, yml, yaml with the status of\n\
                  all nfv processes. --rates writes what patches carry, measured for S seconds.",
        rest: &["GET /v1/details", "GET /v1/nfvs/{id}"],
        wire: &["_detail", "status"],
        action: Action::Run(topo::run),
    },
    Command {
        name: "top",
        aliases: &[],
        args: &[
            Arg {
                name: "N",
                values: Values::Number(1, u32::MAX as u64),
                place: Place::Option("--count"),
            },
            Arg {
                name: "S",
                values: Values::Seconds(0.1),
                place: Place::Option("--interval"),
            },
        ],
        summary: "live rates per port and patch, and what workers are doing",
        details: "Every S seconds (1), N times (without end). On a terminal q or Ctrl-C ends it.\n\
                  busy: share of the worker's time in rounds that moved packets. cycles/packet: those\n\
                  cycles by packets. burst: packets received by a poll that found any.",
        rest: &["GET /v1/details"],
        wire: &["_detail"],
        action: Action::Run(top::run),
    },
    probes::LATENCY,
    probes::LATENCY_ON,
    probes::LATENCY_OFF,
    Command {
        name: "wait",
        aliases: &[],
        args: &[
            Arg {
                name: "WHAT",
                values: Values::Choice(&["pri", "nfv", "sec", "vf", "mirror", "pcap"]),
                place: Place::Required("What is to be waited for?"),
            },
            Arg {
                name: "ID",
                values: Values::Number(1, 127),
                place: Place::Optional,
            },
            Arg {
                name: "S",
                values: Values::Seconds(0.0),
                place: Place::Option("--timeout"),
            },
        ],
        summary: "wait until a process is registered (at most S seconds; 20 if not said)",
        details: "`wait pri`, `wait nfv 1`. For scripts: exit status 0 when it is there.",
        rest: &["GET /v1/processes"],
        wire: &[],
        action: Action::Run(wait::run),
    },
    system::TOPO_SUBGRAPH,
    system::EXPORT,
    system::APPLY,
    system::DIFF,
    system::WATCH,
    system::TRAFFIC,
    system::DOCTOR,
    container::CONTAINER,
    container::APPS,
    container::BUILD,
    container::RUN,
    container::DEV,
    container::DEMO,
    container::PS,
    container::LOGS,
    container::EXEC,
    container::STOP,
    lab::LAB,
    lab::UP,
    lab::DOWN,
    lab::PS,
    lab::EXEC,
    lab::SHELL,
    lab::PING,
    lab::PINGALL,
    lab::CAPTURE,
    lab::TRACE,
    lab::DROPS,
    lab::CORES,
    lab::IPERF,
    lab::GDB,
    lab::TEST,
    lab::SAVE,
    lab::DIFF,
    lab::CHECK,
    lab::GRAPH,
    lab::CLEAN,
    lab::SCHEMA,
    local::CONFIG,
    local::SERVER,
    local::RECORD,
    local::RECORD_STOP,
    local::PLAYBACK,
    local::HISTORY,
    local::REDO,
    local::LOAD_CMD,
    local::INSPECT,
    local::ENV,
    local::PWD,
    local::CD,
    local::LS,
    local::MKDIR,
    local::CAT,
    local::LESS,
    Command {
        name: "help",
        aliases: &["?"],
        args: &[Arg {
            name: "COMMAND",
            values: Values::Command,
            place: Place::Optional,
        }],
        summary: "all commands, or one of them in detail (`help nfv patch`)",
        details: "",
        rest: &[],
        wire: &[],
        action: Action::Run(help::run),
    },
    Command {
        name: "bye",
        aliases: &[],
        args: &[Arg {
            name: "WHOM",
            values: Values::Choice(&["sec", "all"]),
            place: Place::Optional,
        }],
        summary: "leave; `bye sec` ends all secondaries, `bye all` the primary too, and the shell stays",
        details: "",
        rest: &[
            "GET /v1/processes",
            "DELETE /v1/nfvs/{id}",
            "DELETE /v1/vfs/{id}",
            "DELETE /v1/mirrors/{id}",
            "DELETE /v1/pcaps/{id}",
            "DELETE /v1/primary",
        ],
        wire: &["exit"],
        action: Action::Run(leave::bye),
    },
    Command {
        name: "exit",
        aliases: &[],
        args: &[],
        summary: "leave",
        details: "",
        rest: &[],
        wire: &[],
        action: Action::Run(leave::exit),
    },
];
