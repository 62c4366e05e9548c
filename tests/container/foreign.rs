//! DPDK secondaries that know nothing of SPP, each in a container of its own, on one panel: `spp-entry` gives them PIDs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use testbed::machine::{self, TempDir};
use testbed::{Panel, Proc, huge, proc, wait_until};

use crate::engine::{Containers, LIMIT, engine, image_name, spp};

/// A process as it was written for the original; the image has the same DPDK as the host.
fn compile(binary: &Path) {
    let flags = proc::run(
        Command::new("pkg-config").args(["--cflags", "--libs", "libdpdk"]),
        LIMIT,
    )
    .success();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/secondary.c");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Werror", "-o"])
        .arg(binary)
        .arg(source);
    // Ahead of the plugins, so that the operations of its pool have the number that they have in the primary.
    cc.args([
        "-Wl,--no-as-needed",
        "-lrte_mempool_ring",
        "-Wl,--as-needed",
    ]);
    proc::run(cc.args(flags.split_whitespace()), LIMIT).success();
}

/// PIDs, as they see themselves, of the secondaries of a panel, by the files that DPDK names after them and that are in use.
fn pids(panel: &Panel) -> BTreeSet<u32> {
    let entries = std::fs::read_dir(huge::runtime_dir(panel.prefix())).expect("the runtime folder");
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let pid = |name: String| {
        name.strip_prefix("mp_socket_")?
            .split('_')
            .next()?
            .parse()
            .ok()
    };
    names.filter_map(pid).collect()
}

/// One at whose prompt we sit.
struct Foreign(Proc);

impl Foreign {
    fn start(containers: &Containers, name: &str, line: &str) -> Self {
        let mut command = Command::new(machine::bin("spp"));
        command.args([
            "container",
            "run",
            "mine",
            "-fg",
            "--name",
            &containers.name(name),
        ]);
        let mut proc = Proc::spawn(name, command.args(line.split_whitespace()));
        proc.wait_output("ready", LIMIT);
        Self(proc)
    }

    /// A figure of what it has counted.
    fn figure(&mut self, name: &str) -> u64 {
        let from = self.0.position();
        self.0.send("stats");
        let text = self.0.wait_output_from(from, " end", LIMIT);
        let start = format!("{name}=");
        let found = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix(&start)?.parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}

#[test]
fn two_secondaries_of_other_people_are_on_one_panel_without_the_hosts_pids() {
    if !engine("two_secondaries_of_other_people_are_on_one_panel_without_the_hosts_pids") {
        return;
    }
    let panel = Panel::builder()
        .memory(256)
        .nfv_on(1, machine::cpu(1))
        .start();
    panel.ok("nfv 1 patch ring:0 ring:1");
    panel.ok("nfv 1 patch ring:2 ring:3");
    let folder = TempDir::new();
    let binary = folder.join("secondary");
    compile(&binary);
    let file = format!(
        "image = \"{}\"\nbinary = \"/opt/secondary\"\nrole = \"secondary\"\nmain-works = true\nworkers = 0\nterminal = true\n\
         ready = \"ready\"\nmounts = [\"{}:/opt/secondary:ro\"]\n",
        image_name("dpdk"),
        binary.display()
    );
    std::fs::write(folder.join("mine.toml"), file).expect("a file");
    let containers = Containers::new();
    let common = format!(
        "--apps {} --file-prefix {} --vhost-dir {}",
        folder.path().display(),
        panel.prefix(),
        panel.vhost_dir().display()
    );
    let before = pids(&panel);
    // Two lcore ids are left to them on a machine with two CPUs, and each is to have its own.
    let line = |rings: &str| format!("--lcores auto {common} -- {rings}");
    let mut first = Foreign::start(&containers, "first", &line("0 1"));
    let mut second = Foreign::start(&containers, "second", &line("2 3"));
    // Beside two that run in namespaces of their own: both had PID 1 and 2 for a start.
    let settled: BTreeSet<u32> = pids(&panel).difference(&before).copied().collect();
    assert_eq!(settled.len(), 2, "{settled:?}");
    assert!(
        settled.iter().all(|pid| (2..10).contains(pid)),
        "{settled:?}"
    );
    // The same lcore id is refused: it would corrupt the memory of both.
    let refused = containers.try_run(
        "mine",
        "third",
        &format!("--lcores 0@{} --share-lcores {common}", machine::cpu(0)),
    );
    assert!(
        !refused.status.success() && refused.output.contains("lcore id 0 is in use"),
        "{}",
        refused.output
    );

    for foreign in [&mut first, &mut second] {
        foreign.0.send("send 20000");
        wait_until("all to be sent and to come back", LIMIT, || {
            foreign.figure("sent") == 20_000
                && foreign.figure("received") + panel.dropped() >= 20_000
        });
        assert_eq!(foreign.figure("bad"), 0);
    }
    // The exit status is the program's, and the way of signals is open: one is told to end, the other is stopped.
    first.0.send("quit");
    assert!(first.0.wait_exit(LIMIT).success(), "{}", first.0.output());
    spp(&["container", "stop", &containers.name("second")]).success();
    let status = second.0.wait_exit(LIMIT);
    assert!(!status.success(), "it was ended by a signal");
    let list = spp(&["container", "ps", "-a"]).success();
    assert!(!list.contains(&containers.name("second")), "{list}");
    panel.finish();
}

#[test]
fn what_the_entry_cannot_do_it_says() {
    if !engine("what_the_entry_cannot_do_it_says") {
        return;
    }
    let entry =
        |words: &[&str]| proc::run(Command::new(machine::bin("spp-entry")).args(words), LIMIT);
    let none = entry(&["true", "--file-prefix", &machine::unique("none")]);
    assert_eq!(none.status.code(), Some(125));
    assert!(
        none.output.contains("start its primary first"),
        "{}",
        none.output
    );
    // Exit statuses pass, on the host as well.
    let panel = Panel::builder().memory(256).start();
    for (words, status) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["/nonexistent/program"], 127),
        (&["/tmp"], 126),
    ] {
        let words = [&["--file-prefix", panel.prefix()], words].concat();
        assert_eq!(entry(&words).status.code(), Some(status), "{words:?}");
    }
    panel.finish();
}
