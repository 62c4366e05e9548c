//! The mirror: packets go on to the first outlet, and copies of them to all others.
//!
//! A copy is made before its original leaves, and sent after it. The copies of a burst never cost an
//! original: mbufs for them are taken only while enough are left to receive with, and what a copy's outlet does not take is
//! dropped there.

use std::num::NonZeroU32;

use dpdk::Burst;
use protocol::filter::Filter;

use crate::area::{DropReason, PatchBlock};
use crate::filter::Matcher;
use crate::line::{Element, Outlet};
use crate::port::Context;

/// How a mirror copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyMode {
    /// Copies share the bytes of long packets with the original; whoever writes to one of them gets bytes of his own first.
    #[default]
    Shallow,
    /// Copies have bytes of their own.
    Deep,
}

/// What a mirror copies, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MirrorOptions {
    /// How it copies.
    pub mode: CopyMode,
    /// Bytes of a copy at most; what is cut has bytes of its own, whatever the mode is. `None`: copies are whole.
    pub snap: Option<NonZeroU32>,
    /// Which packets it copies. `None`: all.
    pub filter: Option<Filter>,
}

/// A mirror on a worker.
pub(crate) struct Mirror {
    mode: CopyMode,
    snap: Option<u32>,
    filter: Option<Matcher>,
    /// Counters of the copies' outlets.
    copies: Vec<&'static PatchBlock>,
}

impl Mirror {
    /// One with these outlets, of which the first is that of originals.
    pub(crate) fn new(options: &MirrorOptions, outlets: &[Outlet]) -> Self {
        Mirror {
            mode: options.mode,
            snap: options.snap.map(NonZeroU32::get),
            filter: options.filter.as_ref().map(Matcher::new),
            copies: outlets.iter().skip(1).map(|o| o.counters).collect(),
        }
    }
}

impl Mirror {
    #[inline(always)]
    fn copy(&self, cx: &mut Context, burst: &mut Burst, outs: &mut [Burst], which: u64) {
        match self.mode {
            CopyMode::Shallow => burst.share_into(which, outs, self.snap, &mut cx.cache),
            CopyMode::Deep => {
                for out in outs.iter_mut() {
                    burst.copy_into(which, out, self.snap, &mut cx.cache);
                }
            }
        }
        let wanted = which.count_ones() as usize;
        for (out, block) in outs.iter().zip(&self.copies) {
            if out.len() < wanted {
                block.drop_of(DropReason::NoMbuf, (wanted - out.len()) as u64);
            }
        }
    }
}

impl Element for Mirror {
    fn split(
        &self,
        cx: &mut Context,
        burst: &mut Burst,
        outs: &mut [Burst],
        counters: &PatchBlock,
    ) {
        let Some((main, outs)) = outs.split_first_mut() else {
            counters.drop_of(DropReason::Removed, burst.len() as u64);
            return burst.clear(&mut cx.cache);
        };
        let all = u64::MAX >> (u64::BITS as usize - burst.len().clamp(1, 64));
        let which = self.filter.as_ref().map_or(all, |f| f.select(burst));
        if which != 0 {
            self.copy(cx, burst, outs, which);
        }
        main.append(burst);
    }
}
