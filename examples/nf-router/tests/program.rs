//! The program with DPDK's own device that never ends to give frames, of zeros.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use testbed::proc::Signal;
use testbed::{Proc, machine, proc};

const LIMIT: Duration = Duration::from_secs(30);

/// The program with one port, and a folder of its own for EAL.
fn program(own: &[&str]) -> (Command, machine::TempDir) {
    let folder = machine::TempDir::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nf-router"));
    let eal = "-m 64 --no-huge --no-shconf --no-pci --no-telemetry --iova-mode=va --vdev=net_null0";
    command.args(eal.split(' ')).arg("--").args(own);
    command.env("RUNTIME_DIRECTORY", folder.path());
    (command, folder)
}

#[test]
fn it_says_its_counters_when_asked_and_at_its_end() {
    let (mut command, _folder) = program(&["--port", "0=2001:db8:1::1/64"]);
    let mut router = Proc::spawn("nf-router", &mut command);
    router.wait_output("nf-router is ready", LIMIT);
    router.signal(Signal::USR1);
    let asked = counters(router.wait_output("dropped, not IPv6: ", LIMIT));
    let before = router.position();
    assert!(router.terminate(LIMIT).success());
    let ended = counters(router.wait_output_from(before, "dropped, not IPv6: ", LIMIT));
    assert!(0 < asked && asked <= ended, "{asked}, then {ended}");
}

/// What arrived, by the counters, all of which was dropped.
fn counters(text: String) -> u64 {
    let (_, counters) = text.split_once("nf-router: received ").unwrap();
    let (received, rest) = counters
        .split_once(", made 0; sent 0, taken 0, dropped ")
        .unwrap();
    let (dropped, _) = rest.split_once(", held 0").unwrap();
    assert_eq!(received, dropped, "{text}");
    received.parse().unwrap()
}

#[test]
fn what_it_cannot_do_it_says_by_words_and_exit_status() {
    let (mut command, _folder) = program(&["--port", "1=2001:db8:1::1/64"]);
    let text = proc::run(&mut command, LIMIT).failure();
    assert!(text.contains("nf-router: port 1: there is none"), "{text}");
}
