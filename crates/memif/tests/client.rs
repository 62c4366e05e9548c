//! A client of our own, well-behaved or not.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memif::{Link, Memif};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketType, connect, recvmsg, sendmsg, socket,
};
use sys::shared::Shared;

/// Slots of a ring, as a power of two.
const LOG2: u8 = 2;
const SLOTS: u16 = 1 << LOG2;
/// The ring from us, the ring to us, then the buffers: of so many bytes, four for each ring.
const RINGS: [u32; 2] = [0, 256];
const BUFFERS: u32 = 512;
const BUFFER: u32 = 100;
const SIZE: usize = 4096;

const HELLO: u16 = 2;
const ACK: u16 = 1;
const CONNECTED: u16 = 7;
const DISCONNECT: u16 = 8;

/// What a client does after the greeting, and the answer.
type Step = dyn Fn(&Client) -> Option<u16>;

struct Client {
    socket: OwnedFd,
    file: OwnedFd,
    memory: Shared,
    bells: [OwnedFd; 2],
}

fn file(sealed: bool) -> OwnedFd {
    let file = memfd_create("test", MemfdFlags::ALLOW_SEALING).expect("memory");
    ftruncate(&file, SIZE as u64).expect("its size");
    if sealed {
        fcntl_add_seals(&file, SealFlags::SHRINK).expect("sealed");
    }
    file
}

fn message(kind: u16, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut message = vec![0; 128];
    message[..2].copy_from_slice(&kind.to_ne_bytes());
    for (at, part) in parts {
        message[*at..at + part.len()].copy_from_slice(part);
    }
    message
}

fn init() -> Vec<u8> {
    message(3, &[(2, &0x0200u16.to_ne_bytes())])
}

fn region(index: u16, size: u64) -> Vec<u8> {
    message(4, &[(2, &index.to_ne_bytes()), (4, &size.to_ne_bytes())])
}

fn ring(direction: usize, offset: u32, log2: u8) -> Vec<u8> {
    let flags = u16::from(direction == 0).to_ne_bytes();
    message(5, &[(2, &flags), (8, &offset.to_ne_bytes()), (12, &[log2])])
}

impl Client {
    fn new(path: &Path) -> Self {
        let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).expect("a socket");
        connect(&socket, &SocketAddrUnix::new(path).expect("a path")).expect("connected");
        let file = file(true);
        let memory = Shared::map(&file, SIZE as u64).expect("mapped");
        let bell = || eventfd(0, EventfdFlags::NONBLOCK).expect("a bell");
        for at in RINGS {
            memory.write(at as usize, &0x03E3_1F20u32.to_ne_bytes());
        }
        Client {
            socket,
            file,
            memory,
            bells: [bell(), bell()],
        }
    }

    fn say(&self, message: &[u8], descriptor: Option<BorrowedFd<'_>>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = descriptor.into_iter().collect();
        if !descriptors.is_empty() {
            assert!(beside.push(SendAncillaryMessage::ScmRights(&descriptors)));
        }
        // One that was disconnected learns so when it listens.
        let _ = sendmsg(
            &self.socket,
            &[IoSlice::new(message)],
            &mut beside,
            SendFlags::NOSIGNAL,
        );
    }

    /// The kind of the next message; `None` at the end.
    fn hear(&self) -> Option<u16> {
        let mut text = [0; 128];
        let heard = recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut text)],
            &mut RecvAncillaryBuffer::default(),
            RecvFlags::empty(),
        );
        match heard {
            Ok(heard) if heard.bytes > 0 => Some(u16::from_ne_bytes([text[0], text[1]])),
            _ => None,
        }
    }

    fn told(&self, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Option<u16> {
        self.say(message, descriptor);
        self.hear()
    }

    /// All that it takes.
    fn join(path: &Path) -> Self {
        let client = Client::new(path);
        assert_eq!(client.hear(), Some(HELLO));
        assert_eq!(client.told(&init(), None), Some(ACK));
        let file = Some(client.file.as_fd());
        assert_eq!(client.told(&region(0, SIZE as u64), file), Some(ACK));
        for direction in [0, 1] {
            let bell = Some(client.bells[direction].as_fd());
            let text = ring(direction, RINGS[direction], LOG2);
            assert_eq!(client.told(&text, bell), Some(ACK));
        }
        assert_eq!(client.told(&message(6, &[]), None), Some(CONNECTED));
        client
    }

    fn describe(&self, direction: usize, slot: u16, flags: u16, len: u32, offset: u32) {
        let at = RINGS[direction] as usize + 128 + 16 * usize::from(slot % SLOTS);
        let mut raw = [0; 16];
        raw[..2].copy_from_slice(&flags.to_ne_bytes());
        raw[4..8].copy_from_slice(&len.to_ne_bytes());
        raw[8..12].copy_from_slice(&offset.to_ne_bytes());
        assert!(self.memory.write(at, &raw));
    }

    fn buffer(direction: usize, slot: u16) -> u32 {
        BUFFERS + BUFFER * (direction as u32 * u32::from(SLOTS) + u32::from(slot % SLOTS))
    }

    fn head(&self, direction: usize, head: u16) {
        assert!(self.memory.store16(RINGS[direction] as usize + 6, head));
    }

    fn tail(&self, direction: usize) -> u16 {
        let tail = self.memory.load16(RINGS[direction] as usize + 64);
        tail.expect("inside")
    }

    /// Sends pieces of one packet from this slot on.
    fn send(&self, slot: u16, pieces: &[&[u8]]) {
        for (i, piece) in pieces.iter().enumerate() {
            let at = slot.wrapping_add(i as u16);
            let place = Self::buffer(0, at);
            assert!(self.memory.write(place as usize, piece));
            let flags = u16::from(i + 1 < pieces.len());
            self.describe(0, at, flags, piece.len() as u32, place);
        }
        self.head(0, slot.wrapping_add(pieces.len() as u16));
    }
}

fn wait(what: &str, mut probe: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !probe() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

fn receive(link: &Link) -> Option<Option<Vec<u8>>> {
    link.receive(|receiver| {
        let Some(packet) = receiver.peek()? else {
            return Ok(None);
        };
        let mut straight = vec![0; packet.len()];
        receiver.copy(&packet, &mut straight);
        assert_eq!(receiver.bytes(&packet), straight);
        receiver.pass(&packet);
        receiver.done();
        Ok(Some(straight))
    })
}

fn send(link: &Link, data: &[u8]) -> Option<bool> {
    link.send(|sender| {
        let put = sender.put(data)?;
        sender.done()?;
        Ok(put)
    })
}

fn port() -> (tempfile::TempDir, Memif, Arc<Link>) {
    let dir = tempfile::tempdir().expect("a folder");
    let port = Memif::open(&dir.path().join("memif1"), Box::new(|| {})).expect("a port");
    let link = port.link();
    (dir, port, link)
}

#[test]
fn packets_go_both_ways_in_one_piece_and_in_many() {
    let (_dir, port, link) = port();
    assert_eq!(receive(&link), None, "nobody is there");
    let client = Client::join(port.path());
    assert!(link.is_up());
    assert_eq!(receive(&link), Some(None));
    // More than once around, over the end of the numbers' range as well.
    let mut slot = 0;
    for round in 0..70_000u32 {
        let pieces: &[&[u8]] = if round % 2 == 0 {
            &[&[1, 2, 3]]
        } else {
            &[&[4; 100], &[5], &[6, 7]]
        };
        client.send(slot, pieces);
        slot = slot.wrapping_add(pieces.len() as u16);
        assert_eq!(receive(&link), Some(Some(pieces.concat())));
        assert_eq!(client.tail(0), slot);
    }
    assert_eq!(send(&link, &[1]), Some(false), "no buffers yet");
    for slot in 0..SLOTS {
        client.describe(1, slot, 0, BUFFER, Client::buffer(1, slot));
    }
    client.head(1, SLOTS);
    assert_eq!(
        send(&link, &[7; 401]),
        Some(false),
        "more than there is room"
    );
    assert_eq!(client.tail(1), 0);
    assert_eq!(send(&link, &[8; 250]), Some(true));
    assert_eq!(client.tail(1), 3);
    let mut seen = [0; 100];
    assert!(client.memory.read(Client::buffer(1, 2) as usize, &mut seen));
    assert_eq!((seen[49], seen[50]), (8, 0));
    // It wanted to be woken.
    let mut count = [0; 8];
    assert_eq!(rustix::io::read(&client.bells[1], &mut count), Ok(8));
}

#[test]
fn nonsense_is_answered_with_a_disconnect_and_the_next_client_is_served() {
    let (_dir, port, link) = port();
    let steps: Vec<Box<Step>> = vec![
        Box::new(|c| c.told(&[1, 2, 3], None)),
        Box::new(|c| c.told(&message(99, &[]), None)),
        Box::new(|c| c.told(&region(0, 4096), Some(c.file.as_fd()))),
        Box::new(|c| c.told(&message(3, &[(2, &0x0300u16.to_ne_bytes())]), None)),
        Box::new(|c| c.told(&init(), None).and(c.told(&region(0, 4096), None))),
        Box::new(|c| {
            c.told(&init(), None)
                .and(c.told(&region(1, 4096), Some(c.file.as_fd())))
        }),
        Box::new(|c| {
            c.told(&init(), None)
                .and(c.told(&region(0, 4097), Some(c.file.as_fd())))
        }),
        Box::new(|c| {
            let loose = file(false);
            c.told(&init(), None)
                .and(c.told(&region(0, 4096), Some(loose.as_fd())))
        }),
        Box::new(|c| c.told(&init(), None).and(c.told(&message(6, &[]), None))),
    ];
    for (i, step) in steps.iter().enumerate() {
        let client = Client::new(port.path());
        assert_eq!(client.hear(), Some(HELLO));
        assert_eq!(step(&client), Some(DISCONNECT), "step {i}");
        assert_eq!(client.hear(), None, "step {i}");
        assert!(!link.is_up());
    }
    for (offset, log2) in [
        (4096, 2),
        (u32::MAX, 2),
        (2, 2),
        (0, 0),
        (0, 15),
        (0, 14),
        (512, 2),
    ] {
        let client = Client::new(port.path());
        assert_eq!(client.hear(), Some(HELLO));
        assert_eq!(client.told(&init(), None), Some(ACK));
        assert_eq!(
            client.told(&region(0, 4096), Some(client.file.as_fd())),
            Some(ACK)
        );
        for direction in [0, 1] {
            assert_eq!(client.told(&ring(direction, offset, log2), None), Some(ACK));
        }
        let end = client.told(&message(6, &[]), None);
        assert_eq!(end, Some(DISCONNECT), "{offset} {log2}");
    }
    drop(Client::join(port.path()));
}

#[test]
fn what_cannot_be_in_a_ring_ends_the_connection_and_touches_nothing() {
    let (_dir, port, link) = port();
    let faults: [fn(&Client); 7] = [
        |c| c.head(0, SLOTS + 1),
        |c| {
            c.describe(0, 0, 0, 1, SIZE as u32);
            c.head(0, 1);
        },
        |c| {
            c.describe(0, 0, 0, u32::MAX, 0);
            c.head(0, 1);
        },
        |c| {
            c.describe(0, 0, 0, 0, 0);
            c.head(0, 1);
        },
        |c| {
            (0..SLOTS).for_each(|slot| c.describe(0, slot, 1, 10, 0));
            c.head(0, SLOTS);
        },
        |c| {
            c.describe(1, 0, 0, 100, SIZE as u32 - 99);
            c.head(1, 1);
        },
        |c| {
            c.describe(1, 0, 0, 0, 0);
            c.head(1, 1);
        },
    ];
    for (i, fault) in faults.iter().enumerate() {
        let client = Client::join(port.path());
        fault(&client);
        let seen = (receive(&link), send(&link, &[1; 10]));
        assert!(seen.0.is_none() || seen.1.is_none(), "fault {i}: {seen:?}");
        assert!(!link.is_up());
        assert_eq!(client.hear(), Some(DISCONNECT), "fault {i}");
        assert_eq!(client.hear(), None, "fault {i}");
    }
    assert_eq!(link.connections(), faults.len() as u64);
    drop(Client::join(port.path()));
}

#[test]
fn one_client_at_a_time_and_a_silent_one_makes_room() {
    let (_dir, port, link) = port();
    let silent = Client::new(port.path());
    assert_eq!(silent.hear(), Some(HELLO));
    let client = Client::join(port.path());
    assert_eq!(silent.hear(), Some(DISCONNECT));
    let second = Client::new(port.path());
    assert_eq!(second.hear(), Some(DISCONNECT));
    assert!(link.is_up());
    drop(client);
    wait("the end of the first", || !link.is_up());
    let client = Client::join(port.path());
    // The port goes under its client.
    let path = port.path().to_owned();
    drop(port);
    assert!(!path.exists() && !link.is_up());
    assert_eq!(client.hear(), Some(DISCONNECT));
}

#[test]
fn connections_leave_nothing_behind() {
    let (_dir, port, link) = port();
    let uses = || {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let of_clients = maps.lines().filter(|l| l.contains("memfd:test")).count();
        let me = std::fs::read_dir("/proc/self/fd").expect("descriptors");
        let links = me
            .flatten()
            .filter_map(|e| std::fs::read_link(e.path()).ok());
        let own = links.filter(|l| l.to_string_lossy().contains("memfd:test"));
        (of_clients, own.count())
    };
    // Other tests of this executable run beside; what is there at the least is what stays.
    for _ in 0..300 {
        drop(Client::join(port.path()));
        wait("the end", || !link.is_up());
    }
    wait("nothing to be left", || uses() == (0, 0));
}
