//! What a worker does with the packets of one source: a line runs from there to one or more outlets.
//!
//! A patch is a line with one outlet and nothing on it. Components put *stages* on it, which change packets or drop
//! some, and an *element*, which says where each packet goes. Both are shared with the control thread, so what
//! changes in them while the worker runs is atomic.

use std::sync::Arc;

use dpdk::{BURST, Burst};

use crate::area::{Direction, DropReason, PatchBlock, WorkerBlock};
use crate::impair::Impaired;
use crate::port::{Context, Port};
use crate::tally::add;
use crate::trace::Traced;

/// Something on the way: it may change packets and drop some, and keeps the order of the rest.
pub trait Stage: Send + Sync {
    /// Works on the packets of `burst`. What it drops it frees and counts in `counters` ([`PatchBlock::drop_of`]).
    fn run(&self, cx: &mut Context, burst: &mut Burst, counters: &PatchBlock);
}

/// Something that says where packets go.
pub trait Element: Send + Sync {
    /// Moves every packet of `burst` to the outs it belongs to, one for each outlet and empty when this is called, in
    /// order of arrival. What belongs nowhere it frees and counts in `counters`. It leaves `burst` empty.
    fn split(&self, cx: &mut Context, burst: &mut Burst, outs: &mut [Burst], counters: &PatchBlock);
}

/// An end of a line.
#[derive(Clone)]
pub struct Outlet {
    /// Where packets go.
    pub dst: Arc<Port>,
    /// Where they are counted.
    pub counters: &'static PatchBlock,
    /// What happens to them before.
    pub stages: Vec<Arc<dyn Stage>>,
    /// What holds them back then; `None`: nothing.
    pub impaired: Option<Arc<Impaired>>,
}

/// What comes after the source.
#[derive(Clone)]
pub enum Way {
    /// One outlet for all packets.
    Straight(Outlet),
    /// An element deals them out.
    Dealt(Arc<dyn Element>, Vec<Outlet>),
    /// The way of the line within, which is traced.
    Traced(Arc<Traced>),
}

/// What a worker does with the packets of one source.
#[derive(Clone)]
pub struct Line {
    /// Where packets come from.
    pub src: Arc<Port>,
    /// Where what comes in is counted.
    pub entry: &'static PatchBlock,
    /// What happens to them first.
    pub stages: Vec<Arc<dyn Stage>>,
    /// Where they go then.
    pub way: Way,
}

/// Empty polls in a row after which a source is quiet and polled more rarely.
pub(crate) const QUIET_AFTER: u8 = 64;

/// What the loop keeps of a line.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Empty polls in a row, up to [`QUIET_AFTER`].
    pub(crate) empty: u8,
    /// Most packets to receive at once: few while they are long chains.
    most: u8,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            empty: 0,
            most: BURST as u8,
        }
    }
}

impl PatchBlock {
    /// Counts `n` dropped packets. Only the worker that the block belongs to calls this.
    #[inline]
    pub fn drop_of(&self, reason: DropReason, n: u64) {
        add(&self.drops[reason as usize], n);
    }
}

impl Outlet {
    /// Sends the burst; what is refused is dropped and counted. Leaves it empty.
    #[inline(always)]
    pub(crate) fn send(&self, cx: &mut Context, burst: &mut Burst) {
        for stage in &self.stages {
            stage.run(cx, burst, self.counters);
        }
        if burst.is_empty() {
            return;
        }
        match &self.impaired {
            None => self.pass(cx, burst),
            Some(impaired) => impaired.hold(cx, burst, self.counters),
        }
    }

    /// The same for packets that have come so far as the port.
    #[inline(always)]
    fn pass(&self, cx: &mut Context, burst: &mut Burst) {
        let counters = self.counters;
        let (sent, bytes) = self.dst.send(cx, burst);
        add(&counters.tx_packets, sent as u64);
        add(&counters.tx_bytes, bytes);
        if !burst.is_empty() {
            self.refused(cx, burst);
        }
    }

    /// Sends what is held back no longer; returns how many packets. `burst` is empty before and after.
    pub(crate) fn release(&self, cx: &mut Context, burst: &mut Burst) -> usize {
        let Some(impaired) = &self.impaired else {
            return 0;
        };
        // Each may free a burst's worth of mbufs.
        cx.cache.relieve();
        let n = impaired.release(cx, burst);
        if n > 0 {
            self.pass(cx, burst);
        }
        n
    }

    /// Shows the packets to a destination that copies ([`Port::copies`]), past the stages; they stay in the burst. What it
    /// refuses is counted as dropped here.
    #[inline]
    pub(crate) fn offer(&self, burst: &Burst) {
        let counters = self.counters;
        let mut from = 0;
        loop {
            let (sent, bytes) = self.dst.offer(burst, from);
            add(&counters.tx_packets, sent as u64);
            add(&counters.tx_bytes, bytes);
            from += sent;
            match burst.len_of(from) {
                Some(len) if self.dst.is_too_long(len) => {
                    counters.drop_of(DropReason::TooBig, 1);
                    from += 1;
                }
                Some(_) => {
                    let left = (burst.len() - from) as u64;
                    return counters.drop_of(self.dst.refusal(), left);
                }
                None => return,
            }
        }
    }

    /// Drops and counts what the destination refused. A driver stops at a frame that is too long for it, or that shares its
    /// data and cannot be copied: that one goes, and what stands behind it is offered again.
    #[cold]
    fn refused(&self, cx: &mut Context, burst: &mut Burst) {
        let counters = self.counters;
        while let Some(len) = burst.len_of(0) {
            let reason = if self.dst.is_too_long(len) {
                DropReason::TooBig
            } else if burst.is_starved() {
                DropReason::NoMbuf
            } else {
                break;
            };
            burst.clear_front(1, &mut cx.cache);
            counters.drop_of(reason, 1);
            if !burst.is_empty() {
                let (sent, bytes) = self.dst.send(cx, burst);
                add(&counters.tx_packets, sent as u64);
                add(&counters.tx_bytes, bytes);
            }
        }
        counters.drop_of(self.dst.refusal(), burst.len() as u64);
        burst.clear(&mut cx.cache);
    }
}

impl Line {
    /// Most outlets that an element of this line deals packets out to.
    pub(crate) fn outs(&self) -> usize {
        match &self.way {
            Way::Straight(_) => 0,
            Way::Dealt(_, outlets) => outlets.len(),
            Way::Traced(traced) => traced.line.outs(),
        }
    }

    /// Whether both lead to one port and to nothing else.
    pub(crate) fn meets(&self, other: &Line) -> bool {
        match (&self.way, &other.way) {
            (Way::Straight(one), Way::Straight(two)) => Arc::ptr_eq(&one.dst, &two.dst),
            _ => false,
        }
    }

    /// Notes in the worker's block which ports it uses.
    pub(crate) fn note(&self, block: &WorkerBlock) {
        block.uses(&self.src, Direction::Rx);
        for outlet in self.outlets() {
            block.uses(&outlet.dst, Direction::Tx);
        }
    }

    /// Where its packets go.
    pub(crate) fn outlets(&self) -> &[Outlet] {
        match &self.way {
            Way::Straight(outlet) => std::slice::from_ref(outlet),
            Way::Dealt(_, outlets) => outlets,
            Way::Traced(traced) => traced.line.outlets(),
        }
    }

    /// Moves one burst along; returns the packets received. `burst` and `outs` (at least as many as the line deals
    /// out to) are empty before and after.
    #[inline(always)]
    pub(crate) fn carry(
        &self,
        cx: &mut Context,
        burst: &mut Burst,
        outs: &mut [Burst],
        pace: &mut Pace,
    ) -> usize {
        cx.stocked = cx.cache.balance();
        let n = self.src.receive(cx, burst, usize::from(pace.most));
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
        add(&self.entry.rx_packets, n as u64);
        add(&self.entry.rx_bytes, burst.bytes());
        self.forward(cx, burst, outs);
        n
    }

    /// Takes what was received along the line; leaves `burst` empty.
    #[inline(always)]
    pub(crate) fn forward(&self, cx: &mut Context, burst: &mut Burst, outs: &mut [Burst]) {
        for stage in &self.stages {
            stage.run(cx, burst, self.entry);
        }
        match &self.way {
            Way::Straight(outlet) => outlet.send(cx, burst),
            Way::Dealt(element, outlets) => {
                let outs = &mut outs[..outlets.len()];
                element.split(cx, burst, outs, self.entry);
                for (outlet, out) in outlets.iter().zip(outs) {
                    if !out.is_empty() {
                        // Each may free a burst's worth of mbufs.
                        cx.cache.relieve();
                        outlet.send(cx, out);
                    }
                }
            }
            Way::Traced(traced) => traced.run(cx, burst, outs),
        }
    }
}
