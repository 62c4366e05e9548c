//! The classifier: sends packets where the entries of its ports say, by VLAN and destination address.
//!
//! There is a table for each VLAN ID and one for packets without an IEEE 802.1Q tag. Of a packet's table:
//! 1. the entry of the address says where it goes;
//! 2. else, to a group, each port with an entry in the table gets one, as does the default of untagged packets if it is tagged;
//! 3. else the default does, or, for a tagged packet, that of untagged packets;
//! 4. else it is dropped: as [`Filtered`](DropReason::Filtered) if nothing is said of its VLAN at all, as
//!    [`Unknown`](DropReason::Unknown) otherwise. A header that is not whole is filtered, too.
//!
//! Entries belong to ports ([`entries`]), to which they are given by an operator ([`rules`]) or by what is seen ([`learn`]); what a component looks up is made of those of its ports ([`desk`], [`lookup`]).

mod desk;
mod entries;
mod key;
mod learn;
mod lookup;
mod rules;

use dpdk::{BURST, Burst};

use crate::area::{DropReason, PatchBlock};
use crate::line::Element;
use crate::port::Context;

pub(crate) use entries::Entries;
pub use key::Rule;
pub use lookup::MOST;
pub(crate) use lookup::OUTLETS;
pub use rules::{EntryError, EntryView};

use key::{HEADER, Key, UNTAGGED};
use lookup::{Lookup, Outlets, Place, Shared};

/// Where a packet goes that belongs to a group.
const GROUP: u8 = 254;
/// Where a packet goes that nobody gets.
const NOWHERE: u8 = dpdk::KEEP;
const _: () = assert!(OUTLETS < GROUP as usize);

/// A classifier as a function of a component: the board makes its table out of the entries of its ports.
#[derive(Clone, Default)]
pub struct Classifier {
    table: Shared,
    /// Whether an entry belongs to its ports.
    runs: bool,
}

impl Classifier {
    /// One that has no entry yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it has an entry to go by.
    pub(crate) fn runs(&self) -> bool {
        self.runs
    }
}

/// The beginning of the header of packet `i`, as [`Key`] reads it; `None` if that is not whole.
#[inline(always)]
fn header(burst: &Burst, i: usize) -> Option<[u8; 16]> {
    let head = burst.packet(i).unwrap_or_default();
    match head.first_chunk::<16>() {
        Some(first) if head.len() >= HEADER => Some(*first),
        _ => short_header(burst, i),
    }
}

/// The same if the first segment does not hold a header with a tag.
#[cold]
#[inline(never)]
fn short_header(burst: &Burst, i: usize) -> Option<[u8; 16]> {
    let mut head = [0; HEADER];
    let whole = burst.copy_packet(i, &mut head).unwrap_or(0);
    Key::whole_header(&head[..whole.min(HEADER)])
}

/// Packets of a burst that nobody gets.
#[derive(Default)]
struct Dropped {
    filtered: u64,
    unknown: u64,
}

impl Lookup {
    /// Where a packet goes that has no entry of its own.
    #[inline(never)]
    fn without_entry(&self, key: Key, dropped: &mut Dropped) -> u8 {
        if key == Key::NONE {
            dropped.filtered += 1;
            return NOWHERE;
        }
        if key.is_group() {
            return GROUP;
        }
        if let Some(outlet) = self.hit(Key::default_of(key.vlan())) {
            return outlet;
        }
        if key.is_tagged()
            && let Some(outlet) = self.hit(Key::default_of(UNTAGGED))
        {
            return outlet;
        }
        match self.members(key.vlan()) == Outlets::default() {
            true => dropped.filtered += 1,
            false => dropped.unknown += 1,
        }
        NOWHERE
    }

    /// Deals out a burst with packets to groups, run by run.
    #[cold]
    #[inline(never)]
    fn deal_runs(
        &self,
        cx: &mut Context,
        burst: &mut Burst,
        to: &[u8],
        outs: &mut [Burst],
        counters: &PatchBlock,
    ) {
        let mut from = 0;
        while from < to.len() {
            // Packets that were dealt out are no longer in the burst.
            let key = |i: usize| header(burst, i - from).map(|head| Key::of_header(&head));
            let first = key(from).filter(|_| to[from] == GROUP);
            let same = |i: &usize| match first {
                Some(first) => to[*i] == GROUP && key(*i).is_some_and(|k| k.vlan() == first.vlan()),
                None => to[*i] != GROUP,
            };
            let n = (from..to.len()).take_while(same).count().max(1);
            if let Some(first) = first {
                self.replicate(cx, burst, n, first, outs, counters);
            } else {
                burst.deal(&to[from..from + n], outs);
                let nowhere = to[from..from + n].iter().filter(|t| **t == NOWHERE);
                burst.clear_front(nowhere.count(), &mut cx.cache);
            }
            from += n;
        }
    }

    /// Gives the first `n` packets of the burst, which have this table, to every port of the group.
    fn replicate(
        &self,
        cx: &mut Context,
        burst: &mut Burst,
        n: usize,
        key: Key,
        outs: &mut [Burst],
        counters: &PatchBlock,
    ) {
        let mut ports = [0; OUTLETS];
        let mut count = 0;
        for (word, mut bits) in self.group(key).into_iter().enumerate() {
            while bits != 0 {
                ports[count] = word * 64 + bits.trailing_zeros() as usize;
                (count, bits) = (count + 1, bits & (bits - 1));
            }
        }
        let Some(last) = count.checked_sub(1) else {
            counters.drop_of(DropReason::Filtered, n as u64);
            burst.clear_front(n, &mut cx.cache);
            return;
        };
        // Those of the group go to the front, so that they can share the packets, and back again.
        let places = || ports[..count].iter().enumerate();
        places().for_each(|(i, port)| outs.swap(i, *port));
        let waiting = |outs: &[Burst]| outs[..last].iter().map(Burst::len).sum::<usize>();
        let before = waiting(outs);
        cx.cache.balance();
        let which = u64::MAX >> (BURST - n);
        burst.share_into(which, &mut outs[..last], None, &mut cx.cache);
        let missing = last * n - (waiting(outs) - before);
        counters.drop_of(DropReason::NoMbuf, missing as u64);
        burst.deal(&[last as u8; BURST][..n], outs);
        places().rev().for_each(|(i, port)| outs.swap(i, *port));
    }
}

impl Element for Classifier {
    fn split(
        &self,
        cx: &mut Context,
        burst: &mut Burst,
        outs: &mut [Burst],
        counters: &PatchBlock,
    ) {
        let n = burst.len();
        if n == 0 {
            return;
        }
        let table = self.table.load();
        let mut to = [NOWHERE; BURST];
        let mut dropped = Dropped::default();
        let mut groups = false;
        burst.prefetch_heads();
        // Packets to one address often come in a row: they are looked up and counted once. No packet has this key.
        let mut last = Key::default_of(0);
        let (mut place, mut row, mut outlet) = (None::<&Place>, 0, NOWHERE);
        for (i, to) in to.iter_mut().enumerate().take(n) {
            let key = header(burst, i).map_or(Key::NONE, |head| Key::of_header(&head));
            if key == last {
                row += 1;
                *to = outlet;
                continue;
            }
            if let Some(found) = table.place(key) {
                if let Some(before) = place.replace(found) {
                    before.count(row);
                }
                (last, row, outlet) = (key, 1, found.outlet());
                *to = outlet;
            } else {
                *to = table.without_entry(key, &mut dropped);
                groups |= *to == GROUP;
            }
        }
        if let Some(place) = place {
            place.count(row);
        }
        let to = &to[..n];
        if groups {
            table.deal_runs(cx, burst, to, outs, counters);
        } else if let Some(out) = outs.get_mut(usize::from(to[0]))
            && to.iter().all(|t| *t == to[0])
        {
            out.append(burst);
        } else {
            burst.deal(to, outs);
        }
        if dropped.filtered + dropped.unknown > 0 {
            counters.drop_of(DropReason::Filtered, dropped.filtered);
            counters.drop_of(DropReason::Unknown, dropped.unknown);
        }
        burst.clear(&mut cx.cache);
    }
}
