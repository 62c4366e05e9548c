//! The few fields of an mbuf that the data plane reads and writes itself.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use dpdk_sys as ffi;

/// Flag of an mbuf that points at another one's data (`RTE_MBUF_F_INDIRECT`): a clone.
pub(crate) const INDIRECT: u64 = 1 << 62;
/// Flag of an mbuf that points at data in no mbuf (`RTE_MBUF_F_EXTERNAL`).
const EXTERNAL: u64 = 1 << 61;

/// Which sharing an mbuf carries the data of: its tag, and a number that the lcore in it gives only once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Life(u32, u32);

/// An mbuf, by its address in shared memory. Copying the pointer does not copy the packet: who owns
/// it is the business of [`crate::Burst`] and of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(transparent)]
pub struct Mbuf(pub(crate) *mut ffi::rte_mbuf);

impl Mbuf {
    /// Address of a field.
    ///
    /// # Safety
    /// `offset` must be that of a field of type `T`.
    #[inline(always)]
    pub(crate) unsafe fn field<T>(self, offset: u32) -> *mut T {
        // SAFETY: the caller names a field inside the structure.
        unsafe { self.0.cast::<u8>().add(offset as usize).cast() }
    }

    /// Length of the packet over all segments, in bytes.
    #[inline(always)]
    pub(crate) fn pkt_len(self) -> u32 {
        // SAFETY: a valid mbuf; the offset is that of a u32.
        unsafe { *self.field(ffi::SPP_MBUF_PKT_LEN) }
    }

    /// Length of the packet and of its first segment: they differ in a chain.
    #[inline(always)]
    pub(crate) fn lengths(self) -> (u32, u32) {
        // Two loads: one of eight bytes would wait for the two stores that the driver has just made.
        // SAFETY: a valid mbuf; the offset is that of a u16.
        let first: u16 = unsafe { *self.field(ffi::SPP_MBUF_DATA_LEN) };
        (self.pkt_len(), u32::from(first))
    }

    #[inline(always)]
    pub(crate) fn nb_segs(self) -> u16 {
        // SAFETY: as above, a u16.
        unsafe { *self.field(ffi::SPP_MBUF_NB_SEGS) }
    }

    #[inline(always)]
    pub(crate) fn next(self) -> *mut ffi::rte_mbuf {
        // SAFETY: as above, a pointer.
        unsafe { *self.field(ffi::SPP_MBUF_NEXT) }
    }

    /// Bytes that a packet may begin with behind the headroom.
    #[inline(always)]
    pub(crate) fn room(self) -> usize {
        // SAFETY: as above, u16 both.
        let (room, off): (u16, u16) = unsafe {
            (
                *self.field(ffi::SPP_MBUF_BUF_LEN),
                *self.field(ffi::SPP_MBUF_DATA_OFF),
            )
        };
        usize::from(room.saturating_sub(off))
    }

    /// Makes it the head of a chain of `segs` segments and `len` bytes that has been linked. The caller
    /// owns all of them.
    #[inline(always)]
    pub(crate) fn head_of(self, len: u32, segs: u16) {
        // SAFETY: the caller owns it; a u32 and a u16.
        unsafe {
            *self.field(ffi::SPP_MBUF_PKT_LEN) = len;
            *self.field(ffi::SPP_MBUF_NB_SEGS) = segs;
        }
    }

    /// Chains `next` behind it. The caller owns both.
    #[inline(always)]
    pub(crate) fn link(self, next: Mbuf) {
        // SAFETY: the caller owns it; a pointer.
        unsafe { *self.field(ffi::SPP_MBUF_NEXT) = next.0 }
    }

    /// The owner's tag: the upper half of the hash field, which no driver writes unless flow marks
    /// are in use, and which lies in the cache line that every packet's length is read from.
    #[inline(always)]
    pub(crate) fn tag(&self) -> &AtomicU32 {
        // SAFETY: as above, an aligned u32; other processes write it too, so it is an atomic.
        unsafe { &*self.field::<AtomicU32>(ffi::SPP_MBUF_TAG) }
    }

    /// Its flags (`ol_flags`), for who owns it.
    #[inline(always)]
    pub(crate) fn flags(self) -> u64 {
        self.shared_flags().load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn shared_flags(&self) -> &AtomicU64 {
        // SAFETY: as above, an aligned u64; other processes write it too, so it is an atomic.
        unsafe { &*self.field::<AtomicU64>(ffi::SPP_MBUF_OL_FLAGS) }
    }

    /// Whether its data lie in another mbuf. What was done to it before it became one, or before it ceased to be one, is
    /// seen afterwards.
    #[inline(always)]
    pub(crate) fn is_clone(self) -> bool {
        self.shared_flags().load(Ordering::Acquire) & INDIRECT != 0
    }

    /// The mbuf that a clone of ours points at. Only an address: of what is no clone any more it may be none at all.
    pub(crate) fn carrier(self) -> Mbuf {
        // SAFETY: as above, an aligned pointer that others write, too.
        let data = unsafe { &*self.field::<AtomicUsize>(ffi::SPP_MBUF_BUF_ADDR) };
        // Our pools have no private data between an mbuf and its buffer.
        Mbuf((data.load(Ordering::Relaxed) - ffi::SPP_MBUF_SIZE as usize) as *mut ffi::rte_mbuf)
    }

    /// The sharing whose data it carries; `None` if it is no carrier.
    pub(crate) fn life(self) -> Option<Life> {
        let tag = self.tag().load(Ordering::Acquire);
        // SAFETY: as above, an aligned u32.
        let generation = unsafe { &*self.field::<AtomicU32>(ffi::SPP_MBUF_GENERATION) };
        (tag >> 16 == ffi::SPP_SHARED_TAG >> 16)
            .then(|| Life(tag, generation.load(Ordering::Relaxed)))
    }

    /// References to it (`rte_mbuf_refcnt_read`).
    #[inline(always)]
    pub(crate) fn references(self) -> u16 {
        // SAFETY: as above, a u16.
        unsafe { *self.field(ffi::SPP_MBUF_REFCNT) }
    }

    /// Whether all its segments can become carriers: mbufs of `pool` with their own data and one reference.
    #[inline(always)]
    pub(crate) fn can_be_shared(self, pool: *mut ffi::rte_mempool) -> bool {
        self.segment_can_be_shared(pool) && (self.nb_segs() == 1 || self.rest_can_be_shared(pool))
    }

    #[cold]
    fn rest_can_be_shared(self, pool: *mut ffi::rte_mempool) -> bool {
        let mut n = 0;
        let all = self.segments().all(|m| {
            n += 1;
            m.segment_can_be_shared(pool)
        });
        all && n == self.nb_segs()
    }

    #[inline(always)]
    fn segment_can_be_shared(self, pool: *mut ffi::rte_mempool) -> bool {
        // SAFETY: as above, a pointer.
        let home: *mut ffi::rte_mempool = unsafe { *self.field(ffi::SPP_MBUF_POOL) };
        home == pool && self.references() == 1 && self.flags() & (INDIRECT | EXTERNAL) == 0
    }

    /// Whether any of its segments is a clone of ours, which DPDK's own code must not free.
    pub(crate) fn has_clones(self) -> bool {
        self.segments()
            .any(|m| m.is_clone() && m.carrier().life().is_some())
    }

    /// Tags the whole chain.
    #[inline(always)]
    pub(crate) fn own(self, tag: u32) {
        self.tag().store(tag, Ordering::Relaxed);
        if self.nb_segs() > 1 {
            self.own_rest(tag);
        }
    }

    /// Tags all segments but the first.
    #[cold]
    pub(crate) fn own_rest(self, tag: u32) {
        let mut next = self.next();
        while !next.is_null() {
            let seg = Mbuf(next);
            seg.tag().store(tag, Ordering::Relaxed);
            next = seg.next();
        }
    }

    /// Bytes of the first segment.
    #[inline]
    pub(crate) fn first(&self) -> &[u8] {
        let (at, len) = self.place();
        // SAFETY: data_off and data_len describe initialized bytes inside the buffer, as the pool
        // and the drivers keep it.
        unsafe { std::slice::from_raw_parts(at, len) }
    }

    /// Where the bytes of the first segment lie, and how many there are.
    #[inline(always)]
    fn place(self) -> (*mut u8, usize) {
        // SAFETY: a valid mbuf; a pointer and two u16. The sum lies inside the buffer.
        unsafe {
            let base: *mut u8 = *self.field(ffi::SPP_MBUF_BUF_ADDR);
            let off: u16 = *self.field(ffi::SPP_MBUF_DATA_OFF);
            let len: u16 = *self.field(ffi::SPP_MBUF_DATA_LEN);
            (base.add(usize::from(off)), usize::from(len))
        }
    }

    /// The same for writing: the caller owns it, and its data are nobody else's.
    #[inline]
    pub(crate) fn first_mut(&mut self) -> &mut [u8] {
        let (at, len) = self.place();
        // SAFETY: as in `first`; the data are the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(at, len) }
    }

    /// Makes the packet one segment of `len` bytes and gives them for writing; `None` if the buffer
    /// is too small.
    pub(crate) fn fill(&mut self, len: usize) -> Option<&mut [u8]> {
        // SAFETY: the caller owns the mbuf (it comes out of a Burst); offsets as above.
        unsafe {
            let base: *mut u8 = *self.field(ffi::SPP_MBUF_BUF_ADDR);
            let off: u16 = *self.field(ffi::SPP_MBUF_DATA_OFF);
            let room: u16 = *self.field(ffi::SPP_MBUF_BUF_LEN);
            if len + off as usize > room as usize {
                return None;
            }
            *self.field::<u16>(ffi::SPP_MBUF_DATA_LEN) = len as u16;
            *self.field::<u32>(ffi::SPP_MBUF_PKT_LEN) = len as u32;
            Some(std::slice::from_raw_parts_mut(base.add(off as usize), len))
        }
    }

    /// Segments of the packet, in order.
    pub(crate) fn segments(self) -> impl Iterator<Item = Mbuf> {
        std::iter::successors(Some(self), |m| {
            let next = m.next();
            (!next.is_null()).then_some(Mbuf(next))
        })
    }
}
