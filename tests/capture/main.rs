//! spp-pcap: what a port receives is in the files, packet by packet, and what is not is counted.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod commands;
mod disk;
#[path = "../common/fake.rs"]
mod fake;
mod files;
mod live;
mod soak;
mod successor;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use protocol::detail::CaptureDetail;
use testbed::{Panel, Proc, machine, proc, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A small panel; nfv 1 gives what lies in `dir` as capture files.
fn panel(dir: &Path) -> Panel {
    Panel::builder()
        .memory(256)
        .nfv(1)
        .nfv_args(1, ["--pcap-dir".to_string(), dir.display().to_string()])
        .start()
}

/// The command of a capturing process.
fn command(panel: &Panel, id: u32, args: &str) -> Command {
    let mut command = panel.command(Command::new(machine::bin("spp-pcap")));
    command.args(["--sec-id", &id.to_string(), "--file-prefix", panel.prefix()]);
    command.args(["--buffer", "8"]);
    command.args(args.split_whitespace());
    command
}

/// A capturing process with the id 3, ready.
fn capture(panel: &Panel, args: &str) -> Proc {
    let mut started = Proc::spawn("spp-pcap 3", &mut command(panel, 3, args));
    started.wait_output("is ready", LIMIT);
    wait_until("the controller to know it", LIMIT, || {
        panel
            .details()
            .iter()
            .any(|p| p.client_id == 3 && p.detail.is_some())
    });
    started
}

/// What it says of its capture.
fn report(panel: &Panel) -> CaptureDetail {
    panel
        .detail(3)
        .capture
        .expect("a pcap tells of its capture")
}

/// Sends so many frames into a ring, all of which it takes.
fn send(panel: &Panel, ring: &str, count: u64, more: &str) {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--sec-id", "9", "--file-prefix", panel.prefix(), "--json"]);
    command.args(["--tx", ring, "--count", &count.to_string()]);
    command.args(more.split_whitespace());
    let output = proc::run(&mut command, LIMIT).success();
    let line = output.lines().find(|line| line.starts_with('{'));
    let report: serde_json::Value = serde_json::from_str(line.expect("a report")).expect("JSON");
    assert_eq!(report["sent"], count, "{report}");
}

/// Waits until the capture has seen `count` packets and none is on its way to a file; checks that each is accounted for.
#[track_caller]
fn wait_received(panel: &Panel, count: u64) -> CaptureDetail {
    let mut last = None;
    wait_until(&format!("{count} packets to be captured"), LIMIT, || {
        let now = report(panel);
        let there = now.received == count && now.waiting == 0;
        last = Some(now);
        there
    });
    let last = last.expect("a report");
    assert_eq!(
        last.received,
        last.filtered + last.written + last.lost_full + last.lost_error,
        "{last:?}"
    );
    last
}

/// The files of a folder, by name.
fn listing(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.display().to_string().contains("spp_pcap."))
        .collect();
    // By writer and sequence: numbers, not text.
    found.sort_by_key(|path| {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .to_string();
        let parts: Vec<u32> = name.split('.').filter_map(|p| p.parse().ok()).collect();
        parts.into_iter().skip(1).collect::<Vec<u32>>()
    });
    found
}

/// A packet read back: its time in nanoseconds, its length on the wire, its bytes.
type Packet = (u64, u32, Vec<u8>);

/// The packets of a file, unpacked by the tools that everybody has, and counted by tshark, too.
fn packets(path: &Path) -> Vec<Packet> {
    let name = path.display().to_string();
    let plain = name.trim_end_matches(".tmp");
    let content = match plain.rsplit_once('.') {
        Some((_, "lz4")) => unpacked("lz4", path),
        Some((_, "zst")) => unpacked("zstd", path),
        _ => fs::read(path).expect("a file"),
    };
    let copy = path.with_extension("unpacked");
    fs::write(&copy, &content).expect("a copy");
    let counted = counted_by_tshark(&copy);
    fs::remove_file(&copy).expect("removed");
    let mut reader = capfile::Reader::new(&content[..], path).expect("a capture file");
    let mut found = Vec::new();
    while let Some(packet) = reader.next_packet().expect("whole packets only") {
        let time = packet.timestamp_ns.expect("a time");
        found.push((time, packet.original_len, packet.data.to_vec()));
    }
    assert_eq!(found.len(), counted, "{name}");
    found
}

fn unpacked(tool: &str, path: &Path) -> Vec<u8> {
    let out = Command::new(tool).arg("-dc").arg(path).output();
    let out = out.unwrap_or_else(|e| panic!("{tool}: {e} (scripts/setup.sh --tests)"));
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{tool} {}: {errors}", path.display());
    out.stdout
}

fn counted_by_tshark(path: &Path) -> usize {
    let mut tshark = Command::new("tshark");
    let out = tshark.arg("-n").arg("-r").arg(path);
    let out = out.args(["-T", "fields", "-e", "frame.len"]).output();
    let out = out.expect("tshark (scripts/setup.sh --tests)");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {errors}", path.display());
    assert!(
        !errors.contains("cut short"),
        "{}: {errors}",
        path.display()
    );
    String::from_utf8_lossy(&out.stdout).lines().count()
}

/// The frames that a file of a pcap port holds, each recognizable, of all kinds of lengths.
fn frames(count: u32) -> Vec<Vec<u8>> {
    let lengths = [60, 64, 127, 128, 1514, 1518, 2048, 2049, 4096, 9018, 40_000];
    let frame = |i: u32| {
        let len = lengths[i as usize % lengths.len()];
        let mut frame: Vec<u8> = (0..len).map(|k: u32| (i ^ k) as u8).collect();
        // No protocol that tshark would look into.
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        frame
    };
    (0..count).map(frame).collect()
}

/// Has nfv 1 send frames into a ring, once: fewer than the ring holds, so that none is lost.
fn play(panel: &Panel, dir: &Path, number: u32, ring: &str, frames: &[Vec<u8>]) {
    let path = dir.join(format!("spp-rx{number}.pcap"));
    let mut writer = capfile::Writer::create(&path).expect("a file");
    for frame in frames {
        writer.write_packet(0, &[frame]).expect("written");
    }
    drop(writer);
    panel.ok(&format!("nfv 1 add pcap:{number}"));
    panel.ok(&format!("nfv 1 patch pcap:{number} {ring}"));
}
