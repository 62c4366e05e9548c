//! Rings between processes: one producer, one consumer.

use std::sync::atomic::Ordering;

use dpdk_sys as ffi;

use crate::burst::Burst;
use crate::mbuf::Mbuf;
use crate::pool::{Owner, PoolCache};
use crate::{Error, Lcore, c_string};

/// A ring in shared memory (`rte_ring`, single producer, single consumer). A handle: copies are the same ring.
#[derive(Clone, Copy)]
pub struct Ring {
    raw: *mut ffi::rte_ring,
}

// SAFETY: the ring lives in shared memory until the process ends; its ends are used by who claimed them.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// Creates the ring `name` with `size` slots, a power of two; `size - 1` packets fit. Primary only.
    pub fn create(name: &str, size: u32) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        // SAFETY: a valid string; the result is checked.
        let raw =
            unsafe { ffi::spp_ring_create(c_name.as_ptr(), size, ffi::rte_socket_id() as i32) };
        if raw.is_null() {
            return Err(Error::last(format!("creating ring {name} of {size}")));
        }
        Ok(Ring { raw })
    }

    /// Finds the ring `name`.
    pub fn lookup(name: &str) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        // SAFETY: a valid string; the result is checked.
        let raw = unsafe { ffi::rte_ring_lookup(c_name.as_ptr()) };
        if raw.is_null() {
            return Err(Error::NotFound {
                kind: "ring",
                name: name.into(),
            });
        }
        Ok(Ring { raw })
    }

    /// Packets in it now.
    pub fn used(&self) -> u32 {
        // SAFETY: reads the ring's indexes.
        unsafe { ffi::spp_ring_count(self.raw) }
    }

    /// Packets that fit.
    pub fn capacity(&self) -> u32 {
        // SAFETY: reads a constant of the ring.
        unsafe { ffi::spp_ring_capacity(self.raw) }
    }

    /// Where it lies.
    pub(crate) fn span(&self) -> std::ops::Range<usize> {
        // SAFETY: reads where the ring's zone is.
        crate::search::span(unsafe { ffi::spp_ring_span(self.raw) })
    }

    /// Undoes what a dead producer or consumer had begun; true if there was something. Only after
    /// the holder of that end has died and before anybody claims it again.
    pub fn mend(&self, producer: bool) -> bool {
        // SAFETY: the end has no user, as the caller knows.
        unsafe {
            if producer {
                ffi::spp_ring_mend_producer(self.raw)
            } else {
                ffi::spp_ring_mend_consumer(self.raw)
            }
        }
    }

    pub(crate) fn for_each(&self, mut each: impl FnMut(Mbuf)) {
        unsafe extern "C" fn one<F: FnMut(Mbuf)>(
            arg: *mut std::ffi::c_void,
            m: *mut ffi::rte_mbuf,
        ) {
            // SAFETY: `arg` is the closure below, borrowed for the walk.
            unsafe { (*arg.cast::<F>())(Mbuf(m)) }
        }
        fn walk<F: FnMut(Mbuf)>(raw: *mut ffi::rte_ring, each: &mut F) {
            // SAFETY: the callback fits its argument; the walk only reads.
            unsafe { ffi::spp_ring_walk(raw, Some(one::<F>), std::ptr::from_mut(each).cast()) }
        }
        walk(self.raw, &mut each);
    }

    /// The end that gives packets out. The caller has claimed it for the lcores that it uses it on.
    pub fn consumer(&self) -> Consumer {
        Consumer { ring: *self }
    }

    /// The end that takes packets in. The caller has claimed it.
    pub fn producer(&self) -> Producer {
        Producer { ring: *self }
    }
}

/// The end of a ring that gives packets out: one worker at a time.
pub struct Consumer {
    ring: Ring,
}

impl Consumer {
    /// Receives up to the burst's room. The packets are tagged before the ring gives them up, so
    /// that there is no moment in which nobody owns them.
    #[inline(always)]
    pub fn receive(&self, _lcore: &Lcore, owner: Owner, burst: &mut Burst) -> usize {
        let room = burst.room();
        // SAFETY: room for that many pointers; this worker alone uses the consumer's end.
        let n = unsafe { ffi::spp_ring_peek(self.ring.raw, room.as_mut_ptr(), room.len() as u32) }
            as usize;
        if n > 0 {
            burst.received_shared(n, owner);
            // SAFETY: the n objects just looked at.
            unsafe { ffi::spp_ring_take(self.ring.raw, n as u32) };
        }
        n
    }

    /// Packets that wait in the ring.
    pub fn waiting(&self) -> u32 {
        self.ring.used()
    }
}

/// The end of a ring that takes packets in: one worker at a time.
pub struct Producer {
    ring: Ring,
}

impl Producer {
    /// Sends from the front of the burst; what does not fit stays in it. Returns packets and bytes.
    ///
    /// `tagged_consumer` says that the other end is claimed by a worker of ours, which tags what it
    /// takes. If it is not, the tag of what was sent is taken away here: a foreign process may
    /// have it, and nobody may recover it in our name. That process knows nothing of what packets share, either: it gets copies.
    #[inline(always)]
    pub fn send(
        &self,
        _lcore: &Lcore,
        cache: &PoolCache,
        burst: &mut Burst,
        tagged_consumer: bool,
    ) -> (usize, u64) {
        let ours = cache.owner().tag();
        let most = if tagged_consumer {
            burst.len()
        } else {
            burst.unshare_front(burst.len(), cache)
        };
        let chained = burst.segments() as usize != burst.len();
        let mbufs = &mut burst.mbufs()[..most];
        if !tagged_consumer && chained {
            // Beforehand, since afterwards the chain may be freed; who recovers a head takes these with it.
            mbufs.iter().for_each(|m| Mbuf(*m).own_rest(0));
        }
        // SAFETY: mbufs that we own; this worker alone uses the producer's end.
        let n =
            unsafe { ffi::spp_ring_enqueue(self.ring.raw, mbufs.as_mut_ptr(), mbufs.len() as u32) }
                as usize;
        if !tagged_consumer {
            if chained {
                mbufs[n..].iter().for_each(|m| Mbuf(*m).own_rest(ours));
            }
            for m in &mbufs[..n] {
                // Only while the tag is still ours: a worker that claimed the end meanwhile has tagged it.
                let _ =
                    Mbuf(*m)
                        .tag()
                        .compare_exchange(ours, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        (n, burst.passed_on(n))
    }
}
