//! Recovering what a worker held when it died.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use dpdk_sys as ffi;

use crate::mbuf::Mbuf;
use crate::pool::{Owner, Pool};
use crate::{Lcore, Ring};

/// What [`recover`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// mbufs that went back to the pool.
    pub mbufs: u32,
    /// mbufs of the dead worker that a driver may still hold, so that they were left alone.
    pub left: u32,
}

/// Gives back to the pool what the dead lcore `dead` owned, so that its id can be used again.
///
/// Run by the primary's housekeeping thread, after the ring ends of the dead worker were mended. The other workers
/// go on meanwhile: an mbuf is taken back only if it carries the dead owner's tag, lies in no ring and
/// no magazine, and still carries the tag after these were looked at (whoever takes an mbuf
/// over tags it before its former place gives it up).
///
/// `driver_held` says that the worker used an Ethernet device whose driver keeps mbufs in its queues under the worker's
/// tag; they cannot be told apart from those in its cache, so all are left alone and counted.
pub fn recover(
    pool: &Pool,
    rings: &[Ring],
    dead: u32,
    driver_held: bool,
    lcore: &Lcore,
) -> Recovered {
    let tag = Owner::lcore(dead).tag();
    pool.depot.mend(dead);
    pool.forget_cache(dead);

    let mut found: Vec<Mbuf> = Vec::new();
    walk(pool, |m| {
        if m.tag().load(Ordering::Acquire) == tag {
            found.push(m);
        }
    });
    if found.is_empty() {
        return Recovered::default();
    }
    let mut elsewhere: HashSet<Mbuf> = HashSet::new();
    pool.depot.for_each(|m| {
        elsewhere.insert(m);
    });
    let known: HashSet<Mbuf> = found.iter().copied().collect();
    for ring in rings {
        ring.for_each(|head| {
            let mut at = head;
            // A chain that is being freed under us may lead astray: follow it only through mbufs of
            // the dead worker, and never for ever.
            for _ in 0..64 {
                if !known.contains(&at) {
                    break;
                }
                elsewhere.insert(at);
                let next = at.next();
                if next.is_null() {
                    break;
                }
                at = Mbuf(next);
            }
        });
    }
    let mut ours: Vec<Mbuf> = found
        .into_iter()
        .filter(|m| !elsewhere.contains(m) && m.tag().load(Ordering::Acquire) == tag)
        .collect();
    if driver_held {
        return Recovered {
            mbufs: 0,
            left: ours.len() as u32,
        };
    }
    let mbufs = ours.len() as u32;
    for m in &ours {
        // SAFETY: nobody else holds it, as shown above.
        unsafe { ffi::spp_mbuf_renew(m.0) };
    }
    pool.depot.store(&mut ours, lcore.id());
    Recovered {
        mbufs: mbufs - ours.len() as u32,
        left: ours.len() as u32,
    }
}

fn walk<F: FnMut(Mbuf)>(pool: &Pool, mut each: F) {
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
