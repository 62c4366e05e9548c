//! Ports, patches and counters of a running panel, with packets.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod counters;
mod devices;
mod patching;
mod rings;
mod traffic;
mod workers;

use std::time::Duration;

use testbed::{Panel, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The description of a panel that takes 256 MB.
fn small() -> testbed::panel::Builder {
    Panel::builder().memory(256)
}

/// Waits until a port of a process has taken more packets than `beyond`; gives how many.
#[track_caller]
fn wait_sent(panel: &Panel, id: u32, port: &str, beyond: u64) -> u64 {
    let mut sent = 0;
    let what = format!("{port} of process {id} to take more than {beyond} packets");
    wait_until(&what, LIMIT, || {
        sent = panel.port(id, port).counters.tx_packets;
        sent > beyond
    });
    sent
}
