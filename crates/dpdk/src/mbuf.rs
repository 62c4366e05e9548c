//! The few fields of an mbuf that the data plane reads and writes itself.

use std::sync::atomic::{AtomicU32, Ordering};

use dpdk_sys as ffi;

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

    /// The owner's tag: the upper half of the hash field, which no driver writes unless flow marks
    /// are in use, and which lies in the cache line that every packet's length is read from.
    #[inline(always)]
    pub(crate) fn tag(&self) -> &AtomicU32 {
        // SAFETY: as above, an aligned u32; other processes write it too, so it is an atomic.
        unsafe { &*self.field::<AtomicU32>(ffi::SPP_MBUF_TAG) }
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
        // SAFETY: data_off and data_len describe initialized bytes inside the buffer, as the pool
        // and the drivers keep it.
        unsafe {
            let base: *mut u8 = *self.field(ffi::SPP_MBUF_BUF_ADDR);
            let off: u16 = *self.field(ffi::SPP_MBUF_DATA_OFF);
            let len: u16 = *self.field(ffi::SPP_MBUF_DATA_LEN);
            std::slice::from_raw_parts(base.add(off as usize), len as usize)
        }
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
