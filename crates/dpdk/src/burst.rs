//! Packets on their way through a worker.

use std::marker::PhantomData;

use dpdk_sys as ffi;

use crate::mbuf::{INDIRECT, Mbuf};
use crate::pool::{Owner, PoolCache};

/// Most packets in a burst.
pub const BURST: usize = 64;

/// mbufs that may be freed between two burst boundaries without overflowing the lcore's cache.
const FREE_AT_ONCE: u32 = 256;

/// Up to [`BURST`] packets that the holder owns. What is in it when it is cleared or dropped goes
/// back to its pool. It stays on its thread.
pub struct Burst {
    mbufs: [*mut ffi::rte_mbuf; BURST],
    len: usize,
    bytes: u64,
    segs: u32,
    /// Whether clones may be among the packets ([`Burst::share_into`]).
    shared: bool,
    /// Whether the first packet is a clone because there was no mbuf to copy it to.
    starved: bool,
    _stays_here: PhantomData<*const ()>,
}

impl Default for Burst {
    fn default() -> Self {
        Self::new()
    }
}

impl Burst {
    /// An empty burst.
    pub fn new() -> Self {
        Burst {
            mbufs: [std::ptr::null_mut(); BURST],
            len: 0,
            bytes: 0,
            segs: 0,
            shared: false,
            starved: false,
            _stays_here: PhantomData,
        }
    }

    /// Packets in it.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if it holds no packet.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in all packets together.
    #[inline(always)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Segments in all packets together.
    #[inline(always)]
    pub fn segments(&self) -> u32 {
        self.segs
    }

    /// Whether packets may be among them whose data are shared with others.
    #[inline(always)]
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    #[inline(always)]
    pub(crate) fn set_shared(&mut self, shared: bool) {
        self.shared = shared;
    }

    /// Whether the first packet was refused because its data are shared, which the destination does not take, and because
    /// no mbuf was left to copy them to.
    #[inline(always)]
    pub fn is_starved(&self) -> bool {
        self.starved
    }

    pub(crate) fn set_starved(&mut self, starved: bool) {
        self.starved = starved;
    }

    /// Takes in one more packet, of `bytes` in `segs` segments, that we own.
    #[inline(always)]
    pub(crate) fn push(&mut self, m: Mbuf, bytes: u32, segs: u32) {
        self.mbufs[self.len] = m.0;
        self.len += 1;
        self.bytes += u64::from(bytes);
        self.segs += segs;
    }

    /// Puts another packet in the place of packet `i`, with `more` segments instead of `fewer`, and as many bytes.
    #[inline(always)]
    pub(crate) fn replace(&mut self, i: usize, m: Mbuf, more: u32, fewer: u32) {
        self.mbufs()[i] = m.0;
        self.segs = self.segs + more - fewer;
    }

    /// Forgets all but the first `n` packets, whose bytes and segments are given.
    #[inline(always)]
    pub(crate) fn keep(&mut self, n: usize, bytes: u64, segs: u32) {
        (self.len, self.bytes, self.segs) = (n, bytes, segs);
    }

    /// Counts bytes and segments again, after packets were exchanged for others.
    pub(crate) fn recount(&mut self) {
        (self.bytes, self.segs) = (0, 0);
        for m in &self.mbufs[..self.len] {
            self.bytes += u64::from(Mbuf(*m).pkt_len());
            self.segs += u32::from(Mbuf(*m).nb_segs());
        }
    }

    /// Notes that packets are `more` bytes longer in all.
    #[inline(always)]
    pub(crate) fn grow(&mut self, more: u64) {
        self.bytes += more;
    }

    /// Notes that packets are `less` bytes shorter in all.
    #[inline(always)]
    pub(crate) fn shrink(&mut self, less: u64) {
        self.bytes -= less;
    }

    /// Free room behind the packets.
    #[inline(always)]
    pub(crate) fn room(&mut self) -> &mut [*mut ffi::rte_mbuf] {
        &mut self.mbufs[self.len..]
    }

    /// Takes the next `n` pointers of the room as packets and tags them with their new owner. No clone is among them.
    #[inline(always)]
    pub(crate) fn received(&mut self, n: usize, owner: Owner) {
        for m in &self.mbufs[self.len..self.len + n] {
            Mbuf(*m).own(owner.tag());
        }
        self.received_own(n);
    }

    /// The same for packets from a process that may have shared them.
    #[inline(always)]
    pub(crate) fn received_shared(&mut self, n: usize, owner: Owner) {
        let segs = self.segs;
        let mut flags = 0;
        for m in &self.mbufs[self.len..self.len + n] {
            flags |= Mbuf(*m).flags();
            Mbuf(*m).own(owner.tag());
        }
        self.received_own(n);
        if (self.segs - segs) as usize != n {
            flags |= flags_of(&self.mbufs[self.len - n..self.len]);
        }
        self.shared |= flags & INDIRECT != 0;
    }

    /// The same for mbufs that carry our tag already, because they come from this lcore's cache.
    #[inline(always)]
    pub(crate) fn received_own(&mut self, n: usize) {
        let new = &self.mbufs[self.len..self.len + n];
        let (mut bytes, mut chained) = (0, 0);
        for m in new {
            let (packet, first) = Mbuf(*m).lengths();
            bytes += u64::from(packet);
            chained |= packet ^ first;
        }
        let segs = if chained == 0 {
            n as u32
        } else {
            segments_of(new)
        };
        self.len += n;
        self.bytes += bytes;
        self.segs += segs;
    }

    #[inline(always)]
    pub(crate) fn mbufs(&mut self) -> &mut [*mut ffi::rte_mbuf] {
        &mut self.mbufs[..self.len]
    }

    #[inline(always)]
    pub(crate) fn held(&self) -> &[*mut ffi::rte_mbuf] {
        &self.mbufs[..self.len]
    }

    /// Packet `i`.
    #[inline(always)]
    pub(crate) fn mbuf(&self, i: usize) -> Option<Mbuf> {
        self.mbufs[..self.len].get(i).map(|m| Mbuf(*m))
    }

    /// Forgets the first `n` packets, which have another owner now; returns their bytes.
    #[inline(always)]
    pub(crate) fn passed_on(&mut self, n: usize) -> u64 {
        if n == self.len {
            let bytes = self.bytes;
            (self.len, self.bytes, self.segs) = (0, 0, 0);
            self.shared = false;
            return bytes;
        }
        self.mbufs.copy_within(n..self.len, 0);
        self.len -= n;
        let all = self.bytes;
        (self.bytes, self.segs) = (0, 0);
        for m in &self.mbufs[..self.len] {
            self.bytes += u64::from(Mbuf(*m).pkt_len());
            self.segs += u32::from(Mbuf(*m).nb_segs());
        }
        all - self.bytes
    }

    /// How many packets may be handed at once to something that frees them.
    #[inline(always)]
    pub(crate) fn step(&self) -> usize {
        // With a clone its carrier may be freed. Chains of 64 kB have 32 segments: 8 of them fill FREE_AT_ONCE.
        let (freed, chains) = if self.shared {
            (2 * self.segs, 4)
        } else {
            (self.segs, 8)
        };
        if freed <= FREE_AT_ONCE {
            self.len
        } else {
            self.len.min(chains)
        }
    }

    /// Frees the first `n` packets (`rte_pktmbuf_free_bulk`), which the caller then forgets.
    #[inline(always)]
    pub(crate) fn free(&mut self, n: usize) {
        debug_assert!(n <= self.len);
        let mbufs = self.mbufs.as_mut_ptr();
        // SAFETY: the first n pointers are mbufs that we own.
        unsafe {
            if self.shared {
                ffi::spp_mbuf_free_shared(mbufs, n as u32);
            } else {
                ffi::rte_pktmbuf_free_bulk(mbufs, n as u32);
            }
        }
    }

    /// Frees all packets into the cache (`rte_pktmbuf_free_bulk`), keeping it within its bounds.
    #[inline]
    pub fn clear(&mut self, cache: &mut PoolCache) {
        while self.len > 0 {
            let n = self.step();
            self.free(n);
            if n < self.len {
                self.mbufs.copy_within(n..self.len, 0);
                self.len -= n;
                cache.balance();
            } else {
                self.len = 0;
            }
        }
        // Several bursts may be freed within a round: packets, their copies, and what they share.
        cache.balance();
        (self.bytes, self.segs, self.shared, self.starved) = (0, 0, false, false);
    }

    /// Frees the first `n` packets and forgets them; returns their bytes.
    pub fn clear_front(&mut self, n: usize, cache: &mut PoolCache) -> u64 {
        let mut left = n.min(self.len);
        let mut bytes = 0;
        while left > 0 {
            let step = self.step().min(left);
            self.free(step);
            bytes += self.passed_on(step);
            left -= step;
            cache.balance();
        }
        bytes
    }

    /// Frees the last packet.
    pub fn drop_last(&mut self) {
        if self.len == 0 {
            return;
        }
        self.len -= 1;
        let m = Mbuf(self.mbufs[self.len]);
        self.bytes -= u64::from(m.pkt_len());
        self.segs -= u32::from(m.nb_segs());
        // SAFETY: an mbuf that we own and have just forgotten.
        unsafe { ffi::spp_mbuf_free_shared(&mut self.mbufs[self.len], 1) };
    }

    /// Moves the first packet behind those of `to`. False if there is none, or no room for it.
    pub fn move_first(&mut self, to: &mut Burst) -> bool {
        let Some(first) = self.mbufs[..self.len].first().copied() else {
            return false;
        };
        let Some(slot) = to.room().first_mut() else {
            return false;
        };
        *slot = first;
        to.received_own(1);
        self.passed_on(1);
        true
    }

    /// Where the mbuf of packet `i` (the first, if it has several) lies in memory: the same number in every process of a
    /// panel, for all have its memory at the same place. To be shown, not to be followed.
    pub fn address(&self, i: usize) -> Option<u64> {
        Some(self.mbufs[..self.len].get(i)?.addr() as u64)
    }

    /// The first segment of packet `i`.
    pub fn packet(&self, i: usize) -> Option<&[u8]> {
        // SAFETY of the borrow: `first` lends from the mbuf, which the burst keeps.
        let m: &*mut ffi::rte_mbuf = self.mbufs[..self.len].get(i)?;
        // SAFETY: Mbuf is a transparent wrapper of the pointer.
        let m: &Mbuf = unsafe { &*std::ptr::from_ref(m).cast::<Mbuf>() };
        Some(m.first())
    }

    /// Copies packet `i` from `from` bytes on into `out`, over all its segments; returns its whole length.
    pub fn copy_packet(&self, i: usize, out: &mut [u8]) -> Option<usize> {
        let m = Mbuf(*self.mbufs[..self.len].get(i)?);
        let mut at = 0;
        for seg in m.segments() {
            let data = seg.first();
            let n = data.len().min(out.len() - at);
            out[at..at + n].copy_from_slice(&data[..n]);
            at += n;
        }
        Some(m.pkt_len() as usize)
    }

    /// Makes packet `i` one segment of `len` bytes and gives them for writing. `None` if there is no
    /// such packet, its buffer is too small, or others share it ([`Burst::unshare`]).
    pub fn write_packet(&mut self, i: usize, len: usize) -> Option<&mut [u8]> {
        let all = self.bytes;
        let m = self.own_mut(i)?;
        let others = all - u64::from(m.pkt_len());
        m.fill(len)?;
        self.bytes = others + len as u64;
        self.packet_mut(i)
    }

    /// The first segment of packet `i`, to be changed where it lies. `None` if there is no such packet, or others
    /// share it ([`Burst::unshare`]).
    #[inline]
    pub fn packet_mut(&mut self, i: usize) -> Option<&mut [u8]> {
        self.own_mut(i).map(Mbuf::first_mut)
    }

    /// The mbuf of packet `i`, if its data are nobody else's.
    #[inline(always)]
    fn own_mut(&mut self, i: usize) -> Option<&mut Mbuf> {
        let m: &mut *mut ffi::rte_mbuf = self.mbufs[..self.len].get_mut(i)?;
        // SAFETY: Mbuf is a transparent wrapper of the pointer, and the burst is borrowed mutably.
        let m: &mut Mbuf = unsafe { &mut *std::ptr::from_mut(m).cast::<Mbuf>() };
        (!self.shared || !m.is_clone()).then_some(m)
    }

    /// Writes `frame` into packet `i`, chaining further mbufs of `cache` if it is longer than one
    /// buffer. False if there is no such packet or no mbuf left; the packet is then to be dropped.
    pub fn write_frame(
        &mut self,
        i: usize,
        frame: &[u8],
        cache: &mut PoolCache,
        room: usize,
    ) -> bool {
        let first = frame.len().min(room);
        match self.write_packet(i, first) {
            Some(to) => to.copy_from_slice(&frame[..first]),
            None => return false,
        }
        for part in frame[first..].chunks(room) {
            let mut more = Burst::new();
            if cache.alloc(&mut more, 1) != 1 {
                return false;
            }
            match more.write_packet(0, part.len()) {
                Some(to) => to.copy_from_slice(part),
                None => return false,
            }
            // SAFETY: both are mbufs that we own; the head takes the tail over on success.
            if unsafe { ffi::spp_mbuf_chain(self.mbufs[i], more.mbufs[0]) } != 0 {
                return false;
            }
            more.passed_on(1);
            self.bytes += part.len() as u64;
            self.segs += 1;
        }
        true
    }
}

#[cold]
fn segments_of(mbufs: &[*mut ffi::rte_mbuf]) -> u32 {
    mbufs.iter().map(|m| u32::from(Mbuf(*m).nb_segs())).sum()
}

#[cold]
fn flags_of(mbufs: &[*mut ffi::rte_mbuf]) -> u64 {
    let segments = mbufs.iter().flat_map(|m| Mbuf(*m).segments());
    segments.fold(0, |flags, m| flags | m.flags())
}

impl Drop for Burst {
    fn drop(&mut self) {
        if self.len > 0 {
            self.free(self.len);
        }
    }
}
