//! A worker: the loop that moves packets.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release};
use std::time::Duration;

use dpdk::vhost::Link;
use dpdk::{BURST, Burst, tsc};

use crate::area::{DropReason, PatchBlock, WorkerBlock};
use crate::bell::Bell;
use crate::port::{Context, Port, Wakes};
use crate::published::Subscriber;

/// Empty polls in a row after which a source is quiet and polled more rarely.
const QUIET_AFTER: u8 = 64;
/// Time between two polls of a quiet source, in microseconds.
const QUIET_POLL_US: u64 = 20;
/// Time without a packet after which a worker rests, in microseconds.
const REST_AFTER_US: u64 = 100;
/// Longest rest while every source wakes us by itself.
const LONG_REST: Duration = Duration::from_millis(200);
/// Longest rest while a source cannot wake us.
const SHORT_REST: Duration = Duration::from_millis(1);

/// Whether a worker may rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// It rests when there is nothing to do.
    Adaptive,
    /// It never rests.
    Busy,
}

/// A patch as a worker runs it.
#[derive(Clone)]
pub struct Running {
    /// Where packets come from.
    pub src: Arc<Port>,
    /// Where they go.
    pub dst: Arc<Port>,
    /// Where they are counted.
    pub counters: &'static PatchBlock,
}

/// What a worker does until it gets another table.
#[derive(Default)]
pub struct Table {
    /// The patches; empty while forwarding is stopped.
    pub patches: Vec<Running>,
    /// The worker shall return.
    pub end: bool,
}

/// What the loop keeps of a patch.
#[derive(Clone, Copy)]
struct Pace {
    /// Empty polls in a row, up to [`QUIET_AFTER`].
    empty: u8,
    /// Most packets to receive at once: few while they are long chains.
    most: u8,
}

/// How a rest ended.
enum Rest {
    /// A source or a new table forbade it.
    Refused,
    /// There were so many packets after all.
    Found(usize),
    /// It slept.
    Slept,
}

/// A worker before it runs.
pub struct Worker {
    /// Its tables.
    pub tables: Subscriber<Table>,
    /// Its figures in shared memory.
    pub block: &'static WorkerBlock,
    /// Its bell.
    pub bell: Bell,
    /// Whether it may rest.
    pub poll: Poll,
}

#[inline(always)]
fn add(counter: &AtomicU64, n: u64) {
    // One writer: a plain load and store.
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// Moves one burst over a patch; returns the packets received.
#[inline(always)]
fn carry(patch: &Running, cx: &mut Context, burst: &mut Burst, pace: &mut Pace) -> usize {
    cx.stocked = cx.cache.balance();
    let n = patch.src.receive(cx, burst, usize::from(pace.most));
    if n == 0 {
        pace.empty = (pace.empty + 1).min(QUIET_AFTER);
        return 0;
    }
    pace.empty = 0;
    // 192 mbufs are at hand at least, and a packet of 64 kB takes 32 of them.
    pace.most = if burst.segments() as usize > 3 * n {
        6
    } else {
        BURST as u8
    };
    let counters = patch.counters;
    add(&counters.rx_packets, n as u64);
    add(&counters.rx_bytes, burst.bytes());
    let (sent, bytes) = patch.dst.send(cx, burst);
    add(&counters.tx_packets, sent as u64);
    add(&counters.tx_bytes, bytes);
    if !burst.is_empty() {
        refused(patch, cx, burst);
    }
    n
}

/// Drops and counts what the destination refused. A driver stops at a frame that is too long for it:
/// that one goes, and what stands behind it is offered again.
#[cold]
fn refused(patch: &Running, cx: &mut Context, burst: &mut Burst) {
    let counters = patch.counters;
    while burst
        .first_len()
        .is_some_and(|len| patch.dst.is_too_long(len))
    {
        burst.clear_front(1, &mut cx.cache);
        add(&counters.drops[DropReason::TooBig as usize], 1);
        if !burst.is_empty() {
            let (sent, bytes) = patch.dst.send(cx, burst);
            add(&counters.tx_packets, sent as u64);
            add(&counters.tx_bytes, bytes);
        }
    }
    let reason = if burst.is_starved() {
        DropReason::NoMbuf
    } else {
        patch.dst.refusal()
    };
    add(&counters.drops[reason as usize], burst.len() as u64);
    burst.clear(&mut cx.cache);
}

impl Worker {
    /// Runs until a table says so.
    pub fn run(mut self, mut cx: Context) {
        let per_us = (dpdk::tsc_hz() / 1_000_000).max(1);
        let mut burst = Burst::new();
        let mut paces: Vec<Pace> = Vec::new();
        let mut generation_of: *const Table = std::ptr::null();
        let mut now = tsc();
        let (mut quiet_polled, mut last_packet) = (now, now);
        let (mut polls, mut empty_polls, mut packets, mut rounds, mut busy) =
            (0u64, 0u64, 0u64, 0u64, 0u64);
        self.block.started.store(now, Relaxed);
        loop {
            let table = self.tables.get();
            if !std::ptr::eq(table, generation_of) {
                if table.end {
                    cx.cache.flush();
                    self.block.started.store(0, Release);
                    return;
                }
                generation_of = table;
                paces.clear();
                paces.resize(
                    table.patches.len(),
                    Pace {
                        empty: 0,
                        most: BURST as u8,
                    },
                );
                if table
                    .patches
                    .iter()
                    .any(|p| p.src.keeps_mbufs() || p.dst.keeps_mbufs())
                {
                    self.block.driver_held.store(1, Relaxed);
                }
                last_packet = now;
            }
            let with_quiet = now.wrapping_sub(quiet_polled) >= QUIET_POLL_US * per_us;
            if with_quiet {
                quiet_polled = now;
            }
            let mut moved = 0;
            for (patch, pace) in table.patches.iter().zip(&mut paces) {
                if pace.empty == QUIET_AFTER && !with_quiet {
                    continue;
                }
                let n = carry(patch, &mut cx, &mut burst, pace);
                polls += 1;
                empty_polls += u64::from(n == 0);
                moved += n;
            }
            rounds += 1;
            let then = std::mem::replace(&mut now, tsc());
            self.block.rounds.store(rounds, Relaxed);
            self.block.polls.store(polls, Relaxed);
            self.block.empty_polls.store(empty_polls, Relaxed);
            if moved > 0 {
                packets += moved as u64;
                busy += now.wrapping_sub(then);
                self.block.packets.store(packets, Relaxed);
                self.block.busy_cycles.store(busy, Relaxed);
                last_packet = now;
                continue;
            }
            std::hint::spin_loop();
            if self.poll == Poll::Adaptive
                && now.wrapping_sub(last_packet) >= REST_AFTER_US * per_us
            {
                let rest = self.rest(&mut cx, &mut burst);
                now = tsc();
                match rest {
                    // One look at all sources, and to rest again if there is nothing.
                    Rest::Slept => add(&self.block.rests, 1),
                    Rest::Found(n) => {
                        packets += n as u64;
                        last_packet = now;
                    }
                    Rest::Refused => last_packet = now,
                }
                // Every source is looked at once after a rest.
                paces
                    .iter_mut()
                    .for_each(|p| p.empty = p.empty.min(QUIET_AFTER - 1));
            }
        }
    }

    /// Rests until a source has something, a new table is there, or a while has passed.
    #[cold]
    fn rest(&mut self, cx: &mut Context, burst: &mut Burst) -> Rest {
        let table = self.tables.get();
        if table.end {
            return Rest::Refused;
        }
        let mut limit = LONG_REST;
        let mut guests: Vec<Arc<Link>> = Vec::new();
        for patch in &table.patches {
            match patch.src.wakes() {
                Wakes::ByBell => {}
                Wakes::ByKick(link) => guests.push(link),
                Wakes::Not => limit = SHORT_REST,
                Wakes::NeverRests => return Rest::Refused,
            }
        }
        self.bell.lie_down();
        let kicks: Vec<RawFd> = guests.iter().filter_map(|l| l.kick(true)).collect();
        // What came before we asked to be woken.
        let mut moved = 0;
        for patch in &table.patches {
            moved += carry(
                patch,
                cx,
                burst,
                &mut Pace {
                    empty: 0,
                    most: BURST as u8,
                },
            );
        }
        let rest = if moved > 0 {
            Rest::Found(moved)
        } else if self.tables.changed() {
            Rest::Refused
        } else {
            self.bell.wait(&kicks, limit);
            Rest::Slept
        };
        self.bell.get_up();
        for link in guests {
            link.kick(false);
        }
        rest
    }
}
