//! Bad input, anywhere: a clear error, nothing changed, no process ends.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/fake.rs"]
mod fake;
#[path = "../common/hand.rs"]
mod hand;

mod command;
mod options;
mod random;
mod rest;
mod wire;

/// A command or body of two megabytes.
const LONG: usize = 2 << 20;

/// Words that are no port, and things that are no words.
const ABSURD: &[&str] = &[
    "bogus",
    "ring",
    "ring:",
    ":0",
    "ring:x",
    "ring:-1",
    "ring:+1",
    "ring:0x10",
    "ring:1.5",
    "ring:0:0",
    "ring:256",
    "ring:65535",
    "ring:65536",
    "ring:4294967296",
    "ring:99999999999999999999999999",
    "RING:0",
    "vhost:-1",
    "vhost:1nq1",
    "vhost:../../etc/passwd",
    "phy:0nq",
    "phy:0nq99999",
    "phy:9",
    "tap:-1",
    "memif:65536",
    "../../etc/passwd",
    "%s%n%x",
    "$(reboot)",
    "';--",
    "ring:0\u{0}",
    "ring:\u{661}",
    "\u{feff}ring:0",
    "\u{1f980}",
    "\u{1b}[2J",
    "{\"port\":1}",
];

/// Sizes of words: long, and longer than any buffer on the way.
fn long_word(bytes: usize) -> String {
    "a".repeat(bytes)
}

/// A panel on which a change would show: ports, patches, a forwarder in the primary.
fn panel() -> testbed::Panel {
    let lcores = format!("{},{}", testbed::machine::cpu(0), testbed::machine::cpu(1));
    let panel = testbed::Panel::builder()
        .memory(256)
        .primary_args(["--vdev", "net_null0", "--lcores", &lcores])
        .nfv(1)
        .start();
    for line in [
        "nfv 1 add vhost:1",
        "nfv 1 add ring:0",
        "nfv 1 patch vhost:1 ring:0",
        "pri add ring:0",
        "pri add ring:1",
        "pri patch ring:0 ring:1",
    ] {
        panel.ok(line);
    }
    panel
}
