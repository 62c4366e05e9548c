//! Several workers in one process.

use testbed::machine::cpus;
use testbed::{Panel, wait_until};

use crate::{LIMIT, small, wait_sent};

/// A panel whose nfv 1 has two workers, and their CPUs.
fn two_workers() -> (Panel, [u32; 2]) {
    let panel = small().nfv_args(1, ["--workers", "2"]).start();
    let workers: Vec<u32> = panel.detail(1).workers.iter().map(|w| w.cpu).collect();
    match workers[..] {
        [one, two] => (panel, [one, two]),
        _ => panic!("two workers were asked for: {workers:?}"),
    }
}

fn runs_on(panel: &Panel, src: &str) -> u32 {
    panel.patch(1, src).cpu
}

#[test]
fn all_patches_into_one_port_share_a_worker_and_move_together() {
    let (panel, [one, two]) = two_workers();
    if cpus().len() > 1 {
        assert_ne!(one, two, "they are spread over the CPUs that there are");
    }
    for n in 0..4 {
        panel.ok(&format!("nfv 1 add nullpmd:{n}"));
    }
    panel.ok(&format!("nfv 1 patch nullpmd:0 ring:0 on {two}"));
    panel.ok("nfv 1 patch nullpmd:1 ring:0");
    assert_eq!(
        [runs_on(&panel, "nullpmd:0"), runs_on(&panel, "nullpmd:1")],
        [two, two]
    );
    // The least loaded worker takes the next one.
    panel.ok("nfv 1 patch ring:0 nullpmd:3");
    assert_eq!(runs_on(&panel, "ring:0"), one);
    wait_sent(&panel, 1, "nullpmd:3", 10_000);

    panel.ok(&format!("nfv 1 patch nullpmd:1 ring:0 on {one}"));
    assert_eq!(
        [runs_on(&panel, "nullpmd:0"), runs_on(&panel, "nullpmd:1")],
        [one, one]
    );
    let before = [0, 1].map(|n| panel.patch(1, &format!("nullpmd:{n}")).counters.rx_packets);
    wait_until("both sources to go on", LIMIT, || {
        (0..2).all(|n| panel.patch(1, &format!("nullpmd:{n}")).counters.rx_packets > before[n])
    });

    let told = panel.refused("nfv 1 patch nullpmd:0 ring:0 on 4000");
    assert!(
        told.contains("no worker of this process runs on CPU 4000"),
        "{told}"
    );
    for cpu in [one, two] {
        assert!(told.contains(&format!("CPU {cpu}")), "{told}");
    }
    assert_eq!(runs_on(&panel, "nullpmd:0"), one);
}

#[test]
fn no_packet_is_lost_when_patches_move_between_workers() {
    let (panel, [one, two]) = two_workers();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.ok("nfv 1 patch ring:0 ring:1");
    panel.ok("nfv 1 patch ring:1 nullpmd:1");
    for round in 0..20 {
        let cpu = if round % 2 == 0 { one } else { two };
        panel.ok(&format!("nfv 1 patch ring:0 ring:1 on {cpu}"));
        panel.ok(&format!("nfv 1 patch nullpmd:0 ring:0 on {cpu}"));
        let cpu = if round % 3 == 0 { one } else { two };
        panel.ok(&format!("nfv 1 patch ring:1 nullpmd:1 on {cpu}"));
    }
    let taken = panel.port(1, "nullpmd:1").counters.tx_packets;
    wait_sent(&panel, 1, "nullpmd:1", taken);
    panel.ok("nfv 1 unpatch nullpmd:0");
    wait_until("the rings to run empty", LIMIT, || panel.in_rings() == 0);
    panel.ok("nfv 1 stop");
    let [first, second] = [0, 1].map(|n| panel.ring(n));
    let made = panel.port(1, "nullpmd:0").counters.rx_packets;
    assert_eq!(made, first.tx + first.tx_drop);
    assert_eq!(first.rx, first.tx);
    assert_eq!(first.rx, second.tx + second.tx_drop);
    assert_eq!(second.rx, second.tx);
    assert_eq!(panel.port(1, "nullpmd:1").counters.tx_packets, second.rx);
}
