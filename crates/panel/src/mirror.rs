//! The mirror: packets go on to the first outlet, and copies of them to all others.
//!
//! A port that copies what it is given (vhost, memif, files, some devices) is shown the originals before they leave: that takes no mbuf at all.
//! For others a copy is made before its original leaves, and sent after it. The copies of a burst never cost an
//! original: mbufs for them are taken only while enough are left to receive with, and what a copy's outlet does not take is
//! dropped there.

use std::num::NonZeroU32;

use dpdk::{BURST, Burst};
use protocol::filter::Filter;

use crate::area::{DropReason, PatchBlock};
use crate::filter::Matcher;
use crate::line::{Element, Outlet};
use crate::port::Context;

/// How a mirror copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyMode {
    /// Copies share the bytes of long packets with the original, as far as both go to ports that take such packets:
    /// rings within the panel, vhost, memif and files. Short ones are copied, which costs less.
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
    /// Where originals go, and then where copies go.
    outlets: Vec<Outlet>,
}

impl Mirror {
    /// One with these outlets, of which the first is that of originals.
    pub(crate) fn new(options: &MirrorOptions, outlets: &[Outlet]) -> Self {
        Mirror {
            mode: options.mode,
            snap: options.snap.map(NonZeroU32::get),
            filter: options.filter.as_ref().map(Matcher::new),
            outlets: outlets.to_vec(),
        }
    }

    /// Fills `outs` with copies of the packets of `which`.
    #[inline(always)]
    fn copy(&self, cx: &mut Context, burst: &mut Burst, outs: &mut [Burst], which: u64) {
        let Some((main, outlets)) = self.outlets.split_first() else {
            return;
        };
        let is_shown = !cx.traced && self.snap.is_none();
        let may_share = self.mode == CopyMode::Shallow && takes_shared(main);
        let gets = |outlet: &Outlet| {
            if is_shown && outlet.stages.is_empty() && outlet.dst.copies() {
                Gets::Sight
            } else if may_share && takes_shared(outlet) {
                Gets::Share
            } else {
                Gets::Copy
            }
        };
        let mut from = 0;
        while let Some(outlet) = outlets.get(from) {
            let kind = gets(outlet);
            // As many neighbours as get the same.
            let same = outlets[from..].iter().take_while(|o| gets(o) == kind);
            let end = from + same.count();
            match kind {
                Gets::Sight if which == all_of(burst) => {
                    outlets[from..end].iter().for_each(|o| o.offer(burst));
                }
                Gets::Sight => {
                    let picked = burst.lend(which);
                    outlets[from..end].iter().for_each(|o| o.offer(&picked));
                }
                Gets::Share => {
                    burst.share_into(which, &mut outs[from..end], self.snap, &mut cx.cache);
                }
                Gets::Copy => {
                    for out in &mut outs[from..end] {
                        burst.copy_into(which, out, self.snap, &mut cx.cache);
                    }
                }
            }
            from = end;
        }
        let wanted = which.count_ones() as usize;
        for (out, outlet) in outs.iter().zip(outlets) {
            if out.len() < wanted && gets(outlet) != Gets::Sight {
                let missing = (wanted - out.len()) as u64;
                outlet.counters.drop_of(DropReason::NoMbuf, missing);
            }
        }
    }
}

/// What a destination of copies is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gets {
    /// A look at the originals.
    Sight,
    /// Packets that share their data with the originals.
    Share,
    /// Copies.
    Copy,
}

/// The bits of all its packets, of which there are some.
#[inline(always)]
fn all_of(burst: &Burst) -> u64 {
    u64::MAX >> (BURST - burst.len().clamp(1, BURST))
}

/// Whether packets go there as they are; else one that shares its data would have to be copied on the way, which for an
/// original may fail.
fn takes_shared(outlet: &Outlet) -> bool {
    outlet.stages.is_empty() && outlet.dst.takes_shared()
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
        let all = all_of(burst);
        let which = self.filter.as_ref().map_or(all, |f| f.select(burst));
        if which != 0 && !burst.is_empty() {
            self.copy(cx, burst, outs, which);
        }
        main.append(burst);
    }
}
