//! Packets that several processes hold at once, while these are killed; and as many entries as a table takes.

use testbed::http::Connection;
use testbed::{Panel, wait_until};

use crate::LIMIT;
use crate::bench::lcores;
use crate::load::{Hands, end_whole, traffic};

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
