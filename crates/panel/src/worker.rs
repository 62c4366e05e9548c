//! A worker: the loop that moves packets.

use std::ops::Range;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::Release};
use std::time::Duration;

use dpdk::vhost::Link;
use dpdk::{Burst, tsc};

use crate::area::{PatchBlock, WorkerBlock};
use crate::bell::Bell;
use crate::impair::Impaired;
use crate::line::{Line, Pace, QUIET_AFTER};
use crate::port::{Context, Wakes};
use crate::published::Subscriber;
use crate::tally::add;

/// Time between two polls of a quiet source, in microseconds.
const QUIET_POLL_US: u64 = 20;
/// Time without a packet after which a worker rests, in microseconds.
const REST_AFTER_US: u64 = 100;
/// Longest rest while every source wakes us by itself.
const LONG_REST: Duration = Duration::from_millis(200);
/// Time before the departure of a packet that is held back in which a worker does not rest, in microseconds: it may wake up late.
const NEAR_US: u64 = 3000;
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

/// What a worker does until it gets another table.
#[derive(Default)]
pub struct Table {
    /// Its lines; empty while forwarding is stopped.
    pub lines: Vec<Line>,
    /// The worker shall return.
    pub end: bool,
}

/// Lines that follow each other and lead to one port.
struct Group {
    lines: Range<usize>,
    /// The one that is first in the next round, counted from the beginning of the group.
    first: usize,
}

impl Group {
    /// The groups of a table.
    fn of(table: &Table, groups: &mut Vec<Group>) {
        groups.clear();
        for (at, line) in table.lines.iter().enumerate() {
            match groups.last_mut() {
                Some(last) if line.meets(&table.lines[at - 1]) => last.lines.end = at + 1,
                _ => groups.push(Group {
                    lines: at..at + 1,
                    first: 0,
                }),
            }
        }
    }

    /// Begins with the next line in the next round.
    #[inline(always)]
    fn turn(&mut self) {
        self.first += 1;
        if self.first >= self.lines.len() {
            self.first = 0;
        }
    }
}

/// What a worker has to bring to an end when its table changes: patches that hold packets back, with their counters.
type Holding = Vec<(Arc<Impaired>, &'static PatchBlock)>;

fn holding(table: &Table) -> Holding {
    let outlets = table.lines.iter().flat_map(|line| line.outlets());
    outlets
        .filter_map(|outlet| Some((outlet.impaired.clone()?, outlet.counters)))
        .collect()
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

impl Worker {
    /// Runs until a table says so.
    pub fn run(mut self, mut cx: Context) {
        let per_us = (dpdk::tsc_hz() / 1_000_000).max(1);
        let mut burst = Burst::new();
        let mut paces: Vec<Pace> = Vec::new();
        let mut outs: Vec<Burst> = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        // None yet.
        let mut prepared = u64::MAX;
        let mut held = Holding::new();
        let mut now = tsc();
        let (mut quiet_polled, mut last_packet) = (now, now);
        let (mut polls, mut empty_polls, mut packets, mut rounds, mut busy) =
            (0u64, 0u64, 0u64, 0u64, 0u64);
        self.block.started.store(now, Relaxed);
        loop {
            self.tables.advance();
            let at = self.tables.at();
            let table = self.tables.current();
            if at != prepared {
                let before = std::mem::replace(&mut held, holding(table));
                for (gone, counters) in before {
                    if !held.iter().any(|(new, _)| new.goes_on_with(&gone)) {
                        gone.cut(&mut cx, counters);
                    }
                }
                self.tables.settle();
                if table.end {
                    cx.cache.flush();
                    self.block.started.store(0, Release);
                    return;
                }
                prepared = at;
                paces.clear();
                paces.resize(table.lines.len(), Pace::default());
                let most = table.lines.iter().map(Line::outs).max().unwrap_or(0);
                outs.resize_with(most.max(outs.len()), Burst::new);
                Group::of(table, &mut groups);
                table.lines.iter().for_each(|line| line.note(self.block));
                last_packet = now;
            }
            let with_quiet = now.wrapping_sub(quiet_polled) >= QUIET_POLL_US * per_us;
            if with_quiet {
                quiet_polled = now;
            }
            let mut moved = 0;
            for group in &mut groups {
                // Each line into a port is the first in its turn: if that is too slow, all get the same.
                let lines = &table.lines[group.lines.clone()];
                let (before, from) = lines.split_at(group.first);
                let paces = &mut paces[group.lines.clone()];
                let (paces_before, paces_from) = paces.split_at_mut(group.first);
                let turns = from.iter().zip(paces_from);
                for (line, pace) in turns.chain(before.iter().zip(paces_before)) {
                    if pace.empty == QUIET_AFTER && !with_quiet {
                        continue;
                    }
                    let n = line.carry(&mut cx, &mut burst, &mut outs, pace);
                    polls += 1;
                    empty_polls += u64::from(n == 0);
                    moved += n;
                }
                group.turn();
            }
            if !held.is_empty() {
                let outlets = table.lines.iter().flat_map(Line::outlets);
                moved += outlets
                    .map(|outlet| outlet.release(&mut cx, &mut burst))
                    .sum::<usize>();
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
                let rest = self.rest(&mut cx, &mut burst, &mut outs);
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
    fn rest(&mut self, cx: &mut Context, burst: &mut Burst, outs: &mut [Burst]) -> Rest {
        // A newer one is for the loop to take over: what the worker needs for its lines is not prepared.
        let table = self.tables.current();
        let mut limit = LONG_REST;
        let mut guests: Vec<Arc<Link>> = Vec::new();
        for line in &table.lines {
            match line.src.wakes() {
                Wakes::ByBell => {}
                Wakes::ByKick(link) => guests.push(link),
                Wakes::Not => limit = SHORT_REST,
                Wakes::NeverRests => return Rest::Refused,
            }
        }
        let held = table.lines.iter().flat_map(Line::outlets);
        let departures = held.filter_map(|outlet| outlet.impaired.as_ref()?.next());
        if let Some(next) = departures.min() {
            let us = next.saturating_sub(tsc()) / (dpdk::tsc_hz() / 1_000_000).max(1);
            if us <= NEAR_US {
                return Rest::Refused;
            }
            limit = limit.min(Duration::from_micros(us - NEAR_US));
        }
        self.bell.lie_down();
        let kicks: Vec<RawFd> = guests.iter().filter_map(|l| l.kick(true)).collect();
        // What came before we asked to be woken.
        let mut moved = 0;
        for line in &table.lines {
            moved += line.carry(cx, burst, outs, &mut Pace::default());
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
