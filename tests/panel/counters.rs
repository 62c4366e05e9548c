//! Counters: exact, never backwards, and zero only when they are told to be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::reply::{PrimaryStatus, RingPortStatus};
use testbed::{Panel, http, wait_until};

use crate::{LIMIT, small, wait_sent};

/// Reads the counters of ring:0 again and again until `done`; gives how often it did.
///
/// # Panics
/// If one of them goes backwards.
fn watch(rest: std::net::SocketAddr, done: &AtomicBool) -> u32 {
    let mut last = RingPortStatus {
        id: 0,
        rx: 0,
        rx_drop: 0,
        tx: 0,
        tx_drop: 0,
    };
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        let limit = Duration::from_secs(15);
        let answer =
            http::request(rest, "GET", "/v1/primary/status", &[], "", limit).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let status: PrimaryStatus = serde_json::from_str(&answer.body).expect("a status");
        let now = status.ring_ports[0].clone();
        assert!(
            now.rx >= last.rx && now.tx >= last.tx && now.tx_drop >= last.tx_drop,
            "counters went backwards: {last:?}, then {now:?}"
        );
        last = now;
        looks += 1;
    }
    looks
}

/// What happens to a panel while its counters are watched.
fn disturb(panel: &mut Panel) {
    let feed = |panel: &Panel, id: u32| {
        panel.ok(&format!("nfv {id} patch nullpmd:0 ring:0"));
        let beyond = panel.ring(0).tx;
        wait_until("packets to go into the ring", LIMIT, || {
            panel.ring(0).tx > beyond
        });
    };
    feed(panel, 1);
    panel.ok("nfv 1 unpatch nullpmd:0");
    feed(panel, 1);
    // The block of a patch is kept for the same patch, and made room of when there are others.
    for n in 1..20 {
        panel.ok(&format!("nfv 1 patch nullpmd:0 ring:{}", n % 16));
    }
    feed(panel, 1);
    panel.ok("nfv 1 patch reset");
    feed(panel, 1);
    panel.kill_nfv(1);
    // Another process goes on where it was, as soon as the end is free.
    wait_until("the dead one's end to be free", LIMIT, || {
        panel.detail(0).rings[0].producer.is_empty()
    });
    feed(panel, 2);
    panel.stop_nfv(2);
    panel.start_nfv(1);
    panel.ok("nfv 1 add nullpmd:0");
    feed(panel, 1);
    panel.ok("nfv 1 del ring:0");
    panel.ok("nfv 1 add ring:0");
    feed(panel, 1);
}

#[test]
fn the_totals_of_a_ring_never_go_backwards() {
    let mut panel = small().nfv(1).nfv(2).nfv(3).start();
    for id in 1..=3 {
        panel.ok(&format!("nfv {id} add nullpmd:0"));
    }
    panel.ok("nfv 3 patch ring:0 nullpmd:0");
    let done = AtomicBool::new(false);
    let rest = panel.rest();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(rest, &done));
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| disturb(&mut panel)));
        done.store(true, Ordering::Relaxed);
        let looks = watcher.join().expect("counters that do not go backwards");
        assert!(looks > 10, "{looks} looks are too few to tell anything");
        if let Err(failure) = outcome {
            std::panic::resume_unwind(failure);
        }
    });
    // The whole story ends even.
    panel.ok("nfv 1 stop");
    wait_until("the ring to run empty", LIMIT, || {
        panel.detail(0).rings[0].used == 0
    });
    let ring = panel.ring(0);
    let taken = panel.port(3, "ring:0").counters.rx_packets;
    assert_eq!(ring.rx, taken);
    assert!(
        ring.rx > 0 && ring.rx <= ring.tx + 64,
        "a kill may leave a burst uncounted: {ring:?}"
    );
    panel.finish();
}

#[test]
fn counters_of_a_process_survive_unpatching_and_repatching() {
    let panel = small().nfv(1).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 add nullpmd:1");
    let mut last = 0;
    // More patches than a worker has counters for: old ones are merged, not forgotten.
    for round in 0..40 {
        panel.ok("nfv 1 patch nullpmd:0 nullpmd:1");
        last = wait_sent(&panel, 1, "nullpmd:1", last);
        panel.ok(&format!("nfv 1 add nullpmd:{}", 10 + round));
        panel.ok(&format!("nfv 1 patch nullpmd:0 nullpmd:{}", 10 + round));
        let now = panel.port(1, "nullpmd:1").counters.tx_packets;
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
    panel.ok("nfv 1 patch reset");
    let all: u64 = panel
        .detail(1)
        .ports
        .iter()
        .map(|port| port.counters.tx_packets)
        .sum();
    assert_eq!(panel.port(1, "nullpmd:0").counters.rx_packets, all);
}

#[test]
fn clear_counts_from_there_on_and_only_there() {
    let panel = small().nfv(1).nfv(2).start();
    for id in [1, 2] {
        panel.ok(&format!("nfv {id} add nullpmd:0"));
    }
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.ok("nfv 2 patch ring:0 nullpmd:0");
    wait_sent(&panel, 2, "nullpmd:0", 1000);
    panel.ok("nfv 1 stop");
    wait_until("the ring to run empty", LIMIT, || panel.in_rings() == 0);
    let (first, second) = (panel.detail(1), panel.detail(2));
    let ring = panel.ring(0);
    assert_eq!(ring.rx, ring.tx);

    panel.ok("nfv 1 clear");
    let cleared = panel.detail(1);
    for counters in cleared
        .ports
        .iter()
        .map(|p| p.counters)
        .chain(cleared.patches.iter().map(|p| p.counters))
    {
        assert_eq!(counters, Default::default());
    }
    // Nobody else forgets.
    assert_eq!(panel.detail(2).ports, second.ports);
    assert_eq!(panel.ring(0), ring);
    panel.ok("pri clear");
    let now = panel.ring(0);
    assert_eq!((now.rx, now.tx, now.tx_drop), (0, 0, 0));
    assert_eq!(panel.detail(2).ports, second.ports);

    panel.ok("nfv 1 forward");
    wait_sent(&panel, 2, "nullpmd:0", second.ports[0].counters.tx_packets);
    panel.ok("nfv 1 stop");
    wait_until("the ring to run empty", LIMIT, || panel.in_rings() == 0);
    let more = panel.detail(1).patches[0].counters;
    let ring = panel.ring(0);
    assert_eq!(
        (ring.tx, ring.tx_drop),
        (more.tx_packets, more.drops.total())
    );
    assert_eq!(ring.rx, ring.tx);
    assert_ne!(first.patches[0].counters, more);
}
