//! Packets that go from one burst to others.

use dpdk_sys as ffi;

use crate::burst::{BURST, Burst};
use crate::mbuf::Mbuf;

/// Says in [`Burst::deal`] that a packet stays where it is.
pub const KEEP: u8 = u8::MAX;

impl Burst {
    /// Moves packet `i` to the end of `outs[to[i]]`, for every `i`: so packets that go to one burst keep their order.
    ///
    /// What stays keeps its order, too: a packet that has [`KEEP`] or any other number without a burst, one
    /// beyond the end of `to`, and one whose burst is full.
    #[inline]
    pub fn deal(&mut self, to: &[u8], outs: &mut [Burst]) {
        let single = self.segments() as usize == self.len();
        let shared = self.is_shared();
        let (mut kept, mut bytes, mut segs) = (0, 0, 0);
        let mbufs = self.mbufs();
        for i in 0..mbufs.len() {
            let m = Mbuf(mbufs[i]);
            let len = m.pkt_len();
            let own = if single { 1 } else { u32::from(m.nb_segs()) };
            match to.get(i).and_then(|to| outs.get_mut(usize::from(*to))) {
                Some(out) if out.len() < BURST => {
                    out.push(m, len, own);
                    out.set_shared(shared | out.is_shared());
                }
                _ => {
                    mbufs[kept] = m.0;
                    kept += 1;
                    bytes += u64::from(len);
                    segs += own;
                }
            }
        }
        self.keep(kept, bytes, segs);
        self.set_shared(shared && kept > 0);
    }

    /// Moves as many packets from the front of `other` to the end of this burst as it has room for.
    #[inline]
    pub fn append(&mut self, other: &mut Burst) {
        let room = self.room();
        let n = room.len().min(other.len());
        room[..n].copy_from_slice(&other.mbufs()[..n]);
        self.set_shared(self.is_shared() | (other.is_shared() && n > 0));
        let segs = other.segments();
        let bytes = other.passed_on(n);
        let (len, bytes, segs) = (
            self.len() + n,
            self.bytes() + bytes,
            self.segments() + segs - other.segments(),
        );
        self.keep(len, bytes, segs);
    }

    /// Begins to fetch the first bytes of all packets into the CPU's cache, for who is going to look at them.
    #[inline]
    pub fn prefetch_heads(&mut self) {
        let mbufs = self.mbufs();
        // SAFETY: mbufs that we own; a prefetch reads nothing.
        unsafe { ffi::spp_mbuf_prefetch_heads(mbufs.as_ptr(), mbufs.len() as u32) };
    }
}
