//! Packets from one vhost-user client to another, over two processes.

use testbed::machine::cpu;
use testbed::{TestPmd, wait_until};

use crate::{LIMIT, small};

#[test]
fn packets_over_two_processes_are_accounted_for() {
    let mut panel = small().nfv_on(1, cpu(0)).nfv_on(2, cpu(1)).start();
    // Words apart, as the original's commands are; rings are attached by patching them.
    panel.ok("nfv 1 add vhost 1");
    panel.ok("nfv 2 add vhost:2");
    panel.ok("nfv 1 patch vhost:1 ring:0");
    panel.ok("nfv 2 patch ring:0 vhost:2");
    assert_eq!(panel.port_names(1), ["vhost:1", "ring:0"]);
    assert_eq!(panel.port_names(2), ["vhost:2", "ring:0"]);

    let mut sender = TestPmd::builder("tx")
        .vhost_client(&panel.socket(1))
        .mode("txonly")
        .cpu(cpu(0))
        .start();
    let mut receiver = TestPmd::builder("rx")
        .vhost_client(&panel.socket(2))
        .mode("rxonly")
        .cpu(cpu(1))
        .start();
    panel.wait_link(1, "vhost:1", "up");
    panel.wait_link(2, "vhost:2", "up");
    receiver.start();
    sender.start();
    wait_until("packets to arrive", LIMIT, || {
        receiver.port_stats(0).rx_packets > 20_000
    });
    let sent = sender.stop()[0].tx_packets;
    let dropped = panel.wait_accounted(sent, || receiver.port_stats(0).rx_packets);
    let received = receiver.stop()[0].rx_packets;
    assert_eq!(sent, received + dropped);

    // Every counter on the way tells the same story, packet for packet.
    let first = panel.patch(1, "vhost:1").counters;
    let second = panel.patch(2, "ring:0").counters;
    assert_eq!(first.rx_packets, sent);
    assert_eq!(first.tx_packets + first.drops.total(), sent);
    assert_eq!(second.rx_packets, first.tx_packets);
    assert_eq!(second.tx_packets, received);
    assert_eq!(second.tx_packets + second.drops.total(), second.rx_packets);
    // testpmd sends frames of 64 bytes.
    assert_eq!(first.rx_bytes, 64 * sent);
    assert_eq!(second.tx_bytes, 64 * received);
    let ring = panel.ring(0);
    assert_eq!((ring.tx, ring.rx), (first.tx_packets, second.rx_packets));
    assert_eq!(ring.tx_drop, first.drops.total());
    assert_eq!(panel.port(1, "vhost:1").counters.rx_packets, sent);
    assert_eq!(panel.port(2, "vhost:2").counters.tx_packets, received);

    sender.quit();
    receiver.quit();
    panel.wait_link(1, "vhost:1", "down");
    panel.stop_nfv(1);
    panel.finish();
}

#[test]
fn a_guest_gets_its_own_packets_back_over_a_loop() {
    let panel = small().nfv_on(1, cpu(0)).start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 patch vhost:1 vhost:1");
    let mut guest = TestPmd::builder("guest")
        .vhost_client(&panel.socket(1))
        .mode("io")
        .cpu(cpu(1))
        .start();
    panel.wait_link(1, "vhost:1", "up");
    // 64 packets go round until they are stopped; none may be lost on a loop with room for all.
    guest.start_tx_first(2);
    wait_until("packets to go round", LIMIT, || {
        guest.port_stats(0).rx_packets > 10_000
    });
    let stats = guest.stop()[0];
    wait_until("the loop to be quiet", LIMIT, || {
        let patch = panel.patch(1, "vhost:1").counters;
        patch.rx_packets == stats.tx_packets && patch.tx_packets == patch.rx_packets
    });
    assert_eq!(panel.dropped(), 0);
    guest.quit();
}
