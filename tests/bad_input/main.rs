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

/// Numbers that look random and are the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.roll() >> 32) as u8).collect()
    }
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
