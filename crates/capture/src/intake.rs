//! The worker's side of a capture: stamps, filters, cuts, and hands over.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use capfile::Format;
use dpdk::{Burst, tsc};
use panel::published::Subscriber;
use panel::sink::{Sink, Taken};
use sys::bpf::Filter;

use crate::clock::Line;
use crate::lane::{CHUNK, Chunk, Feed};

/// Longest packet that can be looked at: what a chain of mbufs can hold, and more.
const LONGEST: usize = 128 * 1024;
/// A clock that goes back by less than this was corrected, and the times of packets wait for it; by more, it was set.
const CORRECTED_NS: u64 = 10_000_000;

/// What the worker counts in one run of a capture.
#[derive(Debug, Default)]
pub struct Counts {
    /// Packets that came.
    pub received: AtomicU64,
    /// Packets that the filter did not let through.
    pub filtered: AtomicU64,
    /// Packets handed over to the writers.
    pub accepted: AtomicU64,
    /// Packets lost because the writers had no room.
    pub full: AtomicU64,
}

impl Counts {
    /// Begins anew. Only while no worker counts.
    pub fn clear(&self) {
        for count in [&self.received, &self.filtered, &self.accepted, &self.full] {
            count.store(0, Relaxed);
        }
    }
}

/// Takes packets from the worker. Used by one worker at a time: its lock is never contended.
pub struct Intake {
    state: Mutex<State>,
    /// What came of the packets.
    pub counts: Counts,
    port: String,
}

/// How packets are looked at.
pub struct Look {
    /// The form of records.
    pub format: Format,
    /// Most bytes kept of a packet.
    pub snaplen: u32,
    /// What passes; `None`: everything.
    pub filter: Option<Filter>,
}

struct State {
    look: Look,
    clock: Subscriber<Line>,
    feeds: Vec<Feed>,
    /// The feed whose turn it is: bursts take turns.
    turn: usize,
    /// The chunk in hand during a burst, and whether it is a new one.
    chunk: Option<(Box<Chunk>, bool)>,
    scratch: Box<[u8]>,
    last_ns: u64,
}

impl State {
    /// Makes sure of a chunk in hand with room for `need` bytes; false if no writer has one to give.
    #[inline]
    fn room(&mut self, need: usize) -> bool {
        if let Some((chunk, _)) = &self.chunk
            && chunk.records.len() + need <= CHUNK
        {
            return true;
        }
        if let Some((chunk, _)) = self.chunk.take()
            && let Some(feed) = self.feeds.get_mut(self.turn)
        {
            feed.pass(chunk);
        }
        let count = self.feeds.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            if let Some(chunk) = self.feeds[at].take(need) {
                self.turn = at;
                self.chunk = Some(chunk);
                return true;
            }
        }
        false
    }

    /// Puts the chunk in hand back, and has the next burst go to the next writer.
    fn hand_back(&mut self) {
        if let Some((chunk, new)) = self.chunk.take() {
            if let Some(feed) = self.feeds.get_mut(self.turn) {
                feed.put(chunk, new);
            }
            self.turn = (self.turn + 1) % self.feeds.len().max(1);
        }
    }

    /// The time of the burst.
    fn now(&mut self) -> u64 {
        let now = self.clock.get().at(tsc());
        let back = self.last_ns.saturating_sub(now);
        if back == 0 || back > CORRECTED_NS {
            self.last_ns = now;
        }
        self.last_ns
    }
}

impl Intake {
    /// Takes packets of `port` and hands them to `feeds`, one for each writer (at least one).
    pub fn new(port: String, look: Look, clock: Subscriber<Line>, feeds: Vec<Feed>) -> Self {
        let state = State {
            look,
            clock,
            feeds,
            turn: 0,
            chunk: None,
            scratch: vec![0; LONGEST].into_boxed_slice(),
            last_ns: 0,
        };
        Intake {
            state: Mutex::new(state),
            counts: Counts::default(),
            port,
        }
    }
}

fn add(counter: &AtomicU64, n: u64) {
    // One writer: a plain load and store.
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

impl Sink for Intake {
    fn take(&self, burst: &Burst) -> Taken {
        let Ok(mut state) = self.state.try_lock() else {
            return Taken::default();
        };
        let state = &mut *state;
        let now = state.now();
        let count = burst.len();
        let chained = burst.segments() as usize != count;
        let (format, snaplen) = (state.look.format, state.look.snaplen as usize);
        let mut taken = Taken::default();
        for i in 0..count {
            let original = if chained {
                burst.copy_packet(i, &mut state.scratch)
            } else {
                burst.packet(i).map(<[u8]>::len)
            };
            let Some(original) = original else { break };
            if let Some(filter) = &state.look.filter {
                let bytes = match burst.packet(i) {
                    Some(first) if !chained => first,
                    _ => &state.scratch[..original.min(LONGEST)],
                };
                if !filter.passes(bytes, original as u32) {
                    taken.done += 1;
                    continue;
                }
            }
            let kept = original.min(snaplen).min(LONGEST);
            if !state.room(format.record_length(kept)) {
                break;
            }
            let bytes = match burst.packet(i) {
                Some(first) if !chained => first,
                _ => &state.scratch[..],
            };
            if let Some((chunk, _)) = &mut state.chunk {
                format.push(&mut chunk.records, now, original as u32, &bytes[..kept]);
            }
            taken.done += 1;
            taken.kept += 1;
            taken.bytes += original as u64;
        }
        state.hand_back();
        add(&self.counts.received, count as u64);
        add(&self.counts.accepted, taken.kept as u64);
        add(&self.counts.filtered, (taken.done - taken.kept) as u64);
        add(&self.counts.full, (count - taken.done) as u64);
        taken
    }

    fn info(&self) -> String {
        format!("captures {}", self.port)
    }
}
