//! Looking through the panel's memory for what points to mbufs.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use dpdk_sys as ffi;

use crate::Ring;
use crate::mbuf::Mbuf;
use crate::pool::Pool;
use crate::reap::walk;

type Span = Range<usize>;

/// The mbufs of the pool into which any word of the memory points that DPDK's processes share, and those chained behind them.
/// Not looked at are the mbufs themselves, and what keeps their addresses for longer than it keeps them: the pool, its depot
/// and `rings`.
///
/// What a driver keeps in a queue is among them, for it has its queues in shared memory, or another process could not use
/// them. A number that happens to be such an address makes a free one look as if it were kept, too.
///
/// Primary's housekeeping thread only.
pub(crate) fn pointed_at(pool: &Pool, rings: &[Ring]) -> HashSet<Mbuf> {
    let objects = Objects::of(pool);
    let mut passed: Vec<Span> = objects.spans().collect();
    passed.extend(pool.spans());
    passed.extend(rings.iter().map(Ring::span));
    passed.sort_unstable_by_key(|span| span.start);
    let mut found = HashSet::new();
    memory(|part| {
        for words in without(part, &passed) {
            look(words, &objects, &mut found);
        }
    });
    // Where a chain leads while others use it does no harm: it ends among the mbufs of the pool.
    let heads: Vec<Mbuf> = found.iter().copied().collect();
    for head in heads {
        let mut next = objects.at(head.next() as usize);
        while let Some(m) = next.filter(|m| found.insert(*m)) {
            next = objects.at(m.next() as usize);
        }
    }
    found
}

/// Notes every mbuf into which one of these words points.
fn look(words: Span, objects: &Objects, found: &mut HashSet<Mbuf>) {
    let start = words.start.next_multiple_of(size_of::<usize>());
    let Some(len) = words.end.checked_sub(start) else {
        return;
    };
    // SAFETY: shared memory of DPDK's that the primary has mapped as long as it lives; others write it, so it is read as
    // atomics, aligned as these have to be.
    let words = unsafe {
        std::slice::from_raw_parts(start as *const AtomicUsize, len / size_of::<usize>())
    };
    for word in words {
        if let Some(m) = objects.at(word.load(Ordering::Relaxed)) {
            found.insert(m);
        }
    }
}

/// The parts of `part` that are in none of the spans `passed`, which are in rising order.
fn without(part: Span, passed: &[Span]) -> Vec<Span> {
    let first = passed.partition_point(|span| span.end <= part.start);
    let mut left = Vec::new();
    let mut at = part.start;
    for span in &passed[first..] {
        if span.start >= part.end {
            break;
        }
        if span.start > at {
            left.push(at..span.start);
        }
        at = at.max(span.end);
    }
    if at < part.end {
        left.push(at..part.end);
    }
    left
}

/// Calls `each` for every part of the shared memory.
fn memory<F: FnMut(Span)>(mut each: F) {
    unsafe extern "C" fn one<F: FnMut(Span)>(arg: *mut std::ffi::c_void, part: ffi::spp_span) {
        // SAFETY: `arg` is the closure below, borrowed for the walk.
        unsafe { (*arg.cast::<F>())(span(part)) }
    }
    // SAFETY: the callback fits its argument.
    unsafe { ffi::spp_memory_walk(Some(one::<F>), std::ptr::from_mut(&mut each).cast()) }
}

/// Addresses from C.
pub(crate) fn span(raw: ffi::spp_span) -> Span {
    raw.start..raw.end
}

/// The mbufs of a pool by their addresses.
struct Objects {
    /// In rising order.
    starts: Vec<usize>,
    header: usize,
    total: usize,
}

impl Objects {
    fn of(pool: &Pool) -> Self {
        let (mut header, mut total) = (0, 0);
        // SAFETY: a valid pool, and places for two numbers.
        unsafe { ffi::spp_mempool_object(pool.raw, &mut header, &mut total) };
        let mut starts = Vec::with_capacity(pool.size() as usize);
        walk(pool, |m| starts.push(m.0 as usize));
        starts.sort_unstable();
        Objects {
            starts,
            header,
            total,
        }
    }

    /// Where they lie, each with its header.
    fn spans(&self) -> impl Iterator<Item = Span> {
        self.starts
            .iter()
            .map(|start| start - self.header..start - self.header + self.total)
    }

    /// The mbuf into which an address points.
    fn at(&self, address: usize) -> Option<Mbuf> {
        let (first, last) = (*self.starts.first()?, *self.starts.last()?);
        let body = self.total - self.header;
        if address < first || address >= last + body {
            return None;
        }
        let after = self.starts.partition_point(|start| *start <= address);
        let start = *self.starts.get(after.checked_sub(1)?)?;
        (address < start + body).then_some(Mbuf(start as *mut ffi::rte_mbuf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_over_is_left_out_and_nothing_else() {
        let passed = [0..10, 20..30, 25..40, 60..61, 90..200];
        for (part, left) in [
            (5..100, vec![(10, 20), (40, 60), (61, 90)]),
            (10..20, vec![(10, 20)]),
            (22..28, vec![]),
            (200..300, vec![(200, 300)]),
        ] {
            let found = without(part, &passed);
            let found: Vec<_> = found.into_iter().map(|s| (s.start, s.end)).collect();
            assert_eq!(found, left);
        }
    }
}
