//! Recipes with capture files, played.

use std::path::Path;
use std::process::Command;

use testbed::machine::{self, TempDir};
use testbed::{Panel, Proc, wait_until};

use crate::{LIMIT, idles, play, play_back};

/// Packets in a classic capture file, which has to be whole.
fn packets(path: &Path) -> u64 {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(
        file[..4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        "no capture in microseconds"
    );
    let (mut rest, mut count) = (&file[24..], 0);
    while let Some((head, more)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        rest = more.get(length..).expect("a packet that is not cut");
        count += 1;
    }
    assert!(rest.is_empty(), "{} bytes too many", rest.len());
    count
}

#[test]
fn n8_and_n9_what_is_captured_can_be_sent_again() {
    let dir = TempDir::new();
    let mut builder =
        Panel::builder()
            .memory(256)
            .primary_args(["--vdev", "net_null0", "--vdev", "net_null1"]);
    for id in [1, 2] {
        let folder = dir.path().display().to_string();
        builder = builder
            .nfv(id)
            .nfv_args(id, ["--idle", "--pcap-dir", &folder]);
    }
    let panel = builder.start();
    let captured = dir.join("spp-tx1.pcap");

    let told = play_back(&panel, "spp_nfv/single_with_pcap/incoming/1_add_pcap");
    assert!(told.contains("  - pcap:1\n"), "{told}");
    let empty = std::fs::read(dir.join("spp-rx1.pcap")).expect("a file to read from");
    assert_eq!(empty.len(), 24);
    assert!(captured.exists());
    play(
        &panel,
        "spp_nfv/single_with_pcap/incoming/2_capture_incoming",
    );
    wait_until("packets in the file", LIMIT, || {
        std::fs::metadata(&captured).is_ok_and(|file| file.len() > 100_000)
    });
    panel.ok("nfv 1 stop");
    let sent = panel.port(1, "pcap:1").counters.tx_packets;
    play(&panel, "spp_nfv/single_with_pcap/incoming/3_clean");
    idles(&panel, 1, &["phy:0", "phy:1"]);
    assert_eq!(packets(&captured), sent);

    std::fs::copy(&captured, dir.join("spp-rx2.pcap")).expect("copied");
    let told = play(&panel, "spp_nfv/single_with_pcap/outgoing/1_add_pcap");
    assert!(told.contains("  - pcap:2\n"), "{told}");
    assert_eq!(packets(&dir.join("spp-rx2.pcap")), sent);
    play(&panel, "spp_nfv/single_with_pcap/outgoing/2_restore_dumped");
    wait_until("all to leave phy:1", LIMIT, || {
        panel.port(2, "phy:1").counters.tx_packets == sent
    });
    play(&panel, "spp_nfv/single_with_pcap/outgoing/3_clean");
    idles(&panel, 2, &["phy:0", "phy:1"]);
}

/// The lines of a status that say what a writer writes.
fn files(told: &str) -> Vec<String> {
    let lines = told
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- filename:"));
    lines.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn a_port_is_captured_by_several_writers() {
    let dir = TempDir::new();
    let panel = Panel::builder()
        .memory(256)
        .primary_args(["--vdev", "net_null0"])
        .start();
    let mut command = panel.command(Command::new(machine::bin("spp-pcap")));
    let (receiver, writers) = (machine::cpu(0), machine::cpu(1));
    let lcores = (2..=5)
        .map(|lcore| format!(",{}@{writers}", lcore + 1))
        .collect::<String>();
    let line = format!(
        "--lcores 1@{writers},2@{receiver}{lcores} --proc-type secondary --file-prefix {} -- --client-id 1 -s {} -c phy:0 --out-dir {} --fsize 20000000",
        panel.prefix(),
        panel.control()[1],
        dir.path().display()
    );
    let mut pcap = Proc::spawn("spp-pcap 1", command.args(line.split(' ')));
    pcap.wait_output("is ready", LIMIT);
    wait_until("the controller to know it", LIMIT, || {
        panel.http("GET", "/v1/pcaps/1", "").status == 200
    });

    let told = play(&panel, "spp_pcap/capture/1_start_capture");
    let found = files(&told);
    assert_eq!(found.len(), 8, "{told}");
    assert!(found[..4].iter().all(String::is_empty), "{told}");
    for (number, name) in (1..).zip(&found[4..]) {
        assert!(
            name.contains(&format!(".phy0.{number}.")) && name.ends_with(".pcap.lz4"),
            "{told}"
        );
    }
    wait_until("several files", LIMIT, || {
        panel.detail(1).capture.is_some_and(|c| c.files >= 4)
    });
    play(&panel, "spp_pcap/capture/2_stop_capture");
    assert!(pcap.wait_exit(LIMIT).success(), "{}", pcap.output());
    let mut complete = 0;
    for entry in std::fs::read_dir(dir.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.display().to_string();
        assert!(name.ends_with(".pcap.lz4"), "{name}");
        // One in ten is enough to see that they are whole.
        if complete % 10 == 0 {
            let test = Command::new("lz4").arg("-tq").arg(&path).output();
            let test = test.expect("lz4 (scripts/setup.sh --tests)");
            assert!(test.status.success(), "{name}: {test:?}");
            let plain = dir.path().with_extension("pcap");
            let unpacked = Command::new("lz4")
                .arg("-dqf")
                .arg(&path)
                .arg(&plain)
                .status();
            assert!(unpacked.expect("lz4").success(), "{name}");
            assert!(packets(&plain) > 0, "{name}");
            std::fs::remove_file(&plain).expect("removed");
        }
        complete += 1;
    }
    assert!(complete >= 8, "{complete} files");
    panel.finish();
}
