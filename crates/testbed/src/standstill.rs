//! CPUs that stand still: some virtual machines lose a CPU's timer for many seconds, with all that sleeps on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Between two looks at the clock.
const PAUSE: Duration = Duration::from_millis(50);

/// When a CPU looked at the clock last, and its longest time without a look.
struct Looks {
    cpu: usize,
    last: Instant,
    longest: Duration,
}

/// A thread on each CPU that this process may use sees how long it was not run there, from [`Standstills::watch`] until this is
/// dropped. A busy CPU lets it run within tens of milliseconds: gaps of seconds are the machine's.
pub struct Standstills(Vec<Arc<Mutex<Looks>>>);

impl Standstills {
    /// Begins to watch.
    #[must_use]
    pub fn watch() -> Self {
        let allowed = sched_getaffinity(None).expect("this process's CPUs");
        let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        Standstills(
            cpus.map(|cpu| {
                let looks = Arc::new(Mutex::new(Looks {
                    cpu,
                    last: Instant::now(),
                    longest: Duration::ZERO,
                }));
                let watched = Arc::downgrade(&looks);
                std::thread::spawn(move || {
                    let mut only = CpuSet::new();
                    only.set(cpu);
                    sched_setaffinity(None, &only).expect("a CPU of this process");
                    while let Some(looks) = watched.upgrade() {
                        look(&looks);
                        std::thread::sleep(PAUSE);
                    }
                });
                looks
            })
            .collect(),
        )
    }

    /// The CPU that stood still for longest, and how long.
    #[must_use]
    pub fn longest(&self) -> (usize, Duration) {
        let all = self.0.iter().map(|looks| {
            let looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
            // It may not be over.
            (looks.cpu, looks.longest.max(looks.last.elapsed()))
        });
        all.max_by_key(|(_, longest)| *longest).unwrap_or_default()
    }
}

fn look(looks: &Mutex<Looks>) {
    let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
    let gap = looks.last.elapsed();
    looks.longest = looks.longest.max(gap);
    looks.last = Instant::now();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait_until;

    #[test]
    fn a_cpu_that_is_not_looked_at_stands_still() {
        let standstills = Standstills::watch();
        let looks = standstills.0.first().expect("a CPU");
        let held = looks.lock().expect("the thread lives");
        let (cpu, last) = (held.cpu, held.last);
        while last.elapsed() < Duration::from_millis(300) {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(held);
        wait_until("the gap to be seen", Duration::from_secs(10), || {
            let (longest_on, longest) = standstills.longest();
            longest_on == cpu && longest >= Duration::from_millis(300)
        });
    }
}
