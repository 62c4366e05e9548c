//! What Wireshark's tools say of our files, and we of theirs. On a machine without them (package
//! tshark) there is nobody to ask, and the tests say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::encode::{Order, enhanced, interface, option, section};
use capfile::{Format, Reader, Writer};

/// What a tool prints; `None` if it is not installed.
fn run(tool: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let output = match Command::new(tool).args(arguments).arg(file).output() {
        Ok(output) => output,
        Err(_) => {
            eprintln!("skipped: {tool} is not installed (apt install tshark)");
            return None;
        }
    };
    assert!(
        output.status.success(),
        "{tool}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Frames of all sizes that a port meets, each with its time.
fn frames() -> Vec<(u64, Vec<u8>)> {
    [60, 61, 64, 1514, 9018, 14, 65_000]
        .iter()
        .enumerate()
        .map(|(n, &length)| {
            let mut frame = vec![n as u8; length];
            frame[12..14].copy_from_slice(&[0x88, 0xb5]);
            (1_700_000_000_000_000_000 + n as u64 * 1_234_567_000, frame)
        })
        .collect()
}

fn written(folder: &Path) -> PathBuf {
    let path = folder.join("ours.pcap");
    let mut writer = Writer::create(&path).unwrap();
    for (time, frame) in frames() {
        writer.write_packet(time, &[&frame]).unwrap();
    }
    writer.flush().unwrap();
    path
}

fn read(path: &Path) -> (Format, Vec<(u64, Vec<u8>)>) {
    let mut reader = Reader::open(path).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        frames.push((packet.timestamp_ns.unwrap(), packet.data.to_vec()));
    }
    (reader.format(), frames)
}

#[test]
fn tshark_sees_every_frame_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let fields = [
        "-T",
        "fields",
        "-e",
        "frame.time_epoch",
        "-e",
        "frame.len",
        "-r",
    ];
    let Some(text) = run("tshark", &fields, &path) else {
        return;
    };
    let expected: Vec<String> = frames()
        .iter()
        .map(|(time, frame)| {
            format!(
                "{}.{:09}\t{}",
                time / 1_000_000_000,
                time % 1_000_000_000,
                frame.len()
            )
        })
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn capinfos_finds_an_empty_file_of_24_bytes_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pcap");
    drop(Writer::create(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 24);
    assert_eq!(read(&path), (Format::Pcap, Vec::new()));
    let Some(text) = run("capinfos", &["-t", "-E", "-c", "-M"], &path) else {
        return;
    };
    for part in ["pcap\n", "ether\n", "Number of packets:   0\n"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_editcap_writes_in_each_format_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let ours = written(folder.path());
    for (name, format) in [
        ("pcapng", Format::PcapNg),
        ("pcap", Format::Pcap),
        ("nsecpcap", Format::Pcap),
    ] {
        let theirs = folder.path().join(name);
        let arguments = ["-F", name, ours.to_str().unwrap()];
        if run("editcap", &arguments, &theirs).is_none() {
            return;
        }
        assert_eq!(read(&theirs), (format, frames()), "{name}");
    }
}

#[test]
fn tshark_and_we_agree_on_a_pcapng_of_many_interfaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.pcapng");
    let mut file = Vec::new();
    for order in [Order::Big, Order::Little] {
        file.extend(section(order));
        for resolution in [6, 9, 3, 0x80 | 20] {
            file.extend(interface(order, 1, 0, &option(order, 9, &[resolution])));
        }
        for number in 0..4 {
            let time = 1_000_000_000_000 + u64::from(number);
            file.extend(enhanced(order, number, time, &[number as u8; 60], 60));
        }
    }
    std::fs::write(&path, file).unwrap();
    let Some(text) = run(
        "tshark",
        &["-T", "fields", "-e", "frame.time_epoch", "-r"],
        &path,
    ) else {
        return;
    };
    let ours: Vec<String> = read(&path)
        .1
        .iter()
        .map(|(time, _)| format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), ours);
}
