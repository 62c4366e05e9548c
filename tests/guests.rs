//! Virtual machines that reach each other through the panel: ping, TCP, a reboot of one of them.

#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use testbed::{Nic, Panel, Vm, wait_until};

/// TCP from one emulated machine to another takes seconds, on a busy machine many.
const LIMIT: Duration = Duration::from_secs(60);

/// A panel of few hugepages with the two vhost ports of one process patched to each other.
fn direct() -> Panel {
    let panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv(1)
        .start();
    for line in [
        "nfv 1 add vhost:1",
        "nfv 1 add vhost:2",
        "nfv 1 patch vhost:1 vhost:2",
        "nfv 1 patch vhost:2 vhost:1",
    ] {
        panel.ok(line);
    }
    panel
}

/// Boots two machines whose NICs are clients of `vhost:1` and `vhost:2`, and gives them
/// 10.0.0.1 and 10.0.0.2.
fn boot(panel: &Panel) -> (Vm, Vm) {
    let mut one = Vm::launch("one", &[Nic::VhostClient(panel.socket(1))]);
    let mut two = Vm::launch("two", &[Nic::VhostClient(panel.socket(2))]);
    one.wait_boot();
    two.wait_boot();
    one.address(0, "10.0.0.1/24");
    two.address(0, "10.0.0.2/24");
    one.wait_ping("10.0.0.2");
    two.wait_ping("10.0.0.1");
    (one, two)
}

/// Moves a file of so many random bytes and compares its checksum.
fn move_file(from: &mut Vm, to: &mut Vm, address: &str, bytes: u32) {
    from.sh(&format!("head -c {bytes} /dev/urandom >file"));
    to.receive_file(5000, "copy");
    let (status, said) = from.run(&format!("nc {address} 5000 <file"), LIMIT);
    assert_eq!(status, 0, "{said}");
    to.sh("until [ -e copy.done ]; do usleep 50000; done");
    assert_eq!(to.sh("wc -c <copy"), format!("{bytes}\n"));
    assert_eq!(from.sh("sha256sum <file"), to.sh("sha256sum <copy"));
}

/// The guest has no offload that would hand us segments without checksums or longer than a frame,
/// although it asks for all it can get.
fn assert_whole_frames(vm: &mut Vm) {
    // One digit for each feature bit of the device (virtio 1.1, 5.1.3).
    let features = vm.sh("cat /sys/class/net/eth0/device/features");
    let digits: Vec<char> = features.trim().chars().collect();
    assert!(digits.len() >= 32, "{features}");
    for (bit, name) in [
        (0, "CSUM"),
        (1, "GUEST_CSUM"),
        (7, "GUEST_TSO4"),
        (8, "GUEST_TSO6"),
        (9, "GUEST_ECN"),
        (10, "GUEST_UFO"),
        (11, "HOST_TSO4"),
        (12, "HOST_TSO6"),
        (13, "HOST_ECN"),
        (14, "HOST_UFO"),
    ] {
        assert_eq!(digits[bit], '0', "the guest has negotiated {name}");
    }
    assert_eq!(vm.sh("cat /sys/class/net/eth0/mtu"), "1500\n");
}

/// What was received from `src` went on to `dst` or was counted as dropped.
fn assert_passed(panel: &Panel, nfv: u32, src: &str, dst: &str, least: u64) {
    let detail = panel.detail(nfv);
    let patch = detail
        .patches
        .iter()
        .find(|patch| patch.src == src && patch.dst == dst);
    let patch = patch.unwrap_or_else(|| panic!("no patch {src} -> {dst}: {detail:?}"));
    let counters = patch.counters;
    assert!(counters.rx_packets >= least, "{src} -> {dst}: {counters:?}");
    // One burst may lie between the two counts while packets flow.
    let done = counters.tx_packets + counters.drops.total();
    assert!(
        counters.rx_packets - done <= 64,
        "{src} -> {dst}: {counters:?}"
    );
}

#[test]
fn machines_ping_and_move_a_file_through_one_process() {
    let panel = direct();
    let (mut one, mut two) = boot(&panel);
    assert_whole_frames(&mut one);
    assert_whole_frames(&mut two);
    move_file(&mut one, &mut two, "10.0.0.2", 12_000_000);
    move_file(&mut two, &mut one, "10.0.0.1", 4_000_000);
    // 12 MB in segments of 1448 bytes.
    assert_passed(&panel, 1, "vhost:1", "vhost:2", 8_000);
    assert_passed(&panel, 1, "vhost:2", "vhost:1", 2_700);
    // The longest frame of the guests: 1500 bytes and an Ethernet header.
    one.sh("ping -c 1 -s 1472 -W 20 10.0.0.2");
    drop((one, two));
    for port in ["vhost:1", "vhost:2"] {
        panel.wait_link(1, port, "down");
    }
    panel.finish();
}

#[test]
fn machines_ping_and_move_a_file_through_two_processes_and_rings() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv(1)
        .nfv(2)
        .start();
    for line in [
        "nfv 1 add vhost:1",
        "nfv 2 add vhost:2",
        "nfv 1 patch vhost:1 ring:0",
        "nfv 2 patch ring:0 vhost:2",
        "nfv 2 patch vhost:2 ring:1",
        "nfv 1 patch ring:1 vhost:1",
    ] {
        panel.ok(line);
    }
    let (mut one, mut two) = boot(&panel);
    assert_whole_frames(&mut one);
    move_file(&mut one, &mut two, "10.0.0.2", 8_000_000);
    move_file(&mut two, &mut one, "10.0.0.1", 4_000_000);
    assert_passed(&panel, 1, "vhost:1", "ring:0", 5_500);
    assert_passed(&panel, 2, "ring:0", "vhost:2", 5_500);
    assert_passed(&panel, 2, "vhost:2", "ring:1", 2_700);
    assert_passed(&panel, 1, "ring:1", "vhost:1", 2_700);
    drop((one, two));
    panel.finish();
}

/// Echo replies in the log of the ping that runs in a guest.
fn replies(vm: &mut Vm) -> u32 {
    vm.sh("grep -c 'bytes from' log || true")
        .trim()
        .parse()
        .expect("a number")
}

#[test]
fn a_machine_that_is_killed_and_replaced_is_reached_again() {
    let panel = direct();
    let (mut one, mut two) = boot(&panel);
    one.sh("ping -i 1 10.0.0.2 >log 2>&1 &");
    wait_until("the first replies", LIMIT, || replies(&mut one) >= 2);

    two.proc().kill();
    drop(two);
    panel.wait_link(1, "vhost:2", "down");
    // Nobody is there to answer, so what is lost is counted under that name.
    wait_until("pings into the void to be counted", LIMIT, || {
        panel
            .detail(1)
            .ports
            .iter()
            .any(|port| port.name == "vhost:2" && port.counters.drops.link_down > 0)
    });
    let before = replies(&mut one);

    let mut two = Vm::start("replacement", &[Nic::VhostClient(panel.socket(2))]);
    two.address(0, "10.0.0.2/24");
    two.wait_ping("10.0.0.1");
    wait_until("replies of the replacement", LIMIT, || {
        replies(&mut one) >= before + 2
    });
    panel.wait_link(1, "vhost:2", "up");

    // What a reboot does to the device, on one connection: it is reset and driven anew.
    two.sh("rmmod virtio_net && insmod /modules/virtio_net.ko");
    two.address(0, "10.0.0.2/24");
    two.wait_ping("10.0.0.1");
    let before = replies(&mut one);
    wait_until("replies after the new start of the driver", LIMIT, || {
        replies(&mut one) >= before + 2
    });
    move_file(&mut one, &mut two, "10.0.0.2", 2_000_000);
    panel.finish();
}
