//! Recipes with capture files, played.

use std::path::Path;

use testbed::machine::TempDir;
use testbed::{Panel, wait_until};

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
