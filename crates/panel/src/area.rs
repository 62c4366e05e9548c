//! The panel's shared memory: who claims which end, what workers count, who sleeps.
//!
//! Counters have one writer, the worker with the lcore id that indexes them; anyone reads them at
//! any time, also after the writer died. Ends are claimed by compare-and-swap with the lcore id.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use dpdk::{Memzone, shared_struct};

use crate::code::{PortCode, PortKind};

/// Name of the memzone.
pub const NAME: &str = "spp_panel";
/// Version of its layout.
pub const LAYOUT: u32 = 5;
/// Lcore ids of DPDK.
pub const LCORES: usize = 128;
/// Most rings.
pub const RINGS: usize = 256;
/// Most Ethernet devices.
pub const DEVICES: usize = 32;
/// Most queues of a device that can be patched.
pub const QUEUES: usize = 16;
/// Most patches that one worker has counters for at a time.
pub const SLOTS: usize = 256;

/// Why a packet was dropped. The order is that of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// The destination had no room.
    Full = 0,
    /// Nobody is connected to the destination.
    LinkDown = 1,
    /// No mbuf was left.
    NoMbuf = 2,
    /// The frame is larger than the destination takes.
    TooBig = 3,
    /// The packet was on its way when its port or patch went.
    Removed = 4,
    /// A file or driver refused it.
    IoError = 5,
    /// No entry of a table says where it should go.
    Unknown = 6,
    /// It is of a kind that the component does not let through.
    Filtered = 7,
    /// Its patch was told to lose it.
    Lost = 8,
    /// Its patch held as many mbufs as it may.
    Limit = 9,
}

impl DropReason {
    /// All of them, in order.
    pub const ALL: [DropReason; REASONS] = [
        DropReason::Full,
        DropReason::LinkDown,
        DropReason::NoMbuf,
        DropReason::TooBig,
        DropReason::Removed,
        DropReason::IoError,
        DropReason::Unknown,
        DropReason::Filtered,
        DropReason::Lost,
        DropReason::Limit,
    ];
}

/// Number of drop reasons.
pub const REASONS: usize = 10;

shared_struct! {
    /// Who claims the two ends of a ring or queue: lcore id + 1, or 0.
    #[derive(Debug)]
    #[repr(align(64))]
    pub struct Ends {
        /// Who puts packets in.
        pub producer: AtomicU32,
        /// Who takes packets out.
        pub consumer: AtomicU32,
    }
}

shared_struct! {
    /// Whether a worker sleeps: read by the producers of its rings after every burst.
    #[derive(Debug)]
    #[repr(align(64))]
    pub struct Sleep {
        /// 1 while the worker may sleep and wants its bell rung.
        pub asleep: AtomicU32,
    }
}

shared_struct! {
    /// What a worker says of itself, in cycles of the time stamp counter and in polls.
    #[derive(Debug)]
    #[repr(align(128))]
    pub struct WorkerBlock {
        /// Rounds since start: stands still if the worker is stuck.
        pub rounds: AtomicU64,
        /// Cycles in rounds that moved packets.
        pub busy_cycles: AtomicU64,
        /// Polls of sources.
        pub polls: AtomicU64,
        /// Polls that found nothing.
        pub empty_polls: AtomicU64,
        /// Packets received.
        pub packets: AtomicU64,
        /// Times that it went to rest.
        pub rests: AtomicU64,
        /// Time stamp counter at its start; 0 before.
        pub started: AtomicU64,
        /// 1 if it ever used a device whose driver keeps mbufs of which we cannot know where they are.
        pub driver_held: AtomicU32,
        /// Devices that it ever received from whose driver keeps the mbufs to receive into: a bit for each port id.
        pub received_from: AtomicU32,
        /// mbufs that its patches may hold back together at most.
        pub may_hold: AtomicU32,
    }
}

shared_struct! {
    /// Signs of life of the process that leases an lcore id, given by a thread that does nothing else.
    #[derive(Debug)]
    #[repr(align(64))]
    pub struct Pulse {
        /// Time stamp counter at the last one; 0 if the process gives none (yet, or any more).
        pub beat: AtomicU64,
        /// Time stamp counter since when the worker is stuck; 0 if it is not.
        pub stuck: AtomicU64,
    }
}

shared_struct! {
    /// Counters of one patch of one worker, or of one port of a component.
    #[derive(Debug)]
    #[repr(align(128))]
    pub struct PatchBlock {
        /// [`FREE`], [`LIVE`] or [`RETIRED`].
        pub state: AtomicU32,
        /// Code of the source; 0 if it counts only what goes out of a component.
        pub src: AtomicU32,
        /// Code of the destination; 0 if it counts only what comes into a component, and what that drops.
        pub dst: AtomicU32,
        /// Packets taken from the source.
        pub rx_packets: AtomicU64,
        /// Bytes taken from the source.
        pub rx_bytes: AtomicU64,
        /// Packets that the destination took.
        pub tx_packets: AtomicU64,
        /// Bytes that the destination took.
        pub tx_bytes: AtomicU64,
        /// Packets dropped, by [`DropReason`].
        pub drops: [AtomicU64; REASONS],
    }
}

impl Pulse {
    /// No sign of life is to be expected from here on.
    pub fn still(&self) {
        self.beat.store(0, Relaxed);
        self.stuck.store(0, Relaxed);
    }
}

/// State of a block that nobody uses.
pub const FREE: u32 = 0;
/// State of a block that a worker writes.
pub const LIVE: u32 = 1;
/// State of a block whose patch is gone; its counts still belong to its ports.
pub const RETIRED: u32 = 2;

shared_struct! {
    /// Counts of blocks that were cleared, kept for their port. Written by several processes.
    #[derive(Debug)]
    #[repr(align(128))]
    pub struct Past {
        /// Packets received from the port.
        pub rx_packets: AtomicU64,
        /// Bytes received.
        pub rx_bytes: AtomicU64,
        /// Packets that the port took.
        pub tx_packets: AtomicU64,
        /// Bytes that it took.
        pub tx_bytes: AtomicU64,
        /// Packets that it refused, by reason.
        pub drops: [AtomicU64; REASONS],
    }
}

shared_struct! {
    /// All of it.
    pub struct Layout {
        /// Ends of the rings.
        pub rings: [Ends; RINGS],
        /// Ends of the devices' queues.
        pub queues: [[Ends; QUEUES]; DEVICES],
        /// Sleepers, by lcore id.
        pub sleep: [Sleep; LCORES],
        /// Workers, by lcore id.
        pub workers: [WorkerBlock; LCORES],
        /// Signs of life, by lcore id.
        pub pulses: [Pulse; LCORES],
        /// Counters of patches, by lcore id.
        pub patches: [[PatchBlock; SLOTS]; LCORES],
        /// What rings counted in blocks that are cleared.
        pub ring_past: [Past; RINGS],
        /// What devices counted in blocks that are cleared.
        pub device_past: [Past; DEVICES],
        /// Odd while counts move from a block to a past.
        pub moving: AtomicU64,
        /// mbufs that all patches of the panel may hold back together at most.
        pub may_hold: AtomicU32,
    }
}

/// Counts of a port or patch, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets received from the port.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets that it took.
    pub tx_packets: u64,
    /// Bytes that it took.
    pub tx_bytes: u64,
    /// Packets that it refused, by reason.
    pub drops: [u64; REASONS],
}

impl Totals {
    /// Applies `f` to each pair of counts.
    fn zip(mut self, other: &Totals, f: impl Fn(u64, u64) -> u64) -> Totals {
        self.rx_packets = f(self.rx_packets, other.rx_packets);
        self.rx_bytes = f(self.rx_bytes, other.rx_bytes);
        self.tx_packets = f(self.tx_packets, other.tx_packets);
        self.tx_bytes = f(self.tx_bytes, other.tx_bytes);
        for (a, b) in self.drops.iter_mut().zip(other.drops) {
            *a = f(*a, b);
        }
        self
    }

    /// The sum.
    pub fn plus(self, other: &Totals) -> Totals {
        self.zip(other, u64::wrapping_add)
    }

    /// What has come since `base`.
    pub fn since(self, base: &Totals) -> Totals {
        self.zip(base, u64::saturating_sub)
    }

    /// Only what was received.
    pub fn received(self) -> Totals {
        Totals {
            rx_packets: self.rx_packets,
            rx_bytes: self.rx_bytes,
            ..Totals::default()
        }
    }

    /// Only what was sent and refused.
    pub fn sent(self) -> Totals {
        Totals {
            rx_packets: 0,
            rx_bytes: 0,
            ..self
        }
    }

    /// What belongs to the source of a block with this destination: drops are the destination's, if there is one.
    pub(crate) fn of_src(self, dst: Option<PortCode>) -> Totals {
        if dst.is_some() { self.received() } else { self }
    }
}

/// Source and destination of a [`PatchBlock`]; a component's ports have only one of them.
pub type BlockEnds = (Option<PortCode>, Option<PortCode>);

impl PatchBlock {
    /// What it counted.
    pub fn totals(&self) -> Totals {
        Totals {
            rx_packets: self.rx_packets.load(Relaxed),
            rx_bytes: self.rx_bytes.load(Relaxed),
            tx_packets: self.tx_packets.load(Relaxed),
            tx_bytes: self.tx_bytes.load(Relaxed),
            drops: std::array::from_fn(|i| self.drops[i].load(Relaxed)),
        }
    }

    /// Source and destination, if it is in use.
    pub fn ends(&self) -> Option<BlockEnds> {
        if self.state.load(SeqCst) == FREE {
            return None;
        }
        Some((
            PortCode::from_raw(self.src.load(Relaxed)),
            PortCode::from_raw(self.dst.load(Relaxed)),
        ))
    }

    fn clear(&self) {
        self.state.store(FREE, SeqCst);
        for counter in [
            &self.rx_packets,
            &self.rx_bytes,
            &self.tx_packets,
            &self.tx_bytes,
        ] {
            counter.store(0, Relaxed);
        }
        self.drops.iter().for_each(|d| d.store(0, Relaxed));
    }
}

impl Past {
    fn add(&self, t: &Totals) {
        self.rx_packets.fetch_add(t.rx_packets, Relaxed);
        self.rx_bytes.fetch_add(t.rx_bytes, Relaxed);
        self.tx_packets.fetch_add(t.tx_packets, Relaxed);
        self.tx_bytes.fetch_add(t.tx_bytes, Relaxed);
        for (to, n) in self.drops.iter().zip(t.drops) {
            to.fetch_add(n, Relaxed);
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            rx_packets: self.rx_packets.load(Relaxed),
            rx_bytes: self.rx_bytes.load(Relaxed),
            tx_packets: self.tx_packets.load(Relaxed),
            tx_bytes: self.tx_bytes.load(Relaxed),
            drops: std::array::from_fn(|i| self.drops[i].load(Relaxed)),
        }
    }
}

/// An end that somebody else claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The lcore id of the holder.
    pub lcore: u32,
}

/// Too many mbufs were to be held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// mbufs that all patches of the panel may hold back together.
    pub most: u32,
    /// mbufs of them that nobody has reserved.
    pub left: u32,
}

/// The direction of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Packets come out of the port.
    Rx,
    /// Packets go into the port.
    Tx,
}

/// The panel's shared memory. A handle: copies are the same area.
#[derive(Clone, Copy)]
pub struct Area(Memzone<Layout>);

impl Area {
    /// Reserves it (primary only).
    pub fn create() -> Result<Self, dpdk::Error> {
        Ok(Area(Memzone::create(NAME, LAYOUT)?))
    }

    /// Finds it.
    pub fn lookup() -> Result<Self, dpdk::Error> {
        Ok(Area(Memzone::lookup(NAME, LAYOUT)?))
    }

    /// The fields.
    pub fn layout(&self) -> &'static Layout {
        self.0.get()
    }

    /// The two ends of the queue of device `port` (DPDK's port id).
    pub fn queue_ends(&self, port: u16, queue: u16) -> Option<&'static Ends> {
        self.layout()
            .queues
            .get(usize::from(port))?
            .get(usize::from(queue))
    }

    /// The two ends of ring `number`.
    pub fn ring_ends(&self, number: u16) -> Option<&'static Ends> {
        self.layout().rings.get(usize::from(number))
    }

    fn side(ends: &Ends, direction: Direction) -> &AtomicU32 {
        match direction {
            Direction::Rx => &ends.consumer,
            Direction::Tx => &ends.producer,
        }
    }

    /// Claims one end for `lcore`; claiming it again changes nothing.
    pub fn claim(ends: &Ends, direction: Direction, lcore: u32) -> Result<(), Held> {
        match Self::side(ends, direction).compare_exchange(0, lcore + 1, SeqCst, SeqCst) {
            Ok(_) => Ok(()),
            Err(holder) if holder == lcore + 1 => Ok(()),
            Err(holder) => Err(Held { lcore: holder - 1 }),
        }
    }

    /// Gives an end up if `lcore` holds it.
    pub fn release(ends: &Ends, direction: Direction, lcore: u32) {
        let _ = Self::side(ends, direction).compare_exchange(lcore + 1, 0, SeqCst, SeqCst);
    }

    /// The lcore id that claims an end.
    pub fn holder(ends: &Ends, direction: Direction) -> Option<u32> {
        Self::side(ends, direction).load(SeqCst).checked_sub(1)
    }

    /// Numbers of the rings of which `lcore` claims the end.
    pub fn rings_of(&self, lcore: u32, direction: Direction) -> Vec<u16> {
        let rings = self.layout().rings.iter().enumerate();
        rings
            .filter(|(_, e)| Self::holder(e, direction) == Some(lcore))
            .map(|(i, _)| i as u16)
            .collect()
    }

    /// Takes every claim of a dead worker away.
    pub fn release_all(&self, lcore: u32) {
        let layout = self.layout();
        for ends in layout.rings.iter().chain(layout.queues.iter().flatten()) {
            Self::release(ends, Direction::Rx, lcore);
            Self::release(ends, Direction::Tx, lcore);
        }
    }

    /// Counters for a patch of the worker `lcore`, or for a port of its component: those that it had before,
    /// or free ones. Only the process that leases `lcore` calls this. `None` if all are in use. Where a former
    /// patch had to make room, `evicted` gets its ends and counts.
    pub fn begin_patch(
        &self,
        lcore: u32,
        ends: BlockEnds,
        evicted: impl FnOnce(BlockEnds, Totals),
    ) -> Option<&'static PatchBlock> {
        let blocks = self.layout().patches.get(lcore as usize)?;
        let same = |b: &&PatchBlock| b.ends() == Some(ends);
        if let Some(block) = blocks.iter().find(same) {
            block.state.store(LIVE, SeqCst);
            return Some(block);
        }
        let in_state = |state| blocks.iter().find(|b| b.state.load(SeqCst) == state);
        let block = match in_state(FREE) {
            Some(block) => block,
            None => {
                let block = in_state(RETIRED)?;
                if let Some(ends) = block.ends() {
                    evicted(ends, block.totals());
                }
                self.clear_block(block);
                block
            }
        };
        let raw = |code: Option<PortCode>| code.map_or(0, PortCode::raw);
        block.src.store(raw(ends.0), Relaxed);
        block.dst.store(raw(ends.1), Relaxed);
        block.state.store(LIVE, SeqCst);
        Some(block)
    }

    /// Says that no worker writes to the block any more; its counts stay.
    pub fn end_patch(&self, block: &PatchBlock) {
        block.state.store(RETIRED, SeqCst);
    }

    /// From now on patches may hold back so many of the pool's `mbufs` together that others have as many (primary only).
    pub fn share_mbufs(&self, mbufs: u32) {
        self.layout().may_hold.store(mbufs / 2, SeqCst);
    }

    /// Says that the patches of the worker `lcore` may hold back `mbufs` mbufs together from now on. Only the process that leases
    /// `lcore` calls this.
    ///
    /// # Errors
    /// That would be more than there are for this: nothing has changed. Of two processes that ask for the last ones at the same time both
    /// may be refused.
    pub fn reserve(&self, lcore: u32, mbufs: u32) -> Result<(), Reserved> {
        let layout = self.layout();
        let Some(worker) = layout.workers.get(lcore as usize) else {
            return Ok(());
        };
        let before = worker.may_hold.swap(mbufs, SeqCst);
        let most = layout.may_hold.load(SeqCst);
        let workers = layout.workers.iter();
        let all = workers.fold(0u32, |sum, w| sum.saturating_add(w.may_hold.load(SeqCst)));
        if mbufs <= before || all <= most {
            return Ok(());
        }
        worker.may_hold.store(before, SeqCst);
        Err(Reserved {
            most,
            left: most.saturating_sub(all - mbufs + before),
        })
    }

    fn past_of(&self, code: PortCode) -> Option<&'static Past> {
        let number = usize::from(code.number());
        match code.kind() {
            PortKind::Ring => self.layout().ring_past.get(number),
            PortKind::Phy => self.layout().device_past.get(number),
            _ => None,
        }
    }

    /// Moves the counts of a block to the pasts of its ports, as one step for readers.
    fn clear_block(&self, block: &PatchBlock) {
        let Some((src, dst)) = block.ends() else {
            return;
        };
        let totals = block.totals();
        let moving = &self.layout().moving;
        moving.fetch_add(1, SeqCst);
        if let Some(past) = src.and_then(|src| self.past_of(src)) {
            past.add(&totals.of_src(dst));
        }
        if let Some(past) = dst.and_then(|dst| self.past_of(dst)) {
            past.add(&totals.sent());
        }
        block.clear();
        moving.fetch_add(1, SeqCst);
    }

    /// Clears all blocks of a worker that is dead, keeping their counts for rings and devices.
    pub fn bury(&self, lcore: u32) {
        let Some(blocks) = self.layout().patches.get(lcore as usize) else {
            return;
        };
        blocks.iter().for_each(|b| self.clear_block(b));
        let Some(worker) = self.layout().workers.get(lcore as usize) else {
            return;
        };
        for counter in [
            &worker.rounds,
            &worker.busy_cycles,
            &worker.polls,
            &worker.empty_polls,
            &worker.packets,
            &worker.rests,
            &worker.started,
        ] {
            counter.store(0, Relaxed);
        }
        worker.may_hold.store(0, SeqCst);
        worker.driver_held.store(0, Relaxed);
        worker.received_from.store(0, Relaxed);
        self.layout().pulses[lcore as usize].still();
        self.layout().sleep[lcore as usize].asleep.store(0, SeqCst);
    }

    /// Counts of `port` in the blocks of the workers `lcores`.
    pub fn port_totals(&self, port: PortCode, lcores: impl Iterator<Item = u32>) -> Totals {
        let mut sum = Totals::default();
        for block in lcores
            .filter_map(|l| self.layout().patches.get(l as usize))
            .flatten()
        {
            let Some((src, dst)) = block.ends() else {
                continue;
            };
            let totals = block.totals();
            if src == Some(port) {
                sum = sum.plus(&totals.of_src(dst));
            }
            if dst == Some(port) {
                sum = sum.plus(&totals.sent());
            }
        }
        sum
    }

    /// Counts of the blocks with these ends of the workers `lcores`.
    pub fn patch_totals(&self, ends: BlockEnds, lcores: impl Iterator<Item = u32>) -> Totals {
        let blocks = lcores
            .filter_map(|l| self.layout().patches.get(l as usize))
            .flatten();
        blocks
            .filter(|b| b.ends() == Some(ends))
            .fold(Totals::default(), |sum, b| sum.plus(&b.totals()))
    }

    /// Counts of a ring or device over all processes, past and present.
    pub fn panel_totals(&self, port: PortCode) -> Totals {
        let mut sum = Totals::default();
        // While a block moves to a past its counts could be seen twice or not at all: look again. A process
        // that died in between leaves the number odd: then what is seen has to do.
        for _ in 0..1000 {
            let before = self.layout().moving.load(SeqCst);
            sum = self.port_totals(port, 0..LCORES as u32);
            if let Some(past) = self.past_of(port) {
                sum = sum.plus(&past.totals());
            }
            if before.is_multiple_of(2) && self.layout().moving.load(SeqCst) == before {
                break;
            }
            std::hint::spin_loop();
        }
        sum
    }
}
