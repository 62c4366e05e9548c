//! Packets that leave a burst on their way, and those whose place a copy takes.

use crate::burst::{BURST, Burst};
use crate::copy::ones;
use crate::deal::KEEP;
use crate::pool::PoolCache;

impl Burst {
    /// Keeps the packets whose bits are set in `which` (bit `i` is packet `i`) in their order, and frees the others.
    /// Returns how many it freed.
    #[inline]
    pub fn retain(&mut self, which: u64, cache: &mut PoolCache) -> usize {
        if which | !ones(self.len()) == u64::MAX {
            return 0;
        }
        self.drop_others(which, cache)
    }

    #[inline(never)]
    fn drop_others(&mut self, which: u64, cache: &mut PoolCache) -> usize {
        let mut to = [KEEP; BURST];
        for (i, to) in to.iter_mut().enumerate() {
            if which >> i & 1 == 0 {
                *to = 0;
            }
        }
        let mut out = [Burst::new()];
        self.deal(&to, &mut out);
        let [mut out] = out;
        let n = out.len();
        out.clear(cache);
        n
    }

    /// Puts copies in the place of the packets of `which`, which they are not shared with anybody, in one piece as far as
    /// that is possible, and with headroom. Returns those for which there was no mbuf: they are as they were.
    pub(crate) fn exchange(&mut self, which: u64, cache: &mut PoolCache) -> u64 {
        let mut out = Burst::new();
        let n = self.copy_into(which, &mut out, None, cache);
        let mut left = which & ones(self.len());
        for copy in out.mbufs().iter_mut().take(n) {
            let i = left.trailing_zeros() as usize;
            std::mem::swap(&mut self.mbufs()[i], copy);
            left &= left - 1;
        }
        self.recount();
        out.recount();
        out.set_shared(self.is_shared());
        out.clear(cache);
        left
    }
}

impl Burst {
    /// Turns one bit round in each packet of `which` (bit `i` is packet `i`): of its bits counted from the beginning, the one that `bit`
    /// says of its length in bytes. Each is replaced by a copy for that, so whoever shares its data sees nothing of it.
    /// Returns how many; what there is no mbuf for stays as it is.
    pub fn spoil(
        &mut self,
        which: u64,
        cache: &mut PoolCache,
        mut bit: impl FnMut(u32) -> u64,
    ) -> usize {
        let which = which & ones(self.len());
        let mut left = which & !self.exchange(which, cache);
        let spoiled = left.count_ones() as usize;
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(m) = self.mbuf(i).filter(|m| m.pkt_len() > 0) else {
                continue;
            };
            let bit = bit(m.pkt_len()) % (u64::from(m.pkt_len()) * 8);
            let mut at = (bit / 8) as usize;
            for mut segment in m.segments() {
                let data = segment.first_mut();
                if at < data.len() {
                    data[at] ^= 1 << (bit % 8);
                    break;
                }
                at -= data.len();
            }
        }
        spoiled
    }
}
