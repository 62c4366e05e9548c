//! Recovering what a worker held when it died.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

use dpdk_sys as ffi;

use crate::mbuf::Mbuf;
use crate::orphans::Orphans;
use crate::pool::{Owner, Pool};
use crate::search::pointed_at;
use crate::{Lcore, Ring};

/// More segments than any packet has: 64 kB are 32.
const LONGEST: usize = 256;

/// Where drivers may keep mbufs that carry a dead worker's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nowhere: it used none that keeps any.
    Nowhere,
    /// In receive queues that only the dead worker has used, whose driver has their addresses in the panel's memory
    /// ([`Keeps::ToReceive`](crate::ethdev::Keeps::ToReceive)).
    InQueues,
    /// In queues of which we know nothing.
    Anywhere,
}

/// What [`recover`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// mbufs that went back to the pool.
    pub mbufs: u32,
    /// mbufs of the dead worker that a driver may still hold, so that they were left alone. Those that were found in its
    /// queue do not count: the queue goes on with them.
    pub left: u32,
}

/// Gives back to the pool what the dead lcore `dead` owned, so that its id can be used again.
///
/// Run by the primary's housekeeping thread, after the ring ends of the dead worker were mended. The other workers
/// go on meanwhile: an mbuf is taken back only if it carries the dead owner's tag, lies in no ring and
/// no magazine, and still carries the tag after these were looked at (whoever takes an mbuf
/// over tags it before its former place gives it up).
///
/// `kept` says what is known of drivers that keep mbufs in their queues under the worker's tag. Those in a queue that can be
/// found ([`Kept::InQueues`]) stay there: nobody uses that queue meanwhile, so it is as its dead user left it. Otherwise they
/// cannot be told apart from those in the worker's cache, and all are left alone and counted, but for clones, which no driver gets.
///
/// The carriers of the dead worker's clones are noted in `orphans`, and come back with them or later ([`Orphans::sweep`]).
pub fn recover(
    pool: &Pool,
    rings: &[Ring],
    dead: u32,
    kept: Kept,
    orphans: &mut Orphans,
    lcore: &Lcore,
) -> Recovered {
    let tag = Owner::lcore(dead).tag();
    pool.depot.mend(dead);
    pool.forget_cache(dead);

    // With each mbuf the one whose tag says that it is the dead one's.
    let mut held: HashMap<Mbuf, Mbuf> = HashMap::new();
    walk(pool, |m| {
        if m.tag().load(Ordering::Acquire) == tag {
            held.insert(m, m);
        }
    });
    if held.is_empty() {
        return Recovered::default();
    }
    // On the way to a foreign process the segments of a chain lose their tag before their head does.
    let heads: Vec<Mbuf> = held.keys().copied().filter(|m| m.nb_segs() > 1).collect();
    for head in heads {
        chain(head, |m| {
            if m.tag().load(Ordering::Acquire) == 0 {
                held.entry(m).or_insert(head);
            }
        });
    }
    pool.depot.for_each(|m| {
        held.remove(&m);
    });
    for ring in rings {
        ring.for_each(|head| {
            // Whatever its mbufs are tagged with: its consumer, or its dead one, may have tagged a part of
            // the chain only, and all of it is in the ring until that is finished.
            chain(head, |m| {
                held.remove(&m);
            });
        });
    }
    let mut ours: Vec<Mbuf> = held
        .into_iter()
        .filter(|(_, head)| head.tag().load(Ordering::Acquire) == tag)
        .map(|(m, _)| m)
        .collect();
    let mut left = 0;
    if kept != Kept::Nowhere {
        let queued = (kept == Kept::InQueues).then(|| pointed_at(pool, rings));
        ours.retain(|m| {
            let stays = !m.is_clone() && queued.as_ref().is_none_or(|queued| queued.contains(m));
            if stays {
                left += u32::from(queued.is_none());
                // From now on they are the driver's: the next worker with this id has no claim to them.
                let _ = m
                    .tag()
                    .compare_exchange(tag, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
            !stays
        });
    }
    orphans.suspect(pool, ours.iter().filter(|m| m.is_clone()).copied());
    let mut mbufs = renew(pool, ours, lcore, &mut left);
    mbufs += orphans.look(pool, lcore);
    Recovered { mbufs, left }
}

/// Makes mbufs fit for use and puts them into the depot. Returns how many; `left` counts those for which there is no room.
pub(crate) fn renew(pool: &Pool, mut mbufs: Vec<Mbuf>, lcore: &Lcore, left: &mut u32) -> u32 {
    let all = mbufs.len() as u32;
    for m in &mbufs {
        // SAFETY: nobody else holds it, as the caller has found.
        unsafe { ffi::spp_mbuf_renew(m.0) };
    }
    pool.depot.store(&mut mbufs, lcore.id());
    *left += mbufs.len() as u32;
    all - mbufs.len() as u32
}

/// Where the mbufs of a pool are while no worker runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// mbufs that are in no magazine and in no ring: in a device's queues, with a foreign process, or lost.
    pub missing: u32,
    /// mbufs that are in more than one place: must be 0, whoever runs.
    pub twice: u32,
    /// The missing ones by the lcore id of their last owner; `None`: nobody of ours.
    pub owners: BTreeMap<Option<u32>, u32>,
}

/// Looks for every mbuf of the pool in its depot and in `rings`. Run by the primary's housekeeping thread, which
/// keeps no mbufs itself. While workers run, what they hold or move meanwhile is missing or seen twice.
pub fn audit(pool: &Pool, rings: &[Ring]) -> Audit {
    let mut places: HashMap<Mbuf, u8> = HashMap::with_capacity(pool.size() as usize);
    walk(pool, |m| {
        places.insert(m, 0);
    });
    let mut found = |m: Mbuf| {
        // A ring may hold mbufs of other pools.
        if let Some(count) = places.get_mut(&m) {
            *count = count.saturating_add(1);
        }
    };
    pool.depot.for_each(&mut found);
    let mut carriers: HashSet<Mbuf> = HashSet::new();
    for ring in rings {
        ring.for_each(|head| {
            chain(head, |m| {
                found(m);
                if m.is_clone() {
                    carriers.insert(m.carrier());
                }
            });
        });
    }
    // They lie where their clones are, once.
    carriers.into_iter().for_each(found);
    let mut audit = Audit::default();
    for (m, count) in places {
        match count {
            0 => {
                audit.missing += 1;
                let owner = Owner::of_tag(m.tag().load(Ordering::Relaxed));
                *audit.owners.entry(owner).or_default() += 1;
            }
            1 => {}
            _ => audit.twice += 1,
        }
    }
    audit
}

/// Calls `each` for the mbufs of a packet. One that is being freed meanwhile may lead astray, to other mbufs, but
/// never for ever.
fn chain(head: Mbuf, mut each: impl FnMut(Mbuf)) {
    head.segments().take(LONGEST).for_each(&mut each);
}

/// Calls `each` for all mbufs of the pool.
pub(crate) fn walk<F: FnMut(Mbuf)>(pool: &Pool, mut each: F) {
    unsafe extern "C" fn one<F: FnMut(Mbuf)>(
        arg: *mut std::ffi::c_void,
        obj: *mut std::ffi::c_void,
        _index: u32,
    ) {
        // SAFETY: `arg` is the closure below, borrowed for the walk.
        unsafe { (*arg.cast::<F>())(Mbuf(obj.cast())) }
    }
    // SAFETY: the callback fits its argument; objects of an mbuf pool are mbufs.
    unsafe {
        ffi::spp_mempool_walk(
            pool.raw,
            Some(one::<F>),
            std::ptr::from_mut(&mut each).cast(),
        )
    }
}
