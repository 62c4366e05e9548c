//! Frames by description, as somebody else reads them.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::Command;

use capfile::{Format, Interface};
use traffic::Frames;
use traffic::craft::{Craft, Scope};
use traffic::frame::Stamp;

/// A file that goes with the test.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A capture with the first frames of a description.
fn capture(packet: &str, size: &str, count: u64) -> File {
    let (packet, sizes) = (
        packet.parse().expect("a packet"),
        size.parse().expect("sizes"),
    );
    let craft = Craft::new(1, &packet, &sizes, 1, Scope::Frame).expect("frames");
    let frames = Frames::from(craft);
    let interface = Interface {
        name: "x",
        program: "x",
        filter: "",
        snaplen: 65_535,
    };
    let mut file = Format::Pcap.beginning(&interface);
    let mut room = [0; 9600];
    for sequence in 0..count {
        let stamp = Stamp {
            sequence,
            time_ns: sequence * 1_234_567,
        };
        let size = frames.write_into(&mut room, stamp).expect("room");
        Format::Pcap.push(&mut file, sequence * 1000, size as u32, &room[..size]);
    }
    let name = format!(
        "spp-crafted-{}-{:?}.pcap",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    std::fs::write(&path, file).expect("the file is written");
    File(path)
}

/// What tshark says of these fields of each frame; it looks at all checksums.
fn fields(file: &File, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(&file.0)
        .args(["-n", "-T", "fields", "-E", "separator=|"]);
    for protocol in ["ip", "udp", "tcp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| line.split('|').map(str::to_owned).collect())
        .collect()
}

const COUNT: u64 = 300;

/// Frames of which tshark says that all is well: nothing malformed, these checksums good, their lengths those of their bytes.
#[track_caller]
fn assert_sound(packet: &str, checksums: &[&str]) {
    let file = capture(packet, "random(120-1514)", COUNT);
    let mut wanted = vec!["_ws.malformed", "_ws.expert.severity"];
    wanted.extend(checksums);
    let found = fields(&file, &wanted);
    assert_eq!(found.len() as u64, COUNT);
    for frame in &found {
        assert_eq!(frame[0], "", "{packet}: {frame:?}");
        // Errors are worse than warnings (6 and 8 in tshark's counting of millions).
        assert!(!frame[1].contains("8388608"), "{packet}: {frame:?}");
        for status in &frame[2..] {
            assert_eq!(status, "1", "{packet}: {frame:?}");
        }
    }
}

#[test]
fn checksums_and_lengths_are_right_for_an_independent_reader() {
    let ipv4 = "ipv4(src=10.0.0.1-10.0.0.254,dst=random,ttl=1-200,dscp=random,id=random)";
    let ipv6 = "ipv6(src=fd00::1-fd00::ffff,dst=random,hops=random(1-255),label=random)";
    assert_sound(
        &format!("eth/{ipv4}/udp(sport=random,dport=20000-30000)"),
        &["ip.checksum.status", "udp.checksum.status"],
    );
    assert_sound(
        &format!("eth/vlan(id=1-50)/{ipv4}/tcp(sport=random,seq=random,window=random)"),
        &["ip.checksum.status", "tcp.checksum.status"],
    );
    assert_sound(
        &format!("eth/{ipv4}/icmp(id=random,seq=0-65535)"),
        &["ip.checksum.status", "icmp.checksum.status"],
    );
    assert_sound(
        &format!("eth/{ipv6}/udp(sport=20000-60000,dport=20000-30000)"),
        &["udp.checksum.status"],
    );
    assert_sound(
        &format!("eth/vlan/vlan(id=7)/{ipv6}/tcp(ack=random)"),
        &["tcp.checksum.status"],
    );
    assert_sound(
        &format!("eth/{ipv6}/icmp(id=random,seq=random)"),
        &["icmpv6.checksum.status"],
    );
    assert_sound(&format!("eth/{ipv4}"), &["ip.checksum.status"]);
}

#[test]
fn fields_are_where_an_independent_reader_looks_for_them() {
    let file = capture(
        "eth(dst=52:54:00:00:00:01,src=02:00:00:00:00:10-02:00:00:00:00:12)/vlan(id=100-102,pcp=5,dei=1,tpid=0x88a8)/vlan(id=7)/ipv6(src=fd00::a-fd00::c,dscp=46,ecn=1,hops=9,label=77)/tcp(sport=80-82,dport=443,seq=5,ack=6,flags=SA,window=1000)",
        "200",
        4,
    );
    let found = fields(
        &file,
        &[
            "eth.dst",
            "eth.src",
            "ieee8021ad.id",
            "vlan.id",
            "ipv6.src",
            "ipv6.tclass.dscp",
            "ipv6.tclass.ecn",
            "ipv6.hlim",
            "ipv6.flow",
            "tcp.srcport",
            "tcp.dstport",
            "tcp.seq_raw",
            "tcp.ack_raw",
            "tcp.flags.str",
            "tcp.window_size_value",
            "ipv6.plen",
        ],
    );
    let expected = |k: u32| {
        let flags = &found[k as usize][13];
        vec![
            "52:54:00:00:00:01".to_owned(),
            format!("02:00:00:00:00:1{}", k % 3),
            (100 + k % 3).to_string(),
            "7".to_owned(),
            format!("fd00::{:x}", 10 + k % 3),
            "46".to_owned(),
            "1".to_owned(),
            "9".to_owned(),
            "0x00004d".to_owned(),
            (80 + k % 3).to_string(),
            "443".to_owned(),
            "5".to_owned(),
            "6".to_owned(),
            flags.clone(),
            "1000".to_owned(),
            (200 - 14 - 8 - 40).to_string(),
        ]
    };
    for k in 0..4 {
        assert_eq!(found[k as usize], expected(k));
        let flags = &found[k as usize][13];
        assert!(
            flags.contains('S') && flags.contains('A') && !flags.contains('F'),
            "{flags}"
        );
    }
    let file = capture(
        "eth/ipv4(src=10.1.2.3,ttl=7,dscp=10,ecn=2,id=99,proto=89)",
        "100",
        1,
    );
    let found = fields(
        &file,
        &[
            "ip.src",
            "ip.ttl",
            "ip.dsfield.dscp",
            "ip.dsfield.ecn",
            "ip.id",
            "ip.proto",
            "ip.len",
        ],
    );
    assert_eq!(found[0], ["10.1.2.3", "7", "10", "2", "0x0063", "89", "86"]);
    let file = capture("eth/ipv4/icmp(type=13,code=2,id=4660,seq=1-2)", "100", 2);
    let found = fields(&file, &["icmp.type", "icmp.code", "icmp.ident", "icmp.seq"]);
    assert_eq!(found[1][..2], ["13", "2"]);
    assert!(
        found[1][2].contains("4660") && found[1][3].contains('2'),
        "{found:?}"
    );
}
