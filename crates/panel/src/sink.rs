//! The end of a patch inside the process: packets are looked at there, and go back to their pool.

use dpdk::Burst;

/// What became of the packets of a burst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// So many packets, from the first on, are done with. The others are dropped and counted as refused
    /// because there was no room.
    pub done: usize,
    /// Of those, so many were kept, ...
    pub kept: usize,
    /// ... with so many bytes. The others were not wanted.
    pub bytes: u64,
}

/// Takes the packets of a patch.
pub trait Sink: Send + Sync {
    /// Looks at the packets of a burst, from the first on. Called by one worker at a time; it must not block,
    /// allocate or call the kernel for every burst.
    fn take(&self, burst: &Burst) -> Taken;

    /// What an operator wants to know of it.
    fn info(&self) -> String;
}
