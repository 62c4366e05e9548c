//! The classifier: sends packets where the entries of its ports say, by VLAN and destination address.
//!
//! There is a table for each VLAN ID and one for packets without an IEEE 802.1Q tag. Of a packet's table:
//! 1. the entry of the address says where it goes;
//! 2. else, to a group, each port with an entry in the table gets one, as does the default of untagged packets if it is tagged;
//! 3. else the default does, or, for a tagged packet, that of untagged packets;
//! 4. else it is dropped: as [`Filtered`](DropReason::Filtered) if nothing is said of its VLAN at all, as
//!    [`Unknown`](DropReason::Unknown) otherwise. A header that is not whole is filtered, too.
//!
//! Entries belong to ports ([`entries`]); what a component looks up is made of those of its ports ([`lookup`]).

mod entries;
mod key;
mod lookup;
mod rules;

use std::sync::Arc;

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
use lookup::{Lookup, Outlets};

/// Where a packet goes that belongs to a group.
const GROUP: u8 = 254;
/// Where a packet goes that nobody gets.
const NOWHERE: u8 = dpdk::KEEP;
const _: () = assert!(OUTLETS < GROUP as usize);

/// A classifier as a function of a component: the board makes its table out of the entries of its ports.
#[derive(Clone)]
pub struct Classifier {
    lookup: Arc<Lookup>,
}

impl Default for Classifier {
    fn default() -> Self {
        Self::new()
    }
}

impl Classifier {
    /// One that has no entry yet.
    pub fn new() -> Self {
        Classifier {
            lookup: Arc::new(Lookup::with_room(0)),
        }
    }

    /// Whether no entry belongs to its ports.
    pub(crate) fn is_empty(&self) -> bool {
        self.lookup.is_empty()
    }

    /// Where the default of a table, or that of untagged packets, sends a packet of this key.
    #[cold]
    #[inline(never)]
    fn default_of(&self, key: Key) -> Option<u8> {
        let look = |vlan| {
            let key = Key::default_of(vlan);
            let found = self.lookup.find(key, self.lookup.home(key));
            found.map(|at| self.lookup.hit(at))
        };
        look(key.vlan()).or_else(|| key.is_tagged().then(|| look(UNTAGGED)).flatten())
    }

    /// Ports that get a packet to a group.
    fn group(&self, key: Key) -> Outlets {
        let mut all = self.lookup.members(key.vlan());
        let default = Key::default_of(UNTAGGED);
        if key.is_tagged()
            && let Some(at) = self.lookup.find(default, self.lookup.home(default))
        {
            let outlet = self.lookup.outlet(at);
            all[usize::from(outlet / 64)] |= 1 << (outlet % 64);
        }
        all
    }

    /// Where a packet goes that has no entry of its own.
    #[inline(never)]
    fn without_entry(&self, key: Key, filtered: &mut u64, unknown: &mut u64) -> u8 {
        if key == Key::NONE {
            *filtered += 1;
            return NOWHERE;
        }
        if key.is_group() {
            return GROUP;
        }
        if let Some(outlet) = self.default_of(key) {
            return outlet;
        }
        let drops = match self.lookup.members(key.vlan()) {
            [0, 0, 0, 0] => filtered,
            _ => unknown,
        };
        *drops += 1;
        NOWHERE
    }

    /// The key of a packet whose first segment does not hold a header with a tag.
    #[cold]
    #[inline(never)]
    fn short(burst: &Burst, i: usize) -> Key {
        let mut head = [0; HEADER];
        let whole = burst.copy_packet(i, &mut head).unwrap_or(0);
        Key::of_short(&head[..whole.min(HEADER)]).unwrap_or(Key::NONE)
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
                let nowhere = to[from..from + n].iter().filter(|t| **t == NOWHERE).count();
                burst.clear_front(nowhere, &mut cx.cache);
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
        let group = self.group(key);
        let bits = |(word, mut bits): (usize, u64)| {
            std::iter::from_fn(move || {
                let next = (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize);
                bits &= bits.wrapping_sub(1);
                next
            })
        };
        let mut ports = group.into_iter().enumerate().flat_map(bits);
        let Some(first) = ports.next() else {
            counters.drop_of(DropReason::Filtered, n as u64);
            burst.clear_front(n, &mut cx.cache);
            return;
        };
        let which = u64::MAX >> (BURST - n);
        for port in ports {
            cx.cache.balance();
            if let Some(out) = outs.get_mut(port) {
                let copied = burst.copy_into(which, out, None, &mut cx.cache);
                counters.drop_of(DropReason::NoMbuf, (n - copied) as u64);
            }
        }
        burst.deal(&[first as u8; BURST][..n], outs);
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
        let table = &*self.lookup;
        let mut keys = [Key::NONE; BURST];
        let mut homes = [0; BURST];
        let mut to = [NOWHERE; BURST];
        let (mut filtered, mut unknown) = (0, 0);
        // All heads and hashes first: what is not in the CPU's cache is fetched for all at once.
        for i in 0..n {
            let head = burst.packet(i).unwrap_or_default();
            let key = match head.first_chunk::<16>() {
                Some(first) if head.len() >= HEADER => Key::of_header(first),
                _ => Self::short(burst, i),
            };
            keys[i] = key;
            homes[i] = table.home(key);
            table.touch(homes[i]);
        }
        let mut groups = false;
        for i in 0..n {
            to[i] = match table.find(keys[i], homes[i]) {
                Some(at) => table.hit(at),
                None => self.without_entry(keys[i], &mut filtered, &mut unknown),
            };
            groups |= to[i] == GROUP;
        }
        if groups {
            self.deal_runs(cx, burst, &keys[..n], &to[..n], outs, counters);
        } else {
            burst.deal(&to[..n], outs);
        }
        if filtered + unknown > 0 {
            counters.drop_of(DropReason::Filtered, filtered);
            counters.drop_of(DropReason::Unknown, unknown);
        }
        burst.clear(&mut cx.cache);
    }
}
