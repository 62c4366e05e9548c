//! Packets that share their data.
//!
//! All who hold such a packet hold a *clone*: an mbuf of their own that points at the data (an indirect mbuf in DPDK's
//! words). The mbuf that has the data is their *carrier*. It lies in no burst and in no ring, and is found through its clones only.
//! What keeps this right when a worker is killed at any instruction stands in `docs/decisions/shared-packets.md`.

use dpdk_sys as ffi;

use crate::burst::{BURST, Burst};
use crate::copy::{RESERVE, Stock, fill, ones, segments_for};
use crate::depot::MAGAZINE;
use crate::mbuf::Mbuf;
use crate::pool::PoolCache;

/// Shorter packets, in bytes, are copied: that takes less time than sharing them (`examples/share_cost.rs`).
pub const SHARE_FROM: u32 = 1024;

impl Burst {
    /// Gives every burst of `outs` the packets whose bits are set in `which` (bit `i` is packet `i`; [`u64::MAX`]: all), at its end
    /// and in order, each cut to `snap` bytes if that is given. They stay in this burst, too, whole.
    ///
    /// Packets share their data with those in `outs`, unless copying is cheaper (they are shorter than [`SHARE_FROM`], or cut)
    /// or they cannot: because they are shared already, or mbufs of a foreign process. No shared packet can be written to
    /// ([`Burst::unshare`]).
    ///
    /// What is missing of the packets in an out, at its end, is what there was no room for, or no mbuf:
    /// the rest of the burst is not tried then. As with [`Burst::copy_into`] the last 64 mbufs are left for receiving.
    pub fn share_into(
        &mut self,
        which: u64,
        outs: &mut [Burst],
        snap: Option<u32>,
        cache: &mut PoolCache,
    ) {
        self.share_from(SHARE_FROM, which, outs, snap, cache);
    }

    /// The same with packets shared from `least` bytes on.
    #[inline]
    pub(crate) fn share_from(
        &mut self,
        least: u32,
        which: u64,
        outs: &mut [Burst],
        snap: Option<u32>,
        cache: &mut PoolCache,
    ) {
        let (tag, generation) = cache.next_sharing();
        let (pool, room) = (cache.pool().raw, cache.room());
        let mut stock = Stock::new(cache, RESERVE);
        let mut left = which & ones(self.len());
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            left &= left - 1;
            let open = outs.iter().filter(|out| out.len() < BURST).count();
            let Some(m) = self.mbuf(i).filter(|_| open > 0) else {
                return;
            };
            let packet = m.pkt_len();
            let len = packet.min(snap.unwrap_or(u32::MAX));
            let segs = usize::from(m.nb_segs());
            let all = segs * (open + 1);
            if len == packet && len >= least && all <= MAGAZINE && m.can_be_shared(pool) {
                let soon = left.count_ones() as usize * (open + 1);
                let Some(clones) = stock.take(all, soon) else {
                    return;
                };
                let n = open as u32 + 1;
                // SAFETY: as many empty mbufs as they take, which we own, as all segments of the packet.
                unsafe {
                    ffi::spp_mbuf_share(m.0, segs as u32, clones.as_mut_ptr(), n, tag, generation);
                }
                let mut heads = clones.chunks_exact(segs).map(|clone| Mbuf(clone[0]));
                for out in outs.iter_mut().filter(|out| out.len() < BURST) {
                    if let Some(head) = heads.next() {
                        out.push(head, len, segs as u32);
                        out.set_shared(true);
                    }
                }
                if let Some(head) = heads.next() {
                    self.replace(i, head, 0, 0);
                    self.set_shared(true);
                }
                continue;
            }
            let need = segments_for(len, room);
            let mut soon = (left.count_ones() as usize + 1) * open;
            for out in outs.iter_mut().filter(|out| out.len() < BURST) {
                soon -= 1;
                let Some(to) = stock.take(need, soon) else {
                    return;
                };
                fill(to, m, len);
                out.push(Mbuf(to[0]), len, need as u32);
            }
        }
    }

    /// Makes packets that share their data with others packets of their own, by copying them. Returns how many
    /// packets at the front are so now: all, or as many as there were mbufs for.
    pub fn unshare(&mut self, cache: &mut PoolCache) -> usize {
        self.unshare_front(self.len(), cache)
    }

    /// The same for the first `n` packets.
    #[inline(always)]
    pub(crate) fn unshare_front(&mut self, n: usize, cache: &PoolCache) -> usize {
        if self.is_shared() {
            self.replace_clones(n, cache)
        } else {
            n
        }
    }

    #[inline(never)]
    fn replace_clones(&mut self, n: usize, cache: &PoolCache) -> usize {
        let room = cache.room();
        let mut stock = Stock::new(cache, 0);
        self.set_starved(false);
        for i in 0..n {
            let Some(m) = self.mbuf(i).filter(|m| m.has_clones()) else {
                continue;
            };
            // SAFETY: a clone that we own; the carrier is ours in its place.
            let last = unsafe { ffi::spp_mbuf_adopt(m.0) };
            if !last.is_null() {
                self.replace(i, Mbuf(last), 0, 0);
                continue;
            }
            let (len, segs) = (m.pkt_len(), u32::from(m.nb_segs()));
            let need = segments_for(len, room);
            let Some(to) = stock.take(need, n - i - 1) else {
                self.set_starved(true);
                return i;
            };
            fill(to, m, len);
            self.replace(i, Mbuf(to[0]), need as u32, segs);
            let mut old = m.0;
            // SAFETY: a packet that we own and have just forgotten.
            unsafe { ffi::spp_mbuf_free_shared(&mut old, 1) };
            if segs > 1 {
                // Each of a chain's segments may have freed two mbufs.
                cache.settle();
            }
        }
        if n == self.len() {
            // What foreign processes have shared stays so, and is freed in DPDK's way by everybody.
            let clones = self
                .mbufs()
                .iter()
                .any(|m| Mbuf(*m).segments().any(Mbuf::is_clone));
            self.set_shared(clones);
        }
        n
    }
}
