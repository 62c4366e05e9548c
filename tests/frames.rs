//! Frames of every size arrive as they were sent, byte for byte, in one mbuf or a chain of them; and no
//! mbuf is lost on the way.

#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use testbed::machine::{self, cpu};
use testbed::{Netns, Panel, Proc, TestPmd, netns, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// mbufs that a worker keeps at hand.
const AT_HAND: u32 = 480;

/// Receives frames of our Ethernet type until all numbers have come, and prints each one's number,
/// length and checksum.
const RECEIVE: &str = r#"
import hashlib, socket, sys
device, count = sys.argv[1], int(sys.argv[2])
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
raw.settimeout(50)
raw.bind((device, 0x88b5))
print("listening", flush=True)
for _ in range(count):
    frame = raw.recv(1 << 16)
    number = int.from_bytes(frame[14:18], "big")
    print(number, len(frame), hashlib.sha256(frame).hexdigest(), flush=True)
"#;

/// Sends numbered frames of the given lengths with random contents, and prints the same.
const SEND: &str = r#"
import hashlib, os, socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((sys.argv[1], 0))
for number, length in enumerate(map(int, sys.argv[2].split(","))):
    head = bytes.fromhex("020000000002" "020000000001" "88b5") + number.to_bytes(4, "big")
    frame = head + os.urandom(length - len(head))
    assert raw.send(frame) == length
    print(number, length, hashlib.sha256(frame).hexdigest())
"#;

/// A kernel host with one device, on which frames are sent and received as they are.
struct Host {
    netns: Netns,
    device: String,
}

impl Host {
    /// Takes the device (it comes into being soon) and lets it carry frames of this many bytes of payload.
    #[track_caller]
    fn take(device: &str, mtu: u32) -> Self {
        wait_until("the device", LIMIT, || {
            std::path::Path::new("/sys/class/net").join(device).exists()
        });
        let netns = Netns::new();
        // Nothing of the kernel's own between our frames.
        for scope in ["all", "default"] {
            let write = format!("echo 1 >/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
            netns.run(&["sh", "-c", &write], LIMIT).success();
        }
        netns.take(device, "10.6.0.1/24");
        netns.ip(&["link", "set", device, "mtu", &mtu.to_string()]);
        netns.ip(&["link", "set", device, "arp", "off"]);
        Host {
            netns,
            device: device.to_owned(),
        }
    }

    /// Sends frames of these lengths to another host; they arrive equal and in order.
    #[track_caller]
    fn send_to(&self, other: &Host, lengths: &[usize]) {
        let count = lengths.len().to_string();
        let mut command = other.netns.command("python3");
        command.args(["-c", RECEIVE, &other.device, &count]);
        let mut receiver = Proc::spawn("receiver", &mut command);
        receiver.wait_output("listening\n", LIMIT);
        let list: Vec<_> = lengths.iter().map(usize::to_string).collect();
        let words = ["python3", "-c", SEND, &self.device, &list.join(",")];
        let sent = self.netns.run(&words, LIMIT).success();
        let status = receiver.wait_exit(LIMIT);
        let received = receiver.output().replace("listening\n", "");
        assert!(status.success(), "sent:\n{sent}received:\n{received}");
        assert_eq!(received, sent);
    }
}

/// A panel on whose tap and vhost ports nothing else sends.
fn start(vdevs: &[String], nfvs: &[u32]) -> Panel {
    let vdevs = vdevs.iter().flat_map(|v| ["--vdev", v]);
    let plan = Panel::builder()
        .primary_args(["--memory", "256"])
        .primary_args(vdevs)
        .pages(256);
    nfvs.iter().fold(plan, |plan, id| plan.nfv(*id)).start()
}

/// mbufs that are neither free nor in a ring.
fn missing(panel: &Panel) -> u32 {
    let detail = panel.detail(0);
    let pool = &detail.pools[0];
    let in_rings: u32 = detail.rings.iter().map(|ring| ring.used).sum();
    pool.size - pool.free - in_rings
}

/// Waits until what is missing in the pool is what so many workers may keep at hand.
#[track_caller]
fn assert_whole(panel: &Panel, workers: u32, in_devices: u32) {
    let most = workers * AT_HAND + in_devices;
    wait_until(
        &format!("at most {most} mbufs to be out of the pool"),
        LIMIT,
        || missing(panel) <= most,
    );
}

/// Packets and bytes of a patch.
fn counted(panel: &Panel, nfv: u32, src: &str) -> [u64; 4] {
    let detail = panel.detail(nfv);
    let patch = detail.patches.iter().find(|patch| patch.src == src);
    let counters = patch.expect("the patch").counters;
    assert_eq!(counters.drops.total(), 0, "{counters:?}");
    [
        counters.rx_packets,
        counters.rx_bytes,
        counters.tx_packets,
        counters.tx_bytes,
    ]
}

/// The patches of these sources have counted frames of these lengths, received and sent, and no others.
#[track_caller]
fn assert_counted(panel: &Panel, patches: &[(u32, &str)], lengths: &[usize]) {
    let bytes: u64 = lengths.iter().map(|length| *length as u64).sum();
    let packets = lengths.len() as u64;
    for (nfv, src) in patches {
        // A frame may be seen by its receiver before it is counted as sent.
        wait_until(&format!("{src} to have sent all"), LIMIT, || {
            counted(panel, *nfv, src)[2] >= packets
        });
        assert_eq!(
            counted(panel, *nfv, src),
            [packets, bytes, packets, bytes],
            "{src}"
        );
    }
}

/// Lets what the kernel sent of its own before the devices were quiet pass, and counts from here.
#[track_caller]
fn clear(panel: &Panel, patches: &[(u32, &str)], one: &Host, two: &Host) {
    one.send_to(two, &[60]);
    two.send_to(one, &[60]);
    for (nfv, src) in patches {
        wait_until(&format!("{src} to have sent all"), LIMIT, || {
            let [received, _, sent, _] = counted(panel, *nfv, src);
            sent == received && sent > 0
        });
    }
    panel.ok("nfv 1 clear");
    panel.ok("nfv 2 clear");
}

/// Frames of the least length (without the check sequence), odd ones, and the largest of an MTU of 1500,
/// plain and tagged.
const ORDINARY: [usize; 12] = [60, 61, 63, 64, 65, 127, 128, 1023, 1024, 1499, 1514, 1518];

#[test]
fn frames_pass_taps_and_a_ring_unchanged() {
    let (left, right) = (machine::unique("fa"), machine::unique("fb"));
    let vdevs = [
        format!("net_tap1,iface={left}"),
        format!("net_tap2,iface={right}"),
    ];
    let mut panel = start(&vdevs, &[1, 2]);
    let (one, two) = (Host::take(&left, 1504), Host::take(&right, 1504));
    let at_rest = missing(&panel);
    for line in [
        "nfv 1 patch tap:1 ring:0",
        "nfv 2 patch ring:0 tap:2",
        "nfv 2 patch tap:2 ring:1",
        "nfv 1 patch ring:1 tap:1",
    ] {
        panel.ok(line);
    }
    let patches = [(1, "tap:1"), (2, "ring:0"), (2, "tap:2"), (1, "ring:1")];
    clear(&panel, &patches, &one, &two);
    one.send_to(&two, &ORDINARY);
    two.send_to(&one, &ORDINARY);
    assert_counted(&panel, &patches, &ORDINARY);
    // Many at once, of all lengths.
    let many: Vec<usize> = (0..400).map(|n| 60 + n * 1454 / 399).collect();
    one.send_to(&two, &many);
    assert_whole(&panel, 2, at_rest);
    panel.stop_nfv(1);
    panel.stop_nfv(2);
    drop((one, two));
    panel.finish();
}

/// The largest frames of an MTU of 9000, plain and tagged, and those around the edges of our buffers
/// of 2048 bytes.
const JUMBO: [usize; 10] = [1519, 2047, 2048, 2049, 4096, 4097, 6144, 8192, 9014, 9018];

/// A kernel host behind a vhost port: testpmd passes frames on between its virtio_user device and a
/// packet socket, in buffers of its own that hold the largest. In the panel they are chains.
fn behind_vhost(panel: &Panel, nfv: u32, number: u32, on: u32) -> (TestPmd, Host) {
    let (device, far) = (machine::unique("fv"), machine::unique("fw"));
    netns::ip(&["link", "add", &device, "type", "veth", "peer", "name", &far]);
    let host = Host::take(&device, 9004);
    let quiet = format!("/proc/sys/net/ipv6/conf/{far}/disable_ipv6");
    std::fs::write(quiet, "1").expect("no IPv6 on a device of ours");
    netns::ip(&["link", "set", &far, "mtu", "9004", "up"]);
    let mut pmd = TestPmd::builder("cable")
        .vdev(format!(
            "virtio_user0,path={},queues=1,queue_size=512,mrg_rxbuf=1",
            panel.socket(number).display()
        ))
        .vdev(format!(
            "net_af_packet0,iface={far},blocksz=16384,framesz=16384,framecnt=256"
        ))
        .args(["--txd=512", "--rxd=512", "--mbuf-size=17000"])
        .args(["--total-num-mbufs=4096"])
        .memory(160)
        .mode("io")
        .cpu(on)
        .start();
    pmd.start();
    panel.wait_link(nfv, &format!("vhost:{number}"), "up");
    (pmd, host)
}

#[test]
fn frames_pass_vhost_and_rings_unchanged() {
    let mut panel = start(&[], &[1, 2]);
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
    let (left_pmd, one) = behind_vhost(&panel, 1, 1, cpu(0));
    let (right_pmd, two) = behind_vhost(&panel, 2, 2, cpu(1));
    let patches = [(1, "vhost:1"), (2, "ring:0"), (2, "vhost:2"), (1, "ring:1")];
    clear(&panel, &patches, &one, &two);
    let lengths = [&ORDINARY[..], &JUMBO[..]].concat();
    one.send_to(&two, &lengths);
    two.send_to(&one, &lengths);
    assert_counted(&panel, &patches, &lengths);
    // Many chains, of all lengths.
    let many: Vec<usize> = (0..300).map(|n| 60 + n * 8958 / 299).collect();
    one.send_to(&two, &many);
    assert_whole(&panel, 2, 0);
    left_pmd.quit();
    right_pmd.quit();
    panel.stop_nfv(1);
    panel.stop_nfv(2);
    wait_until("every mbuf to come home", LIMIT, || missing(&panel) == 0);
    panel.finish();
}

#[test]
fn chains_of_many_segments_are_all_accounted_for() {
    let mut panel = start(&[], &[1, 2]);
    for line in [
        "nfv 1 add vhost:1",
        "nfv 2 add vhost:2",
        "nfv 1 patch vhost:1 ring:0",
        "nfv 2 patch ring:0 vhost:2",
    ] {
        panel.ok(line);
    }
    let peer = |name: &str, number, mode: &str, on| {
        TestPmd::builder(name)
            .vdev(format!(
                "virtio_user0,path={},queues=1,queue_size=512,mrg_rxbuf=1",
                panel.socket(number).display()
            ))
            .args(["--txd=512", "--rxd=512", "--enable-scatter"])
            .mode(mode)
            .cpu(on)
            .start()
    };
    let mut receiver = peer("rx", 2, "rxonly", cpu(1));
    let mut sender = peer("tx", 1, "txonly", cpu(0));
    // Eight segments, 9018 bytes together.
    sender.command("set txpkts 64,1,1400,1500,2000,2000,2000,53");
    sender.command("set burst 8");
    panel.wait_link(1, "vhost:1", "up");
    panel.wait_link(2, "vhost:2", "up");
    receiver.start();
    sender.start();
    wait_until("packets to arrive", LIMIT, || {
        receiver.port_stats(0).rx_packets > 2_000
    });
    let sent = sender.stop()[0].tx_packets;
    panel.wait_accounted(sent, || receiver.port_stats(0).rx_packets);
    let stats = receiver.port_stats(0);
    assert_eq!(stats.rx_bytes, stats.rx_packets * 9018);
    let detail = panel.detail(1);
    let counters = detail.patches[0].counters;
    assert_eq!(
        [counters.rx_packets, counters.rx_bytes],
        [sent, sent * 9018]
    );
    assert_eq!(counters.tx_bytes, counters.tx_packets * 9018);
    assert_whole(&panel, 2, 0);

    // A consumer that is gone leaves chains in the ring, which are still somebody's.
    receiver.quit();
    panel.stop_nfv(2);
    sender.start();
    wait_until("the ring to be full", LIMIT, || {
        panel.detail(0).rings[0].used == panel.detail(0).rings[0].capacity
    });
    sender.stop();
    sender.quit();
    panel.start_nfv(2);
    // Into nothing: an empty ring, and all that was in it freed.
    panel.ok("nfv 2 add nullpmd:0");
    panel.ok("nfv 2 patch ring:0 nullpmd:0");
    wait_until("the ring to be empty", LIMIT, || panel.in_rings() == 0);
    panel.stop_nfv(2);
    panel.stop_nfv(1);
    wait_until("every mbuf to come home", LIMIT, || missing(&panel) == 0);
    panel.finish();
}
