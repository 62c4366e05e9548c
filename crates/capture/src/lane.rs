//! How packets come from a worker to a writer: in chunks of records, which are handed over and handed
//! back. The worker never waits, allocates or locks; nobody copies.
//!
//! The worker fills the *open* chunk, which it takes out of its place for a burst and puts back. A full one goes into
//! a queue. A writer that has nothing else to do takes the open chunk away, so that few packets need not wait for many.
//! Chunks are numbered, so that a writer that took the open one sees whether an older one is still in the queue.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam::atomic::AtomicCell;
use crossbeam::queue::ArrayQueue;

/// Bytes of records in a chunk: also the largest block of an LZ4 frame of 256 KB.
pub const CHUNK: usize = 256 * 1024;

/// Records on their way to a file.
pub struct Chunk {
    /// Whole records, one after the other.
    pub records: Vec<u8>,
    number: u64,
}

/// Between one worker and one writer.
struct Lane {
    full: ArrayQueue<Box<Chunk>>,
    free: ArrayQueue<Box<Chunk>>,
    open: AtomicCell<Option<Box<Chunk>>>,
    writer: OnceLock<Thread>,
}

impl Lane {
    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// The worker's side.
pub struct Feed {
    lane: Arc<Lane>,
    next: u64,
}

/// The writer's side.
pub struct Outlet {
    lane: Arc<Lane>,
    next: u64,
    /// A chunk that was taken before older ones had come out of the queue.
    held: Option<Box<Chunk>>,
}

/// Both sides, with `chunks` chunks (at least two) whose memory is there from now on.
pub fn lane(chunks: usize) -> (Feed, Outlet) {
    let chunks = chunks.max(2);
    let lane = Lane {
        full: ArrayQueue::new(chunks),
        free: ArrayQueue::new(chunks),
        open: AtomicCell::new(None),
        writer: OnceLock::new(),
    };
    for _ in 0..chunks {
        // Written once, so that the worker meets no page that the kernel has yet to find.
        let mut records = vec![1; CHUNK];
        records.clear();
        // There is room for all of them.
        let _ = lane.free.push(Box::new(Chunk { records, number: 0 }));
    }
    let lane = Arc::new(lane);
    let feed = Feed {
        lane: lane.clone(),
        next: 0,
    };
    let outlet = Outlet {
        lane,
        next: 0,
        held: None,
    };
    (feed, outlet)
}

impl Feed {
    /// A chunk with room for `need` bytes (at most [`CHUNK`]), and whether it is a new one; `None` if the writer has
    /// not given one back yet.
    #[inline]
    pub fn take(&mut self, need: usize) -> Option<(Box<Chunk>, bool)> {
        if let Some(chunk) = self.lane.open.take() {
            if chunk.records.len() + need <= CHUNK {
                return Some((chunk, false));
            }
            self.pass(chunk);
        }
        let mut chunk = self.lane.free.pop()?;
        chunk.records.clear();
        chunk.number = self.next;
        self.next += 1;
        Some((chunk, true))
    }

    /// Hands over a chunk that is full.
    #[inline]
    pub fn pass(&mut self, chunk: Box<Chunk>) {
        // There is room: no more chunks exist than fit.
        let _ = self.lane.full.push(chunk);
        self.lane.wake();
    }

    /// Puts a chunk back that is not full; `new` as [`Feed::take`] said.
    #[inline]
    pub fn put(&mut self, chunk: Box<Chunk>, new: bool) {
        self.lane.open.store(Some(chunk));
        if new {
            self.lane.wake();
        }
    }
}

impl Outlet {
    /// Says that the calling thread is the writer, to be woken.
    pub fn attend(&self) {
        let _ = self.lane.writer.set(std::thread::current());
    }

    /// The next chunk in order; with `open` also one that is not full.
    pub fn next(&mut self, open: bool) -> Option<Box<Chunk>> {
        let queued = |outlet: &mut Self| {
            let chunk = outlet.lane.full.pop()?;
            outlet.next = chunk.number + 1;
            Some(chunk)
        };
        if let Some(chunk) = queued(self) {
            return Some(chunk);
        }
        if self.held.is_none() && open {
            self.held = self.lane.open.take();
        }
        // What is older was put into the queue before this one was begun.
        match self.held.take() {
            Some(chunk) if chunk.number == self.next => {
                self.next += 1;
                Some(chunk)
            }
            later => {
                self.held = later;
                queued(self)
            }
        }
    }

    /// Gives a chunk back to be filled again.
    pub fn give_back(&self, chunk: Box<Chunk>) {
        // There is room: no more chunks exist than fit.
        let _ = self.lane.free.push(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_records_arrive_once_and_in_order() {
        const COUNT: u64 = 300_000;
        let (mut feed, mut outlet) = lane(4);
        let writer = std::thread::spawn(move || {
            outlet.attend();
            let (mut expected, mut looks) = (0u64, 0u32);
            while expected < COUNT {
                looks += 1;
                // Full chunks and open ones, in all kinds of orders.
                match outlet.next(looks.is_multiple_of(3)) {
                    Some(chunk) => {
                        expected = check(&chunk, expected);
                        outlet.give_back(chunk);
                    }
                    None => std::thread::park_timeout(std::time::Duration::from_millis(1)),
                }
            }
            assert!(outlet.next(true).is_none());
        });
        let mut sent = 0u64;
        while sent < COUNT {
            // No chunk free: here it is tried again.
            let Some((mut chunk, new)) = feed.take(1000) else {
                std::thread::yield_now();
                continue;
            };
            chunk.records.extend_from_slice(&sent.to_le_bytes());
            chunk.records.resize(chunk.records.len() + 992, 0);
            sent += 1;
            feed.put(chunk, new);
        }
        writer.join().unwrap();
    }

    fn check(chunk: &Chunk, mut expected: u64) -> u64 {
        for record in chunk.records.chunks_exact(1000) {
            let number = u64::from_le_bytes(record[..8].try_into().unwrap());
            assert_eq!(number, expected);
            expected += 1;
        }
        expected
    }

    #[test]
    fn a_writer_that_does_not_come_costs_chunks_and_nothing_else() {
        let (mut feed, mut outlet) = lane(3);
        let mut taken = 0;
        while let Some((mut chunk, new)) = feed.take(CHUNK) {
            chunk.records.resize(CHUNK, taken);
            feed.put(chunk, new);
            taken += 1;
        }
        assert_eq!(taken, 3);
        for number in 0..3 {
            let chunk = outlet.next(true).unwrap();
            assert_eq!(chunk.records[0], number);
            outlet.give_back(chunk);
        }
        assert!(outlet.next(true).is_none());
        assert!(feed.take(1).is_some());
    }
}
