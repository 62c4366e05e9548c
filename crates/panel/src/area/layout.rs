//! What lies where in the panel's shared memory.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use dpdk::shared_struct;

/// Name of the memzone.
pub const NAME: &str = "spp_panel";
/// Version of its layout.
pub const LAYOUT: u32 = 6;
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
        /// So many of its [`PatchBlock`]s may be in use: those behind were not since its lcore id was leased.
        pub blocks: AtomicU32,
        /// Odd while counts move from one of its blocks to a past.
        pub moving: AtomicU64,
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
        /// mbufs that all patches of the panel may hold back together at most.
        pub may_hold: AtomicU32,
    }
}
