//! VLAN tags of packets: an 802.1Q header is put in, changed or taken out where the packet lies.
//!
//! The header is the C-tag of IEEE 802.1Q (TPID 0x8100) that stands right behind the addresses, and nothing else is
//! looked at. What begins with another tag, such as the S-tag of 802.1ad (0x88a8), belongs to somebody else's
//! network: it passes as it is, since a C-tag outside an S-tag would be a frame that no bridge expects. So
//! does what is too short to be a frame, or to hold the tag that it announces.
//!
//! Only bytes that nobody else sees are written: a packet that shares its data, whose header is spread over
//! segments or in front of which there is no room is replaced by a copy of its own first.

use std::sync::atomic::{AtomicU16, Ordering};

use dpdk_sys as ffi;

use crate::burst::Burst;
use crate::mbuf::Mbuf;
use crate::pool::PoolCache;

/// TPID of a customer's tag.
pub const C_TAG: u16 = 0x8100;
/// TPID of a provider's tag (802.1ad).
pub const S_TAG: u16 = 0x88a8;

/// Where the EtherType of a frame stands, or the TPID of a tag.
const TYPE: usize = 12;
/// Bytes up to and with the EtherType.
const HEADER: usize = TYPE + 2;
/// Bytes of a tag: TPID and TCI.
const TAG: usize = 4;
/// Bytes of a frame with a tag, up to and with the EtherType.
const TAGGED: usize = HEADER + TAG;
/// Least bytes of an Ethernet frame without its check sequence.
const LEAST: u32 = 60;

/// What is done to a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Nothing,
    Insert(u16),
    Rewrite(u16),
    Remove,
}

/// What is done to the packets of a burst.
#[derive(Clone, Copy)]
enum Op {
    /// They carry this TCI afterwards.
    Push(u16),
    /// They have no tag afterwards.
    Pop,
}

impl Op {
    /// What it means for a packet that begins with `head`: all of it, or [`TAGGED`] bytes.
    fn of(self, head: &[u8]) -> Work {
        let Some(kind) = head.get(TYPE..HEADER) else {
            return Work::Nothing;
        };
        let whole = head.len() >= TAGGED;
        match (u16::from_be_bytes([kind[0], kind[1]]), self) {
            (S_TAG, _) => Work::Nothing,
            (C_TAG, Op::Push(tci)) if whole => Work::Rewrite(tci),
            (C_TAG, Op::Pop) if whole => Work::Remove,
            (C_TAG, _) | (_, Op::Pop) => Work::Nothing,
            (_, Op::Push(tci)) => Work::Insert(tci),
        }
    }
}

impl Mbuf {
    /// Whether nobody else sees its bytes: it lies in its own buffer and is the only one there.
    #[inline(always)]
    pub(crate) fn is_sole(self) -> bool {
        // SAFETY: a valid mbuf; the offsets are those of an aligned u16, which others may count down, and of a u64.
        unsafe {
            let holders = &*self.field::<AtomicU16>(ffi::SPP_MBUF_REFCNT);
            let flags: u64 = *self.field(ffi::SPP_MBUF_OL_FLAGS);
            holders.load(Ordering::Acquire) == 1 && flags & ffi::SPP_MBUF_BORROWS == 0
        }
    }

    /// Address of its data.
    #[inline(always)]
    fn data(self) -> *mut u8 {
        // SAFETY: a valid mbuf; data_off lies within its buffer.
        unsafe {
            let base: *mut u8 = *self.field(ffi::SPP_MBUF_BUF_ADDR);
            base.add(usize::from(self.headroom()))
        }
    }

    /// Free bytes in front of its data.
    #[inline(always)]
    fn headroom(self) -> u16 {
        // SAFETY: a valid mbuf; the offset is that of a u16.
        unsafe { *self.field(ffi::SPP_MBUF_DATA_OFF) }
    }

    /// Free bytes behind its data.
    #[inline(always)]
    fn tailroom(self) -> u32 {
        // SAFETY: a valid mbuf; the offset is that of a u16.
        let room: u16 = unsafe { *self.field(ffi::SPP_MBUF_BUF_LEN) };
        u32::from(room).saturating_sub(u32::from(self.headroom()) + self.lengths().1)
    }

    /// Moves the begin of its data to `off` and sets both lengths; the packet is another one for whoever had classified it.
    ///
    /// # Safety
    /// The bytes from there on are initialized and lie in the buffer.
    #[inline(always)]
    unsafe fn reshape(self, off: u16, first: u32, packet: u32) {
        // SAFETY: the caller owns it; two u16 and two u32.
        unsafe {
            *self.field(ffi::SPP_MBUF_DATA_OFF) = off;
            *self.field(ffi::SPP_MBUF_DATA_LEN) = first as u16;
            *self.field(ffi::SPP_MBUF_PKT_LEN) = packet;
            *self.field::<u32>(ffi::SPP_MBUF_PACKET_TYPE) = 0;
        }
    }

    /// Puts a tag behind the addresses.
    ///
    /// # Safety
    /// The packet is ours alone ([`Mbuf::is_sole`]), its first segment has [`HEADER`] bytes and [`TAG`] in front of it.
    #[inline(always)]
    unsafe fn insert(self, tci: u16) {
        let (packet, first) = self.lengths();
        let data = self.data();
        // SAFETY: 12 bytes are read at the begin of the data, 16 written from 4 before it on.
        unsafe {
            let front = data.sub(TAG);
            let (head, tail) = (data.cast::<u64>(), data.add(8).cast::<u32>());
            let (head, tail) = (head.read_unaligned(), tail.read_unaligned());
            front.cast::<u64>().write_unaligned(head);
            front.add(8).cast::<u32>().write_unaligned(tail);
            let tag = u32::from(C_TAG) << 16 | u32::from(tci);
            front.add(TYPE).cast::<u32>().write_unaligned(tag.to_be());
            let off = self.headroom() - TAG as u16;
            self.reshape(off, first + TAG as u32, packet + TAG as u32);
        }
    }

    /// Changes the TCI of a tag.
    ///
    /// # Safety
    /// The packet is ours alone, and its first segment has [`TAGGED`] bytes.
    #[inline(always)]
    unsafe fn rewrite(self, tci: u16) {
        // SAFETY: two bytes within the data.
        unsafe {
            let at = self.data().add(HEADER).cast::<u16>();
            at.write_unaligned(tci.to_be());
        }
    }

    /// Whether the tag can be taken out of this place: a frame that was long enough stays so, for which zeros go behind it.
    #[inline(always)]
    fn can_be_padded(self) -> bool {
        let (packet, first) = self.lengths();
        padding(packet) == 0 || packet == first && self.tailroom() >= padding(packet)
    }

    /// Takes the tag out and returns by how much the packet is shorter.
    ///
    /// # Safety
    /// The packet is ours alone, its first segment has [`TAGGED`] bytes, and it can be padded.
    #[inline(always)]
    unsafe fn remove(self) -> u32 {
        let (packet, first) = self.lengths();
        let (data, pad) = (self.data(), padding(packet));
        // SAFETY: 12 bytes are read at the begin of the data and written 4 behind; the zeros have room.
        unsafe {
            if pad > 0 {
                data.add(first as usize).write_bytes(0, pad as usize);
            }
            let (head, tail) = (data.cast::<u64>(), data.add(8).cast::<u32>());
            let (head, tail) = (head.read_unaligned(), tail.read_unaligned());
            data.add(TAG).cast::<u64>().write_unaligned(head);
            data.add(TAG + 8).cast::<u32>().write_unaligned(tail);
            let less = TAG as u32 - pad;
            let off = self.headroom() + TAG as u16;
            self.reshape(off, first - less, packet - less);
            less
        }
    }

    /// EtherType or TPID.
    ///
    /// # Safety
    /// The first segment has [`HEADER`] bytes.
    #[inline(always)]
    unsafe fn kind(self) -> u16 {
        // SAFETY: two bytes within the data.
        u16::from_be(unsafe { self.data().add(TYPE).cast::<u16>().read_unaligned() })
    }
}

/// Zeros behind a packet of `len` bytes whose tag is taken out.
#[inline(always)]
fn padding(len: u32) -> u32 {
    // Of a shorter frame the difference is a huge number.
    (TAG as u32).saturating_sub(len.wrapping_sub(LEAST))
}

impl Burst {
    /// Makes every packet carry the tag `tci` (PCP << 13 | DEI << 12 | VID): one that has none gets it, the
    /// tag of one that has is changed as a whole.
    ///
    /// Returns how many packets were dropped, because there was no mbuf for the copy that they needed. At most a
    /// burst's worth of mbufs is taken for copies.
    #[inline]
    pub fn push_vlan(&mut self, tci: u16, cache: &mut PoolCache) -> usize {
        let (mut more, mut rest) = (0, 0u64);
        for (i, m) in self.mbufs().iter().enumerate() {
            let m = Mbuf(*m);
            if m.lengths().1 < TAGGED as u32 || !m.is_sole() {
                rest |= 1 << i;
                continue;
            }
            // SAFETY: the packet is ours alone, and its first segment is long enough.
            unsafe {
                match m.kind() {
                    C_TAG => m.rewrite(tci),
                    S_TAG => {}
                    _ if m.headroom() < TAG as u16 => rest |= 1 << i,
                    _ => {
                        m.insert(tci);
                        more += TAG as u64;
                    }
                }
            }
        }
        self.grow(more);
        if rest == 0 {
            return 0;
        }
        self.rest(rest, Op::Push(tci), cache)
    }

    /// Takes the tag out of every packet that has one.
    ///
    /// A frame of 60 bytes or more, as long as Ethernet wants it, stays that long: zeros are put behind it.
    /// Returns how many packets were dropped, as [`Burst::push_vlan`] does.
    #[inline]
    pub fn pop_vlan(&mut self, cache: &mut PoolCache) -> usize {
        let (mut less, mut rest) = (0, 0u64);
        for (i, m) in self.mbufs().iter().enumerate() {
            let m = Mbuf(*m);
            if m.lengths().1 < TAGGED as u32 {
                rest |= 1 << i;
                continue;
            }
            // SAFETY: the first segment is long enough; what is written is ours alone.
            unsafe {
                if m.kind() != C_TAG {
                    continue;
                }
                if m.is_sole() && m.can_be_padded() {
                    less += u64::from(m.remove());
                } else {
                    rest |= 1 << i;
                }
            }
        }
        self.shrink(less);
        if rest == 0 {
            return 0;
        }
        self.rest(rest, Op::Pop, cache)
    }

    /// The same for the packets of `which`, however they lie in memory.
    #[cold]
    #[inline(never)]
    fn rest(&mut self, which: u64, op: Op, cache: &mut PoolCache) -> usize {
        let mut apart = 0;
        let mut head = [0; TAGGED];
        for i in (0..self.len()).filter(|i| which >> i & 1 == 1) {
            let len = self.copy_packet(i, &mut head).unwrap_or(0).min(TAGGED);
            let work = op.of(&head[..len]);
            if work != Work::Nothing && !self.work(i, work) {
                apart |= 1 << i;
            }
        }
        if apart == 0 {
            return 0;
        }
        let mut lost = self.exchange(apart, cache);
        let copied = apart & !lost;
        for i in (0..self.len()).filter(|i| copied >> i & 1 == 1) {
            let len = self.copy_packet(i, &mut head).unwrap_or(0).min(TAGGED);
            // A copy has its header in one piece and room on both sides.
            if !self.work(i, op.of(&head[..len])) {
                lost |= 1 << i;
            }
        }
        self.retain(!lost, cache)
    }

    /// Does it where the packet lies; false if that cannot be.
    fn work(&mut self, i: usize, work: Work) -> bool {
        let Some(m) = self.mbuf(i) else {
            return false;
        };
        let first = m.lengths().1 as usize;
        if !m.is_sole() {
            return false;
        }
        // SAFETY: the packet is ours alone, and as each arm asks.
        unsafe {
            match work {
                Work::Insert(tci) if first >= HEADER && m.headroom() >= TAG as u16 => {
                    m.insert(tci);
                    self.grow(TAG as u64);
                }
                Work::Rewrite(tci) if first >= TAGGED => m.rewrite(tci),
                Work::Remove if first >= TAGGED && m.can_be_padded() => {
                    let less = m.remove();
                    self.shrink(u64::from(less));
                }
                Work::Nothing => {}
                _ => return false,
            }
        }
        true
    }
}
