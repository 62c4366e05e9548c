//! mbuf pools.

use std::ffi::CStr;
use std::marker::PhantomData;

use dpdk_sys as ffi;

use crate::burst::{BURST, Burst};
use crate::depot::{Cache, Depot, FREED_BETWEEN, HIGH, LOW, MAGAZINE};
use crate::mbuf::Mbuf;
use crate::search::span;
use crate::{Error, Lcore, c_string};

/// Tag of an mbuf: which lcore owns it. Zero: nobody of ours (in a driver, with a foreign process, free).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner(u32);

impl Owner {
    /// The owner `lcore`.
    pub const fn lcore(id: u32) -> Self {
        Owner(u32::from_le_bytes(*b"\0\0SP") | id)
    }

    /// The lcore id in a tag of ours.
    pub(crate) fn of_tag(tag: u32) -> Option<u32> {
        let Owner(none) = Owner::lcore(0);
        (tag & !0xff == none).then_some(tag & 0xff)
    }

    pub(crate) const fn tag(self) -> u32 {
        self.0
    }
}

/// A pool of mbufs in shared memory with its depot. A handle: copies are the same pool.
#[derive(Clone, Copy)]
pub struct Pool {
    pub(crate) raw: *mut ffi::rte_mempool,
    pub(crate) depot: Depot,
}

// SAFETY: the pool lives in shared memory until the process ends; what needs one thread asks for an Lcore.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// Creates the pool `name` with `mbufs` mbufs of `data_room` bytes (headroom included) and its
    /// depot (`rte_pktmbuf_pool_create_by_ops`). Primary only. The mbufs lie in DPDK's ring
    /// until [`Pool::stock`]: devices that fill their queues at start are started in between.
    pub fn create(name: &str, mbufs: u32, data_room: u16) -> Result<Self, Error> {
        Self::create_with(name, mbufs, data_room, 16)
    }

    /// The same for a pool that foreign processes allocate from: its mbufs stay in DPDK's ring, and
    /// [`Pool::give_back`] brings those there that workers free ([`PoolCache::serving`]).
    pub fn create_foreign(name: &str, mbufs: u32, data_room: u16) -> Result<Self, Error> {
        // Every lcore at once finds room, even if all have stopped with a magazine claimed.
        Self::create_with(name, mbufs, data_room, ffi::SPP_MAX_LCORE as usize)
    }

    fn create_with(name: &str, mbufs: u32, data_room: u16, slack: usize) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        // SAFETY: valid strings; the result is checked.
        let raw = unsafe {
            ffi::rte_pktmbuf_pool_create_by_ops(
                c_name.as_ptr(),
                mbufs,
                ffi::SPP_CACHE_MAX,
                0,
                data_room,
                ffi::rte_socket_id() as i32,
                c"ring_mp_mc".as_ptr(),
            )
        };
        if raw.is_null() {
            return Err(Error::last(format!(
                "creating the pool {name} of {mbufs} mbufs"
            )));
        }
        check_cache(raw, name)?;
        Ok(Pool {
            raw,
            depot: Depot::create(name, mbufs, slack)?,
        })
    }

    /// Finds the pool `name` and its depot.
    pub fn lookup(name: &str) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        // SAFETY: a valid string; the result is checked.
        let raw = unsafe { ffi::rte_mempool_lookup(c_name.as_ptr()) };
        if raw.is_null() {
            return Err(Error::NotFound {
                kind: "pool",
                name: name.into(),
            });
        }
        check_cache(raw, name)?;
        Ok(Pool {
            raw,
            depot: Depot::lookup(name)?,
        })
    }

    /// Moves whatever lies in DPDK's ring into the depot: at start everything, later what foreign
    /// processes freed. It never waits for one of those, which may have died in the ring. Primary's
    /// housekeeping thread only. Returns how many it moved.
    pub fn stock(&self, lcore: &Lcore) -> u32 {
        let mut moved = 0;
        let cache = self.raw_cache(lcore.id());
        let mut batch: Vec<Mbuf> = self.depot.gather();
        self.depot.store(&mut batch, lcore.id());
        // The cache of this lcore first: a device start may have left mbufs in it.
        let cached = cache.len();
        let mut objs = [std::ptr::null_mut(); BURST];
        let mut left = cached;
        while left > 0 {
            let n = left.min(BURST as u32);
            // SAFETY: the cache holds at least n objects, so the call is served from it.
            if unsafe { ffi::spp_mbuf_alloc_bulk(self.raw, objs.as_mut_ptr(), n) } != 0 {
                break;
            }
            batch.extend(objs[..n as usize].iter().map(|m| Mbuf(*m)));
            self.depot.store(&mut batch, lcore.id());
            left -= n;
            moved += n;
        }
        loop {
            // SAFETY: reads a count.
            let n = unsafe { ffi::spp_mempool_backlog(self.raw) }.min(BURST as u32);
            if n == 0 {
                return moved;
            }
            let objs = &mut objs[..n as usize];
            // SAFETY: room for n pointers.
            if unsafe { ffi::spp_mempool_try_take(self.raw, objs.as_mut_ptr().cast(), n) } != 0 {
                return moved;
            }
            batch.extend(objs.iter().map(|m| Mbuf(*m)));
            self.depot.store(&mut batch, lcore.id());
            moved += n;
            if !batch.is_empty() {
                // No empty magazine: cannot happen with the depot's slack, but nothing is lost.
                let mut back: Vec<_> = batch.drain(..).map(|m| m.0).collect();
                self.try_give(&mut back);
                return moved;
            }
        }
    }

    /// Puts mbufs that we own into DPDK's ring; false, and nothing done, if somebody else is at it
    /// (or died at it, for all that can be seen).
    fn try_give(&self, mbufs: &mut [*mut ffi::rte_mbuf]) -> bool {
        // SAFETY: objects of this pool that are ours alone; the ring has room for all of its pool's.
        unsafe {
            ffi::spp_mempool_try_give(self.raw, mbufs.as_mut_ptr().cast(), mbufs.len() as u32) == 0
        }
    }

    /// Gives what workers freed of a foreign processes' pool to DPDK's ring, where those find it. It
    /// never waits for one of them. Primary's housekeeping thread only. Returns how many it moved.
    pub fn give_back(&self, _lcore: &Lcore) -> u32 {
        self.depot.drain(|mbufs| self.try_give(mbufs))
    }

    /// Puts up to `n` mbufs of the depot into DPDK's ring, where a driver finds them that fills its
    /// queues at start; [`Pool::stock`] takes back what is left. Primary's housekeeping thread only.
    pub fn lend(&self, n: u32, lcore: &Lcore) -> u32 {
        let mut lent = 0;
        while lent < n {
            let Some(mut mbufs) = self.depot.draw() else {
                break;
            };
            if !self.try_give(&mut mbufs) {
                let mut back = mbufs.map(Mbuf).to_vec();
                self.depot.store(&mut back, lcore.id());
                break;
            }
            lent += mbufs.len() as u32;
        }
        lent
    }

    /// Where it lies, with the caches of all lcores, its ring, and its depot; its mbufs do not.
    pub(crate) fn spans(&self) -> [std::ops::Range<usize>; 3] {
        // SAFETY: a valid pool with a ring.
        let (own, ring) = unsafe {
            (
                ffi::spp_mempool_span(self.raw),
                ffi::spp_mempool_ring_span(self.raw),
            )
        };
        [span(own), span(ring), self.depot.span()]
    }

    fn raw_cache(&self, lcore: u32) -> Cache {
        // SAFETY: a valid pool with a cache for every lcore id.
        Cache(unsafe { ffi::spp_mempool_cache(self.raw, lcore) })
    }

    pub(crate) fn forget_cache(&self, lcore: u32) {
        self.raw_cache(lcore).set_len(0);
    }

    /// The calling lcore's cache.
    pub fn cache(&self, lcore: &Lcore) -> PoolCache {
        PoolCache {
            cache: self.raw_cache(lcore.id()),
            pool: *self,
            lcore: lcore.id(),
            owner: Owner::lcore(lcore.id()),
            foreign: None,
            // SAFETY: a valid pool of mbufs.
            room: usize::from(unsafe { ffi::spp_mempool_data_room(self.raw) })
                - ffi::SPP_HEADROOM as usize,
            generation: crate::tsc() as u32,
            _stays_here: PhantomData,
        }
    }

    /// mbufs in all.
    pub fn size(&self) -> u32 {
        // SAFETY: a valid pool.
        unsafe { ffi::spp_mempool_size(self.raw) }
    }

    /// mbufs that lie in the depot; those in workers' caches are not counted.
    pub fn free(&self) -> u32 {
        self.depot.free()
    }

    /// mbufs that nobody holds, of a pool of foreign processes: in DPDK's ring, in the caches of
    /// lcores (`rte_mempool_avail_count`), or on their way back.
    pub fn free_foreign(&self) -> u32 {
        // SAFETY: a valid pool; reads counts.
        let in_ring = unsafe { ffi::rte_mempool_avail_count(self.raw) };
        in_ring + self.depot.free()
    }

    /// Index and name of the pool's operations in this process; the name is `None` if nothing is
    /// registered at that index (and the pool must not be used).
    pub fn operations(&self) -> (i32, Option<String>) {
        // SAFETY: a valid pool; the name is a string in DPDK's table.
        unsafe {
            let index = ffi::spp_mempool_ops_index(self.raw);
            let name = ffi::spp_mempool_ops_name(index);
            (
                index,
                (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned()),
            )
        }
    }
}

/// Refuses a pool whose caches DPDK flushes into its ring before a worker trims them at a burst boundary.
fn check_cache(raw: *mut ffi::rte_mempool, name: &str) -> Result<(), Error> {
    // SAFETY: a valid pool with a cache for every lcore id.
    let most = unsafe { ffi::spp_mempool_cache_most(raw) };
    if most < HIGH + FREED_BETWEEN {
        return Err(Error::Invalid(format!(
            "the pool {name} keeps only {most} mbufs in an lcore's cache, {} are needed: this DPDK ({}) is not one that SPP was made for",
            HIGH + FREED_BETWEEN,
            crate::dpdk_version()
        )));
    }
    Ok(())
}

/// The mbufs that one lcore keeps at hand. It stays on its thread.
pub struct PoolCache {
    cache: Cache,
    pool: Pool,
    lcore: u32,
    owner: Owner,
    /// What the lcore frees of the foreign processes' pool, and where it goes.
    foreign: Option<(Cache, Depot)>,
    /// Bytes of a packet that an empty mbuf takes.
    room: usize,
    /// Sharings so far, from a number that no worker before had.
    generation: u32,
    _stays_here: PhantomData<*const ()>,
}

impl PoolCache {
    /// Makes the lcore able to free mbufs of `foreign`, too, a pool of foreign processes: at every burst
    /// boundary they go from its cache into that pool's depot, so that DPDK never flushes them into
    /// the ring that those processes share.
    pub fn serving(mut self, foreign: &Pool) -> Self {
        self.foreign = Some((foreign.raw_cache(self.lcore), foreign.depot));
        self
    }

    /// Tops the cache up from the depot or trims it into it: called at every burst boundary. False
    /// if the pool is exhausted, so that nothing which allocates should be polled now.
    #[inline(always)]
    pub fn balance(&mut self) -> bool {
        self.settle()
    }

    /// The same, within a burst.
    #[inline(always)]
    pub(crate) fn settle(&self) -> bool {
        self.relieve();
        self.cache.len() >= LOW || self.top_up()
    }

    /// Only trims it: called within a burst, before more mbufs are freed. What was taken for copies comes back then;
    /// topping up for it would move whole magazines to and fro.
    #[inline(always)]
    pub fn relieve(&self) {
        if let Some((cache, depot)) = self.foreign
            && cache.len() > 0
        {
            depot.add(cache, self.lcore);
        }
        if self.cache.len() > HIGH {
            self.trim();
        }
    }

    #[cold]
    fn top_up(&self) -> bool {
        self.pool
            .depot
            .take(self.cache, self.lcore, self.owner.tag())
            || self.cache.len() >= BURST as u32
    }

    #[cold]
    fn trim(&self) {
        while self.cache.len() > HIGH && self.pool.depot.fill(self.cache, self.lcore) {}
    }

    /// Gives everything back, at the worker's end.
    pub fn flush(&mut self) {
        while self.cache.len() as usize >= MAGAZINE && self.pool.depot.fill(self.cache, self.lcore)
        {
        }
        self.pool.depot.fill_part(self.cache, self.lcore);
        if let Some((cache, depot)) = self.foreign {
            depot.add(cache, self.lcore);
        }
    }

    /// Fills `burst` with up to `n` empty packets (`rte_pktmbuf_alloc_bulk`); returns how many: `n` or 0.
    pub fn alloc(&mut self, burst: &mut Burst, n: usize) -> usize {
        let n = n.min(BURST - burst.len());
        if n == 0 || (self.cache.len() as usize) < n {
            return 0;
        }
        // SAFETY: room for n pointers; the cache of this thread's lcore holds enough.
        let ret =
            unsafe { ffi::spp_mbuf_alloc_bulk(self.pool.raw, burst.room().as_mut_ptr(), n as u32) };
        if ret != 0 {
            return 0;
        }
        burst.received_own(n);
        n
    }

    /// Takes as many mbufs as `room` has places, at most [`MAGAZINE`], tagged with this lcore's tag: all or none.
    /// It goes to the depot whenever the cache lacks them, and leaves `reserve` of them in the cache.
    #[inline]
    pub(crate) fn draw(&self, room: &mut [*mut ffi::rte_mbuf], reserve: usize) -> bool {
        let n = room.len();
        // Within a burst, too: what lies in the cache afterwards is less than what it was trimmed to.
        if (self.cache.len() as usize) < n + reserve
            && !self
                .pool
                .depot
                .take(self.cache, self.lcore, self.owner.tag())
        {
            return false;
        }
        // SAFETY: room for n pointers; the cache of this thread's lcore holds enough.
        let ret = unsafe { ffi::spp_mbuf_alloc_bulk(self.pool.raw, room.as_mut_ptr(), n as u32) };
        if ret != 0 {
            return false;
        }
        // What a driver has freed into the cache has lost its tag.
        for m in room {
            Mbuf(*m).own(self.owner.tag());
        }
        true
    }

    /// Tag and number of a sharing of this lcore. A number comes again only after 2^32 others.
    #[inline(always)]
    pub(crate) fn next_sharing(&mut self) -> (u32, u32) {
        self.generation = self.generation.wrapping_add(1);
        (ffi::SPP_SHARED_TAG | self.lcore, self.generation)
    }

    /// Bytes that go into one mbuf behind its headroom.
    #[inline(always)]
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// The owner that this cache tags mbufs with.
    #[inline(always)]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }
}
