//! What the files hold.

use std::process::Command;

use testbed::machine::TempDir;

use crate::{LIMIT, capture, frames, listing, packets, panel, play, report, send, wait_received};

#[test]
fn all_forms_hold_what_was_sent_packet_by_packet() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let sent = frames(330);
    let forms = [
        ("pcap", "lz4", "pcap.lz4"),
        ("pcap", "none", "pcap"),
        ("pcapng", "zstd", "pcapng.zst"),
        ("pcapng", "none", "pcapng"),
    ];
    for (number, (format, compress, suffix)) in (1u32..).zip(forms) {
        let out = TempDir::new();
        let before = now_ns();
        let mut pcap = capture(
            &panel,
            &format!(
                "-c ring:0 --out-dir {} --format {format} --compress {compress}",
                out.path().display()
            ),
        );
        play(&panel, dir.path(), number, "ring:0", &sent);
        wait_received(&panel, sent.len() as u64);
        assert!(pcap.terminate(LIMIT).success(), "{}", pcap.output());
        let after = now_ns();
        panel.ok(&format!("nfv 1 del pcap:{number}"));

        let files = listing(out.path());
        assert_eq!(files.len(), 1, "{files:?}");
        let name = files[0].file_name().expect("a name").to_string_lossy();
        let parts: Vec<&str> = name.splitn(6, '.').collect();
        assert_eq!(parts[0], "spp_pcap", "{name}");
        assert!(
            parts[1].len() == 14 && parts[1].bytes().all(|b| b.is_ascii_digit()),
            "{name}"
        );
        assert_eq!(parts[2..], ["ring0", "1", "1", suffix], "{name}");

        let found = packets(&files[0]);
        let bytes: Vec<&Vec<u8>> = found.iter().map(|(_, _, bytes)| bytes).collect();
        assert_eq!(bytes, sent.iter().collect::<Vec<_>>(), "{name}");
        for (time, original, bytes) in &found {
            assert_eq!(*original as usize, bytes.len());
            // pcap has microseconds: the first may seem to have come earlier.
            assert!(
                (before - 1000..=after).contains(time),
                "{before} {time} {after}"
            );
        }
        assert!(found.is_sorted_by_key(|(time, ..)| *time), "{name}");
        if format == "pcapng" {
            statistics(&files[0], compress, sent.len());
        }
    }
    panel.finish();
}

fn now_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_nanos() as u64
}

/// What Wireshark reads of the interface and its statistics.
fn statistics(path: &std::path::Path, compress: &str, count: usize) {
    if compress != "none" {
        return;
    }
    let out = Command::new("capinfos")
        .arg(path)
        .output()
        .expect("capinfos");
    let text = String::from_utf8_lossy(&out.stdout).to_string();
    assert!(text.contains("Name = ring:0"), "{text}");
    assert!(text.contains("Time precision = nanoseconds (9)"), "{text}");
    assert!(text.contains("Number of stat entries = 1"), "{text}");
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(path);
    let out = tshark
        .args(["-X", "read_format:MIME Files Format", "-V"])
        .output();
    let text = String::from_utf8_lossy(&out.expect("tshark").stdout).to_string();
    for (what, number) in [("Received", count), ("Dropped", 0)] {
        let line = format!("Number of {what} Packets: {number}");
        assert!(text.lines().any(|l| l.trim() == line), "{line}");
    }
}

#[test]
fn files_are_rotated_by_size_and_nothing_is_lost_between_them() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let size = 100_000;
    let mut pcap = capture(
        &panel,
        &format!(
            "-c ring:0 --out-dir {} --fsize {size}",
            out.path().display()
        ),
    );
    send(&panel, "ring:0", 20_000, "--size 128 --flows 1");
    let told = wait_received(&panel, 20_000);
    assert!(pcap.terminate(LIMIT).success());
    assert_eq!(
        (told.written, told.lost_full, told.lost_error),
        (20_000, 0, 0),
        "{told:?}"
    );

    // 24 bytes, then 144 for each.
    let fit = (size - 24) / 144;
    let files = listing(out.path());
    assert_eq!(files.len(), 20_000usize.div_ceil(fit));
    let mut all = Vec::new();
    for (i, path) in files.iter().enumerate() {
        let name = path.display().to_string();
        assert!(
            name.ends_with(&format!(".ring0.1.{}.pcap.lz4", i + 1)),
            "{name}"
        );
        // All through tshark would take minutes.
        if i % 20 == 0 || i + 1 == files.len() {
            let found = packets(path);
            assert_eq!(found.len(), fit.min(20_000 - i * fit));
            all.extend(found);
        }
    }
    assert!(all.is_sorted_by_key(|(time, ..)| *time));
    panel.finish();
}

#[test]
fn only_so_many_files_are_kept_and_the_others_are_accounted_for() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    std::fs::write(out.join("spp_pcap.20200101000000.ring0.1.1.pcap"), "old").expect("a file");
    let mut pcap = capture(
        &panel,
        &format!(
            "-c ring:0 --out-dir {} --fsize 50000 --files 3 --compress none",
            out.path().display()
        ),
    );
    send(&panel, "ring:0", 5_000, "--size 64 --flows 1");
    wait_received(&panel, 5_000);
    panel.ok("pcap 3 stop");
    testbed::wait_until("the last file to be complete", LIMIT, || {
        report(&panel).writers[0].file.is_empty()
    });
    let told = report(&panel);
    assert!(pcap.terminate(LIMIT).success());
    let files = listing(out.path());
    assert_eq!(files.len(), 4, "{files:?}");
    let kept: usize = files[..]
        .iter()
        .filter(|path| !path.display().to_string().contains("20200101"))
        .map(|path| packets(path).len())
        .sum();
    assert_eq!(kept as u64 + told.removed_packets, 5_000, "{told:?}");
    assert_eq!(told.files - told.removed_files, 3, "{told:?}");
    panel.finish();
}

#[test]
fn files_are_rotated_by_time() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let mut pcap = capture(
        &panel,
        &format!(
            "-c ring:0 --out-dir {} --rotate-seconds 1",
            out.path().display()
        ),
    );
    // Two and a half seconds.
    send(&panel, "ring:0", 2_500, "--rate 1000 --flows 1");
    wait_received(&panel, 2_500);
    assert!(pcap.terminate(LIMIT).success());
    let files = listing(out.path());
    assert!((3..=6).contains(&files.len()), "{files:?}");
    let mut count = 0;
    for path in &files {
        let found = packets(path);
        let (Some(first), Some(last)) = (found.first(), found.last()) else {
            continue;
        };
        assert!(last.0 - first.0 <= 1_000_000_000, "{}", path.display());
        count += found.len();
    }
    assert_eq!(count, 2_500);
    panel.finish();
}

#[test]
fn several_writers_share_the_packets_and_each_keeps_their_order() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let mut pcap = capture(
        &panel,
        &format!("-c ring:0 --out-dir {} --writers 3", out.path().display()),
    );
    send(&panel, "ring:0", 6_000, "--flows 1");
    let told = wait_received(&panel, 6_000);
    assert_eq!((told.written, told.writers.len()), (6_000, 3), "{told:?}");
    assert!(pcap.terminate(LIMIT).success());
    let files = listing(out.path());
    assert_eq!(files.len(), 3, "{files:?}");
    let all: Vec<_> = files.iter().map(|path| packets(path)).collect();
    assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 6_000);
    for found in &all {
        assert!(!found.is_empty() && found.is_sorted_by_key(|(time, ..)| *time));
    }
    panel.finish();
}

#[test]
fn a_filter_and_a_snap_length_keep_what_they_say() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let sent = frames(220);
    let mut command = crate::command(
        &panel,
        3,
        &format!("-c ring:0 --out-dir {} --snaplen 100", out.path().display()),
    );
    command.args(["--filter", "greater 2049"]);
    let mut pcap = testbed::Proc::spawn("spp-pcap 3", &mut command);
    pcap.wait_output("is ready", LIMIT);
    play(&panel, dir.path(), 1, "ring:0", &sent);
    let told = wait_received(&panel, 220);
    let long: Vec<&Vec<u8>> = sent.iter().filter(|frame| frame.len() >= 2049).collect();
    assert_eq!(told.written as usize, long.len(), "{told:?}");
    assert_eq!(told.filtered as usize, 220 - long.len(), "{told:?}");
    let patch = panel.patch(3, "ring:0");
    assert_eq!(patch.dst, "spppcap:3");
    assert_eq!(patch.counters.rx_packets, 220);
    assert_eq!(patch.counters.tx_packets, told.written);
    assert_eq!(patch.counters.drops.filtered, told.filtered);
    assert!(pcap.terminate(LIMIT).success());
    let found = packets(&listing(out.path())[0]);
    assert_eq!(found.len(), long.len());
    for ((_, original, bytes), frame) in found.iter().zip(long) {
        assert_eq!(*original as usize, frame.len());
        assert_eq!(bytes[..], frame[..100]);
    }

    let mut wrong = crate::command(&panel, 4, "-c ring:1");
    wrong.args(["--filter", "tcp prot 80"]);
    let words = testbed::proc::run(&mut wrong, LIMIT).failure();
    assert!(
        words.contains("tcp prot 80") && words.contains("syntax error"),
        "{words}"
    );
    panel.finish();
}
