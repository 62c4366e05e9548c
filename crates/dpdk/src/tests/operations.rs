//! What a worker does with mbufs while it is killed.

use std::ops::Range;

use crate::burst::{BURST, Burst};
use crate::tests::stepper::{LONG, between_marks};
use crate::{Lcore, Pool, Ring};

/// Eight magazines: the stopped one holds four at most.
pub const MBUFS: u32 = 2048;
pub const ROOM: usize = 2048;
/// Slots of the ring.
pub const RING: u32 = 128;
/// Which packet of a burst is a chain, of how many bytes.
pub const CHAIN: (usize, usize) = (3, 5000);

/// A loop over a burst has fewer rounds, one over a magazine has more.
pub const BURSTS: usize = BURST + 8;

#[derive(Clone, Copy, PartialEq)]
pub enum Does {
    Take,
    Fill,
    Flush,
    Alloc,
    Free,
    Send,
    /// To a ring whose consumer is none of ours.
    SendForeign,
    Receive,
    /// Copy packets.
    Copy,
    /// Share packets with another burst.
    Share,
    /// Free packets whose clones lie in the ring.
    FreeFirst,
    /// Free packets whose clones are gone.
    FreeLast,
    /// Copy packets whose clones lie in the ring.
    Unshare,
    /// Take back packets whose clones are gone.
    Adopt,
    /// Receive and free packets whose clones somebody else has.
    FreeReceived,
}

impl Does {
    /// Packets that lie in the ring afterwards; of those that are received it is all or none.
    pub fn in_ring(self) -> usize {
        match self {
            Does::Send | Does::SendForeign | Does::Receive => BURST,
            Does::FreeFirst | Does::Unshare | Does::FreeReceived => SHARED.len(),
            _ => 0,
        }
    }
}

/// Lengths of packets that are shared; the first one is copied.
pub const SHARED: [usize; 3] = [60, 256, 500];
/// Bytes in a segment of them: so few are copied without a look at where they lie, by the same instructions each time.
pub const SHARED_ROOM: usize = 256;

/// An operation by its name, and the place in the ring where it begins.
pub struct Operation {
    pub name: &'static str,
    pub does: Does,
    pub slot: u32,
    /// Loops of more rounds are walked through at their ends only.
    pub long: usize,
}

const fn operation(name: &'static str, does: Does, slot: u32, long: usize) -> Operation {
    Operation {
        name,
        does,
        slot,
        long,
    }
}

pub const WRAPS: u32 = RING - 20;
pub const OPERATIONS: [Operation; 17] = [
    operation("take a magazine", Does::Take, 0, LONG),
    operation("fill a magazine", Does::Fill, 0, LONG),
    operation("flush the cache", Does::Flush, 0, LONG),
    operation("allocate a burst", Does::Alloc, 0, LONG),
    operation("free a burst", Does::Free, 0, LONG),
    operation("send", Does::Send, 0, BURSTS),
    operation("send over the end of the ring", Does::Send, WRAPS, BURSTS),
    operation("send to a foreign process", Does::SendForeign, 0, BURSTS),
    operation("receive", Does::Receive, 0, BURSTS),
    operation(
        "receive over the end of the ring",
        Does::Receive,
        WRAPS,
        LONG,
    ),
    operation("copy", Does::Copy, 0, LONG),
    operation("share", Does::Share, 0, LONG),
    operation("free what is shared", Does::FreeFirst, 0, LONG),
    operation("free the last of what is shared", Does::FreeLast, 0, LONG),
    operation("copy what is shared", Does::Unshare, 0, LONG),
    operation("take the last of what is shared", Does::Adopt, 0, LONG),
    operation(
        "receive and free what is shared",
        Does::FreeReceived,
        0,
        LONG,
    ),
];
pub const MAGAZINES: Range<usize> = 0..3;
pub const CACHE: Range<usize> = 3..5;
pub const RINGS: Range<usize> = 5..10;
pub const SHARES: Range<usize> = 10..17;

/// In a child of the mould: comes to where the operation begins, and does it.
pub fn operate(does: Does, pool: &Pool, ring: &Ring, lcore: &Lcore) {
    let mut cache = pool.cache(lcore);
    let mut burst = Burst::new();
    if does == Does::Take {
        assert!(between_marks(|| cache.balance()));
        return;
    }
    if does == Does::Receive {
        let owner = cache.owner();
        let n = between_marks(|| ring.consumer().receive(lcore, owner, &mut burst));
        assert_eq!(n, BURST);
        return;
    }
    if does == Does::FreeReceived {
        let owner = cache.owner();
        between_marks(|| {
            assert!(cache.balance());
            ring.consumer().receive(lcore, owner, &mut burst);
            burst.clear(&mut cache);
        });
        return;
    }
    assert!(cache.balance());
    match does {
        Does::Take | Does::Receive | Does::FreeReceived => {}
        Does::Copy => {
            several(&mut burst, &mut cache);
            let mut out = Burst::new();
            let n = between_marks(|| burst.copy_into(u64::MAX, &mut out, None, &mut cache));
            assert_eq!(n, SHARED.len());
        }
        Does::Share => {
            several(&mut burst, &mut cache);
            let mut outs = [Burst::new(), Burst::new()];
            between_marks(|| burst.share_from(256, u64::MAX, &mut outs, None, &mut cache));
            assert_eq!(outs[1].len(), SHARED.len());
        }
        Does::FreeFirst | Does::FreeLast | Does::Unshare | Does::Adopt => {
            let mut other = shared(&mut burst, &mut cache);
            if matches!(does, Does::FreeFirst | Does::Unshare) {
                let (n, _) = ring.producer().send(lcore, &cache, &mut other, true);
                assert_eq!(n, SHARED.len());
            } else {
                other.clear(&mut cache);
            }
            if matches!(does, Does::FreeFirst | Does::FreeLast) {
                between_marks(|| burst.clear(&mut cache));
            } else {
                assert_eq!(between_marks(|| burst.unshare(&mut cache)), SHARED.len());
            }
        }
        Does::Alloc => assert_eq!(between_marks(|| cache.alloc(&mut burst, BURST)), BURST),
        Does::Fill => {
            // 512 in the cache: a magazine too many.
            let mut more = Burst::new();
            cache.alloc(&mut burst, BURST);
            cache.alloc(&mut more, BURST);
            cache.balance();
            burst.clear(&mut cache);
            more.clear(&mut cache);
            assert!(between_marks(|| cache.balance()));
        }
        Does::Flush => {
            // A whole magazine and a part of one.
            cache.alloc(&mut burst, BURST);
            cache.alloc(&mut Burst::new(), 1);
            let mut more = Burst::new();
            cache.alloc(&mut more, BURST);
            cache.balance();
            burst.clear(&mut cache);
            between_marks(|| cache.flush());
            std::mem::forget(more);
        }
        Does::Free => {
            packets(&mut burst, &mut cache, 0);
            between_marks(|| burst.clear(&mut cache));
        }
        Does::Send | Does::SendForeign => {
            packets(&mut burst, &mut cache, 0);
            let tagged = does == Does::Send;
            let (n, _) = between_marks(|| ring.producer().send(lcore, &cache, &mut burst, tagged));
            assert_eq!(n, BURST);
        }
    }
}

/// A burst of packets that are numbered from `first` on, one of them a chain.
pub fn packets(burst: &mut Burst, cache: &mut crate::PoolCache, first: u8) {
    assert_eq!(cache.alloc(burst, BURST), BURST);
    for i in 0..BURST {
        let len = if i == CHAIN.0 { CHAIN.1 } else { 60 };
        let frame = vec![first + i as u8; len];
        assert!(burst.write_frame(i, &frame, cache, ROOM));
    }
}

/// Some packets, numbered from 0 on.
fn several(burst: &mut Burst, cache: &mut crate::PoolCache) {
    for (i, len) in SHARED.iter().enumerate() {
        assert_eq!(cache.alloc(burst, 1), 1);
        assert!(burst.write_frame(i, &vec![i as u8; *len], cache, SHARED_ROOM));
    }
}

/// The same, and who shares them.
pub fn shared(burst: &mut Burst, cache: &mut crate::PoolCache) -> Burst {
    several(burst, cache);
    let mut outs = [Burst::new()];
    burst.share_from(256, u64::MAX, &mut outs, None, cache);
    let [other] = outs;
    assert!(burst.is_shared() && other.len() == SHARED.len());
    other
}

/// Takes all packets out of a ring; gives their numbers.
pub fn drain(ring: &Ring, lcore: &Lcore, cache: &mut crate::PoolCache) -> Vec<u8> {
    let mut burst = Burst::new();
    let mut numbers = Vec::new();
    while ring.consumer().receive(lcore, cache.owner(), &mut burst) > 0 {
        for i in 0..burst.len() {
            let number = burst.packet(i).unwrap()[0];
            let mut frame = vec![0; 2 * CHAIN.1];
            let len = burst.copy_packet(i, &mut frame).unwrap();
            assert!(frame[..len].iter().all(|byte| *byte == number), "{number}");
            numbers.push(number);
        }
        burst.clear(cache);
        cache.balance();
    }
    numbers
}
