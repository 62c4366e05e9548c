//! Capture files as ports: what is read comes out, what goes in is written, and what is wrong is said.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testbed::machine::TempDir;
use testbed::{Panel, proc, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// Frames of all kinds of lengths, each recognizable.
fn frames(count: u32) -> Vec<Vec<u8>> {
    let lengths = [60, 64, 127, 128, 1514, 1518, 2048, 2049, 4096, 9018, 40_000];
    let frame = |i: u32| {
        let len = lengths[i as usize % lengths.len()];
        (0..len).map(|k: u32| (i ^ k) as u8).collect()
    };
    (0..count).map(frame).collect()
}

/// A classic capture with times in microseconds.
fn classic(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1u32] {
        file.extend(word.to_le_bytes());
    }
    for (i, frame) in frames.iter().enumerate() {
        for word in [i as u32, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// A capture in the newer format (pcapng): section, interface, and a packet block each.
fn newer(frames: &[Vec<u8>]) -> Vec<u8> {
    fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
        let len = 12 + body.len().next_multiple_of(4) as u32;
        file.extend(kind.to_le_bytes());
        file.extend(len.to_le_bytes());
        file.extend(body);
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(len.to_le_bytes());
    }
    let mut file = Vec::new();
    let section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
    block(&mut file, 0x0a0d_0d0a, &[&section[..], &[0xff; 8]].concat());
    block(&mut file, 1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    for frame in frames {
        let len = (frame.len() as u32).to_le_bytes();
        let head = [&[0; 12][..], &len, &len].concat();
        block(&mut file, 6, &[&head, &frame[..]].concat());
    }
    file
}

/// The packets of a classic capture.
fn packets(path: &Path) -> Vec<Vec<u8>> {
    let file = fs::read(path).expect("the capture is there");
    let mut rest = &file[24..];
    let mut found = Vec::new();
    while let Some((head, more)) = rest.split_at_checked(16) {
        let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        found.push(more[..len].to_vec());
        rest = &more[len..];
    }
    found
}

/// How many packets tshark counts, where it is installed.
fn counted_by_tshark(path: &Path) -> Option<usize> {
    let mut tshark = Command::new("tshark");
    let out = tshark
        .arg("-r")
        .arg(path)
        .args(["-T", "fields", "-e", "frame.len"])
        .output()
        .ok()?;
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    Some(String::from_utf8_lossy(&out.stdout).lines().count())
}

fn panel(dir: &Path) -> Panel {
    let dir = dir.display().to_string();
    Panel::builder()
        .memory(256)
        .nfv(1)
        .nfv_args(1, ["--pcap-dir".to_string(), dir])
        .start()
}

/// A file system of a megabyte, gone with this.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(at);
        proc::run(&mut mount, LIMIT).success();
        SmallDisk(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A test that has failed already says why; the folder stays then.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn both_formats_are_read_and_come_out_as_they_went_in() {
    let dir = TempDir::new();
    let sent = frames(3000);
    fs::write(dir.join("spp-rx1.pcap"), classic(&sent)).expect("written");
    fs::write(dir.join("spp-rx2.pcap"), newer(&sent)).expect("written");
    let panel = panel(dir.path());
    for port in [1, 2] {
        panel.ok(&format!("nfv 1 add pcap:{port}"));
        panel.ok(&format!("nfv 1 patch pcap:{port} pcap:{port}"));
        let name = format!("pcap:{port}");
        wait_until("the end of the file", LIMIT, || {
            panel.port(1, &name).info.contains("at its end")
        });
        let counters = panel.port(1, &name).counters;
        assert_eq!((counters.rx_packets, counters.tx_packets), (3000, 3000));
        let bytes: usize = sent.iter().map(Vec::len).sum();
        assert_eq!(counters.tx_bytes, bytes as u64);
        let file = dir.join(&format!("spp-tx{port}.pcap"));
        assert_eq!(packets(&file), sent);
        match counted_by_tshark(&file) {
            Some(count) => assert_eq!(count, sent.len()),
            None => eprintln!("skipped: tshark is not installed"),
        }
    }
    panel.finish();
}

#[test]
fn bad_files_are_refused_and_touch_nothing() {
    let dir = TempDir::new();
    fs::write(dir.join("spp-rx1.pcap"), "no capture at all").expect("written");
    fs::write(dir.join("spp-tx1.pcap"), "of somebody").expect("written");
    std::os::unix::fs::symlink("/etc/hostname", dir.join("spp-rx2.pcap")).expect("linked");
    let panel = panel(dir.path());
    let before = panel.shape();
    assert!(panel.refused("nfv 1 add pcap:1").contains("spp-rx1.pcap"));
    assert!(
        panel
            .refused("nfv 1 add pcap:2")
            .contains("links are not followed")
    );
    assert_eq!(panel.shape(), before);
    assert_eq!(
        fs::read(dir.join("spp-tx1.pcap")).expect("there"),
        b"of somebody"
    );
    // A missing file to be read is made, empty.
    panel.ok("nfv 1 add pcap:3");
    assert_eq!(
        fs::metadata(dir.join("spp-rx3.pcap")).expect("there").len(),
        24
    );
    // One that breaks off in the middle gives what it has and says so.
    let whole = classic(&frames(10));
    fs::write(dir.join("spp-rx4.pcap"), &whole[..whole.len() - 5]).expect("written");
    panel.ok("nfv 1 add pcap:4");
    panel.ok("nfv 1 patch pcap:4 pcap:3");
    wait_until("the fault to be reported", LIMIT, || {
        panel.port(1, "pcap:4").info.contains("spp-rx4.pcap, byte")
    });
    assert_eq!(panel.port(1, "pcap:3").counters.tx_packets, 9);
    panel.finish();
}

#[test]
fn a_full_disk_drops_and_counts_and_the_worker_goes_on() {
    let dir = TempDir::new();
    let small = dir.join("small");
    fs::create_dir(&small).expect("made");
    let _mount = SmallDisk::mount(&small);
    let panel = panel(&small);
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 add pcap:1");
    panel.ok("nfv 1 patch nullpmd:1 pcap:1");
    wait_until("the disk to be full", LIMIT, || {
        panel.port(1, "pcap:1").counters.drops.io_error > 0
    });
    assert!(panel.port(1, "pcap:1").info.contains("No space left"));
    panel.ok("nfv 1 unpatch nullpmd:1");
    let patch = panel.port(1, "nullpmd:1").counters;
    let port = panel.port(1, "pcap:1").counters;
    assert_eq!(patch.rx_packets, port.tx_packets + port.drops.total());
    // What is in the file is whole, and as much as was counted.
    assert_eq!(
        packets(&small.join("spp-tx1.pcap")).len() as u64,
        port.tx_packets
    );
    panel.ok("nfv 1 del pcap:1");
    panel.ok("nfv 1 status");
    panel.finish();
}
