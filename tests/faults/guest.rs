//! A guest of our own: a vhost-user client that really gives memory and starts its queues, and then does with them what it
//! likes. Its memory is a file, so that nothing here needs a mapping.

use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use testbed::wait_for;

use crate::scene::LIMIT;

/// Requests of the protocol.
pub const GET_FEATURES: u32 = 1;
const SET_FEATURES: u32 = 2;
const SET_OWNER: u32 = 3;
pub const SET_MEM_TABLE: u32 = 5;
pub const SET_LOG_BASE: u32 = 6;
const SET_VRING_NUM: u32 = 8;
pub const SET_VRING_ADDR: u32 = 9;
const SET_VRING_BASE: u32 = 10;
const SET_VRING_KICK: u32 = 12;
pub const SET_VRING_CALL: u32 = 13;
const GET_PROTOCOL_FEATURES: u32 = 15;
const SET_PROTOCOL_FEATURES: u32 = 16;
const SET_VRING_ENABLE: u32 = 18;

/// What it can: merged buffers, indirect descriptors, a log, protocol features, virtio 1.
const FEATURES: u64 = 1 << 15 | 1 << 26 | 1 << 28 | 1 << 30 | 1 << 32;
/// A log in shared memory.
const PROTOCOL_FEATURES: u64 = 1 << 1;

/// Queues: from our side, that we receive from and that we send on.
pub const TO_GUEST: usize = 0;
pub const FROM_GUEST: usize = 1;

/// Bytes of its memory; what the host knows as addresses from 0 on.
pub const MEMORY: u64 = 4 << 20;
/// Where its own addresses begin.
const OURS: u64 = 0x7000_0000_0000;
/// Slots of a queue.
pub const SLOTS: u16 = 256;
/// Where the buffers begin; before them are the queues.
pub const BUFFERS: u64 = 1 << 20;
/// Bytes of a buffer.
pub const BUFFER: u64 = 2048;
/// What stands in front of a packet.
const HEADER: u32 = 12;

/// Flags of a descriptor.
pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;
pub const INDIRECT: u16 = 4;

fn queue(queue: usize) -> u64 {
    queue as u64 * 0x1_0000
}

/// Where the descriptors of a queue are, the indexes that the guest has made available, and those that were used.
pub fn table(of: usize) -> u64 {
    queue(of)
}
pub fn available(of: usize) -> u64 {
    queue(of) + 0x4000
}
pub fn used(of: usize) -> u64 {
    queue(of) + 0x8000
}

fn numbers<const N: usize>(all: [u64; N]) -> Vec<u8> {
    all.map(u64::to_ne_bytes).concat()
}

/// Two numbers of 32 bits, as most messages about queues have.
fn pair(one: u32, two: u32) -> Vec<u8> {
    [one, two].map(u32::to_ne_bytes).concat()
}

pub struct Guest {
    stream: UnixStream,
    pub memory: OwnedFd,
    pub calls: [OwnedFd; 2],
    _kicks: [OwnedFd; 2],
    /// How many buffers were made available, by queue.
    made: [u16; 2],
}

impl Guest {
    /// One that has connected and said nothing.
    pub fn connect(socket: &Path) -> Self {
        let stream = wait_for("a connection", LIMIT, || UnixStream::connect(socket).ok());
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_write_timeout(Some(LIMIT)).expect("a limit");
        let memory = memfd_create("guest", MemfdFlags::CLOEXEC).expect("memory");
        ftruncate(&memory, MEMORY).expect("its size");
        let bell = || eventfd(0, EventfdFlags::CLOEXEC).expect("a doorbell");
        Guest {
            stream,
            memory,
            calls: [bell(), bell()],
            _kicks: [bell(), bell()],
            made: [0; 2],
        }
    }

    /// One that has given its memory and started its queues.
    pub fn start(socket: &Path) -> Self {
        let guest = Self::connect(socket);
        guest.greet();
        guest.give_memory(&guest.memory, MEMORY);
        guest.begin();
        guest
    }

    pub fn greet(&self) {
        self.say(SET_OWNER, &[], &[]);
        let offered = self.ask(GET_FEATURES);
        self.say(SET_FEATURES, &numbers([FEATURES & offered]), &[]);
        let offered = self.ask(GET_PROTOCOL_FEATURES);
        let wanted = numbers([PROTOCOL_FEATURES & offered]);
        self.say(SET_PROTOCOL_FEATURES, &wanted, &[]);
    }

    /// Says that all of its memory is `size` bytes of a file.
    pub fn give_memory(&self, file: &OwnedFd, size: u64) {
        let mut words = pair(1, 0);
        words.extend(numbers([0, size, OURS, 0]));
        self.say(SET_MEM_TABLE, &words, &[file.as_fd()]);
    }

    /// Starts both queues.
    pub fn begin(&self) {
        for of in [TO_GUEST, FROM_GUEST] {
            let number = of as u32;
            self.say(SET_VRING_NUM, &pair(number, SLOTS.into()), &[]);
            self.say(SET_VRING_BASE, &pair(number, 0), &[]);
            self.place(of, table(of), available(of), used(of));
            let index = numbers([of as u64]);
            self.say(SET_VRING_KICK, &index, &[self._kicks[of].as_fd()]);
            self.give_bell(of, self.calls[of].as_fd());
        }
        for of in [TO_GUEST, FROM_GUEST] {
            self.say(SET_VRING_ENABLE, &pair(of as u32, 1), &[]);
        }
    }

    /// Says where the parts of a queue are.
    pub fn place(&self, of: usize, table: u64, available: u64, used: u64) {
        let mut words = pair(of as u32, 0);
        words.extend(numbers(
            [table, used, available].map(|at| OURS.wrapping_add(at)),
        ));
        words.extend(numbers([0]));
        self.say(SET_VRING_ADDR, &words, &[]);
    }

    /// Gives the doorbell that is rung for it.
    pub fn give_bell(&self, of: usize, bell: BorrowedFd<'_>) {
        self.say(SET_VRING_CALL, &numbers([of as u64]), &[bell]);
    }

    /// Says where it logs what is written to its memory.
    pub fn give_log(&self, file: &OwnedFd, size: u64) {
        self.say(SET_LOG_BASE, &numbers([size, 0]), &[file.as_fd()]);
        self.hear();
    }

    /// Sends a message, whether anybody hears it or not.
    pub fn say(&self, request: u32, payload: &[u8], with: &[BorrowedFd<'_>]) {
        let head = [request, 1, payload.len() as u32]
            .map(u32::to_ne_bytes)
            .concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !with.is_empty() {
            assert!(beside.push(SendAncillaryMessage::ScmRights(with)));
        }
        let words = [head, payload.to_vec()].concat();
        // Who was cut off learns so by what becomes of its port.
        let _ = sendmsg(
            &self.stream,
            &[IoSlice::new(&words)],
            &mut beside,
            SendFlags::NOSIGNAL,
        );
    }

    /// Sends any bytes.
    pub fn shout(&mut self, bytes: &[u8]) {
        let _ = std::io::Write::write_all(&mut self.stream, bytes);
    }

    /// The number in an answer; 0 if nobody answers.
    fn ask(&self, request: u32) -> u64 {
        self.say(request, &[], &[]);
        self.hear()
    }

    fn hear(&self) -> u64 {
        let mut head = [0; 12];
        let mut number = [0; 8];
        let mut stream = &self.stream;
        let heard = stream.read_exact(&mut head).and_then(|()| match head[8] {
            8 => stream.read_exact(&mut number),
            _ => Ok(()),
        });
        heard.map_or(0, |()| u64::from_ne_bytes(number))
    }

    /// Whether the other side has hung up.
    pub fn is_cut_off(&self) -> bool {
        self.stream.set_nonblocking(true).expect("set");
        let mut rest = [0; 4096];
        let end = loop {
            match (&self.stream).read(&mut rest) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(e) => break e.kind() != std::io::ErrorKind::WouldBlock,
            }
        };
        self.stream.set_nonblocking(false).expect("set");
        end
    }

    /// Writes into its memory.
    pub fn write(&self, at: u64, bytes: &[u8]) {
        rustix::io::pwrite(&self.memory, bytes, at).expect("written");
    }

    fn read16(&self, at: u64) -> u16 {
        let mut bytes = [0; 2];
        rustix::io::pread(&self.memory, &mut bytes, at).expect("read");
        u16::from_ne_bytes(bytes)
    }

    /// Writes a descriptor at an address.
    pub fn describe_at(&self, at: u64, address: u64, len: u32, flags: u16, next: u16) {
        let mut raw = address.to_ne_bytes().to_vec();
        raw.extend(len.to_ne_bytes());
        raw.extend([flags, next].map(u16::to_ne_bytes).concat());
        self.write(at, &raw);
    }

    /// Writes a descriptor of a queue.
    pub fn describe(&self, of: usize, slot: u16, address: u64, len: u32, flags: u16, next: u16) {
        self.describe_at(table(of) + 16 * u64::from(slot), address, len, flags, next);
    }

    /// Makes the chains that begin at these descriptors available.
    pub fn make_available(&mut self, of: usize, heads: &[u16]) {
        for head in heads {
            let slot = u64::from(self.made[of] % SLOTS);
            self.write(available(of) + 4 + 2 * slot, &head.to_ne_bytes());
            self.made[of] = self.made[of].wrapping_add(1);
        }
        self.publish(of, self.made[of]);
    }

    /// Says how many it has made available.
    pub fn publish(&self, of: usize, index: u16) {
        self.write(available(of) + 2, &index.to_ne_bytes());
    }

    /// How many the other side has used.
    pub fn used(&self, of: usize) -> u16 {
        self.read16(used(of) + 2)
    }

    /// Sends `count` good packets, at most as many as there are slots; does not wait.
    pub fn send(&mut self, count: u16) {
        for slot in 0..count {
            let at = BUFFERS + BUFFER * u64::from(slot);
            self.describe(FROM_GUEST, slot, at, HEADER + 60, 0, 0);
        }
        self.make_available(FROM_GUEST, &(0..count).collect::<Vec<_>>());
    }

    /// Has room for `count` packets, at most as many as there are slots.
    pub fn provide(&mut self, count: u16) {
        for slot in 0..count {
            let at = BUFFERS + BUFFER * u64::from(SLOTS + slot);
            self.describe(TO_GUEST, slot, at, BUFFER as u32, WRITE, 0);
        }
        self.make_available(TO_GUEST, &(0..count).collect::<Vec<_>>());
    }
}
