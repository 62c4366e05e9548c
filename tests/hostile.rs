//! Peers of a vhost port that do not keep to the protocol: whatever they say or leave unsaid, the process
//! lives, and its other ports go on.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use testbed::machine::cpu;
use testbed::{Panel, Random, TestPmd, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(30);
/// For the command of an operator to be answered, whatever peers do. The controller gives up after 5 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests of the vhost-user protocol.
const GET_FEATURES: u32 = 1;
const SET_OWNER: u32 = 3;
const SET_MEM_TABLE: u32 = 5;
const SET_VRING_NUM: u32 = 8;
const SET_VRING_ADDR: u32 = 9;
const SET_VRING_BASE: u32 = 10;
const GET_VRING_BASE: u32 = 11;
const SET_VRING_KICK: u32 = 12;
/// Version 1, no reply wanted.
const FLAGS: u32 = 1;

/// A message: request, flags, size as claimed, and the payload as sent.
fn message(request: u32, flags: u32, size: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [request, flags, size].map(u32::to_ne_bytes).concat();
    bytes.extend_from_slice(payload);
    bytes
}

fn connect(socket: &Path) -> UnixStream {
    let stream = wait_for("a connection", LIMIT, || UnixStream::connect(socket).ok());
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// A panel with the attacked `vhost:3`, and packets that go round between two well-behaved peers of
/// `vhost:1` and `vhost:2` of the same process.
struct Scene {
    panel: Panel,
    sender: TestPmd,
    receiver: TestPmd,
}

impl Scene {
    fn set() -> Self {
        let panel = Panel::builder()
            .primary_args(["--memory", "256"])
            .pages(256)
            .nfv(1)
            .start();
        for line in [
            "nfv 1 add vhost:1",
            "nfv 1 add vhost:2",
            "nfv 1 add vhost:3",
            "nfv 1 patch vhost:1 vhost:2",
            "nfv 1 patch vhost:3 ring:0",
            "nfv 1 patch ring:1 vhost:3",
        ] {
            panel.ok(line);
        }
        let peer = |name: &str, number, mode, on| {
            TestPmd::builder(name)
                .vhost_client(&panel.socket(number))
                .mode(mode)
                .memory(64)
                .cpu(cpu(on))
                .start()
        };
        let mut receiver = peer("rx", 2, "rxonly", 1);
        let mut sender = peer("tx", 1, "txonly", 0);
        receiver.start();
        sender.start();
        let mut this = Scene {
            panel,
            sender,
            receiver,
        };
        this.assert_well();
        this
    }

    /// Packets arrive, and commands for other ports and the process are answered in time.
    #[track_caller]
    fn assert_well(&mut self) {
        let before = self.receiver.port_stats(0).rx_packets;
        wait_until("more packets to arrive", LIMIT, || {
            self.receiver.port_stats(0).rx_packets > before + 10_000
        });
        for line in [
            "nfv 1 status",
            "nfv 1 add ring:5",
            "nfv 1 del ring:5",
            "nfv 1 add vhost:4",
            "nfv 1 del vhost:4",
        ] {
            let begun = std::time::Instant::now();
            self.panel.ok(line);
            assert!(
                begun.elapsed() < PATIENCE,
                "{line} took {:?}",
                begun.elapsed()
            );
        }
    }

    /// A peer that keeps to the protocol is served by the attacked port.
    #[track_caller]
    fn assert_serves(&self) {
        let mut peer = TestPmd::builder("good")
            .vhost_client(&self.panel.socket(3))
            .mode("txonly")
            .memory(64)
            .cpu(cpu(0))
            .start();
        self.panel.wait_link(1, "vhost:3", "up");
        peer.start();
        wait_until("packets of the good peer", LIMIT, || {
            let detail = self.panel.detail(1);
            let port = detail.ports.iter().find(|port| port.name == "vhost:3");
            port.is_some_and(|port| port.counters.rx_packets > 0)
        });
        peer.stop();
        peer.quit();
        self.panel.wait_link(1, "vhost:3", "down");
    }

    fn end(mut self) {
        self.sender.stop();
        self.sender.quit();
        self.receiver.quit();
        self.panel.finish();
    }
}

/// What a peer says before it hangs up.
fn nonsense() -> Vec<Vec<u8>> {
    let mut all = vec![
        // Nothing, and requests that do not exist.
        Vec::new(),
        message(0, FLAGS, 0, &[]),
        message(9_999, FLAGS, 0, &[]),
        message(u32::MAX, u32::MAX, 0, &[]),
        // Other versions of the protocol, a reply that nobody asked for.
        message(GET_FEATURES, 0, 0, &[]),
        message(GET_FEATURES, 3, 0, &[]),
        message(GET_FEATURES, FLAGS | 4, 8, &[0; 8]),
        // Sizes that the payload cannot have.
        message(SET_OWNER, FLAGS, u32::MAX, &[]),
        message(GET_FEATURES, FLAGS, 0x7fff_ffff, &[0xff; 64]),
        message(SET_MEM_TABLE, FLAGS, 4096, &[0xff; 4096]),
        // Tables and rings without the descriptors and the memory that they need.
        message(SET_MEM_TABLE, FLAGS, 0, &[]),
        message(SET_MEM_TABLE, FLAGS, 8, &[0xff; 8]),
        message(SET_VRING_NUM, FLAGS, 8, &[0xff; 8]),
        message(SET_VRING_ADDR, FLAGS, 40, &[0xff; 40]),
        message(SET_VRING_ADDR, FLAGS, 40, &[0; 40]),
        message(SET_VRING_BASE, FLAGS, 8, &[0xff; 8]),
        message(GET_VRING_BASE, FLAGS, 8, &[0xff; 8]),
        message(SET_VRING_KICK, FLAGS, 8, &[0xff; 8]),
        message(SET_VRING_KICK, FLAGS, 8, &[0; 8]),
        // The first bytes of a message, and one that ends in the middle of its payload.
        vec![1],
        message(GET_FEATURES, FLAGS, 0, &[])[..6].to_vec(),
        message(SET_VRING_ADDR, FLAGS, 40, &[0; 20]),
    ];
    // A proper beginning before some of them.
    let hello = message(SET_OWNER, FLAGS, 0, &[]);
    let later: Vec<_> = all
        .iter()
        .map(|words| [hello.clone(), words.clone()].concat())
        .collect();
    all.extend(later);
    // Bytes that mean nothing, different ones each time.
    let mut random = Random(1);
    for _ in 0..64 {
        let mut noise = random.bytes(300);
        // Half of them begin like a message.
        if random.below(2) == 0 {
            noise = message(u32::from(noise[0] % 45), FLAGS, u32::from(noise[1]), &noise);
        }
        all.push(noise);
    }
    all
}

#[test]
fn nonsense_before_hanging_up_harms_nobody() {
    let mut scene = Scene::set();
    for words in nonsense() {
        let mut peer = connect(&scene.panel.socket(3));
        // The other side may have hung up already.
        let _ = peer.write_all(&words);
        let _ = peer.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = peer.read_to_end(&mut answer);
    }
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

#[test]
fn five_hundred_connections_harm_nobody_and_leave_nothing() {
    let mut scene = Scene::set();
    let descriptors = |scene: &mut Scene| {
        let pid = scene.panel.nfv(1).pid();
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("descriptors")
            .count()
    };
    let before = descriptors(&mut scene);
    for round in 0..500 {
        let mut peer = connect(&scene.panel.socket(3));
        if round % 2 == 0 {
            peer.write_all(&message(GET_FEATURES, FLAGS, 0, &[]))
                .expect("a question");
            let mut answer = [0; 20];
            peer.read_exact(&mut answer).expect("an answer");
            assert_eq!(answer[..4], GET_FEATURES.to_ne_bytes());
        }
    }
    scene.assert_well();
    wait_until("descriptors of closed connections to go", LIMIT, || {
        descriptors(&mut scene) <= before
    });
    scene.assert_serves();
    scene.end();
}

/// Lets a peer say these words and then be silent with its connection open; meanwhile all else goes
/// on, and when it is gone its port serves others.
fn silent_after(words: &[u8]) {
    let mut scene = Scene::set();
    let mut peer = connect(&scene.panel.socket(3));
    peer.write_all(words).expect("written");
    scene.assert_well();
    // Other peers come and go meanwhile.
    scene.panel.ok("nfv 1 add vhost:6");
    let mut other = TestPmd::builder("other")
        .vhost_client(&scene.panel.socket(6))
        .mode("rxonly")
        .memory(64)
        .cpu(cpu(0))
        .start();
    scene.panel.wait_link(1, "vhost:6", "up");
    other.start();
    other.quit();
    scene.panel.wait_link(1, "vhost:6", "down");
    drop(peer);
    scene.assert_serves();
    // So does deleting the port itself while somebody is silent on it.
    let mut peer = connect(&scene.panel.socket(3));
    peer.write_all(words).expect("written");
    scene.panel.ok("nfv 1 del vhost:3");
    scene.assert_well();
    scene.end();
}

#[test]
fn a_peer_that_says_nothing_holds_nobody_up() {
    silent_after(&[]);
}

#[test]
fn a_peer_that_stops_after_a_question_holds_nobody_up() {
    silent_after(&message(GET_FEATURES, FLAGS, 0, &[]));
}

#[test]
fn a_peer_that_stops_within_a_header_holds_nobody_up() {
    silent_after(&message(GET_FEATURES, FLAGS, 0, &[])[..6]);
}

#[test]
fn a_peer_that_stops_within_a_payload_holds_nobody_up() {
    silent_after(&message(SET_VRING_ADDR, FLAGS, 40, &[0; 20]));
}

#[test]
fn a_peer_that_keeps_its_whole_payload_back_holds_nobody_up() {
    silent_after(&message(SET_VRING_ADDR, FLAGS, 40, &[]));
}
