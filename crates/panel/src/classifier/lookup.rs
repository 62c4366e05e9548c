//! The table that a worker looks addresses up in, changed by the control thread while it does.
//!
//! Open addressing with single-writer slots. A slot goes one way: empty, live, dead. What it says of its key
//! is written before the key and never again, so whoever finds the key reads what belongs to it, and a
//! key that moves to another port gets a new slot behind the old one before that one dies: it is found at every
//! moment. Dead slots are only cleared away by making a new table, which is published as all others. The worker
//! counts hits in the slot that it has at hand anyway.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::key::Key;

/// Most entries, over all VLANs.
pub const MOST: usize = 65_536;
/// Most outlets of a table.
pub(crate) const OUTLETS: usize = 252;
/// Slots in a cache line.
const IN_LINE: usize = 4;
/// Fewest slots of a table.
const FEWEST: usize = 64;
/// Entries up to which a table is so small that it is worth being emptier.
const FEW: usize = 2048;
/// Most slots in a row that a key is looked for in.
const FURTHEST: usize = 64;
/// Key of a dead slot: no packet has it.
const DEAD: u64 = 1;
/// Bits of the outlet below the hits.
const OUTLET_BITS: u32 = 8;
/// VLANs, with the one of untagged packets.
const VLANS: usize = 4096;

/// Key, and outlet and hits of it.
struct Slot {
    /// A [`Key`], [`DEAD`], or 0 for an empty slot. Written by the control thread.
    key: AtomicU64,
    /// The outlet in the lowest bits, the hits above. Written by the control thread before the key, by the worker afterwards.
    value: AtomicU64,
}

#[repr(align(64))]
struct Line([Slot; IN_LINE]);

/// Outlets as bits.
pub(super) type Outlets = [u64; OUTLETS.div_ceil(64)];

/// The table.
pub(super) struct Lookup {
    lines: Box<[Line]>,
    seeds: (u64, u64),
    /// Slots that are live or dead. Written by the control thread.
    used: AtomicU64,
    /// Outlets that have an entry in a VLAN.
    members: Box<[[AtomicU64; OUTLETS.div_ceil(64)]]>,
    empty: bool,
}

/// A table has no room for one more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Lookup {
    /// An empty table with room for `entries` and some more.
    pub(super) fn with_room(entries: usize) -> Self {
        let emptier = if entries <= FEW { 4 } else { 2 };
        let slots = (entries * emptier).next_power_of_two().max(FEWEST);
        let slot = || Slot {
            key: AtomicU64::new(0),
            value: AtomicU64::new(0),
        };
        // Seeds nobody can guess: guests must not be able to choose addresses that lie in one place.
        let random = RandomState::new();
        Lookup {
            lines: (0..slots / IN_LINE)
                .map(|_| Line(std::array::from_fn(|_| slot())))
                .collect(),
            seeds: (random.hash_one(1), random.hash_one(2) | 1),
            used: AtomicU64::new(0),
            members: (0..VLANS).map(|_| Default::default()).collect(),
            empty: entries == 0,
        }
    }

    /// Whether it was made for no entry at all.
    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Slots.
    #[inline(always)]
    fn slots(&self) -> usize {
        self.lines.len() * IN_LINE
    }

    #[inline(always)]
    fn slot(&self, at: usize) -> &Slot {
        // A power of two: the compiler sees that this is inside.
        let line = &self.lines[(at / IN_LINE) & (self.lines.len() - 1)];
        &line.0[at % IN_LINE]
    }

    /// The slot in which to begin to look for a key.
    #[inline(always)]
    pub(super) fn home(&self, key: Key) -> usize {
        let product = u128::from(key.raw() ^ self.seeds.0) * u128::from(self.seeds.1);
        ((product >> 64) as usize ^ product as usize) & (self.slots() - 1)
    }

    /// Reads a slot, so that the next look at it finds it in the CPU's cache.
    #[inline(always)]
    pub(super) fn touch(&self, at: usize) -> u64 {
        self.slot(at).key.load(Relaxed)
    }

    /// The slot of a key, looked for from its home on.
    #[inline(always)]
    pub(super) fn find(&self, key: Key, home: usize) -> Option<usize> {
        let mut at = home;
        loop {
            match self.slot(at).key.load(Acquire) {
                there if there == key.raw() => return Some(at),
                0 => return None,
                _ => at = (at + 1) & (self.slots() - 1),
            }
        }
    }

    /// Counts a packet in a slot that was found and says where it goes. Only the worker calls this.
    #[inline(always)]
    pub(super) fn hit(&self, at: usize) -> u8 {
        let value = &self.slot(at).value;
        let now = value.load(Relaxed);
        value.store(now.wrapping_add(1 << OUTLET_BITS), Relaxed);
        now as u8
    }

    /// Where a slot that was found sends packets.
    #[inline]
    pub(super) fn outlet(&self, at: usize) -> u8 {
        self.slot(at).value.load(Relaxed) as u8
    }

    /// Packets that were counted in a slot.
    pub(super) fn hits(&self, at: usize) -> u64 {
        self.slot(at).value.load(Relaxed) >> OUTLET_BITS
    }

    /// Makes a key live with this outlet; gives its slot. If the key is live already the new slot is found only
    /// once the other is dead. Only the control thread calls this and what follows.
    pub(super) fn insert(&self, key: Key, outlet: u8) -> Result<usize, Crowded> {
        let used = self.used.load(Relaxed);
        if used as usize >= self.slots() / 8 * 5 {
            return Err(Crowded);
        }
        let home = self.home(key);
        let row = (home..home + FURTHEST).map(|at| at & (self.slots() - 1));
        let mut empty = row.filter(|at| self.slot(*at).key.load(Relaxed) == 0);
        let at = empty.next().ok_or(Crowded)?;
        let slot = self.slot(at);
        slot.value.store(u64::from(outlet), Relaxed);
        slot.key.store(key.raw(), Release);
        self.used.store(used + 1, Relaxed);
        Ok(at)
    }

    /// Makes a slot dead.
    pub(super) fn kill(&self, at: usize) {
        self.slot(at).key.store(DEAD, Release);
    }

    /// Says whether an outlet has entries in a VLAN.
    pub(super) fn set_member(&self, vlan: u16, outlet: u8, is: bool) {
        let word = &self.members[usize::from(vlan)][usize::from(outlet / 64)];
        let bit = 1 << (outlet % 64);
        let now = word.load(Relaxed);
        word.store(if is { now | bit } else { now & !bit }, Relaxed);
    }

    /// Outlets with entries in a VLAN.
    #[inline]
    pub(super) fn members(&self, vlan: u16) -> Outlets {
        let words = &self.members[usize::from(vlan) & (VLANS - 1)];
        std::array::from_fn(|i| words[i].load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Rule;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn key(n: u64) -> Key {
        let [_, _, a, b, c, d, e, f] = n.to_be_bytes();
        Rule::new(None, Some([a, b, c, d, e, f])).unwrap().into()
    }

    fn outlet(table: &Lookup, key: Key) -> Option<u8> {
        table.find(key, table.home(key)).map(|at| table.hit(at))
    }

    #[test]
    fn everything_that_was_put_in_is_found_and_nothing_else() {
        for n in [0, 1, 128, 5000, MOST] {
            let table = Lookup::with_room(n);
            for i in 0..n {
                table.insert(key(i as u64), (i % OUTLETS) as u8).unwrap();
            }
            for i in 0..n {
                assert_eq!(outlet(&table, key(i as u64)), Some((i % OUTLETS) as u8));
            }
            for i in n..n + 1000 {
                assert_eq!(outlet(&table, key(i as u64)), None);
            }
        }
    }

    #[test]
    fn a_full_table_says_so_and_keeps_what_it_has() {
        let table = Lookup::with_room(1);
        let put = (0..).take_while(|n| table.insert(key(*n), 1).is_ok());
        let n = put.count() as u64;
        assert!(n >= 1 && n < FEWEST as u64);
        (0..n).for_each(|n| assert_eq!(outlet(&table, key(n)), Some(1)));
        assert_eq!(outlet(&table, key(n)), None);
    }

    #[test]
    fn hits_are_counted_beside_the_outlet() {
        let table = Lookup::with_room(1);
        let at = table.insert(key(7), 251).unwrap();
        for n in 0..1000 {
            assert_eq!(table.hits(at), n);
            assert_eq!(table.hit(at), 251);
        }
    }

    #[test]
    fn a_key_that_moves_is_found_all_the_time() {
        let end = Arc::new(AtomicBool::new(false));
        let table = Arc::new(Lookup::with_room(MOST));
        // Others of the row come and go around it.
        let mut last = table.insert(key(0), 0).unwrap();
        let (reader, ended) = (table.clone(), end.clone());
        let reader = std::thread::spawn(move || {
            let (mut looks, mut newest) = (0u64, 0);
            while !ended.load(Relaxed) {
                let outlet = outlet(&reader, key(0)).expect("lost");
                assert!(outlet >= newest, "{outlet} after {newest}");
                (looks, newest) = (looks + 1, outlet);
            }
            looks
        });
        for n in 1..OUTLETS as u64 {
            let next = table.insert(key(0), n as u8).unwrap();
            table.kill(last);
            last = next;
            for other in 0..100 {
                let at = table.insert(key(n << 16 | other), 0).unwrap();
                table.kill(at);
            }
            if n % 60 == 0 {
                // Its slots come to an end: a key does not move so often in one table.
                break;
            }
        }
        end.store(true, Relaxed);
        assert!(reader.join().unwrap() > 0);
        assert_eq!(outlet(&table, key(0)), Some(60));
    }
}
