//! Packets that several processes hold at once, while these are killed; and as many entries as a table takes.

use testbed::http::Connection;
use testbed::machine::TempDir;
use testbed::{Panel, wait_until};

use crate::bench::lcores;
use crate::load::Hands;
use crate::runs::{end_whole, traffic, unharmed};
use crate::{LIMIT, frames};

#[test]
fn killed_holders_of_shared_packets_cost_no_mbuf() {
    let mut panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(128)
        .keeps_state()
        .mirror(1)
        .nfv_args(1, ["--lcores".to_owned(), lcores()])
        .nfv(2)
        .start();
    for line in [
        "mirror 1 component start mir 2 mirror",
        "mirror 1 port add ring:0 rx mir",
        "mirror 1 port add ring:1 tx mir",
        "mirror 1 port add ring:2 tx mir",
        "mirror 1 port add ring:3 tx mir",
        "nfv 2 add nullpmd:1",
        "nfv 2 add nullpmd:2",
        "nfv 2 add nullpmd:3",
        "nfv 2 patch ring:1 nullpmd:1",
        "nfv 2 patch ring:2 nullpmd:2",
        "nfv 2 patch ring:3 nullpmd:3",
    ] {
        panel.ok(line);
    }
    // Longer than what is copied; the consumers of all rings know of shared packets.
    let mut load = traffic(
        &panel,
        8,
        "--tx ring:0 --size 1518 --rate 100000 --allow-loss",
    );
    let flows = |panel: &Panel| {
        for ring in ["ring:1", "ring:2", "ring:3"] {
            // None while what was killed is being put back.
            let taken = || {
                let ports = panel.detail(2).ports.into_iter();
                let port = ports.into_iter().find(|port| port.name == ring);
                port.map_or(0, |port| port.counters.rx_packets)
            };
            let before = taken();
            wait_until("packets through all of it", LIMIT, || {
                taken() > before + 1000
            });
        }
    };
    flows(&panel);
    for round in 0..10 {
        let id = 1 + round % 2;
        panel.kill_nfv(id);
        panel.start_nfv(id);
        flows(&panel);
    }
    load.terminate(LIMIT);
    end_whole(panel, &[1, 2]);
}

#[test]
fn a_device_that_copies_is_shown_the_originals_and_they_stay_whole() {
    let dir = TempDir::new();
    let file = dir.join("copies.pcap");
    let writer = format!("net_pcap0,tx_pcap={}", file.display());
    let mut panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .primary_args(["--vdev", "net_null0", "--vdev", &writer])
        .pages(128)
        .keeps_state()
        .mirror(1)
        .nfv_args(1, ["--lcores".to_owned(), lcores()])
        .start();
    for line in [
        "mirror 1 component start mir 2 mirror",
        "mirror 1 port add ring:1 tx mir",
        "mirror 1 port add phy:0 tx mir",
        "mirror 1 port add phy:1 tx mir",
        "mirror 1 port add ring:0 rx mir",
    ] {
        panel.ok(line);
    }
    let run = "--tx ring:0 --rx ring:1 --count 5000 --rate 20000 --size 700";
    let mut load = traffic(&panel, 8, run);
    assert!(load.wait_exit(LIMIT).success(), "{}", load.output());
    assert_eq!(unharmed(&mut load)["received"], 5000);
    for device in ["phy:0", "phy:1"] {
        let counters = panel.port(1, device).counters;
        assert_eq!(counters.tx_packets, 5000, "{device}");
        assert_eq!(counters.drops.total(), 0, "{device}: {:?}", counters.drops);
    }
    let written = frames::read(&file);
    assert_eq!(written.len(), 5000);
    assert!(written.iter().all(|frame| frame.len() == 700));
    let mut kinds: Vec<_> = written.clone();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 5000, "every frame bears its own number");
    // Killed at any instant, with what it shows or not: nobody else holds it.
    let run = "--tx ring:0 --rx ring:1 --rate 200000 --size 700 --allow-loss";
    let mut load = traffic(&panel, 8, run);
    for _ in 0..10 {
        let before = panel.port(1, "phy:0").counters.tx_packets;
        wait_until("copies", LIMIT, || {
            panel.port(1, "phy:0").counters.tx_packets > before + 1000
        });
        panel.kill_nfv(1);
        panel.start_nfv(1);
        wait_until("its ports to be back", LIMIT, || {
            let ports = panel.detail(1).ports;
            ports.iter().any(|port| port.name == "ring:0")
        });
    }
    load.terminate(LIMIT);
    unharmed(&mut load);
    end_whole(panel, &[1]);
}

#[test]
fn a_table_takes_65536_entries_and_says_when_it_is_full() {
    const MOST: u32 = 65_536;
    let panel = Panel::builder().memory(256).vf(1).start();
    let cpu = panel.detail(1).workers[0].cpu;
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let mut hands = Hands(&mut rest);
    hands.start("cls", cpu, "classifier");
    hands.port("attach", "ring:1", "tx", "cls");
    hands.port("attach", "ring:2", "tx", "cls");
    hands.port("attach", "ring:0", "rx", "cls");
    for i in 0..MOST {
        hands.entry("add", 1 + i % 16, i, ["ring:1", "ring:2"][i as usize % 2]);
    }
    let why = panel.refused("vf 1 classifier_table add vlan 17 02:00:00:00:00:00 ring:1");
    assert!(why.contains("65536"), "{why}");
    let told = panel.ok("vf 1 classifier_table list 65530 10");
    assert!(
        told.starts_with("Entries 65531 to 65536 of 65536:"),
        "{told}"
    );
    hands.entry("del", 1, 0, "ring:1");
    panel.ok("vf 1 classifier_table add vlan 17 02:00:00:00:00:00 ring:1");
    hands.stop("cls");
    panel.finish();
}
