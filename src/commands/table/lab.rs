//! Commands of the shell for emulated networks.

use crate::commands::lab;
use crate::commands::spec::{Action, Arg, Command, Labs, Offer, Place, Values};

/// A command of `lab`: what it takes, and the rest of its entry.
const fn command(
    name: &'static str,
    args: &'static [Arg],
    summary: &'static str,
    details: &'static str,
    action: Action,
) -> Command {
    Command {
        name,
        aliases: &[],
        args,
        summary,
        details,
        rest: &[],
        wire: &[],
        action,
    }
}

const fn words(name: &'static str, offer: Labs) -> Arg {
    Arg {
        name,
        values: Values::Rest(Offer::Lab(offer)),
        place: Place::Optional,
    }
}

pub(super) const LAB: Command = command(
    "lab",
    &[words("COMMAND", Labs::Command)],
    "networks emulated on this machine: hosts, switches, routers and links from a file, with real programs on them",
    "docs/lab.md has the first ten minutes. With one network up, no command needs its name; with several: -n NAME.",
    Action::Run(lab::overview),
);

pub(super) const UP: Command = command(
    "lab up",
    &[words(lab::UP, Labs::File)],
    "bring the network of a file up; --plain: without delays, losses and rates; --name: under another name",
    "It stays up until `lab down`. Interrupted or killed meanwhile, nothing is left but what `lab clean` removes.\n\
     lab up examples/lab/two-switches.yaml",
    Action::Run(lab::up),
);

pub(super) const DOWN: Command = command(
    "lab down",
    &[words(lab::DOWN, Labs::Names)],
    "take networks down: their programs are ended, nothing is left; --all: all that are up",
    "",
    Action::Run(lab::down),
);

pub(super) const PS: Command = command(
    "lab ps",
    &[words(lab::PS, Labs::Nothing)],
    "networks that are up, their nodes with addresses, and what runs on each",
    "",
    Action::Run(lab::ps),
);

pub(super) const EXEC: Command = command(
    "lab exec",
    &[words(lab::EXEC, Labs::Nodes(1))],
    "run a program on a node; its exit status is ours",
    "It sees the node's interfaces and the network's processes; files are those of the machine.\n\
     lab exec h1 ip address",
    Action::Run(lab::exec),
);

pub(super) const SHELL: Command = command(
    "lab shell",
    &[words(lab::SHELL, Labs::Shell)],
    "a shell on a node ($SHELL, or /bin/sh); of a file: bring it up, take commands for it, and take it down at the end",
    "With a file or a network's name lines are `NODE COMMAND`, or a command of `lab` without that word; `help` says more. Lines of a pipe\n\
     are run until one fails. --plain as of `lab up`.\n\
     lab shell examples/lab/two-switches.yaml",
    Action::Run(lab::shell),
);

pub(super) const PING: Command = command(
    "lab ping",
    &[words(lab::PING, Labs::Nodes(2))],
    "send ICMP echo requests from a node to another one, or to an address; 3, or N",
    "Success is an answer to each.\n\
     lab ping h1 h2",
    Action::Run(lab::ping),
);

pub(super) const PINGALL: Command = command(
    "lab pingall",
    &[words(lab::PINGALL, Labs::Nothing)],
    "whether each host and router reaches each other one",
    "Success is an answer for each pair.",
    Action::Run(lab::pingall),
);

pub(super) const CAPTURE: Command = command(
    "lab capture",
    &[words(lab::CAPTURE, Labs::Places)],
    "write what passes interfaces of nodes (all, if none is named) into one pcapng file, in the order of time",
    "Until Ctrl-C, for N seconds, or N packets. EXPR is in tcpdump's language. The file is NETWORK.pcapng; -w - is standard output.\n\
     lab capture h1 s1:eth1 -w - | tshark -r -",
    Action::Run(lab::capture),
);

pub(super) const TRACE: Command = command(
    "lab trace",
    &[words(lab::TRACE, Labs::Nodes(2))],
    "send one echo request from a node to another one, or to an address, and tell at which interfaces it and its answer were seen",
    "Success is an answer; else it says where it was last seen.\n\
     lab trace h1 h2",
    Action::Run(lab::trace),
);

pub(super) const DROPS: Command = command(
    "lab drops",
    &[words(lab::DROPS, Labs::Nodes(usize::MAX))],
    "where packets were dropped since the network came up, and why",
    "At interfaces, in queues, in the nodes' stacks and in panels; only what is not zero.",
    Action::Run(lab::drops),
);

pub(super) const CORES: Command = command(
    "lab cores",
    &[words(lab::CORES, Labs::Nodes(usize::MAX))],
    "core files of DPDK programs that crashed (of nodes with `cores: true`), and how gdb looks into them",
    "Where this machine puts core files elsewhere, it says where.",
    Action::Run(lab::cores),
);

pub(super) const IPERF: Command = command(
    "lab iperf",
    &[words(lab::IPERF, Labs::Nodes(2))],
    "how much passes from a node to another one, by iperf3: by TCP for 5 s, or N; --udp: by UDP, with R (1Mbit/s)",
    "lab iperf h1 h2 --udp --rate 10Mbit/s",
    Action::Run(lab::iperf),
);

pub(super) const GDB: Command = command(
    "lab gdb",
    &[words(lab::GDB, Labs::Nodes(1))],
    "attach gdb to the DPDK program of a node, or to the process that is named; WORDS are gdb's own",
    "The program stands still until gdb leaves it.\n\
     lab gdb fwd -- -batch -ex 'thread apply all backtrace'",
    Action::Run(lab::gdb),
);

pub(super) const TEST: Command = command(
    "lab test",
    &[words(lab::TEST, Labs::File)],
    "bring a network up, try what its file expects, and take it down; results as TAP, and as JUnit's XML in a file",
    "Success is that everything holds. --keep leaves the network up. --plain as of `lab up`. --captures: what passed all interfaces while \
     something failed is kept in this folder.\n\
     lab test examples/lab/two-switches.yaml --junit results.xml",
    Action::Run(lab::test),
);

pub(super) const SAVE: Command = command(
    "lab save",
    &[words(lab::SAVE, Labs::Saved)],
    "the file of a network that is up",
    "`lab up` makes the same network of it. What the network is expected to do is not in it.",
    Action::Run(lab::save),
);

pub(super) const DIFF: Command = command(
    "lab diff",
    &[words(lab::DIFF, Labs::FileAndName)],
    "what is different between a file and the network that is up; success is that nothing is",
    "What was changed in the network by hand since it came up is not looked at.",
    Action::Run(lab::diff),
);

pub(super) const CHECK: Command = command(
    "lab check",
    &[words(lab::CHECK, Labs::File)],
    "look for what is wrong with a file, and do nothing",
    "",
    Action::Run(lab::check),
);

pub(super) const GRAPH: Command = command(
    "lab graph",
    &[words(lab::GRAPH, Labs::File)],
    "the network of a file, or one that is up, as text; --dot: for Graphviz",
    "lab graph examples/lab/two-switches.yaml --dot | dot -Tsvg > two-switches.svg",
    Action::Run(lab::graph),
);

pub(super) const CLEAN: Command = command(
    "lab clean",
    &[],
    "remove what networks left behind whose makers died; what is up stays",
    "",
    Action::Run(lab::clean),
);

pub(super) const SCHEMA: Command = command(
    "lab schema",
    &[],
    "the JSON Schema of the file",
    "",
    Action::Run(lab::schema),
);
