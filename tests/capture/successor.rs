//! A newer program takes the place of a capturing one.

use std::collections::HashSet;
use std::process::Command;

use testbed::machine::{self, TempDir};
use testbed::{Proc, proc, wait_until};

use crate::disk::SmallDisk;
use crate::{LIMIT, capture, command, listing, packets, panel, report, send, wait_received};

const PLAIN: &str = "--format pcapng --compress none";

/// Has another program take over from `old`, which ends by itself.
#[track_caller]
fn succeed(panel: &testbed::Panel, old: &mut Proc, args: &str) -> Proc {
    let mut new = Proc::spawn(
        "spp-pcap 3, next",
        command(panel, 3, args).arg("--take-over"),
    );
    new.wait_output("took over from ", LIMIT);
    new.wait_output("is ready", LIMIT);
    let status = old.wait_exit(LIMIT);
    assert!(status.success(), "{status}: {}", old.output());
    wait_until("the controller to know it", LIMIT, || {
        let mut known = panel.details().into_iter();
        known.any(|p| p.client_id == 3 && p.detail.is_some())
    });
    new
}

#[test]
fn no_packet_is_missing_or_there_twice_when_newer_programs_take_over() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let args = format!("-c ring:0 {PLAIN} --out-dir {}", dir.path().display());
    let mut running = capture(&panel, &args);
    let mut traffic = panel.command(Command::new(machine::bin("spp-traffic")));
    traffic.args(["--sec-id", "9", "--file-prefix", panel.prefix(), "--json"]);
    traffic.args(["--tx", "ring:0", "--rate", "4000", "--duration", "86400"]);
    let mut traffic = Proc::spawn("traffic", &mut traffic);
    traffic.wait_output("is running", LIMIT);
    for _ in 0..5 {
        let before = report(&panel).received;
        wait_until("packets in the file", LIMIT, || {
            report(&panel).received > before + 100
        });
        running = succeed(&panel, &mut running, &args);
    }
    traffic.terminate(LIMIT);
    let output = traffic.output();
    let line = output.lines().find(|line| line.starts_with('{'));
    let sent: serde_json::Value = serde_json::from_str(line.expect("a report")).expect("JSON");
    let sent = sent["sent"].as_u64().expect("a number");
    wait_until("the ring to run empty", LIMIT, || panel.in_rings() == 0);
    running.terminate(LIMIT);
    let files = listing(dir.path());
    assert_eq!(files.len(), 6, "{files:?}");
    let all: Vec<Vec<u8>> = files
        .iter()
        .flat_map(|file| packets(file))
        .map(|(_, _, frame)| frame)
        .collect();
    let different: HashSet<&Vec<u8>> = all.iter().collect();
    assert_eq!(all.len(), different.len(), "some are there twice");
    assert_eq!(all.len() as u64, sent);
    panel.finish();
}

#[test]
fn one_that_fails_leaves_the_capture_as_it_was() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let folder = dir.path().display();
    let args = format!("-c ring:0 {PLAIN} --out-dir {folder}");
    let mut running = capture(&panel, &args);
    send(&panel, "ring:0", 100, "");
    wait_received(&panel, 100);
    let failed = |args: &str| {
        let mut next = command(&panel, 3, args);
        proc::run(next.arg("--take-over"), LIMIT).failure()
    };
    // When the old one has given up its port: there is no room for its file.
    let full = TempDir::new();
    let told = {
        let _disk = SmallDisk::mount(full.path(), 4);
        std::fs::write(full.join("all"), [0; 4096]).expect("the room is taken");
        failed(&format!(
            "-c ring:0 {PLAIN} --out-dir {}",
            full.path().display()
        ))
    };
    assert!(told.contains("No space left"), "{told}");
    running.wait_output("all is as it was", LIMIT);
    send(&panel, "ring:0", 200, "");
    wait_received(&panel, 200);
    // Before: such a port is one process's.
    let told = failed(&format!("-c vhost:1 {PLAIN} --out-dir {folder}"));
    assert!(
        told.contains("vhost:1 can be open in one process only"),
        "{told}"
    );
    assert_eq!(report(&panel).written, 200);
    // One that does not capture is replaced by one that does not.
    panel.ok("pcap 3 stop");
    let mut next = succeed(&panel, &mut running, &args);
    assert!(panel.ok("pcap 3 status").contains("idle"));
    next.terminate(LIMIT);
    let files = listing(dir.path());
    let counts: Vec<usize> = files.iter().map(|file| packets(file).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 300, "{counts:?}");
    panel.finish();
}
