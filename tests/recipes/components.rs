//! Recipes for vf and mirror, played, with frames of hosts behind the physical ports.

use testbed::machine::cpu;
use testbed::{Netns, Nic, Panel, Proc, TestPmd, Vm, machine, netns, wait_until};

use crate::{LIMIT, play};

/// Receives frames of our Ethernet type and prints the last byte of the destination, the tag's TCI (or -) and the number.
const LISTEN: &str = r#"
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel takes tags out
raw.bind((sys.argv[1], 0))
print("listening", flush=True)
while True:
    frame, aux, _, address = raw.recvmsg(1 << 16, 128)
    if address[2] == 4:  # our own
        continue
    tag = "-"
    for level, kind, data in aux:
        status = int.from_bytes(data[:4], "little")
        if (level, kind) == (263, 8) and status & 0x10:
            tag = str(int.from_bytes(data[16:18], "little"))
    at = 12
    if frame[12:14] == b"\x81\x00":
        tag, at = str(int.from_bytes(frame[14:16], "big")), 16
    if frame[at:at + 2] == b"\x88\xb5":
        print(f"{frame[5]:02x} {tag} {frame[at + 2]}", flush=True)
"#;

/// Sends frames: destination, tag (or -) and number of each.
const SEND: &str = r#"
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((sys.argv[1], 0))
for word in sys.argv[2:]:
    dst, tag, number = word.split("/")
    tag = b"" if tag == "-" else b"\x81\x00" + int(tag).to_bytes(2, "big")
    frame = bytes.fromhex(dst) + bytes.fromhex("020000000077") + tag + b"\x88\xb5" + bytes([int(number)])
    raw.send(frame.ljust(64, b"\0"))
"#;

const FIRST: &str = "525400123456";
const SECOND: &str = "525400123458";
const OTHER: &str = "525400123499";
const ALL: &str = "ffffffffffff";

/// A host behind a physical port.
struct Host {
    netns: Netns,
    device: String,
    port: String,
}

impl Host {
    /// With a cable whose other end a physical port takes.
    fn new(address: &str) -> Self {
        let (device, port) = (machine::unique("vh"), machine::unique("vp"));
        netns::ip(&[
            "link", "add", &device, "type", "veth", "peer", "name", &port,
        ]);
        let netns = Netns::new();
        for scope in ["all", "default"] {
            let write = format!("echo 1 >/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
            netns.run(&["sh", "-c", &write], LIMIT).success();
        }
        netns.take(&device, address);
        netns::ip(&["link", "set", &port, "up"]);
        Self {
            netns,
            device,
            port,
        }
    }

    fn vdev(&self, number: usize) -> [String; 2] {
        let port = &self.port;
        [
            "--vdev".to_owned(),
            format!("net_pcap{number},rx_iface_in={port},tx_iface={port}"),
        ]
    }

    fn listen(&self) -> Proc {
        let mut command = self.netns.command("python3");
        command.args(["-c", LISTEN, &self.device]);
        let mut proc = Proc::spawn("listener", &mut command);
        proc.wait_output("listening\n", LIMIT);
        proc
    }

    /// Frames to these addresses, with these tags and numbers.
    fn send(&self, frames: &[(&str, &str, u32)]) {
        let words: Vec<String> = frames
            .iter()
            .map(|(dst, tag, number)| format!("{dst}/{tag}/{number}"))
            .collect();
        let mut all = vec!["python3", "-c", SEND, &self.device];
        all.extend(words.iter().map(String::as_str));
        self.netns.run(&all, LIMIT).success();
    }
}

/// Waits until a listener has got exactly these lines, in any order.
#[track_caller]
fn gets(listener: &mut Proc, lines: &[&str]) {
    let mut wanted: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    wanted.sort();
    let mut got = Vec::new();
    let complete = testbed::wait::poll(LIMIT, || {
        let output = listener.output();
        got = output.lines().skip(1).map(str::to_owned).collect();
        got.sort();
        (got.len() >= wanted.len()).then_some(())
    });
    assert!(complete.is_some(), "{got:?} instead of {wanted:?}");
    assert_eq!(got, wanted);
}

/// A panel whose physical ports are these hosts' cables; what it has beside that comes from `more`.
fn panel(
    hosts: &[&Host],
    more: impl FnOnce(testbed::panel::Builder) -> testbed::panel::Builder,
) -> Panel {
    let mut builder = Panel::builder().memory(256);
    for (number, host) in hosts.iter().enumerate() {
        builder = builder.primary_args(host.vdev(number));
    }
    more(builder).start()
}

/// Workers shown under these numbers, on the CPUs that there are.
fn lcores(numbers: std::ops::RangeInclusive<usize>) -> [String; 2] {
    let places: Vec<String> = numbers.map(|n| format!("{n}@{}", cpu(n))).collect();
    ["--lcores".to_owned(), places.join(",")]
}

#[test]
fn v1_a_classifier_parts_two_addresses_and_a_merger_joins_them() {
    let (left, right) = (Host::new("10.9.1.1/24"), Host::new("10.9.1.2/24"));
    let mut panel = panel(&[&left, &right], |b| b.vf(1).nfv_args(1, lcores(3..=6)));
    for recipe in ["1_start_comp", "2_add_ports"] {
        play(&panel, &format!("spp_vf/classify_icmp/{recipe}"));
    }
    let told = play(&panel, "spp_vf/classify_icmp/3_reg_mac");
    for line in [
        "  - core:3 'cls' (type: classifier)\n    - rx: phy:0\n    - tx: ring:0\n    - tx: ring:1\n",
        "  - core:6 'mgr' (type: merge)\n    - rx: ring:2\n    - rx: ring:3\n    - tx: phy:1\n",
        "  - 52:54:00:12:34:56, ring:0\n  - 52:54:00:12:34:58, ring:1\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let mut listener = right.listen();
    left.send(&[
        (FIRST, "-", 1),
        (SECOND, "-", 2),
        (OTHER, "-", 3),
        (ALL, "-", 4),
        (FIRST, "5", 5),
        (FIRST, "-", 6),
    ]);
    // The broadcast arrives by both ways, what nobody knows by none, and so does a tag without a table.
    gets(
        &mut listener,
        &["56 - 1", "58 - 2", "ff - 4", "ff - 4", "56 - 6"],
    );
    let cls = panel.detail(1).components.remove(0);
    let drops = cls.rx[0].counters.drops;
    assert!(drops.unknown >= 1 && drops.filtered >= 1, "{drops:?}");

    play(&panel, "spp_vf/classify_icmp/4_del_mac");
    let before = panel.port(1, "phy:0").counters.rx_packets;
    left.send(&[(FIRST, "-", 7)]);
    // Nothing is in its table: it does not even take it.
    let status = panel.ok("vf 1 status");
    assert!(
        status.contains("lacks: a table entry of a port to send to"),
        "{status}"
    );
    assert_eq!(panel.port(1, "phy:0").counters.rx_packets, before);
    play(&panel, "spp_vf/classify_icmp/5_del_ports");
    let told = play(&panel, "spp_vf/classify_icmp/6_stop_comp");
    assert!(
        told.contains("  No entries.") && told.contains("  - core:3 '' (type: unuse)"),
        "{told}"
    );
    assert!(panel.nfv(1).wait_exit(LIMIT).success());
    gets(
        &mut listener,
        &["56 - 1", "58 - 2", "ff - 4", "ff - 4", "56 - 6"],
    );
    panel.finish();
}

#[test]
fn v3_tags_are_taken_off_here_and_put_on_there() {
    let (left, right) = (Host::new("10.9.3.1/24"), Host::new("10.9.3.2/24"));
    let mut panel = panel(&[&left, &right], |b| b.vf(2).nfv_args(2, lcores(2..=3)));
    play(&panel, "spp_vf/vlan/1_tag");
    let mut listener = right.listen();
    left.send(&[(FIRST, "-", 1), (FIRST, "100", 2), (SECOND, "8292", 3)]);
    let tci = 3 << 13 | 101;
    gets(
        &mut listener,
        &[1, 2]
            .map(|n| format!("56 {tci} {n}"))
            .iter()
            .map(String::as_str)
            .chain([format!("58 {tci} 3").as_str()])
            .collect::<Vec<_>>(),
    );
    play(&panel, "spp_vf/vlan/2_clean");
    assert!(panel.nfv(2).wait_exit(LIMIT).success());
    panel.finish();
}

#[test]
fn m1_every_frame_leaves_by_two_ports() {
    let hosts = ["10.9.4.1/24", "10.9.4.2/24", "10.9.4.3/24"].map(Host::new);
    let all: Vec<&Host> = hosts.iter().collect();
    let mut panel = panel(&all, |b| b.mirror(1).nfv_args(1, lcores(2..=2)));
    play(&panel, "spp_mirror/duplicate/1_start_dup");
    let mut listeners = [hosts[1].listen(), hosts[2].listen()];
    hosts[0].send(&[(FIRST, "-", 1), (ALL, "-", 2), (SECOND, "7", 3)]);
    for listener in &mut listeners {
        gets(listener, &["56 - 1", "ff - 2", "58 7 3"]);
    }
    let told = play(&panel, "spp_mirror/duplicate/2_stop_dup");
    assert!(told.contains("  - core:2 '' (type: unuse)"), "{told}");
    assert!(panel.nfv(1).wait_exit(LIMIT).success());
    panel.finish();
}

#[test]
fn m2_a_third_guest_sees_what_the_first_one_gets() {
    let host = Host::new("10.9.5.1/24");
    let panel = panel(&[&host], |b| {
        b.vf(1)
            .nfv_args(1, lcores(2..=8))
            .mirror(2)
            .nfv_args(2, lcores(9..=9))
    });
    play(&panel, "spp_mirror/monitoring/1_start_monitoring");
    let guest = |name: &str, ports: &[u32], at: usize| {
        let builder = TestPmd::builder(name).mode("io").cpu(cpu(at));
        ports
            .iter()
            .fold(builder, |b, n| b.vhost_client(&panel.socket(*n)))
            .start()
    };
    // The first two send what they get back by their second NICs.
    let mut one = guest("one", &[0, 1], 0);
    let mut two = guest("two", &[2, 3], 1);
    let mut third = TestPmd::builder("third")
        .mode("rxonly")
        .cpu(cpu(0))
        .vhost_client(&panel.socket(4))
        .start();
    for pmd in [&mut one, &mut two, &mut third] {
        pmd.start();
    }
    for port in ["vhost:0", "vhost:1", "vhost:2", "vhost:3", "vhost:4"] {
        panel.wait_link(1, port, "up");
    }
    let mut listener = host.listen();
    host.send(&[
        (FIRST, "-", 1),
        (SECOND, "-", 2),
        (FIRST, "-", 3),
        (OTHER, "-", 4),
        (FIRST, "-", 5),
    ]);
    gets(&mut listener, &["56 - 1", "58 - 2", "56 - 3", "56 - 5"]);
    let taken = |port: &str| panel.port(1, port).counters.tx_packets;
    wait_until("the third guest to have its copies", LIMIT, || {
        taken("vhost:4") == 3
    });
    assert_eq!((taken("vhost:0"), taken("vhost:2")), (3, 1));
    for pmd in [one, two, third] {
        pmd.quit();
    }
    play(&panel, "spp_mirror/monitoring/2_clean");
    panel.finish();
}

#[test]
fn v2_two_machines_are_reached_over_both_ports() {
    let hosts = [Host::new("10.9.6.1/24"), Host::new("10.9.7.1/24")];
    let all: Vec<&Host> = hosts.iter().collect();
    let mut panel = panel(&all, |b| {
        b.vf(1)
            .nfv_args(1, lcores(2..=13))
            .nfv_args(1, ["--vhost-client"])
    });
    for recipe in [
        "1_start_components",
        "2_add_ports_path1",
        "3_reg_mac_path1",
        "4_start_components",
        "5_add_ports_path2",
        "6_reg_mac_path2",
    ] {
        play(&panel, &format!("spp_vf/ssh_login/setup/{recipe}"));
    }
    // The guests make the sockets, as --vhost-client asks for.
    let nics = |ports: [u32; 2]| ports.map(|n| Nic::VhostServer(panel.socket(n)));
    let mut guests = [
        Vm::launch("vm1", &nics([0, 1])),
        Vm::launch("vm2", &nics([2, 3])),
    ];
    for (vm, (guest, macs)) in (1..).zip(guests.iter_mut().zip([["56", "57"], ["58", "59"]])) {
        guest.wait_boot();
        for (nic, last) in macs.iter().enumerate() {
            guest.sh(&format!(
                "ip link set eth{nic} address 52:54:00:12:34:{last}"
            ));
            guest.address(nic, &format!("10.9.{}.1{vm}/24", 6 + nic));
        }
    }
    for port in ["vhost:0", "vhost:1", "vhost:2", "vhost:3"] {
        panel.wait_link(1, port, "up");
    }
    // Both ways: what the host sends comes to the guest, which sends it back.
    for (path, host) in hosts.iter().enumerate() {
        for (vm, guest) in (1..).zip(&mut guests) {
            let address = format!("10.9.{}.1{vm}", 6 + path);
            host.netns.wait_ping(&address);
            guest.receive_file(5000, "copy");
            let send = format!(
                "import os, socket\n\
                 data = os.urandom(300000)\n\
                 peer = socket.create_connection(('{address}', 5000), 20)\n\
                 peer.sendall(data)\n\
                 peer.close()\n\
                 import hashlib\n\
                 print(hashlib.sha256(data).hexdigest())"
            );
            let sum = host.netns.run(&["python3", "-c", &send], LIMIT).success();
            guest.sh("until [ -e copy.done ]; do usleep 50000; done");
            let got = guest.sh("sha256sum <copy");
            assert!(got.starts_with(sum.trim()), "{got} instead of {sum}");
        }
    }
    drop(guests);
    for number in 0..4 {
        // A machine that is killed leaves the sockets that it made.
        std::fs::remove_file(panel.socket(number)).expect("the machine's socket");
    }
    for recipe in [
        "1-del_mac_path1",
        "2-del_ports_path1",
        "3-stop_components",
        "4-del_mac_path2",
        "5-del_ports_path2",
        "6-stop_components",
        "7-flush",
    ] {
        play(&panel, &format!("spp_vf/ssh_login/shutdown/{recipe}"));
    }
    assert!(panel.nfv(1).wait_exit(LIMIT).success());
    panel.finish();
}
