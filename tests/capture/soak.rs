//! Capture with rotation under load, for a while: every packet is accounted for.
//!
//! Seconds and packets a second are `SPP_SOAK_SECONDS` (60) and `SPP_SOAK_RATE` (100000); see `scripts/soak.sh`.

use std::process::Command;
use std::time::Duration;

use testbed::machine::TempDir;
use testbed::{machine, proc, wait_until};

use crate::{LIMIT, capture, listing, packets, panel, report, wait_received};

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: a number")),
        Err(_) => default,
    }
}

/// Memory of a process, in kilobytes.
fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let words = line.expect("its memory").trim().trim_end_matches(" kB");
    words.parse().expect("a number")
}

#[test]
fn under_load_every_packet_is_accounted_for() {
    let (seconds, rate) = (
        number("SPP_SOAK_SECONDS", 60),
        number("SPP_SOAK_RATE", 100_000),
    );
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let mut pcap = capture(
        &panel,
        &format!(
            "-c ring:0 --out-dir {} --fsize 20000000 --rotate-seconds 2 --files 4",
            out.path().display()
        ),
    );
    let before = memory(pcap.pid());
    let mut traffic = panel.command(Command::new(machine::bin("spp-traffic")));
    traffic.args(["--sec-id", "9", "--file-prefix", panel.prefix(), "--json"]);
    let line = format!("--tx ring:0 --size 200 --flows 16 --seconds {seconds} --rate {rate}");
    traffic.args(line.split(' '));
    let output = proc::run(&mut traffic, Duration::from_secs(seconds) + LIMIT).success();
    let told = output.lines().find(|line| line.starts_with('{'));
    let told: serde_json::Value = serde_json::from_str(told.expect("a report")).expect("JSON");
    let sent = told["sent"].as_u64().expect("a number");

    wait_received(&panel, sent);
    let grown = memory(pcap.pid()).saturating_sub(before);
    panel.ok("pcap 3 stop");
    wait_until("the last file to be complete", LIMIT, || {
        report(&panel).writers[0].file.is_empty()
    });
    let told = report(&panel);
    assert!(pcap.terminate(LIMIT).success());
    println!("{seconds} s: {sent} packets sent, {told:?}, memory grown by {grown} kB");
    assert_eq!(told.received, told.written + told.lost_full, "{told:?}");
    assert_eq!((told.lost_error, told.filtered), (0, 0), "{told:?}");
    assert!(told.written > sent / 2, "{told:?}");
    let files = listing(out.path());
    assert_eq!(
        files.len() as u64,
        told.files - told.removed_files,
        "{files:?}"
    );
    assert!(files.len() <= 4, "{files:?}");
    let mut kept = 0;
    for path in &files {
        let found = packets(path);
        assert!(
            found.is_sorted_by_key(|(time, ..)| *time),
            "{}",
            path.display()
        );
        kept += found.len() as u64;
    }
    assert_eq!(kept + told.removed_packets, told.written, "{told:?}");
    // The file's compression, and what the allocator keeps; not a share of what was captured.
    assert!(grown < 32 * 1024, "memory grown by {grown} kB");
    panel.finish();
}
