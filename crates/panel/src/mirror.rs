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
    /// Copies share the bytes of long packets with the original; nobody may write them then, which costs
    /// a copy where it is done all the same.
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
    /// Bytes of a copy at most; whatever the mode is, such copies have bytes of their own. `None`: copies are whole.
    pub snap: Option<NonZeroU32>,
    /// Which packets it copies. `None`: all.
    pub filter: Option<Filter>,
}

/// A mirror on a worker.
pub(crate) struct Mirror {
    snap: Option<u32>,
    filter: Option<Matcher>,
    /// Counters of the copies' outlets.
    copies: Vec<&'static PatchBlock>,
}

impl Mirror {
    /// One with these outlets, of which the first is that of originals.
    pub(crate) fn new(options: &MirrorOptions, outlets: &[Outlet]) -> Self {
        Mirror {
            snap: options.snap.map(NonZeroU32::get),
            filter: options.filter.as_ref().map(Matcher::new),
            copies: outlets.iter().skip(1).map(|o| o.counters).collect(),
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
            let wanted = which.count_ones() as usize;
            for (out, block) in outs.iter_mut().zip(&self.copies) {
                let made = burst.copy_into(which, out, self.snap, &mut cx.cache);
                if made < wanted {
                    block.drop_of(DropReason::NoMbuf, (wanted - made) as u64);
                }
            }
        }
        main.append(burst);
    }
}
