//! Commands of nfv processes and of the primary.

use super::probes::TRACE;
use crate::commands::spec::{Action, Arg, Command, Offer, Place, Ports, Values};
use crate::commands::{flow, forward, launch, nfv, ports, pri, secondary};

/// What the help of both commands says of a patch that holds packets back.
macro_rules! impairment {
    () => {
        "`with IMPAIRMENT` makes the patch a link with a character, in any order of\n\
         delay TIME, jitter TIME, rate RATE: packets leave later (1.5ms, 100us), in their order, no faster (10Mbit/s);\n\
         loss, duplicate, corrupt, reorder SHARE: so many of them (0.1%) are lost, leave twice, get a wrong bit, overtake;\n\
         limit MBUFS: so many are held at most (1024), others are dropped;\n\
         seed NUMBER: equal seeds choose equal packets."
    };
}

/// Commands of an nfv process.
pub static NFV: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "ports and patches, with counters and workers",
        details: "",
        rest: &["GET ", "GET /v1/details/{id}"],
        wire: &["status", "_detail"],
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
            WITH,
        ],
        summary: "packets from SRC go to DST; replaces the patch that SRC has",
        details: concat!(
            "`on CPU` names the worker that runs it. Queues: `patch phy:0 nq 1 ring:0`.\n",
            impairment!()
        ),
        rest: &["PUT /patches"],
        wire: &[
            "patch SRC DST",
            "patch SRC DST on CPU",
            "patch SRC DST with IMPAIRMENT",
        ],
        action: Action::Run(ports::patch),
    },
    RESET,
    UNPATCH,
    FORWARD,
    STOP,
    CLEAR,
    TRACE,
    Command {
        name: "exit",
        aliases: &[],
        args: &[],
        summary: "end the process",
        details: "",
        rest: &["DELETE "],
        wire: &["exit"],
        action: Action::Run(secondary::exit),
    },
];

/// Commands of the primary.
pub static PRIMARY: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "lcores, forwarder, physical ports and rings, with counters",
        details: "",
        rest: &["GET /status", "GET /v1/details/{id}"],
        wire: &["status", "_detail"],
        action: Action::Run(pri::status),
    },
    ADD,
    DEL,
    Command {
        name: "patch",
        aliases: &[],
        args: &[SRC, DST, WITH],
        summary: "packets from SRC go to DST; replaces the patch that SRC has",
        details: impairment!(),
        rest: &["PUT /patches"],
        wire: &["patch SRC DST", "patch SRC DST with IMPAIRMENT"],
        action: Action::Run(ports::patch),
    },
    RESET,
    UNPATCH,
    FORWARD,
    STOP,
    Command {
        rest: &["DELETE /status"],
        ..CLEAR
    },
    TRACE,
    Command {
        name: "launch",
        aliases: &[],
        args: &[Arg {
            name: "TYPE [ID] EAL-OPTIONS -- OPTIONS",
            values: Values::Rest(Offer::Launch),
            place: Place::Optional,
        }],
        summary: "the primary starts a secondary (TYPE: nfv, vf, mirror, pcap)",
        details: "Waits until the process is registered, at most `sec_wait_launch` seconds (see `config`), and\n\
                  says if it is not by then; `wait nfv ID` waits longer.\n\
                  launch nfv 1 -l 1,2 -m 512 -- -n 1 -s 127.0.0.1:6666\n\
                  With `--restart on-failure` (or always) behind `--` the primary starts it again when it has\n\
                  ended by itself: the first time at once, then after longer and longer waits. One that hangs for\n\
                  10 s, or as long as `--hang-limit SECONDS` says (0: for ever), is killed and started again.",
        rest: &["GET /v1/processes", "PUT /launch"],
        wire: &["launch ID spp_TYPE EAL-OPTIONS -- OPTIONS"],
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
        rest: &["DELETE /launched/{id}"],
        wire: &["unlaunch ID"],
        action: Action::Run(launch::release),
    },
    Command {
        name: "upgrade",
        aliases: &[],
        args: &[Arg {
            name: "ID",
            values: Values::Number(1, 127),
            place: Place::Required("Secondary ID is required!"),
        }],
        summary: "a newer program takes the place of a launched process, while packets flow",
        details: "The program that lies beside the primary's is started with the same options and takes over the id,\n\
                  the ports and the patches. What rings and devices bring waits for it; guests and memif clients\n\
                  have to connect again. If it fails the old one goes on as it was.",
        rest: &["PUT /launched/{id}/upgrade", "GET /launched"],
        wire: &["upgrade ID"],
        action: Action::Run(launch::upgrade),
    },
    Command {
        name: "flow",
        aliases: &[],
        args: &[Arg {
            name: "validate|create|destroy|list|status PORT [RULE|RULE_ID|ALL]",
            values: Values::Rest(Offer::Flow),
            place: Place::Optional,
        }],
        summary: "flow rules of a physical port: which packets its hardware sends where",
        details: "flow validate|create phy:N ATTRIBUTES pattern ITEM / … / end actions ACTION / … / end\n\
                  flow destroy phy:N RULE_ID|ALL\n\
                  flow list phy:N\n\
                  flow status phy:N RULE_ID\n\
                  ATTRIBUTES: group N, priority N, ingress, egress, transfer.\n\
                  ITEM: eth or vlan, with fields (dst src type; tci pcp dei vid inner_type), each followed\n\
                  by is, spec, last, mask or prefix and a value.\n\
                  ACTION: jump group N, queue index N, of_pop_vlan, of_push_vlan ethertype N,\n\
                  of_set_vlan_vid vlan_vid N, of_set_vlan_pcp vlan_pcp N.",
        rest: &[
            "GET /status",
            "POST /flow_rules/port_id/{port}/validate",
            "POST /flow_rules/port_id/{port}",
            "DELETE /flow_rules/port_id/{port}",
            "DELETE /flow_rules/{rule}/port_id/{port}",
        ],
        wire: &[
            "flow validate RULE",
            "flow create RULE",
            "flow destroy PORT ALL",
        ],
        action: Action::Run(flow::run),
    },
    Command {
        name: "exit",
        aliases: &[],
        args: &[],
        summary: "end the primary; secondaries stay",
        details: "",
        rest: &["DELETE "],
        wire: &["exit"],
        action: Action::Run(secondary::exit),
    },
];

pub(super) const SRC: Arg = Arg {
    name: "SRC",
    values: Values::Port(Ports::Source),
    place: Place::Required("Error: Params are required!"),
};

pub(super) const DST: Arg = Arg {
    name: "DST",
    values: Values::Port(Ports::Destination),
    place: Place::Required("Error: Dst port is required!"),
};

const WITH: Arg = Arg {
    name: "IMPAIRMENT",
    values: Values::Rest(Offer::Impairment),
    place: Place::After("with"),
};

pub(super) const ADD: Command = Command {
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
    rest: &["PUT /ports"],
    wire: &["add PORT", "add vhost:N server", "add vhost:N client"],
    action: Action::Run(ports::add),
};

pub(super) const DEL: Command = Command {
    name: "del",
    aliases: &[],
    args: &[Arg {
        name: "PORT",
        values: Values::Port(Ports::Removable),
        place: Place::Required("Port is required!"),
    }],
    summary: "close a port, after its patches are taken out",
    details: "Physical ports stay.",
    rest: &[],
    wire: &[],
    action: Action::Run(ports::del),
};

pub(super) const RESET: Command = Command {
    name: "patch reset",
    aliases: &[],
    args: &[],
    summary: "take out all patches",
    details: "",
    rest: &["DELETE /patches"],
    wire: &["patch reset"],
    action: Action::Run(ports::reset),
};

pub(super) const UNPATCH: Command = Command {
    name: "unpatch",
    aliases: &[],
    args: &[Arg {
        name: "SRC",
        values: Values::Port(Ports::Patched),
        place: Place::Required("Error: Src port is required!"),
    }],
    summary: "take out the patch that has this source",
    details: "",
    rest: &[],
    wire: &[],
    action: Action::Run(ports::unpatch),
};

pub(super) const FORWARD: Command = Command {
    name: "forward",
    aliases: &[],
    args: &[],
    summary: "start to forward packets",
    details: "",
    rest: &["PUT /forward"],
    wire: &["forward"],
    action: Action::Run(forward::forward),
};

pub(super) const STOP: Command = Command {
    name: "stop",
    aliases: &[],
    args: &[],
    summary: "stop to forward packets; patches stay",
    details: "",
    rest: &["PUT /forward"],
    wire: &["stop"],
    action: Action::Run(forward::stop),
};

pub(super) const CLEAR: Command = Command {
    name: "clear",
    aliases: &[],
    args: &[],
    summary: "count packets from here on",
    details: "",
    rest: &["DELETE /counters"],
    wire: &["clear"],
    action: Action::Run(forward::clear),
};
