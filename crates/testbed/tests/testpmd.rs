//! testpmd as a peer, against testpmd as the other side.

use std::time::Duration;

use testbed::machine::{TempDir, cpu};
use testbed::{TestPmd, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_null_port_sends_and_counts() {
    let mut pmd = TestPmd::builder("null")
        .vdev("net_null0")
        .mode("txonly")
        .memory(64)
        .start();
    assert_eq!(pmd.port_stats(0).tx_packets, 0);
    pmd.start();
    wait_until("packets to be sent", LIMIT, || {
        pmd.port_stats(0).tx_packets > 100_000
    });
    let stopped = pmd.stop();
    assert_eq!(stopped.len(), 1);
    assert!(stopped[0].tx_packets > 100_000);
    assert_eq!(stopped[0].tx_packets, pmd.port_stats(0).tx_packets);
    pmd.quit();
}

#[test]
fn packets_between_two_vhost_user_clients_are_accounted_for() {
    let dir = TempDir::new();
    let (left, right) = (dir.join("left"), dir.join("right"));
    let mut middle = TestPmd::builder("middle")
        .vhost_server(&left)
        .vhost_server(&right)
        .cpu(cpu(0))
        .start();
    middle.start();
    let mut sender = TestPmd::builder("tx")
        .vhost_client(&left)
        .mode("txonly")
        .cpu(cpu(0))
        .start();
    let mut receiver = TestPmd::builder("rx")
        .vhost_client(&right)
        .mode("rxonly")
        .cpu(cpu(1))
        .start();
    for port in [0, 1] {
        wait_until("the link to come up", LIMIT, || middle.link_up(port));
    }
    receiver.start();
    sender.start();
    wait_until("packets to arrive", LIMIT, || {
        receiver.port_stats(0).rx_packets > 10_000
    });
    let sent = sender.stop()[0].tx_packets;
    let mut dropped = 0;
    wait_until("every packet to be received or dropped", LIMIT, || {
        dropped = middle.forward_stats()[1].tx_dropped;
        receiver.port_stats(0).rx_packets + dropped == sent
    });
    let received = receiver.stop()[0].rx_packets;
    assert_eq!(sent, received + dropped);
    sender.quit();
    receiver.quit();
    middle.quit();
}

#[test]
#[should_panic(expected = "does not understand")]
fn a_command_that_testpmd_does_not_know_fails_the_test() {
    let mut pmd = TestPmd::builder("null")
        .vdev("net_null0")
        .memory(64)
        .start();
    pmd.command("show me the way");
}
