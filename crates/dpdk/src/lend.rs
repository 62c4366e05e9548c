//! Packets that are shown to a destination that copies what it is given, and stay where they are.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;

use crate::burst::Burst;
use crate::copy::ones;
use crate::mbuf::Mbuf;

/// Some of the packets of a burst, which owns them still: to be looked at.
pub struct Lent<'a> {
    /// Neither cleared nor dropped.
    picked: ManuallyDrop<Burst>,
    _owner: PhantomData<&'a Burst>,
}

impl Deref for Lent<'_> {
    type Target = Burst;

    #[inline(always)]
    fn deref(&self) -> &Burst {
        &self.picked
    }
}

impl Burst {
    /// Lends the packets whose bits are set in `which` (bit `i` is packet `i`; [`u64::MAX`]: all), in order.
    #[inline]
    pub fn lend(&self, which: u64) -> Lent<'_> {
        let mut picked = ManuallyDrop::new(Burst::new());
        let mut left = which & ones(self.len());
        while left != 0 {
            if let Some(m) = self.mbuf(left.trailing_zeros() as usize) {
                picked.push(m, m.pkt_len(), u32::from(m.nb_segs()));
            }
            left &= left - 1;
        }
        Lent {
            picked,
            _owner: PhantomData,
        }
    }

    /// Bytes of `n` packets from number `from` on, or of as many as there are.
    #[inline(always)]
    pub fn bytes_of(&self, from: usize, n: usize) -> u64 {
        if (from, n) == (0, self.len()) {
            return self.bytes();
        }
        let bytes = |i| self.mbuf(i).map_or(0, Mbuf::pkt_len);
        (from..from + n).map(|i| u64::from(bytes(i))).sum()
    }

    /// Length of packet `i`, in bytes; `None` if there is none.
    #[inline(always)]
    pub fn len_of(&self, i: usize) -> Option<u32> {
        self.mbuf(i).map(Mbuf::pkt_len)
    }
}
