//! Measures tables for the classifier: a burst of 64 keys is looked up and counted, all of them hits and
//! chosen at random. Prints nanoseconds a key, the median of many short runs, for 1, 128 and 65,536 entries.
//!
//! `cargo run --release -p panel --example classifier_table`; the figures stand in `docs/decisions/classifier-table.md`.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Instant;

use arc_swap::ArcSwap;

const BURST: usize = 64;
/// Bursts in a run.
const BURSTS: usize = 256;
/// Runs of which the median is taken.
const RUNS: usize = 201;
/// Most entries.
const MOST: usize = 65_536;

type Keys = [u64; BURST];
type To = [u8; BURST];

trait Table {
    fn new(entries: &[u64]) -> Self;
    fn route(&self, keys: &Keys, to: &mut To);
}

/// Hits above, the outlet in the lowest eight bits.
struct Counted(AtomicU64);

impl Counted {
    fn new(i: usize) -> Self {
        Counted(AtomicU64::new(i as u64 % 8))
    }

    #[inline(always)]
    fn hit(&self) -> u8 {
        let now = self.0.load(Relaxed);
        self.0.store(now.wrapping_add(1 << 8), Relaxed);
        now as u8
    }
}

/// The standard library's table, which is hashbrown's.
struct Std<S>(HashMap<u64, Counted, S>);

impl<S: BuildHasher + Default> Table for Std<S> {
    fn new(entries: &[u64]) -> Self {
        let counted = |(i, key): (usize, &u64)| (*key, Counted::new(i));
        Std(entries.iter().enumerate().map(counted).collect())
    }

    #[inline(always)]
    fn route(&self, keys: &Keys, to: &mut To) {
        for (to, key) in to.iter_mut().zip(keys) {
            *to = self.0.get(key).map_or(255, Counted::hit);
        }
    }
}

/// The same in a cell that can be given another table at any time.
struct Swapped(ArcSwap<Std<foldhash::fast::RandomState>>);

impl Table for Swapped {
    fn new(entries: &[u64]) -> Self {
        Swapped(ArcSwap::new(Arc::new(Std::new(entries))))
    }

    fn route(&self, keys: &Keys, to: &mut To) {
        self.0.load().route(keys, to);
    }
}

/// Open addressing in slots of a key and a value that can be changed while they are read.
struct Own {
    slots: Box<[(AtomicU64, Counted)]>,
    factor: u64,
    shift: u32,
}

impl Table for Own {
    fn new(entries: &[u64]) -> Self {
        let n = (entries.len() * 2).next_power_of_two().max(64);
        let table = Own {
            slots: (0..n)
                .map(|_| (AtomicU64::new(0), Counted::new(0)))
                .collect(),
            factor: std::hash::RandomState::new().hash_one(n) | 1,
            shift: 64 - n.ilog2(),
        };
        for (i, key) in entries.iter().enumerate() {
            let mut at = table.home(*key);
            while table.slots[at].0.load(Relaxed) != 0 {
                at = (at + 1) & (n - 1);
            }
            table.slots[at].1.0.store(i as u64 % 8, Relaxed);
            table.slots[at].0.store(*key, Release);
        }
        table
    }

    fn route(&self, keys: &Keys, to: &mut To) {
        let homes = keys.map(|key| self.home(key));
        // All at once, so that those that are not in the CPU's cache are waited for together.
        let first = homes.map(|home| self.slots[home].0.load(Acquire));
        for i in 0..BURST {
            let (mut at, mut there) = (homes[i], first[i]);
            to[i] = loop {
                match there {
                    0 => break 255,
                    key if key == keys[i] => break self.slots[at].1.hit(),
                    _ => at = (at + 1) & (self.slots.len() - 1),
                }
                there = self.slots[at].0.load(Acquire);
            };
        }
    }
}

impl Own {
    #[inline(always)]
    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(self.factor) >> self.shift) as usize & (self.slots.len() - 1)
    }
}

/// One of a library that can be changed while it is read.
struct Papaya(papaya::HashMap<u64, Counted, foldhash::fast::RandomState>);

impl Table for Papaya {
    fn new(entries: &[u64]) -> Self {
        let map = papaya::HashMap::default();
        for (i, key) in entries.iter().enumerate() {
            map.pin().insert(*key, Counted::new(i));
        }
        Papaya(map)
    }

    fn route(&self, keys: &Keys, to: &mut To) {
        let map = self.0.pin();
        for (to, key) in to.iter_mut().zip(keys) {
            *to = map.get(key).map_or(255, Counted::hit);
        }
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn measure<T: Table>(name: &str) {
    let mut line = format!("{name:28}");
    for entries in [1, 128, MOST] {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        // As keys are: a VLAN and an address.
        let key = |_| 0x9fff_0000_0000_0000 | (random(&mut state) & 0xfeff_ffff_ffff);
        let keys: Vec<u64> = (0..entries).map(key).collect();
        let table = T::new(&keys);
        let mut sent = vec![[0; BURST]; BURSTS];
        let mut times = Vec::new();
        let mut to = [0; BURST];
        for _ in 0..RUNS {
            for key in sent.iter_mut().flatten() {
                *key = keys[random(&mut state) as usize % entries];
            }
            let start = Instant::now();
            for keys in &sent {
                table.route(black_box(keys), &mut to);
                assert!(black_box(&to)[BURST - 1] < 8);
            }
            times.push(start.elapsed().as_nanos() as f64 / (BURSTS * BURST) as f64);
        }
        times.sort_by(f64::total_cmp);
        line += &format!("{:9.2}", times[RUNS / 2]);
    }
    println!("{line}");
}

fn main() {
    println!("{:28}{:>9}{:>9}{:>9}", "ns a key, entries:", 1, 128, MOST);
    measure::<Std<foldhash::fast::RandomState>>("hashbrown, foldhash");
    measure::<Swapped>("the same in an ArcSwap");
    measure::<Std<rustc_hash::FxBuildHasher>>("hashbrown, rustc-hash");
    measure::<Std<std::hash::RandomState>>("hashbrown, SipHash");
    measure::<Own>("slots of our own");
    measure::<Papaya>("papaya, foldhash");
}
