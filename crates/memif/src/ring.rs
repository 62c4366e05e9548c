//! Rings in the client's memory.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sys::shared::Shared;
use sys::withdrawn;

use crate::message::{MAX_LOG2, RingPlan};

/// Longest packet, in bytes.
pub const LONGEST: usize = 65_535;

/// What stands at the begin of a ring.
const COOKIE: u32 = 0x03E3_1F20;
const FLAGS: usize = 4;
const HEAD: usize = 6;
const TAIL: usize = 64;
const DESCRIPTORS: usize = 128;
const DESCRIPTOR: usize = 16;
/// In the flags of a ring: do not ring the bell.
const NO_BELL: u16 = 1;
/// In the flags of a descriptor: the packet goes on in the next one.
const NEXT: u16 = 1;

/// The client wrote what cannot be; the connection is to be ended for this reason.
pub type Fault = &'static str;

struct Ring {
    regions: Arc<[Shared]>,
    region: usize,
    at: usize,
    size: u16,
    /// The next slot that is ours to work on.
    next: u16,
    bell: Option<OwnedFd>,
    /// For packets that are not in one piece.
    scratch: Vec<u8>,
    /// Withdrawals of memory in this process that were looked at.
    seen: u64,
}

#[derive(Clone, Copy)]
struct Descriptor {
    flags: u16,
    region: usize,
    len: usize,
    offset: usize,
}

impl Ring {
    /// Checks the ring and begins it anew.
    fn begin(
        plan: &RingPlan,
        regions: &Arc<[Shared]>,
        bell: Option<OwnedFd>,
    ) -> Result<Self, Fault> {
        if !(1..=MAX_LOG2).contains(&plan.log2_size) {
            return Err("ring size not supported");
        }
        let (region, at) = (usize::from(plan.region), plan.offset as usize);
        let size = 1u16 << plan.log2_size;
        let memory = regions.get(region).ok_or("ring in an unknown region")?;
        let mut cookie = [0; 4];
        if !at.is_multiple_of(4) || !memory.has(at, DESCRIPTORS + DESCRIPTOR * usize::from(size)) {
            return Err("ring outside of its region");
        }
        if !memory.read(at, &mut cookie) || u32::from_ne_bytes(cookie) != COOKIE {
            return Err("no ring where it should be");
        }
        memory.store16(at + HEAD, 0);
        memory.store16(at + TAIL, 0);
        Ok(Ring {
            regions: regions.clone(),
            region,
            at,
            size,
            next: 0,
            bell,
            scratch: vec![0; LONGEST],
            seen: 0,
        })
    }

    #[inline(always)]
    fn memory(&self) -> &Shared {
        &self.regions[self.region]
    }

    /// How many slots from ours on the client has made ready.
    #[inline(always)]
    fn ready(&mut self) -> Result<u16, Fault> {
        if self.seen != withdrawn::count() {
            self.look()?;
        }
        let head = self.memory().load16(self.at + HEAD).unwrap_or(self.next);
        let ready = head.wrapping_sub(self.next);
        if ready > self.size {
            return Err("ring overrun");
        }
        Ok(ready)
    }

    /// Somebody's memory was withdrawn: is it that of this client?
    #[cold]
    fn look(&mut self) -> Result<(), Fault> {
        self.seen = withdrawn::count();
        match self.regions.iter().any(Shared::is_withdrawn) {
            true => Err("its memory was withdrawn"),
            false => Ok(()),
        }
    }

    #[inline(always)]
    fn place(&self, slot: u16) -> usize {
        self.at + DESCRIPTORS + DESCRIPTOR * usize::from(slot & (self.size - 1))
    }

    /// The descriptor of a slot, with its buffer inside the memory.
    #[inline(always)]
    fn descriptor(&self, slot: u16) -> Result<Descriptor, Fault> {
        let mut raw = [0; 12];
        self.memory().read(self.place(slot), &mut raw);
        let descriptor = Descriptor {
            flags: u16::from_ne_bytes([raw[0], raw[1]]),
            region: usize::from(u16::from_ne_bytes([raw[2], raw[3]])),
            len: u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]) as usize,
            offset: u32::from_ne_bytes([raw[8], raw[9], raw[10], raw[11]]) as usize,
        };
        let memory = self.regions.get(descriptor.region);
        if memory.is_some_and(|m| m.has(descriptor.offset, descriptor.len)) {
            Ok(descriptor)
        } else {
            Err("buffer outside of the memory")
        }
    }

    /// Whether the ready buffers together have room for `data`.
    #[cold]
    fn fits(&self, data: &[u8], ready: u16) -> Result<bool, Fault> {
        let mut room = 0;
        for i in 0..ready {
            let len = self.descriptor(self.next.wrapping_add(i))?.len;
            if len == 0 {
                return Err("buffer without room");
            }
            room += len;
            if room >= data.len() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells the client how far we are.
    #[inline(always)]
    fn publish(&self) {
        self.memory().store16(self.at + TAIL, self.next);
    }
}

/// The ring on which the client sends.
pub struct Receiver(Ring);

/// A packet that waits in the client's memory. Where it lies was read once and checked.
pub struct Packet {
    first: Descriptor,
    slots: u16,
    len: usize,
}

impl Packet {
    /// Its length in bytes, at most [`LONGEST`].
    #[allow(clippy::len_without_is_empty)] // no packet is empty
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Receiver {
    pub(crate) fn begin(
        plan: &RingPlan,
        regions: &Arc<[Shared]>,
        bell: Option<OwnedFd>,
    ) -> Result<Self, Fault> {
        let ring = Ring::begin(plan, regions, bell)?;
        // A worker looks by itself.
        ring.memory().store16(ring.at + FLAGS, NO_BELL);
        Ok(Receiver(ring))
    }

    /// The next packet, if one is there.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<Option<Packet>, Fault> {
        let ready = self.0.ready()?;
        if ready == 0 {
            return Ok(None);
        }
        let first = self.0.descriptor(self.0.next)?;
        let mut packet = Packet {
            first,
            slots: 1,
            len: first.len,
        };
        if first.flags & NEXT != 0 {
            match self.gather(&first, ready)? {
                None => return Ok(None),
                Some((slots, len)) => (packet.slots, packet.len) = (slots, len),
            }
        }
        if packet.len == 0 || packet.len > LONGEST {
            return Err("packet without a possible length");
        }
        Ok(Some(packet))
    }

    /// Copies a packet in several pieces into the scratch memory; `None` if not all of it is there yet.
    #[cold]
    fn gather(&mut self, first: &Descriptor, ready: u16) -> Result<Option<(u16, usize)>, Fault> {
        let ring = &mut self.0;
        let (mut slots, mut len, mut piece) = (1u16, 0, *first);
        let mut scratch = std::mem::take(&mut ring.scratch);
        let result = loop {
            let Some(to) = scratch.get_mut(len..len + piece.len) else {
                break Err("packet without a possible length");
            };
            ring.regions[piece.region].read(piece.offset, to);
            len += piece.len;
            if piece.flags & NEXT == 0 {
                break Ok(Some((slots, len)));
            }
            if slots == ready {
                break if ready == ring.size {
                    Err("packet without an end")
                } else {
                    Ok(None)
                };
            }
            match ring.descriptor(ring.next.wrapping_add(slots)) {
                Ok(next) => piece = next,
                Err(fault) => break Err(fault),
            }
            slots += 1;
        };
        ring.scratch = scratch;
        result
    }

    /// The bytes of a packet that was peeked at last, where `to` has its length: copied straight into it.
    #[inline(always)]
    pub fn copy(&self, packet: &Packet, to: &mut [u8]) {
        if packet.slots == 1 {
            self.0.regions[packet.first.region].read(packet.first.offset, to);
        } else {
            to.copy_from_slice(&self.0.scratch[..to.len()]);
        }
    }

    /// The same, where the packet is to be taken in pieces.
    pub fn bytes(&mut self, packet: &Packet) -> &[u8] {
        let ring = &mut self.0;
        if packet.slots == 1 {
            let to = &mut ring.scratch[..packet.len];
            ring.regions[packet.first.region].read(packet.first.offset, to);
        }
        &ring.scratch[..packet.len]
    }

    /// The packet is taken.
    #[inline(always)]
    pub fn pass(&mut self, packet: &Packet) {
        self.0.next = self.0.next.wrapping_add(packet.slots);
    }

    /// Gives the client back what was taken.
    #[inline(always)]
    pub fn done(&mut self) {
        self.0.publish();
    }
}

/// The ring on which the client receives: it provides buffers, we fill them.
pub struct Sender(Ring);

impl Sender {
    pub(crate) fn begin(
        plan: &RingPlan,
        regions: &Arc<[Shared]>,
        bell: Option<OwnedFd>,
    ) -> Result<Self, Fault> {
        Ring::begin(plan, regions, bell).map(Sender)
    }

    /// Puts a packet into the next buffers; false if there are not enough.
    #[inline(always)]
    pub fn put(&mut self, data: &[u8]) -> Result<bool, Fault> {
        let ring = &mut self.0;
        let ready = ring.ready()?;
        if ready == 0
            || (ring.descriptor(ring.next)?.len < data.len() && !ring.fits(data, ready)?)
        {
            return Ok(false);
        }
        let (mut rest, mut slot) = (data, ring.next);
        loop {
            // Read again, and so checked again: the client may have changed it.
            let buffer = ring.descriptor(slot)?;
            if buffer.len == 0 || slot.wrapping_sub(ring.next) == ready {
                return Err("buffer without room");
            }
            let (now, later) = rest.split_at(rest.len().min(buffer.len));
            ring.regions[buffer.region].write(buffer.offset, now);
            let flags = if later.is_empty() { 0 } else { NEXT };
            let place = ring.place(slot);
            ring.memory().write(place, &flags.to_ne_bytes());
            ring.memory()
                .write(place + 4, &(now.len() as u32).to_ne_bytes());
            slot = slot.wrapping_add(1);
            rest = later;
            if rest.is_empty() {
                ring.next = slot;
                return Ok(true);
            }
        }
    }

    /// Memory for a packet that is not in one piece, to be given back with [`Sender::give_back`].
    pub fn borrow_scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0.scratch)
    }

    /// Takes it back.
    pub fn give_back(&mut self, scratch: Vec<u8>) {
        self.0.scratch = scratch;
    }

    /// Shows the client what was put, and rings if it wants that.
    #[inline(always)]
    pub fn done(&mut self) -> Result<(), Fault> {
        let ring = &self.0;
        ring.publish();
        let flags = ring.memory().load16(ring.at + FLAGS).unwrap_or(NO_BELL);
        if flags & NO_BELL == 0
            && let Some(bell) = &ring.bell
        {
            // What cannot be rung at once is rung already, or is no bell.
            let mut free = [PollFd::new(bell, PollFlags::OUT)];
            if poll(&mut free, Some(&Timespec::default())).is_ok_and(|n| n == 1)
                && rustix::io::write(bell, &1u64.to_ne_bytes()) == Err(Errno::INTR)
            {
                // It made it wait after all, until somebody saw that.
                return Err("its bell cannot be rung");
            }
        }
        Ok(())
    }
}
