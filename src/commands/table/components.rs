//! Commands of vf, mirror and pcap.

use super::probes::TRACE;
use crate::commands::spec::{Action, Arg, Command, Offer, Place, Ports, Values};
use crate::commands::{capture, classifier, component, secondary};

/// Said when words are missing, as the original did.
const MISSING: Place = Place::Required("Error: Not enough parameters.");

const NAME: Arg = Arg {
    name: "NAME",
    values: Values::Component,
    place: MISSING,
};

const NEW_NAME: Arg = Arg {
    values: Values::NewComponent,
    ..NAME
};

const CPU: Arg = Arg {
    name: "CPU",
    values: Values::IdleCpu,
    place: MISSING,
};

const DIR: Arg = Arg {
    name: "DIR",
    values: Values::Choice(&["rx", "tx"]),
    place: MISSING,
};

const ANY_PORT: Arg = Arg {
    name: "PORT",
    values: Values::Port(Ports::Any),
    place: MISSING,
};

const ATTACHED: Arg = Arg {
    values: Values::Port(Ports::Attached),
    ..ANY_PORT
};

const VID: Arg = Arg {
    name: "VID",
    values: Values::Number(0, 4095),
    place: MISSING,
};

const MAC: Arg = Arg {
    name: "MAC",
    values: Values::Mac,
    place: MISSING,
};

const EXIT: Command = Command {
    name: "exit",
    aliases: &[],
    args: &[],
    summary: "end the process",
    details: "",
    rest: &["DELETE "],
    wire: &["exit"],
    action: Action::Run(secondary::exit),
};

const STOP_COMPONENT: Command = Command {
    name: "component stop",
    aliases: &[],
    args: &[NAME],
    summary: "take a component away, with its ports",
    details: "",
    rest: &["DELETE /components/{name}"],
    wire: &["component stop NAME"],
    action: Action::Run(component::stop),
};

const DETACH: Command = Command {
    name: "port del",
    aliases: &[],
    args: &[ATTACHED, DIR, NAME],
    summary: "detach a port from a component",
    details: "",
    rest: &["PUT /components/{name}/ports"],
    wire: &["port del PORT DIR NAME"],
    action: Action::Run(component::detach),
};

/// Another detail and summary for each kind of process.
const fn set(details: &'static str) -> Command {
    Command {
        name: "component set",
        aliases: &[],
        args: &[
            NAME,
            Arg {
                name: component::SETTING,
                values: Values::Rest(Offer::Setting),
                place: MISSING,
            },
        ],
        summary: "change what a component does, while it runs",
        details,
        rest: &["PUT /components/{name}/settings"],
        wire: &["component set NAME KEY VALUE"],
        action: Action::Run(component::set),
    }
}

const CLEAR: Command = Command {
    name: "clear",
    aliases: &[],
    args: &[],
    summary: "counters are shown from here on",
    details: "",
    rest: &["DELETE /counters"],
    wire: &["clear"],
    action: Action::Run(component::clear),
};

/// Commands of a vf process.
pub static VF: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "ports, components and the classifier's table",
        details: "",
        rest: &["GET "],
        wire: &["status"],
        action: Action::Run(component::vf_status),
    },
    CLEAR,
    EXIT,
    Command {
        name: "component start",
        aliases: &[],
        args: &[
            NEW_NAME,
            CPU,
            Arg {
                name: "ROLE",
                values: Values::Choice(&["forward", "merge", "classifier"]),
                place: MISSING,
            },
        ],
        summary: "a new component NAME on one of the process's CPUs",
        details: "forward: one port to one. merge: many to one. classifier: one to many, by VLAN and MAC.",
        rest: &["POST /components"],
        wire: &["component start NAME CPU ROLE"],
        action: Action::Run(component::start),
    },
    STOP_COMPONENT,
    set(
        "learn on [SECONDS]|off: a classifier learns which addresses are behind its ports, and forgets\n\
         those that were silent for SECONDS (300).",
    ),
    Command {
        name: "port add",
        aliases: &[],
        args: &[
            ANY_PORT,
            DIR,
            NAME,
            Arg {
                name: "[add_vlantag VID PCP|del_vlantag]",
                values: Values::Rest(Offer::VlanTag),
                place: Place::Optional,
            },
        ],
        summary: "attach a port to a component, which receives from it (rx) or sends to it (tx)",
        details: "add_vlantag puts a VLAN tag in (VID 0 to 4095, PCP 0 to 7), del_vlantag takes it out.",
        rest: &["PUT /components/{name}/ports"],
        wire: &[
            "port add PORT DIR NAME",
            "port add PORT DIR NAME add_vlantag VID PCP",
            "port add PORT DIR NAME del_vlantag",
        ],
        action: Action::Run(component::attach),
    },
    DETACH,
    Command {
        name: "classifier_table add mac",
        aliases: &[],
        args: &[MAC, ANY_PORT],
        summary: "packets to MAC (or default: all others) go to PORT",
        details: "MAC: 02:00:00:00:00:0a, or default.",
        rest: &["PUT /classifier_table"],
        wire: &["classifier_table add mac MAC PORT"],
        action: Action::Run(classifier::add),
    },
    Command {
        name: "classifier_table add vlan",
        aliases: &[],
        args: &[VID, MAC, ANY_PORT],
        summary: "the same for packets with the VLAN tag VID",
        details: "MAC: 02:00:00:00:00:0a, or default.",
        rest: &["PUT /classifier_table"],
        wire: &["classifier_table add vlan VID MAC PORT"],
        action: Action::Run(classifier::add),
    },
    Command {
        name: "classifier_table del mac",
        aliases: &[],
        args: &[MAC, ATTACHED],
        summary: "take such an entry out",
        details: "",
        rest: &["PUT /classifier_table"],
        wire: &["classifier_table del mac MAC PORT"],
        action: Action::Run(classifier::del),
    },
    Command {
        name: "classifier_table del vlan",
        aliases: &[],
        args: &[VID, MAC, ATTACHED],
        summary: "take such an entry out",
        details: "",
        rest: &["PUT /classifier_table"],
        wire: &["classifier_table del vlan VID MAC PORT"],
        action: Action::Run(classifier::del),
    },
    Command {
        name: "classifier_table list",
        aliases: &[],
        args: &[
            Arg {
                name: "OFFSET",
                values: Values::Number(0, u32::MAX as u64),
                place: Place::Optional,
            },
            Arg {
                name: "COUNT",
                values: Values::Number(1, 1000),
                place: Place::Optional,
            },
        ],
        summary: "entries with their hits: COUNT (100) from number OFFSET (0) on",
        details: "First those in force, by component, VLAN (untagged last) and address; then those whose port is\n\
                  attached to no classifier.",
        rest: &["GET /classifier_table"],
        wire: &["classifier_table list OFFSET COUNT"],
        action: Action::Run(classifier::list),
    },
    TRACE,
];

/// Commands of a mirror process.
pub static MIRROR: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "ports and components",
        details: "",
        rest: &["GET "],
        wire: &["status"],
        action: Action::Run(component::mirror_status),
    },
    CLEAR,
    EXIT,
    Command {
        name: "component start",
        aliases: &[],
        args: &[
            NEW_NAME,
            CPU,
            Arg {
                name: "ROLE",
                values: Values::Choice(&["mirror"]),
                place: MISSING,
            },
        ],
        summary: "a new component NAME on one of the process's CPUs",
        details: "mirror: one port to two.",
        rest: &["POST /components"],
        wire: &["component start NAME CPU mirror"],
        action: Action::Run(component::start),
    },
    STOP_COMPONENT,
    set(
        "copy shallow|deep: copies share the bytes of a packet, or have their own.\n\
         snap BYTES|off: copies are cut to so many bytes (14 to 65535).\n\
         filter KEY VALUE…|off: only such packets are copied: src, dst, vlan, ethertype, ip-src, ip-dst,\n\
         proto, sport, dport, such as `filter vlan 100 proto tcp dport 80`.",
    ),
    Command {
        name: "port add",
        aliases: &[],
        args: &[ANY_PORT, DIR, NAME],
        summary: "attach a port to a component, which receives from it (rx) or sends to it (tx)",
        details: "",
        rest: &["PUT /components/{name}/ports"],
        wire: &["port add PORT DIR NAME"],
        action: Action::Run(component::attach),
    },
    DETACH,
    TRACE,
];

/// Commands of a pcap process.
pub static PCAP: &[Command] = &[
    Command {
        name: "status",
        aliases: &[],
        args: &[],
        summary: "what is captured, and into which files",
        details: "",
        rest: &["GET "],
        wire: &["status"],
        action: Action::Run(capture::status),
    },
    Command {
        name: "start",
        aliases: &[],
        args: &[],
        summary: "begin to capture",
        details: "",
        rest: &["PUT /capture"],
        wire: &["start"],
        action: Action::Run(capture::start),
    },
    Command {
        name: "stop",
        aliases: &[],
        args: &[],
        summary: "end the capture and close its files",
        details: "",
        rest: &["PUT /capture"],
        wire: &["stop"],
        action: Action::Run(capture::stop),
    },
    EXIT,
];
