//! Signs of life: that this process runs, and whether its workers go on.
//!
//! A thread that does nothing else says in shared memory that the process runs, ten times a second, and looks at the rounds
//! of its workers. A worker whose rounds stand still is stuck if the kernel says that it was held, waits elsewhere than at its
//! bell, or computes all the same. One that rests is not, nor is one that gets no CPU.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use panel::Area;
use registry::Incarnation;
use registry::folder::Folder;
use registry::lease::{Holder, Slot, holders};
use registry::leave;
use sys::thread::Look;

use crate::{Error, threads};

/// Whether a new primary asked this process to leave.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether a new primary asked this process to leave, which has ended it or is about to.
#[must_use]
pub fn was_asked_to_leave() -> bool {
    ASKED.load(Relaxed)
}

/// Time between two signs of life.
const STEP: Duration = Duration::from_millis(100);
/// A process that gave no sign of life for this long counts as hanging.
pub const SILENCE: Duration = Duration::from_millis(500);
/// A worker that has not gone on for this long counts as stuck, if nobody says otherwise.
pub const STALL: Duration = Duration::from_millis(700);
/// A worker that computed for less than this part of the time is short of CPU time, not stuck.
const SHARE: u32 = 4;

/// Where the thread of a worker is found.
#[derive(Clone)]
pub struct Seat(Arc<AtomicU32>);

impl Seat {
    /// Says that the calling thread is the worker.
    pub fn take(&self) {
        self.0.store(sys::thread::id(), Relaxed);
    }
}

/// A worker that is watched.
struct Watched {
    lcore: u32,
    cpu: u32,
    seat: Seat,
    progress: Progress,
}

/// Whether the rounds of a worker go on.
#[derive(Debug, Default)]
struct Progress {
    rounds: u64,
    /// For how long they have stood still while we looked.
    still: Duration,
    /// What the kernel said when they began to.
    first: Option<Look>,
    stuck: bool,
}

/// What a look at a worker shows.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing new.
    Same,
    /// It is stuck, for this reason.
    Stuck(&'static str),
    /// It was, and goes on.
    Back,
}

impl Progress {
    /// Takes in that the worker has done so many `rounds` when `passed` has gone by since the last time.
    fn look(
        &mut self,
        rounds: Option<u64>,
        passed: Duration,
        limit: Duration,
        asleep: bool,
        kernel: impl FnOnce() -> Option<Look>,
    ) -> Seen {
        if rounds != Some(self.rounds) {
            let was_stuck = self.stuck;
            *self = Progress {
                rounds: rounds.unwrap_or(u64::MAX),
                ..Progress::default()
            };
            return if was_stuck { Seen::Back } else { Seen::Same };
        }
        if self.stuck {
            return Seen::Same;
        }
        // If we were not running ourselves nobody knows what the worker did.
        self.still += passed.min(STEP * 2);
        if self.first.is_some() && self.still < limit {
            return Seen::Same;
        }
        let Some(now) = kernel() else {
            return Seen::Same;
        };
        let first = *self.first.get_or_insert(now);
        if self.still < limit {
            return Seen::Same;
        }
        match verdict(first, now, self.still, asleep) {
            Some(why) => {
                self.stuck = true;
                Seen::Stuck(why)
            }
            None => Seen::Same,
        }
    }
}

/// Why a worker is stuck whose rounds stood `still` between two looks at its thread; `None` if it rests or gets no CPU.
fn verdict(first: Look, now: Look, still: Duration, asleep: bool) -> Option<&'static str> {
    match now.state {
        'S' if asleep => None,
        'S' => Some("it waits for something that does not come"),
        'D' => Some("it waits in the kernel"),
        'T' | 't' => Some("it is held by a signal or a debugger"),
        _ if now.ran.saturating_sub(first.ran) >= still / SHARE => {
            Some("it computes without coming to an end")
        }
        _ => None,
    }
}

/// The watching thread. Dropped, it ends and takes its signs of life back.
pub struct Watch {
    area: Area,
    lcores: Vec<u32>,
    workers: Arc<Mutex<Vec<Watched>>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Gives signs of life for `lcores`, and ends this process as SIGTERM does if a new primary asks those of `ours` to leave.
    /// A worker counts as stuck after `stall`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        area: Area,
        lcores: Vec<u32>,
        ours: Option<(Folder, Incarnation)>,
        stall: Duration,
    ) -> Result<Self, Error> {
        let workers: Arc<Mutex<Vec<Watched>>> = Arc::default();
        let (stop, stopped) = bounded(0);
        let (watched, beating) = (workers.clone(), lcores.clone());
        let thread = threads::spawn("spp-watch", move || {
            let mut last = Instant::now();
            loop {
                let pulses = &area.layout().pulses;
                let now = dpdk::tsc();
                for lcore in &beating {
                    pulses[*lcore as usize].beat.store(now, Relaxed);
                }
                look_at(&area, &mut lock(&watched), last.elapsed(), stall);
                last = Instant::now();
                if let (Some((folder, incarnation)), false) = (&ours, was_asked_to_leave())
                    && leave::is_asked(folder, *incarnation)
                {
                    ASKED.store(true, Relaxed);
                    match sys::signal::end_ourselves() {
                        Ok(()) => log::info!("a new primary asks this process to leave"),
                        Err(e) => log::error!("a new primary asks this process to leave: {e}"),
                    }
                }
                match stopped.recv_timeout(STEP) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Watch {
            area,
            lcores,
            workers,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Watches the worker of `lcore` from the time on at which its thread takes the seat. `cpu` is how users know it.
    pub fn add(&self, lcore: u32, cpu: u32) -> Seat {
        let seat = Seat(Arc::default());
        lock(&self.workers).push(Watched {
            lcore,
            cpu,
            seat: seat.clone(),
            progress: Progress::default(),
        });
        seat
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for lcore in &self.lcores {
            self.area.layout().pulses[*lcore as usize].still();
        }
    }
}

fn lock(workers: &Mutex<Vec<Watched>>) -> MutexGuard<'_, Vec<Watched>> {
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look_at(area: &Area, workers: &mut [Watched], passed: Duration, stall: Duration) {
    let layout = area.layout();
    for worker in workers {
        let (block, pulse) = (
            &layout.workers[worker.lcore as usize],
            &layout.pulses[worker.lcore as usize],
        );
        let tid = worker.seat.0.load(Relaxed);
        let runs = tid != 0 && block.started.load(Relaxed) != 0;
        let rounds = runs.then(|| block.rounds.load(Relaxed));
        let asleep = layout.sleep[worker.lcore as usize].asleep.load(Relaxed) != 0;
        let look = || sys::thread::look(tid);
        match worker.progress.look(rounds, passed, stall, asleep, look) {
            Seen::Same => {}
            Seen::Stuck(why) => {
                let still = worker.progress.still;
                let cycles = still.as_micros() as u64 * dpdk::tsc_hz() / 1_000_000;
                let since = dpdk::tsc().saturating_sub(cycles);
                pulse.stuck.store(since.max(1), Relaxed);
                log::error!(
                    "the worker on CPU {} is stuck: it has not gone on for {:.1} s, {why}",
                    worker.cpu,
                    still.as_secs_f64()
                );
            }
            Seen::Back => {
                pulse.stuck.store(0, Relaxed);
                log::warn!("the worker on CPU {} goes on", worker.cpu);
            }
        }
    }
}

/// The time between two readings of the time stamp counter.
pub fn passed(since: u64, now: u64) -> Duration {
    let cycles = now.saturating_sub(since);
    Duration::from_secs_f64(cycles as f64 / dpdk::tsc_hz().max(1) as f64)
}

/// What is wrong with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A worker of it is stuck.
    Stuck,
    /// It gives no sign of life.
    Silent,
}

/// A process that does not go on.
#[derive(Debug, Clone)]
pub struct Hanging {
    /// Who.
    pub holder: Holder,
    /// In which way.
    pub trouble: Trouble,
    /// For how long.
    pub time: Duration,
}

/// Secondaries that have given no sign of life for [`SILENCE`], or of which a worker is stuck. Those that give none at all, since
/// they are only starting or know of none, are not among them.
///
/// # Errors
/// A lease file cannot be read.
pub fn hanging(area: &Area, folder: &Folder) -> Result<Vec<Hanging>, Error> {
    let mut found = all_hanging(area, folder)?;
    found.retain(|hanging| hanging.holder.id != 0);
    Ok(found)
}

/// Checks that the primary can be asked for something.
///
/// # Errors
/// It has given no sign of life for [`SILENCE`].
pub fn check_primary(area: &Area, folder: &Folder) -> Result<(), Error> {
    let silent = all_hanging(area, folder)?
        .into_iter()
        .find(|hanging| hanging.trouble == Trouble::Silent && hanging.holder.kind == "primary");
    match silent {
        None => Ok(()),
        Some(Hanging { holder, time, .. }) => Err(Error::Refused(format!(
            "the primary (pid {}) has given no sign of life for {:.1} s: wait until it goes on",
            holder.pid,
            time.as_secs_f64()
        ))),
    }
}

fn all_hanging(area: &Area, folder: &Folder) -> Result<Vec<Hanging>, Error> {
    let held = holders(folder)?;
    let now = dpdk::tsc();
    let mut found = Vec::new();
    for lease in held {
        let Slot::Lcore(lcore) = lease.slot else {
            continue;
        };
        let pulse = &area.layout().pulses[lcore as usize];
        let (beat, stuck) = (pulse.beat.load(Relaxed), pulse.stuck.load(Relaxed));
        let silent = passed(beat, now);
        let (trouble, time) = match (beat, stuck) {
            (0, _) => continue,
            _ if silent >= SILENCE => (Trouble::Silent, silent),
            (_, 0) => continue,
            (_, since) => (Trouble::Stuck, passed(since, now)),
        };
        found.push(Hanging {
            holder: lease.holder,
            trouble,
            time,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: char, ran_ms: u64) -> Look {
        Look {
            state,
            ran: Duration::from_millis(ran_ms),
        }
    }

    /// Looks every step at a worker whose rounds stand still; gives when it was found stuck.
    fn stuck_after(steps: u64, asleep: bool, kernel: impl Fn(u64) -> Look) -> Option<u64> {
        let mut progress = Progress::default();
        assert_eq!(
            progress.look(Some(7), STEP, STALL, asleep, || None),
            Seen::Same
        );
        (1..=steps).find(|step| {
            let seen = progress.look(Some(7), STEP, STALL, asleep, || Some(kernel(*step)));
            matches!(seen, Seen::Stuck(_))
        })
    }

    #[test]
    fn a_worker_that_is_held_waits_or_computes_is_stuck_after_the_limit() {
        assert_eq!(stuck_after(20, false, |_| at('t', 0)), Some(7));
        assert_eq!(stuck_after(20, true, |_| at('t', 0)), Some(7));
        assert_eq!(stuck_after(20, false, |_| at('D', 0)), Some(7));
        assert_eq!(stuck_after(20, false, |_| at('S', 0)), Some(7));
        assert_eq!(stuck_after(20, false, |step| at('R', step * 90)), Some(7));
    }

    #[test]
    fn one_that_rests_or_gets_no_cpu_is_not() {
        assert_eq!(stuck_after(200, true, |_| at('S', 0)), None);
        assert_eq!(stuck_after(200, false, |_| at('R', 0)), None);
        assert_eq!(stuck_after(200, false, |step| at('R', step * 10)), None);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let mut progress = Progress::default();
        let mut look = |passed| progress.look(Some(7), passed, STALL, false, || Some(at('t', 0)));
        assert_eq!(look(STEP), Seen::Same);
        assert_eq!(look(Duration::from_secs(90)), Seen::Same);
        assert_eq!(look(STEP), Seen::Same);
    }

    #[test]
    fn one_that_goes_on_or_ends_is_not_stuck_any_more() {
        for next in [Some(8), None] {
            let mut progress = Progress::default();
            let mut look = |rounds| progress.look(rounds, STEP, STALL, false, || Some(at('t', 0)));
            assert!((0..20).any(|_| matches!(look(Some(7)), Seen::Stuck(_))));
            assert_eq!(look(Some(7)), Seen::Same);
            assert_eq!(look(next), Seen::Back);
            assert_eq!(look(next), Seen::Same);
        }
    }
}
