//! Fetching ahead what vhost is about to copy.
//!
//! `librte_vhost` copies one packet after the other, and the bytes of each come from the cache of the guest's CPU: a long
//! frame is two dozen lines that are waited for one after the other. What the next call will copy can be known from
//! the guest's queue, so all of it is asked for at once before the call. Only hints are given for what the guest
//! says (a prefetch cannot fault); its queue itself is read, and must not be unmapped meanwhile: vhost's thread takes the
//! [`Map`] away before it handles any message, and gives a new one afterwards.
//!
//! Short frames gain nothing by it, so the queue is left alone while they are short (docs/performance.md).

use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use dpdk_sys as ffi;

/// Mean length of packets, in bytes, from which on they are fetched ahead.
const LONG: u32 = 256;
/// `librte_vhost` copies no more at once.
const MOST: u16 = 32;

type Map = ffi::spp_vhost_map;

/// One direction of a vhost port.
pub(crate) struct Ahead {
    queue: u16,
    map: AtomicPtr<Map>,
    /// The worker is reading the guest's queue.
    looking: AtomicBool,
    /// Mean length of the packets of the last burst that was not empty, in bytes.
    mean: AtomicU32,
}

impl Ahead {
    pub(crate) fn new(queue: u16) -> Self {
        Ahead {
            queue,
            map: AtomicPtr::new(null_mut()),
            looking: AtomicBool::new(false),
            mean: AtomicU32::new(0),
        }
    }

    /// Gives the worker the queue of the device `vid` as it is now. On vhost's thread.
    pub(crate) fn open(&self, vid: c_int) {
        let mut map = Box::<Map>::default();
        // SAFETY: room for a map; an unknown device or queue is refused.
        if unsafe { ffi::spp_vhost_map(vid, self.queue, &mut *map) } == 0 {
            self.replace(Box::into_raw(map));
        }
    }

    /// Takes it away, and comes back when the worker does not read it any more. On vhost's thread.
    pub(crate) fn close(&self) {
        self.replace(null_mut());
    }

    fn replace(&self, new: *mut Map) {
        let old = self.map.swap(new, Ordering::SeqCst);
        if old.is_null() {
            return;
        }
        while self.looking.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // SAFETY: it came from a box in `open`, and whoever may have seen it has stopped looking.
        drop(unsafe { Box::from_raw(old) });
    }

    /// Remembers how long the packets were that came.
    #[inline(always)]
    pub(crate) fn came(&self, packets: usize, bytes: u64) {
        if let Some(mean) = bytes.checked_div(packets as u64) {
            self.mean.store(mean as u32, Ordering::Relaxed);
        }
    }

    /// Before packets are taken from the guest.
    #[inline(always)]
    pub(crate) fn before_receiving(&self, vid: c_int) {
        if self.mean.load(Ordering::Relaxed) >= LONG {
            self.fetch(vid, &[]);
        }
    }

    /// Before these packets of `bytes` bytes are given to the guest.
    #[inline(always)]
    pub(crate) fn before_sending(&self, vid: c_int, mbufs: &[*mut ffi::rte_mbuf], bytes: u64) {
        if bytes >= u64::from(LONG) * mbufs.len() as u64 {
            self.fetch(vid, mbufs);
        }
    }

    fn fetch(&self, vid: c_int, mbufs: &[*mut ffi::rte_mbuf]) {
        // The swap is a full barrier: the map read after it is either gone or waited for.
        self.looking.swap(true, Ordering::SeqCst);
        let map = self.map.load(Ordering::SeqCst);
        if !map.is_null() {
            let (first, n) = if mbufs.is_empty() {
                (std::ptr::null(), MOST)
            } else {
                (mbufs.as_ptr(), MOST.min(mbufs.len() as u16))
            };
            // SAFETY: the map and what it points to stay while `looking` is set; n mbufs that are ours, or none.
            unsafe { ffi::spp_vhost_fetch(map, vid, self.queue, first, n) };
        }
        self.looking.store(false, Ordering::Release);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.close();
    }
}
