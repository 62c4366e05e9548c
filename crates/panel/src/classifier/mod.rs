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
use lookup::{Lookup, Outlets, Shared};

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

/// Reads the keys of all packets. Nothing is called in the loop, so that the CPU works on several at once.
#[inline(never)]
fn read_keys(burst: &Burst, keys: &mut [Key; BURST]) {
    let mut short = 0u64;
    for (i, key) in keys.iter_mut().enumerate().take(burst.len()) {
        let head = burst.packet(i).unwrap_or_default();
        match head.first_chunk::<16>() {
            Some(first) if head.len() >= HEADER => *key = Key::of_header(first),
            _ => short |= 1 << i,
        }
    }
    for i in bits(short) {
        keys[i] = short_header(burst, i).map_or(Key::NONE, |head| Key::of_header(&head));
    }
}

/// The numbers of the bits that are set.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let next = (word != 0).then(|| word.trailing_zeros() as usize);
        word &= word.wrapping_sub(1);
        next
    })
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
        keys: &[Key],
        to: &[u8],
        outs: &mut [Burst],
        counters: &PatchBlock,
    ) {
        let mut from = 0;
        while from < to.len() {
            let group = to[from] == GROUP;
            let same = |i: &usize| match group {
                true => to[*i] == GROUP && keys[*i].vlan() == keys[from].vlan(),
                false => to[*i] != GROUP,
            };
            let n = (from..to.len()).take_while(same).count();
            if group {
                self.replicate(cx, burst, n, keys[from], outs, counters);
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
        for (n, word) in self.group(key).into_iter().enumerate() {
            for bit in bits(word) {
                ports[count] = n * 64 + bit;
                count += 1;
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
        let mut keys = [Key::NONE; BURST];
        let mut to = [NOWHERE; BURST];
        let mut dropped = Dropped::default();
        let mut groups = false;
        burst.prefetch_heads();
        read_keys(burst, &mut keys);
        for i in bits(table.look_up(&keys[..n], &mut to[..n])) {
            to[i] = table.without_entry(keys[i], &mut dropped);
            groups |= to[i] == GROUP;
        }
        let to = &to[..n];
        if groups {
            table.deal_runs(cx, burst, &keys[..n], to, outs, counters);
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
