//! The next packets of a source, one by one: what they are, and what becomes of each.
//!
//! While packets are wanted the source's line is replaced by one that takes them singly along the same way, so that
//! what comes out, and what the counters say, is this packet's. Order stays, and what is beyond goes in bursts as
//! ever. The worker fills records that the control thread made, and never waits.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam::queue::ArrayQueue;
use dpdk::{Burst, tsc};

use crate::area::{DropReason, PatchBlock, REASONS};
use crate::code::PortCode;
use crate::line::{Line, Outlet, Way};
use crate::port::Context;

/// Most packets of a trace.
pub const MOST: usize = 10_000;
/// Bytes that are kept of each.
pub const SHORT: usize = 128;
/// Most packets of a trace that keeps them whole.
pub const MOST_WHOLE: usize = 1000;
/// Bytes that such a trace keeps: the longest packet there is.
pub const WHOLE: usize = 65_535;
/// Destinations of one packet that are told apart.
const FATES: usize = 16;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A port took it.
    Sent(PortCode),
    /// It was dropped on the way to a port, or before it was known where it would go.
    Dropped(Option<PortCode>, DropReason),
}

/// A packet that was seen.
#[derive(Debug)]
pub struct Record {
    /// Time stamp counter when it was received.
    pub tsc: u64,
    /// Its length in bytes.
    pub len: u32,
    /// Its first bytes as they were received.
    pub data: Vec<u8>,
    fates: [Option<Fate>; FATES],
    /// Destinations beyond those in [`Record::fates`].
    pub more: u32,
}

impl Record {
    /// What became of it: one a destination, so that a copied packet has several. None if what took it does not
    /// count what it takes.
    pub fn fates(&self) -> impl Iterator<Item = Fate> {
        self.fates.iter().flatten().copied()
    }

    fn add(&mut self, fate: Fate) {
        match self.fates.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(fate),
            None => self.more += 1,
        }
    }
}

/// The records of one trace, on their way between worker and control thread.
pub struct Tracer {
    fresh: ArrayQueue<Box<Record>>,
    filled: ArrayQueue<Box<Record>>,
    count: usize,
}

impl Tracer {
    /// A trace of `count` packets, keeping `keep` bytes of each. Takes memory for all of them at once.
    pub(crate) fn new(count: usize, keep: usize) -> Self {
        let count = count.max(1);
        let fresh = ArrayQueue::new(count);
        for _ in 0..count {
            let record = Record {
                tsc: 0,
                len: 0,
                data: Vec::with_capacity(keep),
                fates: [None; FATES],
                more: 0,
            };
            // There is room for all of them.
            let _ = fresh.push(Box::new(record));
        }
        Tracer {
            fresh,
            filled: ArrayQueue::new(count),
            count,
        }
    }

    /// Packets that it shall have.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The next record, in order of arrival.
    pub fn next(&self) -> Option<Box<Record>> {
        self.filled.pop()
    }

    /// Whether the worker has filled all records.
    pub fn is_full(&self) -> bool {
        self.fresh.is_empty()
    }
}

/// A line while it is traced.
#[derive(Clone)]
pub struct Traced {
    pub(crate) tracer: Arc<Tracer>,
    /// As it is otherwise.
    pub(crate) line: Line,
}

impl Traced {
    /// Takes a burst along the line, the first ones singly. Leaves it empty.
    #[cold]
    pub(crate) fn run(&self, cx: &mut Context, burst: &mut Burst, outs: &mut [Burst]) {
        let now = tsc();
        let mut one = Burst::new();
        while !burst.is_empty() {
            let Some(mut record) = self.tracer.fresh.pop() else {
                break;
            };
            burst.move_first(&mut one);
            record.tsc = now;
            let keep = record.data.capacity();
            let len = one.len_of(0).unwrap_or(0);
            record.data.resize(keep.min(len as usize), 0);
            one.copy_packet(0, &mut record.data);
            record.len = len;
            self.single(cx, &mut one, outs, &mut record);
            // There is room for all records.
            let _ = self.tracer.filled.push(record);
            cx.cache.balance();
        }
        if !burst.is_empty() {
            self.line.forward(cx, burst, outs);
        }
    }

    fn single(&self, cx: &mut Context, one: &mut Burst, outs: &mut [Burst], record: &mut Record) {
        let entry = self.line.entry;
        let before = Drops::of(entry);
        for stage in &self.line.stages {
            stage.run(cx, one, entry);
        }
        match &self.line.way {
            Way::Straight(outlet) => {
                before.tell(entry, None, record);
                send(outlet, cx, one, record);
            }
            Way::Dealt(element, outlets) => {
                let outs = &mut outs[..outlets.len()];
                cx.traced = true;
                element.split(cx, one, outs, entry);
                cx.traced = false;
                before.tell(entry, None, record);
                for (outlet, out) in outlets.iter().zip(outs) {
                    if !out.is_empty() {
                        cx.cache.balance();
                        send(outlet, cx, out, record);
                    }
                }
            }
            // A line is traced once.
            Way::Traced(traced) => traced.run(cx, one, outs),
        }
    }
}

/// Sends what an outlet gets of one packet, and notes what the outlet counted.
fn send(outlet: &Outlet, cx: &mut Context, out: &mut Burst, record: &mut Record) {
    if out.is_empty() {
        return;
    }
    let code = outlet.dst.code();
    let sent = outlet.counters.tx_packets.load(Relaxed);
    let before = Drops::of(outlet.counters);
    outlet.send(cx, out);
    if outlet.counters.tx_packets.load(Relaxed) != sent {
        record.add(Fate::Sent(code));
    }
    before.tell(outlet.counters, Some(code), record);
}

/// Counts of drops at a moment.
struct Drops([u64; REASONS]);

impl Drops {
    fn of(block: &PatchBlock) -> Self {
        Drops(std::array::from_fn(|i| block.drops[i].load(Relaxed)))
    }

    /// Notes the drops since then.
    fn tell(&self, block: &PatchBlock, at: Option<PortCode>, record: &mut Record) {
        let now = Drops::of(block);
        for reason in DropReason::ALL {
            if now.0[reason as usize] != self.0[reason as usize] {
                record.add(Fate::Dropped(at, reason));
            }
        }
    }
}
