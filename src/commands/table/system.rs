//! Commands of the shell for the system as a whole.

use crate::commands::spec::{Action, Arg, Command, Offer, Place, Values};
use crate::commands::{apply, diff, doctor, export, topo_subgraph, traffic, watch};

const DOCUMENT: Arg = Arg {
    name: "FILE",
    values: Values::FileOr(&["-"]),
    place: Place::Required("Which file? (`spp export` writes one)"),
};

pub(super) const EXPORT: Command = Command {
    name: "export",
    aliases: &[],
    args: &[],
    summary: "the running system as YAML, for `apply`",
    details: "spp export > FILE",
    rest: &["GET /v1/system"],
    wire: &["status"],
    action: Action::Run(export::run),
};

pub(super) const APPLY: Command = Command {
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
    rest: &["PUT /v1/system"],
    wire: &["status"],
    action: Action::Run(apply::run),
};

pub(super) const DIFF: Command = Command {
    name: "diff",
    aliases: &[],
    args: &[DOCUMENT],
    summary: "the commands by which `apply` would bring the system to the state of a file",
    details: "For scripts: exit status 0 if there are none, else 1.",
    rest: &["PUT /v1/system"],
    wire: &["status"],
    action: Action::Run(diff::run),
};

pub(super) const WATCH: Command = Command {
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
    rest: &["GET /v1/events"],
    wire: &["_detail"],
    action: Action::Run(watch::run),
};

pub(super) const TRAFFIC: Command = Command {
    name: "traffic",
    aliases: &[],
    args: &[Arg {
        name: "OPTIONS",
        values: Values::Rest(Offer::Traffic),
        place: Place::Optional,
    }],
    summary: "send packets into a port and account for what arrives at another: loss, order, damage, time on the way",
    details: "Starts spp-traffic, which joins the panel of this machine for as long as it runs; `traffic --help` has all\n\
              options, docs/traffic.md more. Ctrl-C ends the sending, and what is on its way is waited for; again: at once.\n\
              For scripts: exit status 0 only if each packet arrived once, whole and in order.\n\
              traffic --tx ring:0 --rx ring:1 --rate 1mpps --seconds 10 --interval 1\n\
              traffic --tx ring:0 --rx ring:1 --size imix --rate 1gbit --seconds 10 --allow-loss\n\
              traffic --tx vhost:1 --rx vhost:2 --packet 'eth/vlan(id=100-110)/ipv4(dst=random)/udp(dport=53)' --count 1000\n\
              traffic --tx ring:0 --rx ring:1 --replay FILE.pcapng --speed 10x",
    rest: &[],
    wire: &[],
    action: Action::Run(traffic::run),
};

pub(super) const DOCTOR: Command = Command {
    name: "doctor",
    aliases: &[],
    args: &[Arg {
        name: doctor::WORDS,
        values: Values::Rest(Offer::Doctor),
        place: Place::Optional,
    }],
    summary: "look at this host for all that SPP needs: a line each, ok, warn or fail, with the command that helps",
    details: "Needs no controller and no root; what only root sees is said to be unseen. CHECK: only these (--list has them).\n\
              --clean removes what is provably of dead processes: runtime folders, hugepage files, vhost sockets of panels;\n\
              of other programs of DPDK only with their --file-prefix. docs/doctor.md has more.\n\
              For scripts: exit status 1 if anything fails; --json gives an array.",
    rest: &[],
    wire: &[],
    action: Action::Run(doctor::run),
};

pub(super) const TOPO_SUBGRAPH: Command = Command {
    name: "topo_subgraph",
    aliases: &[],
    args: &[Arg {
        name: "[add LABEL PORTS|del LABEL]",
        values: Values::Rest(Offer::Subgraph),
        place: Place::Optional,
    }],
    summary: "ports that `topo` draws together: `topo_subgraph add LABEL PORTS`, `del LABEL`",
    details: "PORTS have commas, semicolons or blanks between them: vhost:1,vhost:2. Without words it\n\
              lists what is there. Subgraphs live as long as the shell does.",
    rest: &[],
    wire: &[],
    action: Action::Run(topo_subgraph::run),
};
