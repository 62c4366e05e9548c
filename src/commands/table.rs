//! The table of commands: the one place that knows their names, arguments and help. Execution,
//! `help` and completion are all driven by it.

use crate::commands::spec::{Action, Arg, Command, Place, Ports, Values};
use crate::commands::{
    apply, diff, export, forward, help, launch, leave, nfv, ports, pri, status, top, topo,
    topo_subgraph, wait, watch,
};

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
        action: Action::Run(status::run),
    },
    Command {
        name: "pri",
        aliases: &[],
        args: &[],
        summary: "a command for the primary: `pri; COMMAND`",
        details: "",
        action: Action::Primary(PRIMARY),
    },
    Command {
        name: "nfv",
        aliases: &["sec"],
        args: &[],
        summary: "a command for the nfv process ID: `nfv ID; COMMAND`",
        details: "The older name `sec` means the same.",
        action: Action::Nfv(NFV),
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
                  terminal shows pictures (sixel), it is a picture of PERCENT (60) of its full size.\n\
                  `topo http` says where the live panel is for a browser.\n\
                  Files: dot, svg, png, jpg, bmp, mmd (Mermaid), and json, js, yml, yaml with the status of\n\
                  all nfv processes. --rates writes what patches carry, measured for S seconds.",
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
        action: Action::Run(top::run),
    },
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
        action: Action::Run(wait::run),
    },
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
        action: Action::Run(leave::bye),
    },
    Command {
        name: "exit",
        aliases: &[],
        args: &[],
        summary: "leave",
        details: "",
        action: Action::Run(leave::exit),
    },
    Command {
        name: "export",
        aliases: &[],
        args: &[],
        summary: "the running system as YAML, for `apply`",
        details: "spp export > FILE",
        action: Action::Run(export::run),
    },
    Command {
        name: "apply",
        aliases: &[],
        args: &[
            DOCUMENT,
            Arg {
                name: "HOW",
                values: Values::Choice(&["--dry-run"]),
                place: Place::Optional,
            },
        ],
        summary: "bring the system to the state of a file; with `--dry-run` only show how",
        details: "Each process of the file as a whole or not at all; others are left alone, and so are\n\
                  patches that stay. `-` is standard input.",
        action: Action::Run(apply::run),
    },
    Command {
        name: "diff",
        aliases: &[],
        args: &[DOCUMENT],
        summary: "the commands by which `apply` would bring the system to the state of a file",
        details: "For scripts: exit status 0 if there are none, else 1.",
        action: Action::Run(diff::run),
    },
    Command {
        name: "watch",
        aliases: &[],
        args: &[Arg {
            name: "N",
            values: Values::Number(1, u32::MAX as u64),
            place: Place::Option("--count"),
        }],
        summary: "what changes, as it changes: processes, ports, patches, links",
        details: "A line for each event (with --json a document), N of them or without end; times are UTC.\n\
                  After a restart of the controller it connects again, for half a minute. `resync` says that\n\
                  events were missed.",
        action: Action::Run(watch::run),
    },
    Command {
        name: "topo_subgraph",
        aliases: &[],
        args: &[Arg {
            name: "WHAT",
            values: Values::Rest,
            place: Place::Optional,
        }],
        summary: "ports that `topo` draws together: `topo_subgraph add LABEL PORTS`, `del LABEL`",
        details: "PORTS have commas, semicolons or blanks between them: vhost:1,vhost:2. Without words it\n\
                  lists what is there. Subgraphs live as long as the shell does.",
        action: Action::Run(topo_subgraph::run),
    },
];

const DOCUMENT: Arg = Arg {
    name: "FILE",
    values: Values::FileOr(&["-"]),
    place: Place::Required("Which file? (`spp export` writes one)"),
};

/// Commands of an nfv process.
static NFV: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "ports and patches, with counters and workers",
        details: "",
        action: Action::Run(nfv::status),
    },
    ADD,
    DEL,
    Command {
        name: "patch",
        aliases: &[],
        args: &[
            SRC,
            DST,
            Arg {
                name: "CPU",
                values: Values::Number(0, 4095),
                place: Place::After("on"),
            },
        ],
        summary: "packets from SRC go to DST; replaces the patch that SRC has",
        details: "`on CPU` names the worker that runs it. Queues: `patch phy:0 nq 1 ring:0`.",
        action: Action::Run(ports::patch),
    },
    RESET,
    UNPATCH,
    FORWARD,
    STOP,
    CLEAR,
    Command {
        name: "exit",
        aliases: &[],
        args: &[],
        summary: "end the process",
        details: "",
        action: Action::Run(nfv::exit),
    },
];

/// Commands of the primary.
static PRIMARY: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "lcores, forwarder, physical ports and rings, with counters",
        details: "",
        action: Action::Run(pri::status),
    },
    ADD,
    DEL,
    Command {
        name: "patch",
        aliases: &[],
        args: &[SRC, DST],
        summary: "packets from SRC go to DST; replaces the patch that SRC has",
        details: "",
        action: Action::Run(ports::patch),
    },
    RESET,
    UNPATCH,
    FORWARD,
    STOP,
    CLEAR,
    Command {
        name: "launch",
        aliases: &[],
        args: &[Arg {
            name: "TYPE [ID] EAL-OPTIONS -- OPTIONS",
            values: Values::Rest,
            place: Place::Optional,
        }],
        summary: "the primary starts a secondary (TYPE: nfv, vf, mirror, pcap)",
        details: "The answer says that the primary took the order; `wait nfv ID` says that it runs.\n\
                  launch nfv 1 -l 1,2 -m 512 -- -n 1 -s 127.0.0.1:6666\n\
                  With `--restart on-failure` (or always) behind `--` the primary starts it again when it has ended by itself.",
        action: Action::Run(launch::run),
    },
    Command {
        name: "unlaunch",
        aliases: &[],
        args: &[Arg {
            name: "ID",
            values: Values::Number(1, 127),
            place: Place::Required("Secondary ID is required!"),
        }],
        summary: "a launched process is not started again any more; one that runs goes on",
        details: "",
        action: Action::Run(launch::release),
    },
    Command {
        name: "exit",
        aliases: &[],
        args: &[],
        summary: "end the primary; secondaries stay",
        details: "",
        action: Action::Run(pri::exit),
    },
];

const SRC: Arg = Arg {
    name: "SRC",
    values: Values::Port(Ports::Any),
    place: Place::Required("Error: Params are required!"),
};

const DST: Arg = Arg {
    name: "DST",
    values: Values::Port(Ports::Any),
    place: Place::Required("Error: Dst port is required!"),
};

const ADD: Command = Command {
    name: "add",
    aliases: &[],
    args: &[
        Arg {
            name: "PORT",
            values: Values::Port(Ports::New),
            place: Place::Required("Port is required!"),
        },
        Arg {
            name: "MODE",
            values: Values::Choice(&["server", "client"]),
            place: Place::Optional,
        },
    ],
    summary: "open a port: ring:N, vhost:N, pcap:N, nullpmd:N, tap:N, memif:N",
    details: "For vhost, `server` or `client` says which end of the socket it is.",
    action: Action::Run(ports::add),
};

const DEL: Command = Command {
    name: "del",
    aliases: &[],
    args: &[Arg {
        name: "PORT",
        values: Values::Port(Ports::Removable),
        place: Place::Required("Port is required!"),
    }],
    summary: "close a port, after its patches are taken out",
    details: "Physical ports stay.",
    action: Action::Run(ports::del),
};

const RESET: Command = Command {
    name: "patch reset",
    aliases: &[],
    args: &[],
    summary: "take out all patches",
    details: "",
    action: Action::Run(ports::reset),
};

const UNPATCH: Command = Command {
    name: "unpatch",
    aliases: &[],
    args: &[Arg {
        name: "SRC",
        values: Values::Port(Ports::Patched),
        place: Place::Required("Error: Src port is required!"),
    }],
    summary: "take out the patch that has this source",
    details: "",
    action: Action::Run(ports::unpatch),
};

const FORWARD: Command = Command {
    name: "forward",
    aliases: &[],
    args: &[],
    summary: "start to forward packets",
    details: "",
    action: Action::Run(forward::forward),
};

const STOP: Command = Command {
    name: "stop",
    aliases: &[],
    args: &[],
    summary: "stop to forward packets; patches stay",
    details: "",
    action: Action::Run(forward::stop),
};

const CLEAR: Command = Command {
    name: "clear",
    aliases: &[],
    args: &[],
    summary: "count packets from here on",
    details: "",
    action: Action::Run(forward::clear),
};
