//! Commands that measure latencies and trace packets.

use crate::commands::probes;
use crate::commands::spec::{Action, Arg, Command, Place, Ports, Values};

const SRC: Arg = Arg {
    name: "SRC",
    values: Values::Port(Ports::Any),
    place: Place::Required("Where are packets received?"),
};

const DST: Arg = Arg {
    name: "DST",
    values: Values::Port(Ports::Any),
    place: Place::Required("Where are they sent?"),
};

pub(super) const LATENCY: Command = Command {
    name: "latency",
    aliases: &[],
    args: &[],
    summary: "times from port to port that are measured, with percentiles",
    details: "Also in `status`, `top` and /metrics.",
    rest: &["GET /v1/latency"],
    wire: &["_detail"],
    action: Action::Run(probes::latencies),
};

pub(super) const LATENCY_ON: Command = Command {
    name: "latency on",
    aliases: &[],
    args: &[
        SRC,
        DST,
        Arg {
            name: "N",
            values: Values::Number(1, u32::MAX as u64),
            place: Place::After("every"),
        },
    ],
    summary: "measure the time from reception at SRC to sending at DST, of one packet of N (1000)",
    details: "SRC and DST may be of different processes, with rings between them. Begins anew if it is measured already.\n\
              `clear` begins anew, too. Nothing is measured where `latency on` was not said, and costs nothing.",
    rest: &["PUT /v1/latency"],
    wire: &[
        "latency on SRC DST every N",
        "latency on SRC DST every N as src",
        "latency on SRC DST every N as dst",
    ],
    action: Action::Run(probes::on),
};

pub(super) const LATENCY_OFF: Command = Command {
    name: "latency off",
    aliases: &[],
    args: &[SRC, DST],
    summary: "measure no more from SRC to DST",
    details: "",
    rest: &["PUT /v1/latency"],
    wire: &["latency off SRC DST"],
    action: Action::Run(probes::off),
};

pub(super) const TRACE: Command = Command {
    name: "trace",
    aliases: &[],
    args: &[
        Arg {
            name: "SRC",
            values: Values::Port(Ports::Any),
            place: Place::Required("Of which port are packets to be traced?"),
        },
        Arg {
            name: "N",
            values: Values::Number(1, protocol::command::probe::MAX_TRACE as u64),
            place: Place::Required("How many packets are to be traced?"),
        },
        Arg {
            name: "WHOLE",
            values: Values::Choice(&["full"]),
            place: Place::Option("--bytes"),
        },
        Arg {
            name: "S",
            values: Values::Number(1, protocol::command::probe::MAX_TRACE_SECONDS as u64),
            place: Place::After("within"),
        },
        Arg {
            name: "FILE",
            values: Values::File,
            place: Place::After("to"),
        },
    ],
    summary: "the next N packets that come from SRC: when, what, where they went or why they were dropped",
    details: "Waits for them S seconds (10) at most. Of each the first 128 bytes are shown; with `--bytes full` all, and N is\n\
              1000 at most. `to FILE` writes pcapng for Wireshark; what became of a packet is its comment.\n\
              While it runs the packets are taken one by one; before and after, nothing is in their way.",
    rest: &["POST /v1/processes/{id}/trace"],
    wire: &[
        "trace start SRC COUNT SECONDS",
        "trace read ID",
        "trace stop ID",
    ],
    action: Action::Run(probes::trace),
};
