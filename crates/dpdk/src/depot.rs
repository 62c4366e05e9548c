//! Where free mbufs lie, in a form that no kill can lock.
//!
//! DPDK keeps the free objects of a pool in a ring that many producers and consumers share. A
//! process that is killed (or stopped) between moving that ring's head and its tail makes every
//! other process spin for good. So the ring of our pools is kept empty, and the free mbufs lie in
//! *magazines*: arrays of [`MAGAZINE`] pointers, each with one state word. A worker takes or fills a
//! whole magazine after claiming it by compare-and-swap; whoever dies with a claim leaves one
//! magazine marked with its lcore id, which the reaper sets right, and nobody else ever waits.
//!
//! DPDK's own code (drivers, vhost) allocates and frees through the lcore's cache, which workers
//! keep between [`LOW`] and [`HIGH`] at burst boundaries, so it does not reach the ring; if it
//! did, it would find it empty, which is an ordinary "no mbuf".
//!
//! The pool of foreign processes lives the other way round: its free mbufs lie in DPDK's ring, and
//! what workers free of it passes through its depot ([`Depot::add`]), from which the primary alone
//! gives it to that ring ([`Depot::drain`]).

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use dpdk_sys as ffi;

use crate::magazine::{self, EMPTY, FULL, TAKING, filling, held, holding, kept, release};
use crate::mbuf::Mbuf;
use crate::{Error, c_string};

/// mbufs in a magazine.
pub const MAGAZINE: usize = 256;
/// A cache with fewer mbufs is topped up: the most single-segment packets between two boundaries, and more.
pub const LOW: u32 = 192;
/// A cache with more is trimmed.
pub const HIGH: u32 = 480;
/// mbufs that may be freed between two boundaries: a burst, or what [`crate::Burst`] frees at once, and some.
pub const FREED_BETWEEN: u32 = 288;

const MAGIC: u32 = u32::from_le_bytes(*b"SPPd");

#[repr(C, align(64))]
struct Header {
    magic: AtomicU32,
    magazines: AtomicU32,
    /// mbufs in `loose`, written by the primary only.
    loose_len: AtomicU32,
}

#[repr(C, align(64))]
struct Magazine {
    objs: [AtomicPtr<ffi::rte_mbuf>; MAGAZINE],
}

/// The depot of one pool.
#[derive(Clone, Copy)]
pub(crate) struct Depot {
    header: &'static Header,
    states: &'static [AtomicU32],
    magazines: &'static [Magazine],
    /// Fewer than a magazine's worth, of the primary.
    loose: &'static Magazine,
}

/// The per-lcore cache of a pool, by its address in shared memory.
#[derive(Clone, Copy)]
pub(crate) struct Cache(pub(crate) *mut ffi::rte_mempool_cache);

impl Cache {
    #[inline(always)]
    pub(crate) fn len(self) -> u32 {
        // SAFETY: a valid cache that only the calling lcore's thread (or its reaper) uses.
        unsafe {
            *self
                .0
                .cast::<u8>()
                .add(ffi::SPP_CACHE_LEN as usize)
                .cast::<u32>()
        }
    }

    pub(crate) fn set_len(self, len: u32) {
        // SAFETY: as above.
        unsafe {
            *self
                .0
                .cast::<u8>()
                .add(ffi::SPP_CACHE_LEN as usize)
                .cast::<u32>() = len
        }
    }

    fn slot(self, i: u32) -> *mut *mut ffi::rte_mbuf {
        // SAFETY: i is below the capacity of the cache (twice SPP_CACHE_MAX).
        unsafe {
            self.0
                .cast::<u8>()
                .add(ffi::SPP_CACHE_OBJS as usize)
                .cast::<*mut ffi::rte_mbuf>()
                .add(i as usize)
        }
    }
}

impl Depot {
    fn zone_name(pool: &str) -> String {
        format!("spp_dp_{pool}")
    }

    fn bytes(magazines: usize) -> usize {
        size_of::<Header>()
            + (magazines * 4).next_multiple_of(64)
            + (magazines + 1) * size_of::<Magazine>()
    }

    /// Reserves a depot that holds `mbufs` (primary only), all magazines empty, and `slack` more of
    /// them, so that a worker finds an empty one even while others are half full or claimed.
    pub(crate) fn create(pool: &str, mbufs: u32, slack: usize) -> Result<Self, Error> {
        let magazines = (mbufs as usize).div_ceil(MAGAZINE) + slack;
        let name = Self::zone_name(pool);
        let len = Self::bytes(magazines);
        let c_name = c_string(&name)?;
        // SAFETY: plain values; the result is checked.
        let zone = unsafe {
            ffi::rte_memzone_reserve_aligned(
                c_name.as_ptr(),
                len,
                ffi::rte_socket_id() as i32,
                0,
                64,
            )
        };
        if zone.is_null() {
            return Err(Error::last(format!(
                "reserving {len} bytes for memzone {name}"
            )));
        }
        // SAFETY: a fresh zone of `len` bytes that nobody else has seen.
        unsafe {
            let base = ffi::spp_memzone_addr(zone).cast::<u8>();
            std::ptr::write_bytes(base, 0, len);
            let header = &*base.cast::<Header>();
            header.magazines.store(magazines as u32, Ordering::Relaxed);
            header.magic.store(MAGIC, Ordering::Release);
        }
        Self::lookup(pool)
    }

    /// Finds the depot of the pool `pool`.
    pub(crate) fn lookup(pool: &str) -> Result<Self, Error> {
        let name = Self::zone_name(pool);
        let c_name = c_string(&name)?;
        // SAFETY: plain values; the result is checked.
        let zone = unsafe { ffi::rte_memzone_lookup(c_name.as_ptr()) };
        if zone.is_null() {
            return Err(Error::NotFound {
                kind: "memzone",
                name,
            });
        }
        // SAFETY: a found zone stays mapped; its size is checked before the arrays are named.
        unsafe {
            let (base, len) = (
                ffi::spp_memzone_addr(zone).cast::<u8>(),
                ffi::spp_memzone_len(zone),
            );
            let header = &*base.cast::<Header>();
            let magazines = header.magazines.load(Ordering::Relaxed) as usize;
            if header.magic.load(Ordering::Acquire) != MAGIC || Self::bytes(magazines) > len {
                return Err(Error::Layout {
                    name,
                    reason: "is not a depot of this version".into(),
                });
            }
            let states = base.add(size_of::<Header>());
            let first = states
                .add((magazines * 4).next_multiple_of(64))
                .cast::<Magazine>();
            Ok(Depot {
                header,
                states: std::slice::from_raw_parts(states.cast(), magazines),
                magazines: std::slice::from_raw_parts(first, magazines),
                loose: &*first.add(magazines),
            })
        }
    }

    /// mbufs in full magazines and loose ones.
    pub(crate) fn free(&self) -> u32 {
        let held = |s: &AtomicU32| held(s.load(Ordering::Relaxed), MAGAZINE).unwrap_or(0);
        let all: usize = self.states.iter().map(held).sum();
        all as u32 + self.header.loose_len.load(Ordering::Relaxed)
    }

    /// Claims the lowest magazine in state `from`. Low ones first: what was given last is taken
    /// next, while it is still in the CPU's caches.
    fn claim(&self, from: u32, to: u32) -> Option<usize> {
        self.states
            .iter()
            .position(|s| magazine::claim(s, from, to))
    }

    /// Moves a full magazine into the cache of `lcore` and tags its mbufs. False if there is none.
    pub(crate) fn take(&self, cache: Cache, lcore: u32, tag: u32) -> bool {
        let Some(i) = self.claim(FULL, TAKING | lcore) else {
            return false;
        };
        let len = cache.len();
        for (k, obj) in self.magazines[i].objs.iter().enumerate() {
            let mbuf = Mbuf(obj.load(Ordering::Relaxed));
            mbuf.tag().store(tag, Ordering::Relaxed);
            // SAFETY: the cache holds less than LOW, or than a magazine and a burst, when this is called;
            // with a magazine more that is below its capacity.
            unsafe { *cache.slot(len + k as u32) = mbuf.0 };
        }
        cache.set_len(len + MAGAZINE as u32);
        release(&self.states[i], EMPTY);
        true
    }

    /// Moves the last mbufs of the cache of `lcore` into an empty magazine. False if there is none.
    pub(crate) fn fill(&self, cache: Cache, lcore: u32) -> bool {
        let Some(i) = self.claim(EMPTY, filling(lcore, 0)) else {
            return false;
        };
        let rest = cache.len() - MAGAZINE as u32;
        for (k, obj) in self.magazines[i].objs.iter().enumerate() {
            // SAFETY: below the cache's length, which is above HIGH when this is called.
            obj.store(unsafe { *cache.slot(rest + k as u32) }, Ordering::Relaxed);
        }
        // The magazine is full before the cache forgets its mbufs: a death in between leaves them
        // in the magazine, and the reaper never trusts a dead cache.
        release(&self.states[i], FULL);
        cache.set_len(rest);
        true
    }

    /// Puts all that is left in the cache of `lcore`, at its end, into an empty magazine for the
    /// primary to gather. False if there is none; then the reaper recovers them.
    pub(crate) fn fill_part(&self, cache: Cache, lcore: u32) -> bool {
        let len = cache.len();
        if len == 0 || len as usize >= MAGAZINE {
            return len == 0;
        }
        let Some(i) = self.claim(EMPTY, filling(lcore, 0)) else {
            return false;
        };
        for (k, obj) in self.magazines[i].objs.iter().take(len as usize).enumerate() {
            // SAFETY: below the cache's length.
            obj.store(unsafe { *cache.slot(k as u32) }, Ordering::Relaxed);
        }
        release(&self.states[i], holding(len as usize, MAGAZINE));
        cache.set_len(0);
        true
    }

    /// Moves all of the cache of `lcore` into magazines, behind what others have put there. False
    /// if there is no room: what is left stays in the cache.
    pub(crate) fn add(&self, cache: Cache, lcore: u32) -> bool {
        let mut len = cache.len() as usize;
        while len > 0 {
            let Some((i, held)) = self.claim_room(lcore) else {
                return false;
            };
            let n = len.min(MAGAZINE - held);
            let room = &self.magazines[i].objs[held..held + n];
            for (k, obj) in room.iter().enumerate() {
                // SAFETY: below the cache's length.
                obj.store(
                    unsafe { *cache.slot((len - n + k) as u32) },
                    Ordering::Relaxed,
                );
            }
            let then = holding(held + n, MAGAZINE);
            // As in `fill`: the magazine first, then the cache.
            release(&self.states[i], then);
            len -= n;
            cache.set_len(len as u32);
        }
        true
    }

    /// Claims the lowest magazine with room; gives how many it holds.
    pub(crate) fn claim_room(&self, lcore: u32) -> Option<(usize, usize)> {
        self.states.iter().enumerate().find_map(|(i, state)| {
            let now = state.load(Ordering::Relaxed);
            let held = held(now, MAGAZINE).filter(|held| *held < MAGAZINE)?;
            magazine::claim(state, now, filling(lcore, held)).then_some((i, held))
        })
    }

    /// Offers all mbufs to `take`, a magazine at a time, nobody's tag on them, until it refuses; what it
    /// took is out (primary's housekeeping thread only). Returns how many that were.
    pub(crate) fn drain(&self, mut take: impl FnMut(&mut [*mut ffi::rte_mbuf]) -> bool) -> u32 {
        let mut objs = [std::ptr::null_mut(); MAGAZINE];
        let mut offer = |magazine: &Magazine, n: u32| {
            for (to, from) in objs.iter_mut().zip(&magazine.objs).take(n as usize) {
                *to = from.load(Ordering::Relaxed);
                Mbuf(*to).tag().store(0, Ordering::Relaxed);
            }
            take(&mut objs[..n as usize])
        };
        let mut taken = 0;
        let loose = self.header.loose_len.load(Ordering::Relaxed);
        if loose > 0 {
            if !offer(self.loose, loose) {
                return 0;
            }
            self.header.loose_len.store(0, Ordering::Relaxed);
            taken += loose;
        }
        for (state, magazine) in self.states.iter().zip(self.magazines) {
            let now = state.load(Ordering::Relaxed);
            let n = match held(now, MAGAZINE) {
                Some(n) if n > 0 && magazine::claim(state, now, TAKING) => n as u32,
                _ => continue,
            };
            if !offer(magazine, n) {
                release(state, now);
                return taken;
            }
            release(state, EMPTY);
            taken += n;
        }
        taken
    }

    /// Takes out what lies in magazines that are neither full nor empty (primary's housekeeping
    /// thread only).
    pub(crate) fn gather(&self) -> Vec<Mbuf> {
        let mut found = Vec::new();
        for (state, magazine) in self.states.iter().zip(self.magazines) {
            let now = state.load(Ordering::Relaxed);
            if let Some(n) = held(now, MAGAZINE)
                && (1..MAGAZINE).contains(&n)
                && magazine::claim(state, now, TAKING)
            {
                let part = magazine.objs.iter().take(n);
                found.extend(part.map(|o| Mbuf(o.load(Ordering::Relaxed))));
                release(state, EMPTY);
            }
        }
        found
    }

    /// Takes a full magazine out (primary's housekeeping thread only).
    pub(crate) fn draw(&self) -> Option<[*mut ffi::rte_mbuf; MAGAZINE]> {
        let i = self.claim(FULL, TAKING)?;
        let mbufs = std::array::from_fn(|k| self.magazines[i].objs[k].load(Ordering::Relaxed));
        release(&self.states[i], EMPTY);
        Some(mbufs)
    }

    /// Puts `mbufs` into magazines and the loose store (primary's housekeeping thread only).
    /// Returns what did not fit.
    pub(crate) fn store(&self, mbufs: &mut Vec<Mbuf>, lcore: u32) {
        let mut loose = self.header.loose_len.load(Ordering::Relaxed);
        while let Some(mbuf) = mbufs.pop() {
            mbuf.tag().store(0, Ordering::Relaxed);
            self.loose.objs[loose as usize].store(mbuf.0, Ordering::Relaxed);
            loose += 1;
            if loose as usize == MAGAZINE {
                let Some(i) = self.claim(EMPTY, filling(lcore, 0)) else {
                    loose -= 1;
                    mbufs.push(mbuf);
                    break;
                };
                for (to, from) in self.magazines[i].objs.iter().zip(&self.loose.objs) {
                    to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
                }
                release(&self.states[i], FULL);
                loose = 0;
            }
        }
        self.header.loose_len.store(loose, Ordering::Relaxed);
    }

    /// Sets right the magazine that a dead lcore had claimed.
    pub(crate) fn mend(&self, lcore: u32) {
        for state in self.states {
            magazine::mend(state, lcore, MAGAZINE);
        }
    }

    /// Where it lies.
    pub(crate) fn span(&self) -> std::ops::Range<usize> {
        let start = std::ptr::from_ref(self.header) as usize;
        start..start + Self::bytes(self.states.len())
    }

    /// Calls `each` for every mbuf that lies in the depot or is being moved out of it.
    pub(crate) fn for_each(&self, mut each: impl FnMut(Mbuf)) {
        for (state, magazine) in self.states.iter().zip(self.magazines) {
            let now = state.load(Ordering::Acquire);
            let objs = magazine.objs.iter().take(kept(now, MAGAZINE));
            objs.for_each(|o| each(Mbuf(o.load(Ordering::Relaxed))));
        }
        let loose = self.header.loose_len.load(Ordering::Relaxed) as usize;
        self.loose
            .objs
            .iter()
            .take(loose)
            .for_each(|o| each(Mbuf(o.load(Ordering::Relaxed))));
    }
}
