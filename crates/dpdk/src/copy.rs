//! Copies of packets, bytes and all.

use dpdk_sys as ffi;

use crate::burst::{BURST, Burst};
use crate::depot::MAGAZINE;
use crate::mbuf::Mbuf;
use crate::pool::PoolCache;

/// Bits of packets: bit `i` stands for packet `i`.
const _: () = assert!(BURST == u64::BITS as usize);

/// mbufs that copies leave in the lcore's cache when the depot is empty: packets can be received with them.
pub(crate) const RESERVE: usize = BURST;

/// mbufs for what is being made, drawn many at a time. What is left goes back to the cache at the end.
pub(crate) struct Stock<'a> {
    cache: &'a PoolCache,
    mbufs: [*mut ffi::rte_mbuf; MAGAZINE],
    n: usize,
    reserve: usize,
}

impl<'a> Stock<'a> {
    pub(crate) fn new(cache: &'a PoolCache, reserve: usize) -> Self {
        Stock {
            cache,
            mbufs: [std::ptr::null_mut(); MAGAZINE],
            n: 0,
            reserve,
        }
    }

    /// Gives `need` mbufs, empty packets of ours with our tag, or none; `soon` more will be asked for.
    #[inline]
    pub(crate) fn take(&mut self, need: usize, soon: usize) -> Option<&mut [*mut ffi::rte_mbuf]> {
        if self.n < need && !self.refill(need, soon) {
            return None;
        }
        self.n -= need;
        Some(&mut self.mbufs[self.n..self.n + need])
    }

    #[inline]
    fn refill(&mut self, need: usize, soon: usize) -> bool {
        if need > MAGAZINE {
            return false;
        }
        let all = (need + soon).min(MAGAZINE);
        if self.cache.draw(&mut self.mbufs[self.n..all], self.reserve) {
            self.n = all;
            return true;
        }
        if all > need && self.cache.draw(&mut self.mbufs[self.n..need], self.reserve) {
            self.n = need;
            return true;
        }
        false
    }
}

impl Drop for Stock<'_> {
    fn drop(&mut self) {
        if self.n > 0 {
            // SAFETY: the first n pointers are mbufs that we own.
            unsafe { ffi::rte_pktmbuf_free_bulk(self.mbufs.as_mut_ptr(), self.n as u32) };
        }
    }
}

/// mbufs that a copy of `len` bytes takes, each with `room` bytes.
#[inline(always)]
pub(crate) fn segments_for(len: u32, room: usize) -> usize {
    if len as usize <= room {
        1
    } else {
        (len as usize).div_ceil(room)
    }
}

/// Makes the first `len` bytes of `from` the content of `to`, which are as many empty packets as they take.
#[inline]
pub(crate) fn fill(to: &[*mut ffi::rte_mbuf], from: Mbuf, len: u32) {
    let (packet, first) = from.lengths();
    let mut head = Mbuf(to[0]);
    if to.len() == 1 && (packet == first || len <= first) {
        if let Some(room) = head.fill(len as usize) {
            room.copy_from_slice(&from.first()[..len as usize]);
        }
        return;
    }
    fill_chain(to, from, len as usize);
}

#[inline(never)]
fn fill_chain(to: &[*mut ffi::rte_mbuf], from: Mbuf, len: usize) {
    let mut source = from.segments();
    let mut part: Option<Mbuf> = source.next();
    let (mut at, mut left) = (0, len);
    let mut last: Option<Mbuf> = None;
    for m in to {
        let mut m = Mbuf(*m);
        let n = left.min(m.room());
        let mut written = 0;
        if let Some(room) = m.fill(n) {
            while written < n
                && let Some(segment) = &part
            {
                let data = &segment.first()[at..];
                let more = data.len().min(n - written);
                room[written..written + more].copy_from_slice(&data[..more]);
                (written, at) = (written + more, at + more);
                if at == segment.first().len() {
                    (part, at) = (source.next(), 0);
                }
            }
        }
        left -= n;
        if let Some(last) = last {
            last.link(m);
        }
        last = Some(m);
    }
    Mbuf(to[0]).head_of(len as u32, to.len() as u16);
}

impl Burst {
    /// Copies the packets whose bits are set in `which` (bit `i` is packet `i`; [`u64::MAX`]: all) to the end of `out`, each cut
    /// to `snap` bytes if that is given. Returns how many; the first of those that are missing is the one
    /// for which there was no mbuf or no room in `out`.
    ///
    /// Copies are whole, over all segments, in mbufs of the pool of `cache`; they carry bytes and nothing of what a
    /// driver has noted about the packet. Mbufs come from the pool as they are needed, whatever the cache holds, but the last 64
    /// of it are left for receiving. At most 256 are had for one packet.
    pub fn copy_into(
        &self,
        which: u64,
        out: &mut Burst,
        snap: Option<u32>,
        cache: &mut PoolCache,
    ) -> usize {
        let mut left = which & ones(self.len());
        let room = cache.room();
        let mut stock = Stock::new(cache, RESERVE);
        let mut copied = 0;
        while left != 0 && out.len() < BURST {
            let i = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(from) = self.mbuf(i) else { break };
            let len = from.pkt_len().min(snap.unwrap_or(u32::MAX));
            let need = segments_for(len, room);
            let soon = (left.count_ones() as usize).min(BURST - 1 - out.len());
            let Some(to) = stock.take(need, soon) else {
                break;
            };
            fill(to, from, len);
            out.push(Mbuf(to[0]), len, need as u32);
            copied += 1;
        }
        copied
    }
}

/// The lowest `n` bits.
#[inline(always)]
pub(crate) fn ones(n: usize) -> u64 {
    u64::MAX.checked_shr(64 - n.min(64) as u32).unwrap_or(0)
}
