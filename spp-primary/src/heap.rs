//! How full DPDK's shared heap is.
//!
//! The heap has a lock. vhost allocates in the processes that have its ports, so one of them may be killed, or stand still, while it
//! holds that lock; who asks then waits for good. So a thread of its own asks, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use process::{Error, threads};
use protocol::detail::HeapDetail;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// A look that takes longer found the heap locked.
const LATE: Duration = Duration::from_secs(5);
/// Percent of what was free at first from which on it is said that little is left.
const MUCH: u64 = 80;

#[derive(Default)]
struct Seen {
    allocated: AtomicU64,
    free: AtomicU64,
    looks: AtomicU64,
}

/// The watch of the heap.
pub struct Heap {
    seen: Arc<Seen>,
    gauge: Gauge,
    /// The last look that was seen, and when.
    last: (u64, Instant),
}

impl Heap {
    /// Looks once, and then goes on on a thread. To be called when the primary has taken all that it needs of the heap.
    pub fn watch() -> Result<Self, Error> {
        let seen = Arc::new(Seen::default());
        let look = {
            let seen = seen.clone();
            move || {
                if let Some((allocated, free)) = dpdk::heap() {
                    seen.allocated.store(allocated, Ordering::Relaxed);
                    seen.free.store(free, Ordering::Relaxed);
                    seen.looks.fetch_add(1, Ordering::Release);
                }
            }
        };
        look();
        let at_first = seen.free.load(Ordering::Relaxed);
        threads::spawn("spp-heap", move || {
            loop {
                std::thread::sleep(EVERY);
                look();
            }
        })?;
        Ok(Heap {
            seen,
            gauge: Gauge::new(at_first),
            last: (1, Instant::now()),
        })
    }

    /// The figures; `None` if the heap does not answer.
    pub fn detail(&self) -> Option<HeapDetail> {
        let looks = self.seen.looks.load(Ordering::Acquire);
        (looks > 0 && !self.gauge.late).then(|| HeapDetail {
            allocated: self.seen.allocated.load(Ordering::Relaxed),
            free: self.seen.free.load(Ordering::Relaxed),
        })
    }

    /// Says in the log what an operator should know. To be called every second or so.
    pub fn tick(&mut self) {
        let looks = self.seen.looks.load(Ordering::Acquire);
        if looks != self.last.0 {
            self.last = (looks, Instant::now());
        }
        let free = self.seen.free.load(Ordering::Relaxed);
        if let Some(news) = self.gauge.judge(free, self.last.1.elapsed()) {
            log::warn!("{news}");
        }
    }
}

/// What was said of the heap.
struct Gauge {
    /// Bytes that were free at first.
    at_first: u64,
    late: bool,
    full: bool,
}

impl Gauge {
    fn new(at_first: u64) -> Self {
        Gauge {
            at_first,
            late: false,
            full: false,
        }
    }

    /// What is new, with so many bytes free at the last look, and so long after it.
    fn judge(&mut self, free: u64, since: Duration) -> Option<String> {
        let late = since > LATE;
        if late != self.late {
            self.late = late;
            return Some(match late {
                true => "DPDK's heap has been locked for 5 s, by a process that stands still or was killed while it added or served a vhost port: \
                         what runs goes on, but no port can be added; let the process go on or end it, and if that does not help start the panel again"
                    .into(),
                false => "DPDK's heap answers again".into(),
            });
        }
        let used = self.at_first.saturating_sub(free);
        let full = used * 100 >= self.at_first * MUCH;
        if full == self.full {
            return None;
        }
        self.full = full;
        let mb = |bytes: u64| bytes >> 20;
        Some(match full {
            true => format!(
                "{used} of the {first} MB that were free in DPDK's heap are in use, {MUCH} percent or more: when none are left no port can be added. What \
                 killed processes had there is lost; start the panel again, with more memory if need be (--memory)",
                used = mb(used),
                first = mb(self.at_first)
            ),
            false => format!("{} MB of DPDK's heap are free again", mb(free)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_and_a_locked_heap_are_said_once() {
        const MB: u64 = 1 << 20;
        let mut gauge = Gauge::new(100 * MB);
        let soon = Duration::from_secs(1);
        assert_eq!(gauge.judge(21 * MB, soon), None);
        let told = gauge.judge(20 * MB, soon).unwrap();
        assert!(told.starts_with("80 of the 100 MB"), "{told}");
        assert_eq!(gauge.judge(10 * MB, soon), None);
        let told = gauge.judge(10 * MB, Duration::from_secs(6)).unwrap();
        assert!(told.contains("locked"), "{told}");
        assert_eq!(gauge.judge(10 * MB, Duration::from_secs(7)), None);
        let told = gauge.judge(60 * MB, soon).unwrap();
        assert!(told.contains("answers again"), "{told}");
        let told = gauge.judge(60 * MB, soon).unwrap();
        assert!(told.starts_with("60 MB"), "{told}");
        assert_eq!(gauge.judge(60 * MB, soon), None);
        // More may be free than was at first.
        assert_eq!(gauge.judge(200 * MB, soon), None);
    }
}
