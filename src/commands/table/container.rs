//! Commands of the shell for containers.

use crate::commands::container;
use crate::commands::spec::{Action, Arg, Command, Containers, Offer, Place, Values};

/// A command of `container`: what it takes, and the rest of its entry.
const fn command(
    name: &'static str,
    aliases: &'static [&'static str],
    args: &'static [Arg],
    summary: &'static str,
    details: &'static str,
    action: Action,
) -> Command {
    Command {
        name,
        aliases,
        args,
        summary,
        details,
        rest: &[],
        wire: &[],
        action,
    }
}

const fn words(name: &'static str, offer: Containers) -> Arg {
    Arg {
        name,
        values: Values::Rest(Offer::Container(offer)),
        place: Place::Optional,
    }
}

pub(super) const CONTAINER: Command = command(
    "container",
    &["c"],
    &[words("COMMAND", Containers::Command)],
    "DPDK applications in containers: images, launchers, and what runs",
    "`c` for short. docs/container.md has more.",
    Action::Run(container::overview),
);

pub(super) const APPS: Command = command(
    "container apps",
    &["c apps"],
    &[words("[--apps DIR]", Containers::Apps)],
    "applications that can be run: those that come with SPP, and your own in ~/.config/spp/apps",
    "An application of your own is a file NAME.toml with image, binary and args.",
    Action::Run(container::apps),
);

pub(super) const BUILD: Command = command(
    "container build",
    &["c build"],
    &[words("-t TARGET [OPTIONS]", Containers::Build)],
    "make an image: dpdk (testpmd and samples), spp, pktgen or suricata",
    "`container build --help` lists the options; --dry-run prints docker's command.\n\
     container build -t dpdk\n\
     container build -t spp --bin-dir target/release",
    Action::Run(container::build),
);

pub(super) const RUN: Command = command(
    "container run",
    &["c run"],
    &[words("APP [OPTIONS]", Containers::Run)],
    "start an application in a container, on ports of the panel",
    "`container run APP --help` lists its options; --dry-run prints docker's command. Words for the program itself come after `--`.\n\
     container run testpmd -l 0-1 -d vhost:1,vhost:2 -m 128 --name pmd -- --total-num-mbufs=8192\n\
     container run l2fwd -l 1-2 -d vhost:1,vhost:2 -p 0x3\n\
     container run spp-nfv -i 1 -l 1-2 --file-prefix spp",
    Action::Run(container::run),
);

pub(super) const DEV: Command = command(
    "container dev",
    &["c dev"],
    &[words("APP PROGRAM [OPTIONS]", Containers::Dev)],
    "run a program of this host in the image of an application, and start it again when it changes",
    "For who develops it: no image is built. Ctrl-C ends it. Options as of `container run APP`.\n\
     container dev l2fwd ./build/l2fwd -l 1-2 -d vhost:1,vhost:2 -p 0x3",
    Action::Run(container::dev),
);

pub(super) const DEMO: Command = command(
    "container demo",
    &["c demo"],
    &[words("CASE [OPTIONS]", Containers::Demo)],
    "a use case from nothing to packets that are counted: sfc (a chain of services), rings (chained without a copy)",
    "Each step is shown as you would type it, and all that was started is removed at the end. `container demo --help` lists the options.\n\
     container demo sfc\n\
     container demo rings --packets 1000000 --lcores 2-9 --keep",
    Action::Run(container::demo),
);

pub(super) const PS: Command = command(
    "container ps",
    &["c ps"],
    &[words("[-a]", Containers::Ps)],
    "containers of SPP, with the ports and CPUs that each holds (`?`: those of a process of another controller's panel); -a: those that have ended, too",
    "",
    Action::Run(container::ps),
);

pub(super) const LOGS: Command = command(
    "container logs",
    &["c logs"],
    &[words("NAME [-f] [--tail N]", Containers::Logs)],
    "what a container wrote; -f: and what it writes from now on",
    "",
    Action::Run(container::logs),
);

pub(super) const EXEC: Command = command(
    "container exec",
    &["c exec"],
    &[words("NAME PROGRAM [WORDS]", Containers::Name)],
    "run a program in a container that runs; its exit status is passed on as success or failure",
    "",
    Action::Run(container::exec),
);

pub(super) const STOP: Command = command(
    "container stop",
    &["c stop"],
    &[words("NAME…", Containers::Names)],
    "end containers and remove them",
    "A container that does not end within ten seconds is killed.",
    Action::Run(container::stop),
);
