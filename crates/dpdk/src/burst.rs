//! Packets on their way through a worker.

use std::marker::PhantomData;

use dpdk_sys as ffi;

use crate::mbuf::Mbuf;
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

    /// Takes in one more packet, of `bytes` in `segs` segments, that we own.
    #[inline(always)]
    pub(crate) fn push(&mut self, m: Mbuf, bytes: u32, segs: u32) {
        self.mbufs[self.len] = m.0;
        self.len += 1;
        self.bytes += u64::from(bytes);
        self.segs += segs;
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

    /// Takes the next `n` pointers of the room as packets and tags them with their new owner.
    #[inline(always)]
    pub(crate) fn received(&mut self, n: usize, owner: Owner) {
        for m in &self.mbufs[self.len..self.len + n] {
            Mbuf(*m).own(owner.tag());
        }
        self.received_own(n);
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
        // Chains of 64 kB have 32 segments: 8 of them fill FREE_AT_ONCE.
        if self.segs <= FREE_AT_ONCE {
            self.len
        } else {
            self.len.min(8)
        }
    }

    /// Frees all packets into the cache (`rte_pktmbuf_free_bulk`), keeping it within its bounds.
    #[inline]
    pub fn clear(&mut self, cache: &mut PoolCache) {
        while self.len > 0 {
            let n = self.step();
            // SAFETY: the first n pointers are mbufs that we own.
            unsafe { ffi::rte_pktmbuf_free_bulk(self.mbufs.as_mut_ptr(), n as u32) };
            if n == self.len {
                (self.len, self.bytes, self.segs) = (0, 0, 0);
            } else {
                self.mbufs.copy_within(n..self.len, 0);
                self.len -= n;
                cache.balance();
            }
        }
        (self.bytes, self.segs) = (0, 0);
    }

    /// Frees the first `n` packets and forgets them; returns their bytes.
    pub fn clear_front(&mut self, n: usize, cache: &mut PoolCache) -> u64 {
        let mut left = n.min(self.len);
        let mut bytes = 0;
        while left > 0 {
            let step = self.step().min(left);
            // SAFETY: the first `step` pointers are mbufs that we own; they are forgotten below.
            unsafe { ffi::rte_pktmbuf_free_bulk(self.mbufs.as_mut_ptr(), step as u32) };
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
        unsafe { ffi::rte_pktmbuf_free_bulk(&mut self.mbufs[self.len], 1) };
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

    /// Length of the first packet, in bytes; `None` if there is none.
    pub fn first_len(&self) -> Option<u32> {
        self.mbufs[..self.len].first().map(|m| Mbuf(*m).pkt_len())
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
    /// such packet or its buffer is too small.
    pub fn write_packet(&mut self, i: usize, len: usize) -> Option<&mut [u8]> {
        let m: &mut *mut ffi::rte_mbuf = self.mbufs[..self.len].get_mut(i)?;
        // SAFETY: Mbuf is a transparent wrapper of the pointer, and the burst is borrowed mutably.
        let m: &mut Mbuf = unsafe { &mut *std::ptr::from_mut(m).cast::<Mbuf>() };
        let before = m.pkt_len();
        let bytes = &mut self.bytes;
        m.fill(len)
            .inspect(|_| *bytes = *bytes - u64::from(before) + len as u64)
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

impl Drop for Burst {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the first len pointers are mbufs that we own.
            unsafe { ffi::rte_pktmbuf_free_bulk(self.mbufs.as_mut_ptr(), self.len as u32) };
        }
    }
}
