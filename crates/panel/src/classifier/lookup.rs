//! The table that a worker looks addresses up in, and how it is changed while it does.
//!
//! There are two copies, of which the worker uses one for a burst at a time. A change is made to the other, which
//! then takes its place; the first gets the same change once the worker has let go of it. So neither is ever
//! seen half changed, nobody waits for the control thread, and what a change costs does not depend on the size of the table.
//! The worker counts hits in the copy that it uses; what is shown is the sum.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
// With seeds of its own for each table: guests cannot choose addresses that lie in one place.
use foldhash::fast::RandomState;

use super::key::{Key, UNTAGGED};

/// Most entries, over all VLANs.
pub const MOST: usize = 65_536;
/// Most outlets of a table.
pub(crate) const OUTLETS: usize = 252;
/// Bits of the outlet below the hits.
const OUTLET_BITS: u32 = 8;
/// How long a worker may be at one burst: far longer than it takes, even on a shared CPU.
const SETTLE: Duration = Duration::from_secs(1);

/// Outlets as bits.
pub(super) type Outlets = [u64; OUTLETS.div_ceil(64)];

/// The outlet in the lowest bits, the hits above.
struct Place(AtomicU64);

impl Place {
    fn new(outlet: u8) -> Self {
        Place(AtomicU64::new(u64::from(outlet)))
    }

    #[inline(always)]
    fn outlet(&self) -> u8 {
        self.0.load(Relaxed) as u8
    }

    /// Counts `n` packets. Only the worker calls this.
    #[inline(always)]
    fn count(&self, n: u64) {
        let now = self.0.load(Relaxed);
        self.0.store(now.wrapping_add(n << OUTLET_BITS), Relaxed);
    }

    fn hits(&self) -> u64 {
        self.0.load(Relaxed) >> OUTLET_BITS
    }
}

/// A change of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// A key goes to an outlet, wherever it went before.
    Put(Key, u8),
    /// A key goes nowhere.
    Remove(Key),
    /// An outlet has entries in a VLAN.
    Join(u16, u8),
    /// An outlet has no entry in a VLAN any more.
    Leave(u16, u8),
}

/// The hits of an entry that a table no longer has: key, outlet, hits.
pub(super) type Past = (Key, u8, u64);

/// One copy of a table.
#[derive(Default)]
pub(super) struct Lookup {
    places: HashMap<Key, Place, RandomState>,
    members: HashMap<u16, Outlets, RandomState>,
}

impl Lookup {
    /// Says where packets with these keys go that have entries, and counts them; gives the others as bits. Only the worker
    /// calls this and the next.
    #[inline(never)]
    pub(super) fn look_up(&self, keys: &[Key], to: &mut [u8]) -> u64 {
        let mut missed = 0;
        // Packets to one address often come in a row: they are looked up and counted once. No packet has this key.
        let mut last = Key::default_of(0);
        let (mut place, mut row, mut outlet) = (None::<&Place>, 0, 0);
        for (i, (key, to)) in keys.iter().zip(to).enumerate() {
            if *key != last {
                let Some(found) = self.places.get(key) else {
                    missed |= 1 << i;
                    continue;
                };
                if let Some(before) = place.replace(found) {
                    before.count(row);
                }
                (last, row, outlet) = (*key, 0, found.outlet());
            }
            row += 1;
            *to = outlet;
        }
        if let Some(place) = place {
            place.count(row);
        }
        missed
    }

    /// Counts a packet of this key and says where it goes, if there is an entry.
    pub(super) fn hit(&self, key: Key) -> Option<u8> {
        let place = self.places.get(&key)?;
        place.count(1);
        Some(place.outlet())
    }

    /// Outlets with entries in a VLAN.
    pub(super) fn members(&self, vlan: u16) -> Outlets {
        self.members.get(&vlan).copied().unwrap_or_default()
    }

    /// Outlets that get a packet of this key to a group.
    pub(super) fn group(&self, key: Key) -> Outlets {
        let mut all = self.members(key.vlan());
        if key.is_tagged()
            && let Some(default) = self.places.get(&Key::default_of(UNTAGGED))
        {
            let outlet = default.outlet();
            all[usize::from(outlet / 64)] |= 1 << (outlet % 64);
        }
        all
    }

    /// Makes a change; what is overwritten by it is handed to `past`.
    fn apply(&mut self, change: Change, past: &mut Vec<Past>) {
        let (old, key) = match change {
            Change::Put(key, outlet) => (self.places.insert(key, Place::new(outlet)), key),
            Change::Remove(key) => (self.places.remove(&key), key),
            Change::Join(vlan, outlet) => {
                let outlets = self.members.entry(vlan).or_default();
                outlets[usize::from(outlet / 64)] |= 1 << (outlet % 64);
                return;
            }
            Change::Leave(vlan, outlet) => {
                if let Some(outlets) = self.members.get_mut(&vlan) {
                    outlets[usize::from(outlet / 64)] &= !(1 << (outlet % 64));
                    if *outlets == Outlets::default() {
                        self.members.remove(&vlan);
                    }
                }
                return;
            }
        };
        past.extend(old.map(|place| (key, place.outlet(), place.hits())));
    }

    fn hits(&self, key: Key, outlet: u8) -> u64 {
        let place = self.places.get(&key).filter(|p| p.outlet() == outlet);
        place.map_or(0, Place::hits)
    }

    fn all(&self) -> impl Iterator<Item = Past> {
        let past = |(key, place): (&Key, &Place)| (*key, place.outlet(), place.hits());
        self.places.iter().map(past)
    }
}

/// What the worker uses of a table.
pub(super) type Shared = Arc<ArcSwap<Lookup>>;

/// The two copies of a table, as the control thread has them.
pub(super) struct Copies {
    shared: Shared,
    /// The copy that the worker does not use, or not much longer.
    other: Arc<Lookup>,
    /// What the other copy lacks.
    lacks: Vec<Change>,
}

impl Copies {
    /// A table of these changes of an empty one.
    pub(super) fn new(changes: Vec<Change>) -> Self {
        let mut first = Lookup::default();
        for change in &changes {
            first.apply(*change, &mut Vec::new());
        }
        Copies {
            shared: Arc::new(ArcSwap::new(Arc::new(first))),
            other: Arc::default(),
            lacks: changes,
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Waits until the worker has let go of the other copy and brings that up to date; false if it does not let go in
    /// time.
    pub(super) fn settle(&mut self, past: &mut Vec<Past>) -> bool {
        let limit = Instant::now() + SETTLE;
        let mut rounds = 0u32;
        loop {
            if let Some(other) = Arc::get_mut(&mut self.other) {
                self.lacks.drain(..).for_each(|c| other.apply(c, past));
                return true;
            }
            rounds += 1;
            // A worker on a CPU of its own needs microseconds for a burst.
            if rounds < 2000 {
                std::hint::spin_loop();
            } else if Instant::now() > limit {
                return false;
            } else {
                std::thread::sleep(Duration::from_micros(20));
            }
        }
    }

    /// Makes changes, all of which the worker sees at once; false if it is stuck in a burst: then nothing is changed.
    pub(super) fn change(&mut self, changes: Vec<Change>, past: &mut Vec<Past>) -> bool {
        if changes.is_empty() {
            return true;
        }
        if !self.settle(past) {
            return false;
        }
        let Some(other) = Arc::get_mut(&mut self.other) else {
            return false;
        };
        changes.iter().for_each(|c| other.apply(*c, past));
        let newest = std::mem::take(&mut self.other);
        self.other = self.shared.swap(newest);
        self.lacks = changes;
        // In force, whether it is done with its burst in time or not.
        self.settle(past);
        true
    }

    /// Packets that went by this entry.
    pub(super) fn hits(&self, key: Key, outlet: u8) -> u64 {
        self.shared.load().hits(key, outlet) + self.other.hits(key, outlet)
    }

    /// All hits of a table that no worker uses any more.
    pub(super) fn past(&self) -> Vec<Past> {
        self.shared.load().all().chain(self.other.all()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Rule;
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn key(n: u64) -> Key {
        let [_, _, mac @ ..] = n.to_be_bytes();
        Rule::new(None, Some(mac)).unwrap().into()
    }

    #[test]
    fn a_table_finds_what_was_put_in_and_counts_it() {
        let put = |n| Change::Put(key(n as u64), (n % OUTLETS) as u8);
        let mut copies = Copies::new((0..MOST).map(put).collect());
        let (odd, even): (Vec<usize>, _) = (0..MOST).partition(|n| n % 2 == 1);
        let look = |copies: &Copies, numbers: &[usize]| {
            let table = copies.shared().load();
            for n in numbers {
                assert_eq!(table.hit(key(*n as u64)), Some((n % OUTLETS) as u8));
            }
            assert_eq!(table.hit(key(MOST as u64)), None);
        };
        look(&copies, &odd);
        look(&copies, &even);
        let mut past = Vec::new();
        let gone = even.iter().map(|n| Change::Remove(key(*n as u64)));
        assert!(copies.change(gone.collect(), &mut past));
        look(&copies, &odd);
        for n in &odd {
            assert_eq!(copies.hits(key(*n as u64), (n % OUTLETS) as u8), 2);
        }
        let table = copies.shared().load();
        assert!(even.iter().all(|n| table.hit(key(*n as u64)).is_none()));
        // Each copy gave back what was counted in it.
        assert_eq!(past.len(), 2 * even.len());
        assert_eq!(
            past.iter().map(|(.., hits)| hits).sum::<u64>(),
            even.len() as u64
        );
    }

    #[test]
    fn what_changes_together_is_seen_together_and_no_hit_is_lost() {
        let mut copies = Copies::new(vec![Change::Put(key(1), 0), Change::Put(key(2), 0)]);
        let (shared, end) = (copies.shared().clone(), Arc::new(AtomicBool::new(false)));
        let ended = end.clone();
        let reader = std::thread::spawn(move || {
            let (mut looks, mut newest) = (0u64, 0);
            while !ended.load(Relaxed) {
                let table = shared.load();
                let (one, two) = (table.hit(key(1)).unwrap(), table.hit(key(2)).unwrap());
                assert_eq!(one, two);
                assert!(one >= newest, "{one} after {newest}");
                (looks, newest) = (looks + 1, one);
            }
            looks
        });
        let mut past = Vec::new();
        for outlet in 1..OUTLETS as u8 {
            let changes = [1, 2].map(|n| Change::Put(key(n), outlet));
            assert!(copies.change(changes.into(), &mut past));
            for n in 0..20 {
                assert!(copies.change(vec![Change::Put(key(100 + n), 0)], &mut past));
            }
        }
        end.store(true, Relaxed);
        let looks = reader.join().unwrap();
        past.extend(copies.past());
        let hits = |n| {
            past.iter()
                .filter(|(k, ..)| *k == key(n))
                .map(|(.., h)| h)
                .sum::<u64>()
        };
        assert_eq!((hits(1), hits(2)), (looks, looks));
    }

    #[test]
    fn a_worker_that_is_stuck_in_a_burst_is_not_disturbed() {
        let mut copies = Copies::new(vec![Change::Put(key(1), 1)]);
        let mut past = Vec::new();
        let shared = copies.shared().clone();
        let burst = shared.load();
        // The first is made in the copy that it does not hold, the second cannot be.
        assert!(copies.change(vec![Change::Put(key(1), 2)], &mut past));
        assert!(!copies.change(vec![Change::Put(key(1), 3)], &mut past));
        assert_eq!(burst.hit(key(1)), Some(1));
        assert_eq!(shared.load().hit(key(1)), Some(2));
        drop(burst);
        assert!(copies.change(vec![Change::Put(key(1), 3)], &mut past));
        assert_eq!(shared.load().hit(key(1)), Some(3));
        let counted = past.iter().map(|(_, outlet, hits)| (*outlet, *hits));
        assert_eq!(
            counted.filter(|(_, h)| *h > 0).collect::<Vec<_>>(),
            [(1, 1), (2, 1)]
        );
    }
}
