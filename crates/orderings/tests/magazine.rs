//! Magazines of free mbufs that workers take and fill while one dies and the reaper mends what it had claimed.

#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;
use orderings::magazine::{
    EMPTY, FULL, TAKING, claim, filling, held, holding, kept, mend, release,
};

const ROOM: usize = 2;
const FILLER: u32 = 5;
const TAKER: u32 = 6;

struct Magazine {
    state: AtomicU32,
    objs: [AtomicU32; ROOM],
}

impl Magazine {
    fn new(state: u32, objs: [u32; ROOM]) -> Arc<Self> {
        Arc::new(Magazine {
            state: AtomicU32::new(state),
            objs: objs.map(AtomicU32::new),
        })
    }

    fn put(&self, objs: [u32; ROOM]) -> bool {
        if !claim(&self.state, EMPTY, filling(FILLER, 0)) {
            return false;
        }
        for (to, from) in self.objs.iter().zip(objs) {
            to.store(from, Relaxed);
        }
        release(&self.state, FULL);
        true
    }

    fn take(&self, lcore: u32) -> Option<[u32; ROOM]> {
        claim(&self.state, FULL, TAKING | lcore).then(|| {
            let objs = [0, 1].map(|k: usize| self.objs[k].load(Relaxed));
            release(&self.state, EMPTY);
            objs
        })
    }
}

#[test]
fn who_takes_a_magazine_has_what_was_put_into_it() {
    loom::model(|| {
        let magazine = Magazine::new(EMPTY, [0; ROOM]);
        let fills = magazine.clone();
        let filler = thread::spawn(move || fills.put([11, 12]));
        let taken = magazine.take(TAKER);
        assert!(matches!(taken, None | Some([11, 12])), "{taken:?}");
        assert!(filler.join().unwrap());
        assert!(taken.is_some() || magazine.take(TAKER) == Some([11, 12]));
    });
}

#[test]
fn one_of_two_takes_a_magazine_and_the_other_nothing() {
    loom::model(|| {
        let magazine = Magazine::new(FULL, [11, 12]);
        let other = magazine.clone();
        let there = thread::spawn(move || other.take(FILLER));
        let here = magazine.take(TAKER);
        let there = there.join().unwrap();
        assert!(here.is_some() != there.is_some(), "{here:?} {there:?}");
    });
}

#[test]
fn what_was_taken_and_filled_again_is_not_mixed_up() {
    loom::model(|| {
        let magazine = Magazine::new(FULL, [11, 12]);
        let other = magazine.clone();
        let there = thread::spawn(move || {
            let first = other.take(FILLER);
            let put = first.is_some() && other.put([21, 22]);
            (first, put)
        });
        let here = magazine.take(TAKER);
        let (there, put) = there.join().unwrap();
        let rest = magazine.take(TAKER);
        let mut all: Vec<_> = [here, rest].into_iter().flatten().collect();
        if put {
            all.extend(there);
        }
        all.sort_unstable();
        let wanted: &[[u32; ROOM]] = if put {
            &[[11, 12], [21, 22]]
        } else {
            &[[11, 12]]
        };
        assert_eq!(all, wanted, "{here:?} {there:?} {put} {rest:?}");
    });
}

/// Somebody dies with the claim `claimed` on a magazine that was in state `before`; what the others see after the
/// reaper has mended it is what had been there.
fn mended(before: usize, claimed: impl Fn(usize) -> u32 + Copy + Send + Sync + 'static) {
    loom::model(move || {
        let magazine = Magazine::new(holding(before, ROOM), [11, 12]);
        let dies = magazine.clone();
        let dead = thread::spawn(move || {
            let now = dies.state.load(Relaxed);
            let had = claim(&dies.state, now, claimed(before));
            if had && before < ROOM {
                // Behind what is there.
                dies.objs[before].store(99, Relaxed);
            }
            had
        });
        assert!(dead.join().unwrap());
        // The kernel's word that it is dead orders what it did before what the reaper does.
        let looks = magazine.clone();
        let other = thread::spawn(move || looks.take(TAKER));
        assert_eq!(kept(magazine.state.load(Relaxed), ROOM), before);
        mend(&magazine.state, FILLER, ROOM);
        let taken = other.join().unwrap();
        let now = magazine.state.load(Relaxed);
        if let Some(taken) = taken {
            assert_eq!((before, taken, held(now, ROOM)), (ROOM, [11, 12], Some(0)));
        } else {
            assert_eq!(held(now, ROOM), Some(before));
        }
    });
}

#[test]
fn a_half_taken_magazine_is_full_again() {
    mended(ROOM, |_| TAKING | FILLER);
}

#[test]
fn a_half_filled_magazine_holds_what_it_held_before() {
    for before in 0..ROOM {
        mended(before, |before| filling(FILLER, before));
    }
}

#[test]
fn the_reaper_leaves_the_claims_of_the_living_alone() {
    loom::model(|| {
        let magazine = Magazine::new(FULL, [11, 12]);
        let lives = magazine.clone();
        let other = thread::spawn(move || lives.take(TAKER));
        mend(&magazine.state, FILLER, ROOM);
        assert_eq!(other.join().unwrap(), Some([11, 12]));
        assert_eq!(held(magazine.state.load(Relaxed), ROOM), Some(0));
    });
}
