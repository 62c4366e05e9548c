//! Peers of a vhost port that lie: the process lives, the port is shut or the packet refused, it is said, and no
//! other port's packet is lost. What is said on the socket alone is in `tests/hostile.rs`.

use std::os::fd::AsFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::write;
use testbed::{Random, wait_until};

use crate::guest::{
    BUFFER, BUFFERS, FROM_GUEST, GET_FEATURES, Guest, INDIRECT, MEMORY, NEXT, SET_VRING_ADDR,
    SLOTS, TO_GUEST, WRITE, available, table, used,
};
use crate::scene::{Held, LIMIT, Scene};

const WITHDREW: &str = "withdrew memory that it had given";

/// The guest was cut off for this reason, the port is free for others, and all else goes on.
#[track_caller]
fn assert_cut_off(scene: &mut Scene, guest: &Guest, why: &str) {
    wait_until("the guest to be cut off", LIMIT, || guest.is_cut_off());
    wait_until("that to be said", LIMIT, || scene.said().contains(why));
    scene.panel.wait_link(1, "vhost:3", "down");
    let log = format!("the peer {why}: it is cut off");
    scene.panel.nfv(1).wait_output(&log, LIMIT);
}

#[test]
fn memory_that_is_withdrawn_ends_a_connection_and_nothing_else() {
    let mut scene = Scene::set();
    // All of it; the queues stay and the buffers go; half a page of a queue.
    let half = 2048;
    for (left, touch) in [
        (0, None),
        (BUFFERS, Some(FROM_GUEST)),
        (BUFFERS, Some(TO_GUEST)),
        (used(FROM_GUEST) - half, Some(FROM_GUEST)),
        (available(TO_GUEST) + half, Some(TO_GUEST)),
        (table(FROM_GUEST) + half, None),
    ] {
        let mut guest = scene.guest();
        guest.send(100);
        guest.provide(100);
        wait_until("packets of the guest", LIMIT, || {
            guest.used(FROM_GUEST) == 100
        });
        ftruncate(&guest.memory, left).expect("withdrawn");
        if let Some(of) = touch {
            guest.make_available(of, &[0; 100]);
        }
        assert_cut_off(&mut scene, &guest, WITHDREW);
    }
    assert!(
        scene.said().contains("peers cut off: 6"),
        "{}",
        scene.said()
    );
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

#[test]
fn memory_that_was_never_there_ends_a_connection_and_nothing_else() {
    let mut scene = Scene::set();
    let empty = memfd_create("empty", MemfdFlags::CLOEXEC).expect("memory");
    // From the beginning; vhost's own thread touches it as well.
    let guest = Guest::connect(&scene.socket());
    guest.greet();
    guest.give_memory(&empty, MEMORY);
    guest.begin();
    assert_cut_off(&mut scene, &guest, WITHDREW);
    // Instead of what was there, while packets flow.
    let mut guest = scene.guest();
    guest.send(100);
    ftruncate(&empty, 0).expect("its size");
    guest.give_memory(&empty, 2 * MEMORY);
    assert_cut_off(&mut scene, &guest, WITHDREW);
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

#[test]
fn a_log_that_is_withdrawn_ends_a_connection_and_nothing_else() {
    let mut scene = Scene::set();
    let log = memfd_create("log", MemfdFlags::CLOEXEC).expect("memory");
    ftruncate(&log, 4096).expect("its size");
    let mut guest = Guest::connect(&scene.socket());
    guest.greet();
    guest.give_memory(&guest.memory, MEMORY);
    guest.give_log(&log, 4096);
    guest.begin();
    scene.panel.wait_link(1, "vhost:3", "up");
    guest.provide(10);
    wait_until("packets to be logged", LIMIT, || guest.used(TO_GUEST) == 10);
    let mut bits = [0; 4096];
    rustix::io::pread(&log, &mut bits, 0).expect("read");
    assert!(bits.iter().any(|byte| *byte != 0), "nothing was logged");
    ftruncate(&log, 0).expect("withdrawn");
    guest.make_available(TO_GUEST, &[0; 10]);
    assert_cut_off(&mut scene, &guest, WITHDREW);
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

/// What stands in a queue, and what it is.
type Lie = (&'static str, fn(&mut Guest));

/// Descriptors that cannot be, for the queue on which the guest sends.
const SENT: [Lie; 11] = [
    ("an address outside of the memory", |g| {
        g.describe(FROM_GUEST, 0, MEMORY + 4096, 1000, 0, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("an address at the very end of the address space", |g| {
        g.describe(FROM_GUEST, 0, u64::MAX - 100, 1000, 0, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("a buffer that reaches beyond the memory", |g| {
        g.describe(FROM_GUEST, 0, MEMORY - 100, 1000, 0, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("a length of 4 GB", |g| {
        g.describe(FROM_GUEST, 0, BUFFERS, u32::MAX, 0, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("no length", |g| {
        g.describe(FROM_GUEST, 0, BUFFERS, 0, 0, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("a packet that is shorter than its header", |g| {
        g.describe(FROM_GUEST, 0, BUFFERS, 5, 0, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("a chain that bites its tail", |g| {
        g.describe(FROM_GUEST, 0, BUFFERS, 1000, NEXT, 1);
        g.describe(FROM_GUEST, 1, BUFFERS, 1000, NEXT, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("a chain that leaves the table", |g| {
        g.describe(FROM_GUEST, 0, BUFFERS, 1000, NEXT, 9999);
        g.make_available(FROM_GUEST, &[0]);
    }),
    ("a head that is no descriptor", |g| {
        g.make_available(FROM_GUEST, &[40_000]);
    }),
    ("an indirect table outside of the memory", |g| {
        g.describe(FROM_GUEST, 0, MEMORY + 4096, 32, INDIRECT, 0);
        g.make_available(FROM_GUEST, &[0]);
    }),
    (
        "an indirect table that says that it has 4 GB, in a loop",
        |g| {
            let table = BUFFERS + BUFFER;
            g.describe_at(table, BUFFERS, 1000, NEXT, 1);
            g.describe_at(table + 16, BUFFERS, 1000, NEXT, 0);
            g.describe(FROM_GUEST, 0, table, u32::MAX, INDIRECT, 0);
            g.make_available(FROM_GUEST, &[0]);
        },
    ),
];

/// Likewise, for the queue on which it receives.
const PROVIDED: [Lie; 6] = [
    ("room outside of the memory", |g| {
        g.describe(TO_GUEST, 0, MEMORY + 4096, 2048, WRITE, 0);
        g.make_available(TO_GUEST, &[0]);
    }),
    ("room that reaches beyond the memory", |g| {
        g.describe(TO_GUEST, 0, MEMORY - 20, 2048, WRITE, 0);
        g.make_available(TO_GUEST, &[0]);
    }),
    ("room of 4 GB", |g| {
        g.describe(TO_GUEST, 0, MEMORY - 20, u32::MAX, WRITE, 0);
        g.make_available(TO_GUEST, &[0]);
    }),
    ("room in a loop of nothing", |g| {
        g.describe(TO_GUEST, 0, BUFFERS, 0, WRITE | NEXT, 1);
        g.describe(TO_GUEST, 1, BUFFERS, 0, WRITE | NEXT, 0);
        g.make_available(TO_GUEST, &[0]);
    }),
    ("a head that is no descriptor", |g| {
        g.make_available(TO_GUEST, &[u16::MAX]);
    }),
    ("an indirect table that lies", |g| {
        g.describe(TO_GUEST, 0, BUFFERS + 1, u32::MAX, INDIRECT, 0);
        g.make_available(TO_GUEST, &[0]);
    }),
];

#[test]
fn descriptors_that_cannot_be_are_refused_and_harm_nobody() {
    let scene = Scene::set();
    let lies = SENT.iter().map(|lie| (FROM_GUEST, lie));
    for (of, (what, lie)) in lies.chain(PROVIDED.iter().map(|lie| (TO_GUEST, lie))) {
        let mut guest = scene.guest();
        let before = scene.received();
        let patch = || scene.panel.patch(1, "nullpmd:1").counters;
        let dropped = patch().drops.full;
        lie(&mut guest);
        scene.assert_flows();
        println!(
            "{what}: {} used, {} received, {}",
            guest.used(of),
            scene.received() - before,
            if guest.is_cut_off() {
                "cut off"
            } else {
                "connected"
            }
        );
        match of {
            // Nothing of it is taken for a packet.
            FROM_GUEST => assert_eq!(scene.received(), before, "{what}"),
            // What was meant for it is counted as refused.
            _ => wait_until("packets to be refused", LIMIT, || {
                patch().drops.full > dropped
            }),
        }
    }
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

#[test]
fn indexes_that_jump_and_queues_that_lie_elsewhere_harm_nobody() {
    let scene = Scene::set();
    for jump in [1, SLOTS, SLOTS + 1, 0x7fff, 0x8000, u16::MAX] {
        let mut guest = scene.guest();
        guest.send(10);
        wait_until("packets of the guest", LIMIT, || {
            guest.used(FROM_GUEST) == 10
        });
        for of in [FROM_GUEST, TO_GUEST] {
            guest.publish(of, jump);
            guest.publish(of, jump.wrapping_mul(3));
        }
        scene.assert_flows();
    }
    // Parts of a queue outside of the memory, at its end, and not aligned.
    for at in [MEMORY, MEMORY - 8, u64::MAX - 64, BUFFERS + 1, 1 << 63] {
        for part in 0..3 {
            let guest = scene.guest();
            let mut places = [table(FROM_GUEST), available(FROM_GUEST), used(FROM_GUEST)];
            places[part] = at;
            guest.place(FROM_GUEST, places[0], places[1], places[2]);
            guest.publish(FROM_GUEST, 100);
            scene.assert_flows();
        }
    }
    // A queue that does not exist.
    let guest = scene.guest();
    for number in [2, 255, 256, u32::MAX] {
        let words = [[number, 0].map(u32::to_ne_bytes).concat(), vec![0; 32]].concat();
        guest.say(SET_VRING_ADDR, &words, &[]);
    }
    drop(guest);
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

#[test]
fn doorbells_that_cannot_be_rung_hold_nobody_up() {
    const BELL: &str = "gave a doorbell that cannot be rung";
    let mut scene = Scene::set();
    // No doorbell at all: a pipe that is full.
    let mut guest = scene.guest();
    let (_end, full) = rustix::pipe::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&full, true).expect("set");
    while write(&full, &[0; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).expect("set");
    guest.give_bell(TO_GUEST, full.as_fd());
    assert_cut_off(&mut scene, &guest, BELL);
    // One that is full, and made to wait for again after we made it not to.
    guest = scene.guest();
    let stuck = eventfd(0, EventfdFlags::empty()).expect("a doorbell");
    write(&stuck, &(u64::MAX - 1).to_ne_bytes()).expect("filled");
    guest.give_bell(TO_GUEST, stuck.as_fd());
    let tamed = || {
        let flags = rustix::fs::fcntl_getfl(&stuck).expect("its flags");
        flags.contains(rustix::fs::OFlags::NONBLOCK)
    };
    wait_until("the doorbell to be tamed", LIMIT, tamed);
    guest.provide(10);
    wait_until("packets for the guest", LIMIT, || {
        guest.used(TO_GUEST) == 10
    });
    scene.assert_flows();
    rustix::io::ioctl_fionbio(&stuck, false).expect("set");
    guest.make_available(TO_GUEST, &[0; 10]);
    assert_cut_off(&mut scene, &guest, BELL);
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

/// Requests that were not offered, with what they carry.
#[test]
fn requests_that_were_not_offered_harm_nobody() {
    let scene = Scene::set();
    for request in (19..=50).chain([100, 1000, u32::MAX]) {
        for payload in [
            vec![0; 8],
            vec![0xff; 8],
            [vec![0; 24], vec![1, 2, 0, 0, 0, 0, 0, 0]].concat(),
        ] {
            let guest = scene.guest();
            guest.say(request, &payload, &[]);
            guest.say(request, &payload, &[guest.memory.as_fd()]);
            guest.say(GET_FEATURES, &[], &[]);
        }
        scene.panel.wait_link(1, "vhost:3", "down");
    }
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

#[test]
fn ten_megabytes_of_nonsense_harm_nobody() {
    let scene = Scene::set();
    let mut random = Random(7);
    let mut sent = 0;
    while sent < 10 << 20 {
        let mut guest = Guest::connect(&scene.socket());
        if sent % 2 == 0 {
            guest.greet();
        }
        let noise = random.bytes(64 << 10);
        guest.shout(&noise);
        sent += noise.len();
    }
    scene.assert_well();
    scene.assert_serves();
    scene.end();
}

/// With `SPP_TEST_RECONNECTS` more of them than the suite has time for.
#[test]
fn reconnects_leave_nothing_and_harm_nobody() {
    let rounds: usize =
        std::env::var("SPP_TEST_RECONNECTS").map_or(500, |text| text.parse().expect("a number"));
    let mut scene = Scene::set();
    let pid = scene.panel.nfv(1).pid();
    // What is made once at the first.
    scene.assert_serves();
    scene.assert_well();
    let before = Held::by(pid);
    for round in 0..rounds {
        // In turns: all of it, and gone in the middle of it.
        if round % 2 == 0 {
            let mut guest = scene.guest();
            guest.send(10);
        } else {
            let guest = Guest::connect(&scene.socket());
            guest.greet();
            guest.give_memory(&guest.memory, MEMORY);
        }
        if round % 100 == 99 {
            scene.assert_well();
        }
    }
    scene.panel.wait_link(1, "vhost:3", "down");
    let mut after = Held::by(pid);
    wait_until("descriptors and mappings to be as before", LIMIT, || {
        after = Held::by(pid);
        after.is_at_most(&before)
    });
    println!("{rounds} reconnects: before {before:?}, after {after:?}");
    scene.assert_serves();
    scene.end();
}
