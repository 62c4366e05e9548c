//! `spp traffic` on a real panel: what users send is what arrives, and what they are told is what happened.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testbed::machine::{self, TempDir};
use testbed::proc::{self, Finished, Signal};
use testbed::{Panel, Proc, TestPmd, wait_until};

#[path = "common/frames.rs"]
mod frames;

const LIMIT: Duration = Duration::from_secs(60);

/// A panel with a worker that writes captures into this folder.
fn panel(folder: &TempDir) -> Panel {
    Panel::builder()
        .memory(256)
        .primary_args(["--rings", "8", "--ring-size", "4096"])
        .nfv_on(1, machine::cpu(0))
        .nfv_args(
            1,
            ["--pcap-dir".to_owned(), folder.path().display().to_string()],
        )
        .start()
}

/// `spp traffic` with these arguments, as a user starts it.
fn command(panel: &Panel, args: &[&str]) -> Command {
    let mut command = panel.command(Command::new(machine::bin("spp")));
    command.args(["-b", &panel.rest().to_string(), "traffic"]);
    command.args(["--file-prefix", panel.prefix()]).args(args);
    command
}

fn run(panel: &Panel, args: &[&str]) -> Finished {
    proc::run(&mut command(panel, args), LIMIT)
}

/// The totals among the lines of `--json`.
fn totals(output: &str) -> Value {
    let line = output.lines().find(|line| line.starts_with("{\"size\""));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no totals: {output}"))).expect("JSON")
}

/// Runs it, and expects that its exit status says what its totals say.
#[track_caller]
fn report(panel: &Panel, line: &[&str]) -> Value {
    let args = [line, &["--json"]].concat();
    let finished = run(panel, &args);
    let report = totals(&finished.output);
    let good = ["lost", "duplicated", "reordered", "bad", "unplaced"]
        .iter()
        .all(|fault| report[fault] == 0);
    assert_eq!(
        finished.status.code(),
        Some(i32::from(!good)),
        "{}",
        finished.output
    );
    report
}

/// All that was sent arrived, but for what the panel dropped, and says so.
#[track_caller]
fn assert_accounted(panel: &Panel, report: &Value, sent: u64) {
    let dropped = panel.dropped();
    assert_eq!(report["sent"], sent, "{report}");
    assert_eq!(report["lost"], dropped, "{report}");
    assert_eq!(report["received"], sent - dropped, "{report}");
    for fault in ["duplicated", "reordered", "bad", "unplaced", "foreign"] {
        assert_eq!(report[fault], 0, "{report}");
    }
    panel.ok("nfv 1 clear");
}

const LAYERS: &str = "eth(dst=52:54:00:00:00:01)/vlan(id=100-110)/ipv4(src=10.0.0.1-10.0.0.254,dst=random)/udp(dport=1000-2000)";

#[test]
fn crafted_frames_of_many_kinds_and_sizes_arrive_whole_through_a_worker() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 patch ring:0 ring:1");
    let path = [
        "--tx", "ring:0", "--rx", "ring:1", "--count", "20000", "--rate", "50kpps",
    ];
    for more in [
        &["--packet", LAYERS][..],
        &[
            "--packet",
            LAYERS,
            "--packet",
            "eth/ipv6(dst=random)/tcp(seq=random)",
            "--size",
            "random(100-1514)",
        ],
        &[
            "--packet",
            "eth/ipv4/icmp(seq=0-65535)",
            "--flows",
            "3",
            "--seed",
            "7",
        ],
        &["--size", "imix"],
        &["--size", "64-9600"],
    ] {
        let report = report(&panel, &[&path, more].concat());
        assert_accounted(&panel, &report, 20_000);
        let age = &report["age"];
        let figures = [
            "least_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "most_ns",
        ]
        .map(|name| age[name].as_u64());
        assert!(figures.is_sorted() && figures[0] > Some(0), "{report}");
    }
}

#[test]
fn frames_pass_a_guest_and_come_back_whole() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    for line in [
        "add vhost:1",
        "patch ring:0 vhost:1",
        "patch vhost:1 ring:1",
    ] {
        panel.ok(&format!("nfv 1 {line}"));
    }
    let mut guest = TestPmd::builder("guest")
        .vhost_client(&panel.socket(1))
        .mode("io")
        .start();
    guest.start();
    panel.wait_link(1, "vhost:1", "up");
    let report = report(
        &panel,
        &[
            "--tx",
            "ring:0",
            "--rx",
            "ring:1",
            "--packet",
            LAYERS,
            "--count",
            "20000",
            "--rate",
            "10kpps",
            "--patience",
            "10",
        ],
    );
    let seen = guest.stop()[0];
    let lost = panel.dropped() + seen.rx_packets - seen.tx_packets;
    assert!(seen.tx_packets > 1000, "{seen:?}");
    assert_eq!(
        (&report["sent"], &report["lost"]),
        (&20_000.into(), &lost.into()),
        "{report}"
    );
    assert_eq!(
        (&report["bad"], &report["duplicated"], &report["reordered"]),
        (&0.into(), &0.into(), &0.into())
    );
}

/// Flow, number and address of each frame that `--show-buffers` tells of.
fn buffers(report: &Value, side: &str) -> BTreeMap<(u64, u64), String> {
    let shown = report[side].as_array().expect("buffers").iter();
    let number = |value: &Value| value.as_u64().expect("a number");
    shown
        .map(|buffer| {
            let address = buffer["address"].as_str().expect("an address");
            assert!(address.starts_with("0x"), "{address}");
            let frame = (number(&buffer["flow"]), number(&buffer["sequence"]));
            (frame, address.to_owned())
        })
        .collect()
}

#[test]
fn frames_keep_their_buffers_over_rings_and_not_through_a_guest() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 patch ring:0 ring:1");
    let path = [
        "--tx",
        "ring:0",
        "--rx",
        "ring:1",
        "--count",
        "500",
        "--rate",
        "10kpps",
        "--flows",
        "3",
        "--show-buffers",
        "100",
        "--patience",
        "2",
    ];
    let rings = report(&panel, &path);
    let (sent, received) = (
        buffers(&rings, "buffers_sent"),
        buffers(&rings, "buffers_received"),
    );
    assert_eq!(sent.len(), 100);
    assert!(sent.contains_key(&(0, 33)) && !sent.contains_key(&(1, 33)));
    assert_eq!(sent, received);

    panel.ok("nfv 1 patch ring:0 vhost:1");
    panel.ok("nfv 1 patch vhost:1 ring:1");
    let mut guest = TestPmd::builder("guest")
        .vhost_client(&panel.socket(1))
        .mode("io")
        .start();
    guest.start();
    panel.wait_link(1, "vhost:1", "up");
    let copied = report(&panel, &path);
    let (sent, received) = (
        buffers(&copied, "buffers_sent"),
        buffers(&copied, "buffers_received"),
    );
    let same = |(frame, address): (&(u64, u64), &String)| received.get(frame) == Some(address);
    let kept = sent.iter().filter(|pair| same(*pair)).count();
    assert!(
        !received.is_empty() && kept < 50,
        "{kept} of 100 kept theirs"
    );
    let text = run(
        &panel,
        &[
            "--rx",
            "ring:1",
            "--seconds",
            "1ms",
            "--show-buffers",
            "5",
            "--replay",
            "x",
        ],
    );
    assert_eq!(text.status.code(), Some(2), "{}", text.output);
}

/// What tshark says of each frame of a file; it looks at checksums.
fn tshark(file: &Path, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(file)
        .args(["-n", "-T", "fields", "-E", "separator=|"]);
    command.args([
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
    ]);
    // Whatever other protocols have ports there.
    command.args(["-d", "udp.port==1000-2000,data"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_arrives_is_what_was_described_for_an_independent_reader() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 add pcap:1");
    panel.ok("nfv 1 patch ring:0 pcap:1");
    let report = report(
        &panel,
        &[
            "--tx", "ring:0", "--packet", LAYERS, "--count", "500", "--rate", "5kpps",
        ],
    );
    assert_eq!(report["sent"], 500);
    wait_until("all to be written", LIMIT, || {
        panel.port(1, "pcap:1").counters.tx_packets == 500
    });
    panel.ok("nfv 1 del pcap:1");
    let found = tshark(
        &folder.path().join("spp-tx1.pcap"),
        &[
            "eth.dst",
            "vlan.id",
            "ip.src",
            "ip.checksum.status",
            "udp.checksum.status",
            "udp.dstport",
            "_ws.malformed",
        ],
    );
    assert_eq!(found.len(), 500);
    for (k, line) in found.iter().enumerate() {
        let expected = format!(
            "52:54:00:00:00:01|{}|10.0.0.{}|1|1|{}|",
            100 + k % 11,
            1 + k % 254,
            1000 + k % 1001
        );
        assert_eq!(*line, expected);
    }
}

/// Packets of all lengths, some of them the same.
fn packets(count: u32) -> Vec<frames::Frame> {
    let packet = |k: u32| {
        let len = [60, 64, 590, 1514, 3000][k as usize % 5];
        frames::frame(frames::mac(1), frames::mac(2), &[], k % 700, len)
    };
    (0..count).map(packet).collect()
}

#[test]
fn a_replayed_capture_arrives_packet_by_packet() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    let file = folder.path().join("sent.pcap");
    let sent = packets(1000);
    frames::write(&file, &sent);
    let file = file.to_str().expect("a path");
    let replay = ["--tx", "ring:0", "--replay", file, "--speed", "10kpps"];

    panel.ok("nfv 1 add pcap:1");
    panel.ok("nfv 1 patch ring:0 pcap:1");
    assert_eq!(report(&panel, &replay)["sent"], 1000);
    wait_until("all to be written", LIMIT, || {
        panel.port(1, "pcap:1").counters.tx_packets == 1000
    });
    panel.ok("nfv 1 del pcap:1");
    let written = frames::read(&folder.path().join("spp-tx1.pcap"));
    assert!(written == sent, "{} packets were written", written.len());

    panel.ok("nfv 1 clear");
    panel.ok("nfv 1 patch ring:0 ring:1");
    let report = report(
        &panel,
        &[&replay[..], &["--rx", "ring:1", "--loop", "3"]].concat(),
    );
    assert_accounted(&panel, &report, 3000);
    assert_eq!(report["measured"], "content", "{report}");
}

#[test]
fn a_capture_is_replayed_at_its_own_speed_or_a_multiple() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 patch ring:0 ring:1");
    // A packet each second.
    let file = folder.path().join("slow.pcap");
    frames::write(&file, &packets(4));
    let file = file.to_str().expect("a path");
    for (speed, least, most) in [("1x", 3.0, 3.9), ("10x", 0.3, 1.2), ("max", 0.0, 0.2)] {
        let line = ["--tx", "ring:0", "--rx", "ring:1", "--replay", file];
        let line = [&line[..], &["--speed", speed, "--patience", "5"]].concat();
        // Never less; on a machine that is busy elsewhere it may take longer: then again.
        wait_until(&format!("{speed} in less than {most} s"), LIMIT, || {
            let report = report(&panel, &line);
            let took = report["sent_seconds"].as_f64().expect("seconds");
            assert!(took >= least - 0.001, "{speed}: {report}");
            assert_accounted(&panel, &report, 4);
            took < most
        });
    }
}

#[test]
fn what_a_path_loses_on_purpose_is_found_to_the_last_packet() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch ring:0 ring:1");
    let line = [
        "--tx", "ring:0", "--rx", "ring:1", "--packet", LAYERS, "--rate", "10kpps", "--json",
    ];
    let mut run = Proc::spawn("spp traffic", &mut command(&panel, &line));
    let moved = |port: &str, least: u64| panel.port(1, port).counters.tx_packets > least;
    wait_until("frames to pass", LIMIT, || moved("ring:1", 1000));
    panel.ok("nfv 1 patch ring:0 nullpmd:0");
    wait_until("frames to be lost", LIMIT, || moved("nullpmd:0", 100));
    panel.ok("nfv 1 patch ring:0 ring:1");
    let before = panel.port(1, "ring:1").counters.tx_packets;
    wait_until("frames to pass again", LIMIT, || {
        moved("ring:1", before + 1000)
    });
    run.signal(Signal::INT);
    let status = run.wait_exit(LIMIT);
    assert_eq!(status.code(), Some(1), "{}", run.output());
    let report = totals(&run.output());
    let lost = panel.port(1, "nullpmd:0").counters.tx_packets + panel.dropped();
    assert_eq!(report["lost"], lost, "{report}");
    assert_eq!(
        (&report["bad"], &report["duplicated"]),
        (&0.into(), &0.into()),
        "{report}"
    );
    assert!(
        run.output().contains("Not every packet"),
        "{}",
        run.output()
    );
}

#[test]
fn ctrl_c_ends_the_sending_and_the_rest_arrives() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 patch ring:0 ring:1");
    let line = [
        "--tx",
        "ring:0",
        "--rx",
        "ring:1",
        "--rate",
        "20kpps",
        "--interval",
        "0.2",
    ];
    let mut run = Proc::spawn("spp traffic", &mut command(&panel, &line));
    run.wait_output("missing so far", LIMIT);
    run.signal(Signal::INT);
    let status = run.wait_exit(LIMIT);
    let output = run.output();
    assert_eq!(status.success(), panel.dropped() == 0, "{output}");
    assert!(
        output.contains("sent ") && output.contains("lost "),
        "{output}"
    );
    assert!(
        output.contains("p50") && output.contains("p99.9"),
        "{output}"
    );
}

fn producer(panel: &Panel) -> String {
    let rings = panel.detail(0).rings;
    rings
        .into_iter()
        .find(|ring| ring.name == "ring:0")
        .expect("the ring")
        .producer
}

#[test]
fn the_process_goes_when_the_command_is_killed_and_two_runs_do_not_meet() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    panel.ok("nfv 1 patch ring:0 ring:1");
    let mut run = Proc::spawn(
        "spp traffic",
        &mut command(
            &panel,
            &["--tx", "ring:0", "--rx", "ring:1", "--rate", "1k"],
        ),
    );
    wait_until("the end to be claimed", LIMIT, || {
        producer(&panel) == "traffic:127"
    });
    // Another one takes another id, and is refused what is taken.
    let refused = self::run(&panel, &["--tx", "ring:0", "--count", "1"]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.output);
    assert!(refused.output.contains("traffic:127"), "{}", refused.output);
    assert!(
        self::run(&panel, &["--tx", "ring:5", "--count", "1"])
            .status
            .success()
    );
    run.kill();
    wait_until("the end to be free", LIMIT, || producer(&panel).is_empty());
}

#[test]
fn mistakes_are_refused_with_the_reason_and_what_is_known() {
    let folder = TempDir::new();
    let panel = panel(&folder);
    let cut = folder.path().join("nothing.pcap");
    std::fs::write(&cut, "no capture").expect("a file");
    let cut = cut.to_str().expect("a path");
    for (args, status, reason) in [
        (
            &["--tx", "ring:0", "--packet", "eth/ipv5"][..],
            2,
            "'ipv5' is no layer that is known: inside eth there may be vlan, ipv4, ipv6",
        ),
        (
            &["--tx", "ring:0", "--packet", "eth/ipv4(ttl=300)"],
            2,
            "ipv4: ttl: '300' is not a number from 0 to 255",
        ),
        (
            &["--tx", "ring:0", "--packet", "eth/ipv6/tcp", "--size", "64"],
            2,
            "need at least 92",
        ),
        (&["--tx", "ring:0", "--size", "1500-64"], 2, "downwards"),
        (
            &["--tx", "ring:0", "--rate", "fast"],
            2,
            "'fast' is not a rate",
        ),
        (&["--tx", "ring:0", "--speed", "1x"], 2, "--replay"),
        (
            &["--tx", "ring:0", "--replay", cut, "--size", "64"],
            2,
            "cannot be used with",
        ),
        (&["--tx", "ring:0", "--replay", cut], 2, "not a pcap"),
        (
            &["--tx", "ring:0", "--replay", "/nowhere/at/all"],
            2,
            "No such file",
        ),
        (&["--count", "1"], 2, "--rx"),
        (&["--tx", "ring:99", "--count", "1"], 1, "ring:99"),
    ] {
        let finished = run(&panel, args);
        assert_eq!(
            finished.status.code(),
            Some(status),
            "{args:?}: {}",
            finished.output
        );
        assert!(
            finished.output.contains(reason),
            "{args:?}: {}",
            finished.output
        );
    }
    let help = run(&panel, &["--help"]).success();
    assert!(
        help.contains("Usage: spp traffic") && help.contains("--packet <LAYERS>"),
        "{help}"
    );
    let offered = panel.spp(&["__complete", "traffic --"]).success();
    assert!(offered.lines().count() > 20, "{offered}");
    for option in offered.lines().map(str::trim) {
        assert!(
            help.contains(option),
            "{option} is offered, but unknown: {help}"
        );
    }
}
