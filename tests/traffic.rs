//! spp-traffic against a real panel: what it counts is what happened.

#![allow(clippy::expect_used, clippy::panic)]

use std::process::Command;
use std::time::Duration;

use testbed::machine::TempDir;
use testbed::{Netns, Panel, Proc, TestPmd, machine, netns, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn panel() -> Panel {
    Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv_on(1, machine::cpu(0))
        .start()
}

fn traffic(panel: &Panel, args: &str) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--json"]);
    command.args(args.split_whitespace());
    Proc::spawn("spp-traffic", &mut command)
}

fn report(traffic: &mut Proc) -> serde_json::Value {
    traffic.wait_exit(LIMIT);
    let output = traffic.output();
    let line = output.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no report: {output}"))).expect("JSON")
}

#[test]
fn every_frame_of_every_size_and_flow_arrives_once_and_in_order() {
    let panel = panel();
    panel.ok("nfv 1 patch ring:0 ring:1");
    for (size, flows) in [(60, 1), (1518, 7), (9600, 16)] {
        let line = format!(
            "--sec-id 9 --tx ring:0 --rx ring:1 --count 20000 --rate 50000 --size {size} --flows {flows}"
        );
        let mut run = traffic(&panel, &line);
        let report = report(&mut run);
        // What a ring had no room for, on a machine that is busy elsewhere, is counted as such.
        let dropped = panel.dropped();
        panel.ok("nfv 1 clear");
        assert_eq!(report["sent"], 20_000, "{report}");
        assert_eq!(report["lost"], dropped, "{report}");
        assert_eq!(report["received"], 20_000 - dropped, "{report}");
        for fault in ["duplicated", "reordered", "bad", "unplaced", "foreign"] {
            assert_eq!(report[fault], 0, "{report}");
        }
        assert_eq!(
            report["flows"].as_array().map(Vec::len),
            Some(flows),
            "{report}"
        );
        let good = run.wait_exit(LIMIT).success();
        assert_eq!(good, dropped == 0);
    }
}

#[test]
fn what_a_full_ring_refuses_is_not_sent_and_its_numbers_come_again() {
    let panel = panel();
    // Nobody takes anything out yet: 1,023 fit.
    let mut run = traffic(
        &panel,
        "--sec-id 9 --tx ring:2 --rx ring:3 --count 5000 --patience 10",
    );
    wait_until("the ring to be full", LIMIT, || panel.in_rings() == 1023);
    panel.ok("nfv 1 patch ring:2 ring:3");
    let report = report(&mut run);
    let dropped = panel.dropped();
    assert_eq!(report["sent"], 5000, "{report}");
    assert!(
        report["refused"].as_u64().is_some_and(|n| n > 0),
        "{report}"
    );
    assert_eq!(report["lost"], dropped, "{report}");
    assert_eq!(report["duplicated"], 0, "{report}");
    assert_eq!(report["reordered"], 0, "{report}");
}

/// All that was sent came back whole, once and in order, but for what somebody dropped on the way, and says so.
fn assert_whole(report: &serde_json::Value, sent: u64, dropped: u64) {
    assert_eq!(report["sent"], sent, "{report}");
    assert_eq!(report["lost"], dropped, "{report}");
    assert_eq!(report["received"], sent - dropped, "{report}");
    for fault in ["duplicated", "reordered", "bad", "unplaced"] {
        assert_eq!(report[fault], 0, "{report}");
    }
}

#[test]
fn a_guest_gives_back_what_was_sent_into_its_port() {
    let panel = panel();
    let mut run = traffic(
        &panel,
        "--sec-id 9 --tx vhost:9 --rx vhost:9 --count 30000 --rate 20000 --size 1400 --patience 20",
    );
    run.wait_output("is running", LIMIT);
    let mut guest = TestPmd::builder("guest")
        .vhost_client(&panel.socket(9))
        .mode("io")
        // It would throw away at its start what is there already.
        .args(["--no-flush-rx"])
        .start();
    guest.start();
    let report = report(&mut run);
    // What was sent before the guest was there was refused, and sent again; what came while it was still setting its
    // queues up is its own loss, as is what it found no room for.
    let seen = guest.stop()[0];
    assert!(seen.tx_packets > 10_000, "{seen:?}");
    assert_whole(&report, 30_000, 30_000 - seen.tx_packets);
}

#[test]
fn a_peer_gives_back_what_was_sent_into_its_memif_port() {
    let panel = panel();
    let mut run = traffic(
        &panel,
        "--sec-id 9 --tx memif:9 --rx memif:9 --count 30000 --rate 20000 --patience 20",
    );
    run.wait_output("is running", LIMIT);
    let socket = panel.vhost_dir().join("memif9");
    let mut peer = TestPmd::builder("peer")
        .vdev(format!(
            "net_memif0,role=client,socket={},socket-abstract=no",
            socket.display()
        ))
        .mode("io")
        .args(["--no-flush-rx"])
        .start();
    peer.start();
    assert_whole(&report(&mut run), 30_000, 0);
}

/// DPDK's net_ring gives back what it is given.
#[test]
fn a_device_gives_back_what_was_sent_into_it() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--vdev=net_ring0"])
        .pages(128)
        .start();
    let mut run = traffic(
        &panel,
        "--sec-id 9 --tx phy:0 --rx phy:0 --count 30000 --rate 20000 --flows 4",
    );
    assert_whole(&report(&mut run), 30_000, 0);
    let mut run = traffic(&panel, "--sec-id 9 --tx phy:1 --count 1");
    assert!(!run.wait_exit(LIMIT).success());
    let said = run.output();
    assert!(
        said.contains("phy:1 does not exist: this primary has phy:0 "),
        "{said}"
    );
}

#[test]
fn a_capture_file_holds_what_was_sent_into_its_port() {
    let panel = panel();
    let folder = TempDir::new();
    let dir = folder.path().display();
    let mut out = traffic(
        &panel,
        &format!("--sec-id 9 --tx pcap:1 --count 5000 --flows 3 --pcap-dir {dir}"),
    );
    assert_eq!(report(&mut out)["sent"], 5000);
    std::fs::rename(
        folder.path().join("spp-tx1.pcap"),
        folder.path().join("spp-rx1.pcap"),
    )
    .expect("the file was written");
    let mut back = traffic(
        &panel,
        &format!("--sec-id 9 --rx pcap:1 --flows 3 --pcap-dir {dir} --patience 2 --count 5000"),
    );
    let report = report(&mut back);
    assert_eq!(report["received"], 5000, "{report}");
    for fault in ["lost", "duplicated", "reordered", "bad"] {
        assert_eq!(report[fault], 0, "{report}");
    }
}

/// Frames that the kernel dropped on its devices.
fn kernel_drops(host: &Netns, devices: [&str; 2]) -> u64 {
    let drops = |device: &str| -> u64 {
        let shown = host.ip(&["-json", "-statistics", "link", "show", "dev", device]);
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        let count = |way: &str| shown[0]["stats64"][way]["dropped"].as_u64();
        count("rx").expect("a number") + count("tx").expect("a number")
    };
    devices.into_iter().map(drops).sum()
}

/// The kernel forwards from one device to the other, and says something of its own now and then.
#[test]
fn the_kernels_bridge_takes_frames_from_one_tap_to_another() {
    let (left, right) = (machine::unique("ra"), machine::unique("rb"));
    let bridge = Netns::new();
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--vdev"])
        .primary_args([format!("net_tap1,iface={left}")])
        .primary_args(["--vdev".to_owned(), format!("net_tap2,iface={right}")])
        .pages(128)
        .start();
    bridge.ip(&["link", "add", "bridge", "type", "bridge"]);
    for tap in [&left, &right] {
        netns::ip(&[
            "link",
            "set",
            tap,
            "netns",
            &bridge.place().to_string_lossy(),
        ]);
        bridge.ip(&["link", "set", tap, "master", "bridge", "up"]);
    }
    bridge.ip(&["link", "set", "bridge", "up"]);
    let mut run = traffic(
        &panel,
        "--sec-id 9 --tx tap:1 --rx tap:2 --count 3000 --rate 2000 --size 1000 --patience 5",
    );
    assert_whole(
        &report(&mut run),
        3000,
        kernel_drops(&bridge, [&left, &right]),
    );
}

#[test]
fn the_ends_it_uses_are_claimed_and_claimed_ends_are_refused() {
    let panel = panel();
    let mut run = traffic(&panel, "--sec-id 9 --tx ring:0 --rx ring:1");
    wait_until("the ends to be claimed", LIMIT, || {
        let rings = panel.detail(0).rings;
        rings[0].producer == "traffic:9" && rings[1].consumer == "traffic:9"
    });
    let refused = panel.refused("nfv 1 patch ring:1 ring:2");
    assert!(refused.contains("traffic:9"), "{refused}");
    panel.ok("nfv 1 patch ring:0 ring:1");
    let mut second = traffic(&panel, "--sec-id 8 --rx ring:0");
    assert!(!second.wait_exit(LIMIT).success());
    let words = second.output();
    assert!(words.contains("nfv:1"), "{words}");
    let mut same = traffic(&panel, "--sec-id 9 --rx ring:5");
    assert!(!same.wait_exit(LIMIT).success());
    assert!(same.output().contains("traffic:9"), "{}", same.output());
    // Told to end, it waits for what is on its way.
    run.terminate(LIMIT);
    let report = report(&mut run);
    assert_eq!(report["lost"], panel.dropped(), "{report}");
    wait_until("the ends to be free", LIMIT, || {
        panel
            .detail(0)
            .rings
            .iter()
            .all(|ring| ring.name != "ring:1" || ring.consumer.is_empty())
    });
}

#[test]
fn bad_command_lines_are_refused_with_the_reason() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .start();
    for (args, reason) in [
        ("--sec-id 9", "--rx"),
        ("--sec-id 0 --tx ring:0", "1..=127"),
        ("--sec-id 9 --tx ring:99", "ring:99"),
        ("--sec-id 9 --tx nonsense", "nonsense"),
        ("--sec-id 9 --tx ring:0 --size 59", "60"),
        ("--sec-id 9 --tx ring:0 --flows 0", "0 flows"),
        ("--sec-id 9 --tx ring:0 --seconds=-1", "--seconds"),
        ("--sec-id 9 --tx ring:0 --lcores 0,1", "one CPU"),
    ] {
        let mut run = traffic(&panel, args);
        assert!(!run.wait_exit(LIMIT).success(), "{args}");
        assert!(run.output().contains(reason), "{args}: {}", run.output());
    }
    assert_eq!(panel.in_rings(), 0);
}
