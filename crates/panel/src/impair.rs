//! Patches that hold packets back: delay, jitter, loss, rate, order, copies, wrong bits.
//!
//! What is held lies with the worker that runs the patch, in two lines: that of the packets that wait for their turn, and that of
//! those which overtake them. The worker looks at them once a round, and does not rest while the next departure is near.
//! Which packets are lost, copied, spoiled or overtake others depends on the seed and on their number alone. See
//! `docs/decisions/impairments.md`.

mod chance;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dpdk::{BURST, Burst, Parked, tsc};
use protocol::impair::{Impairment, Share};

use crate::area::{DropReason, PatchBlock};
use crate::port::Context;
use crate::tally::add;
use chance::{Chance, Stream};

/// A departure that is later than that, and by more than a hundredth of the delay, counts as late, in nanoseconds.
const LATE: u64 = 50_000;
/// Binary digits behind the point of cycles for a byte.
const POINT: u32 = 20;

/// What is on the way, and when the next packet can be.
struct Way {
    waiting: Parked,
    overtaking: Parked,
    /// Which [`Impaired`] has used it last.
    edition: u64,
    /// Packets that came since, and those of them that were not lost.
    came: u64,
    kept: u64,
    /// When the link is free for the next packet, in cycles, and the part of a cycle beyond.
    free: u64,
    part: u64,
    /// When the last packet that waits leaves.
    last: u64,
}

/// What became of packets, written by the worker.
#[derive(Default)]
struct Tally {
    late: AtomicU64,
    reordered: AtomicU64,
    duplicated: AtomicU64,
    corrupted: AtomicU64,
    /// mbufs that are held now.
    held: AtomicU32,
}

/// What became of packets since the last clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// mbufs that are held now.
    pub held: u32,
    /// Packets that left too late.
    pub late: u64,
    /// Packets that overtook others.
    pub reordered: u64,
    /// Packets that left twice.
    pub duplicated: u64,
    /// Packets that left with a wrong bit.
    pub corrupted: u64,
}

/// What is on the way, and what was; it outlives a change of what is asked for.
struct Kept {
    way: Mutex<Way>,
    tally: Tally,
    /// What was counted at the last clear; no worker looks at it.
    base: Mutex<Counts>,
    /// Packets for which there is room.
    room: u32,
}

/// A patch's means to hold packets back.
pub struct Impaired {
    with: Impairment,
    edition: u64,
    kept: Arc<Kept>,
    chance: Chance,
    /// In cycles.
    delay: u64,
    jitter: u64,
    late: u64,
    /// Cycles for a byte, times 2^[`POINT`]; 0 if there is no rate.
    byte: u64,
}

impl Impaired {
    /// What holds packets back as `with` says. What `before` holds goes on with it, as far as there is room; otherwise it is dropped.
    pub fn new(with: Impairment, edition: u64, before: Option<&Impaired>) -> Self {
        let most = with.most_mbufs();
        let kept = before.map(|b| b.kept.clone()).filter(|k| k.room >= most);
        let cycles =
            |nanos: u64| (u128::from(nanos) * u128::from(dpdk::tsc_hz()) / 1_000_000_000) as u64;
        let delay = with.delay.as_nanos();
        let byte = with.rate.map_or(0, |rate| {
            ((u128::from(dpdk::tsc_hz()) * 8) << POINT) / u128::from(rate.bits())
        });
        Impaired {
            with,
            edition,
            kept: kept.unwrap_or_else(|| Arc::new(Kept::new(most))),
            chance: Chance::new(with.seed),
            delay: cycles(delay),
            jitter: cycles(with.jitter.as_nanos()),
            late: cycles(LATE.max(delay / 100)),
            byte: byte as u64,
        }
    }

    /// What is asked of it.
    pub fn with(&self) -> &Impairment {
        &self.with
    }

    /// A number that no other of this process has.
    pub(crate) fn edition(&self) -> u64 {
        self.edition
    }

    /// Whether both hold the same packets.
    pub(crate) fn goes_on_with(&self, other: &Impaired) -> bool {
        Arc::ptr_eq(&self.kept, &other.kept)
    }

    /// What it counted since it was made, or since the last [`Impaired::clear`].
    pub fn counts(&self) -> Counts {
        let (all, base) = (self.kept.tally.read(), *self.base());
        Counts {
            held: all.held,
            late: all.late.saturating_sub(base.late),
            reordered: all.reordered.saturating_sub(base.reordered),
            duplicated: all.duplicated.saturating_sub(base.duplicated),
            corrupted: all.corrupted.saturating_sub(base.corrupted),
        }
    }

    /// Counts from here on.
    pub(crate) fn clear(&self) {
        *self.base() = self.kept.tally.read();
    }

    fn base(&self) -> MutexGuard<'_, Counts> {
        let base = self.kept.base.lock();
        base.unwrap_or_else(PoisonError::into_inner)
    }

    /// Only workers take this lock, and one at a time but while a patch changes its worker.
    fn way(&self) -> MutexGuard<'_, Way> {
        self.kept.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The packets, from number `from` on, that a share of all is.
    fn chosen(&self, share: Share, stream: Stream, from: u64, n: usize) -> u64 {
        match share.as_billionths() {
            0 => 0,
            share => (0..n).fold(0, |bits, i| {
                bits | u64::from(self.chance.hits(share, stream, from + i as u64)) << i
            }),
        }
    }

    /// Takes the packets; leaves the burst empty.
    #[inline(never)]
    pub(crate) fn hold(&self, cx: &mut Context, burst: &mut Burst, counters: &PatchBlock) {
        let tally = &self.kept.tally;
        let mut way = self.way();
        let way = &mut *way;
        if way.edition != self.edition {
            (way.edition, way.came, way.kept) = (self.edition, 0, 0);
            (way.free, way.part) = (0, 0);
        }
        let lost = self.chosen(self.with.loss, Stream::Loss, way.came, burst.len());
        way.came += burst.len() as u64;
        if lost != 0 {
            let n = burst.retain(!lost, &mut cx.cache);
            counters.drop_of(DropReason::Lost, n as u64);
        }
        let (from, n) = (way.kept, burst.len());
        way.kept += n as u64;
        let spoiled = self.chosen(self.with.corrupt, Stream::Corrupt, from, n);
        if spoiled != 0 {
            let mut nth = 0;
            let bit = |_| {
                nth += 1;
                self.chance.draw(Stream::Bit, from + nth)
            };
            add(
                &tally.corrupted,
                burst.spoil(spoiled, &mut cx.cache, bit) as u64,
            );
        }
        let twice = self.chosen(self.with.duplicate, Stream::Duplicate, from, n);
        let mut copies = Burst::new();
        if twice != 0 {
            let copied = burst.copy_into(twice, &mut copies, None, &mut cx.cache);
            add(&tally.duplicated, copied as u64);
        }
        let first = self.chosen(self.with.reorder, Stream::Reorder, from, n);
        let now = tsc();
        if first != 0 {
            let mut overtaking = [Burst::new()];
            let to: [u8; BURST] =
                std::array::from_fn(|i| if first >> i & 1 == 1 { 0 } else { dpdk::KEEP });
            burst.deal(&to, &mut overtaking);
            let room = self.with.most_mbufs().saturating_sub(way.waiting.mbufs());
            let [overtaking] = &mut overtaking;
            add(&tally.reordered, overtaking.len() as u64);
            way.overtaking.park(overtaking, room, |_| now);
            drop_rest(overtaking, cx, counters);
        }
        for packets in [burst, &mut copies] {
            let (mut nth, since) = (0, way.kept);
            let mut clock = Clock {
                of: self,
                free: &mut way.free,
                part: &mut way.part,
                last: &mut way.last,
            };
            let room = self
                .with
                .most_mbufs()
                .saturating_sub(way.overtaking.mbufs());
            way.waiting.park(packets, room, |bytes| {
                nth += 1;
                clock.departure(now, bytes, since + nth)
            });
            drop_rest(packets, cx, counters);
        }
        tally.held.store(way.mbufs(), Relaxed);
    }

    /// Moves what has waited long enough into the burst, which is empty; returns how many packets.
    #[inline]
    pub(crate) fn release(&self, cx: &Context, burst: &mut Burst) -> usize {
        let (now, owner) = (tsc(), cx.cache.owner());
        let tally = &self.kept.tally;
        let mut way = self.way();
        let mut late = 0;
        let n = way.overtaking.release(now, burst, owner, |_| {});
        let n = n + way.waiting.release(now, burst, owner, |until| {
            late += u64::from(now - until > self.late);
        });
        if n > 0 {
            add(&tally.late, late);
            tally.held.store(way.mbufs(), Relaxed);
        }
        n
    }

    /// When the next packet can leave, by the time stamp counter.
    pub(crate) fn next(&self) -> Option<u64> {
        let way = self.way();
        let times = [way.waiting.next(), way.overtaking.next()];
        times.into_iter().flatten().min()
    }

    /// Drops all that is on the way, when its patch has gone.
    pub(crate) fn cut(&self, cx: &mut Context, counters: &PatchBlock) {
        let mut burst = Burst::new();
        let owner = cx.cache.owner();
        let mut way = self.way();
        loop {
            let n = way.overtaking.release(u64::MAX, &mut burst, owner, |_| {});
            let n = n + way.waiting.release(u64::MAX, &mut burst, owner, |_| {});
            if n == 0 {
                break;
            }
            counters.drop_of(DropReason::Removed, n as u64);
            burst.clear(&mut cx.cache);
        }
        self.kept.tally.held.store(0, Relaxed);
    }
}

impl Kept {
    fn new(room: u32) -> Self {
        Kept {
            way: Mutex::new(Way {
                waiting: Parked::new(room as usize),
                overtaking: Parked::new(room as usize),
                edition: 0,
                came: 0,
                kept: 0,
                free: 0,
                part: 0,
                last: 0,
            }),
            tally: Tally::default(),
            base: Mutex::default(),
            room,
        }
    }
}

impl Tally {
    fn read(&self) -> Counts {
        Counts {
            held: self.held.load(Relaxed),
            late: self.late.load(Relaxed),
            reordered: self.reordered.load(Relaxed),
            duplicated: self.duplicated.load(Relaxed),
            corrupted: self.corrupted.load(Relaxed),
        }
    }
}

impl Way {
    fn mbufs(&self) -> u32 {
        self.waiting.mbufs() + self.overtaking.mbufs()
    }
}

/// What could not be held.
fn drop_rest(burst: &mut Burst, cx: &mut Context, counters: &PatchBlock) {
    if !burst.is_empty() {
        counters.drop_of(DropReason::Limit, burst.len() as u64);
        burst.clear(&mut cx.cache);
    }
}

/// When packets leave that wait their turn.
struct Clock<'a> {
    of: &'a Impaired,
    free: &'a mut u64,
    part: &'a mut u64,
    last: &'a mut u64,
}

impl Clock<'_> {
    /// When a packet of `bytes` bytes leaves that comes now: after those before it have gone over the link, its own time there, and
    /// the delay. `number` is that of the draw for its jitter.
    fn departure(&mut self, now: u64, bytes: u32, number: u64) -> u64 {
        let of = self.of;
        let mut through = now;
        if of.byte > 0 {
            if *self.free < now {
                (*self.free, *self.part) = (now, 0);
            }
            let cycles = u128::from(of.byte) * u128::from(bytes) + u128::from(*self.part);
            *self.free += (cycles >> POINT) as u64;
            *self.part = cycles as u64 & ((1 << POINT) - 1);
            through = *self.free;
        }
        let mut until = through + of.delay;
        if of.jitter > 0 {
            // 0 to twice the jitter, which is at most the delay.
            let draw = u128::from(of.chance.draw(Stream::Jitter, number));
            until = until - of.jitter + ((draw * (2 * u128::from(of.jitter) + 1)) >> 64) as u64;
        }
        *self.last = until.max(*self.last);
        *self.last
    }
}
