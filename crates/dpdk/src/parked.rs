//! Packets that a worker holds until a time.

use std::collections::VecDeque;

use crate::burst::Burst;
use crate::mbuf::Mbuf;
use crate::pool::Owner;

struct Waiting {
    /// Time stamp counter at which it may go on.
    until: u64,
    m: Mbuf,
    bytes: u32,
    segs: u32,
    /// Whether it may be a clone.
    shared: bool,
}

/// A line of packets, each until a time. They are their worker's as those in a burst are: they carry its tag, so what
/// a killed worker held is found. Only a worker can free them, so it has to be empty when it is dropped.
pub struct Parked {
    line: VecDeque<Waiting>,
    mbufs: u32,
}

// SAFETY: packets are owned by whoever has it, as in a burst; a worker that takes them out tags them as its own.
unsafe impl Send for Parked {}

impl Parked {
    /// With room for `packets` packets.
    pub fn new(packets: usize) -> Self {
        Parked {
            line: VecDeque::with_capacity(packets),
            mbufs: 0,
        }
    }

    /// mbufs that it holds; a packet that shares its data counts twice.
    #[inline(always)]
    pub fn mbufs(&self) -> u32 {
        self.mbufs
    }

    /// When the first packet may go on, by the time stamp counter.
    #[inline(always)]
    pub fn next(&self) -> Option<u64> {
        self.line.front().map(|first| first.until)
    }

    /// Moves packets from the front of the burst to the end of the line, as long as that holds at most `most` mbufs and there is
    /// room; `until` says, of the length of each, until when. Times must not become earlier. What stays in the burst
    /// has not been asked about.
    pub fn park(&mut self, burst: &mut Burst, most: u32, mut until: impl FnMut(u32) -> u64) {
        let shared = burst.is_shared();
        let single = burst.segments() as usize == burst.len();
        let mut taken = 0;
        for m in burst.held() {
            let m = Mbuf(*m);
            let segs = if single { 1 } else { u32::from(m.nb_segs()) };
            let mbufs = if shared { 2 * segs } else { segs };
            if self.mbufs + mbufs > most || self.line.len() == self.line.capacity() {
                break;
            }
            let bytes = m.pkt_len();
            self.line.push_back(Waiting {
                until: until(bytes),
                m,
                bytes,
                segs,
                shared,
            });
            self.mbufs += mbufs;
            taken += 1;
        }
        burst.passed_on(taken);
    }

    /// Moves the packets whose time has come by `now` to the end of the burst, as far as it has room, as packets of `owner`. `left` gets
    /// the time of each. Returns how many.
    pub fn release(
        &mut self,
        now: u64,
        burst: &mut Burst,
        owner: Owner,
        mut left: impl FnMut(u64),
    ) -> usize {
        let room = burst.room().len();
        let mut n = 0;
        while n < room
            && self.next().is_some_and(|until| until <= now)
            && let Some(first) = self.line.pop_front()
        {
            self.mbufs -= if first.shared {
                2 * first.segs
            } else {
                first.segs
            };
            first.m.own(owner.tag());
            burst.push(first.m, first.bytes, first.segs);
            burst.set_shared(burst.is_shared() | first.shared);
            left(first.until);
            n += 1;
        }
        n
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            log::error!(
                "{} packets were forgotten on their way: they come back when this process has ended",
                self.line.len()
            );
        }
    }
}
