//! The primary's own lcore: the only thread of it that touches mbufs. It does what it is asked, one
//! thing after the other.

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::time::{Duration, Instant};

use dpdk::{Eal, EalConfig, Lcore};
use process::{Error, threads};
use sys::affinity::CpuSet;

/// How long EAL may take: it clears all of its hugepages.
const START: Duration = Duration::from_secs(120);

/// Time between two rounds of the chore while there is something to do. Foreign processes share 2048 mbufs:
/// this is how long those lie idle that workers have freed.
const BUSY: Duration = Duration::from_micros(100);
/// The same while there is nothing: each empty round doubles it up to here.
const IDLE: Duration = Duration::from_millis(20);

type Job = Box<dyn FnOnce(&Lcore) + Send>;
type Chore = Box<dyn FnMut(&Lcore) -> u32 + Send>;

enum Work {
    Job(Job),
    Chore(Chore),
}

/// The housekeeping lcore.
#[derive(Clone)]
pub struct House {
    jobs: Sender<Work>,
}

impl House {
    /// Starts EAL on a thread of its own, which then waits for jobs.
    pub fn start(config: EalConfig) -> Result<(House, Eal), Error> {
        let (jobs, waiting) = bounded::<Work>(16);
        let (ready, started) = bounded(1);
        // EAL binds the thread to a CPU, where a polling worker or foreign process may be: it must not wait for that one.
        let cpus = CpuSet::of_current_thread()?;
        threads::spawn("spp-house", move || match Eal::init(&config) {
            Ok((eal, lcore)) => {
                if let Err(e) = cpus.apply_to_current_thread() {
                    log::warn!("housekeeping stays on one CPU: {e}");
                }
                if ready.send(Ok(eal)).is_ok() {
                    work(&waiting, &lcore);
                }
            }
            Err(e) => {
                let _ = ready.send(Err(e));
            }
        })?;
        let eal = started
            .recv_timeout(START)
            .map_err(|_| Error::Refused(format!("DPDK's EAL did not start within {START:?}")))??;
        Ok((House { jobs }, eal))
    }

    /// Runs `job` there and gives its result.
    pub fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Lcore) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let (done, result) = bounded(1);
        let gone = || Error::Refused("the housekeeping lcore has ended".into());
        self.jobs
            .send(Work::Job(Box::new(move |lcore| {
                drop(done.send(job(lcore)))
            })))
            .map_err(|_| gone())?;
        result.recv().map_err(|_| gone())
    }

    /// Does `chore` there again and again, the more often the more it finds to do, which it returns.
    pub fn keep(&self, chore: impl FnMut(&Lcore) -> u32 + Send + 'static) -> Result<(), Error> {
        self.jobs
            .send(Work::Chore(Box::new(chore)))
            .map_err(|_| Error::Refused("the housekeeping lcore has ended".into()))
    }
}

/// Does what comes in, and the chore whenever its time has come, until nobody can send anything any more.
fn work(waiting: &Receiver<Work>, lcore: &Lcore) {
    let mut chore: Option<Chore> = None;
    let (mut done, mut pace) = (Instant::now(), IDLE);
    loop {
        match waiting.recv_timeout(pace.saturating_sub(done.elapsed())) {
            Ok(Work::Job(job)) => job(lcore),
            Ok(Work::Chore(new)) => chore = Some(new),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if done.elapsed() >= pace {
            let found = chore.as_mut().map_or(0, |chore| chore(lcore));
            pace = if found > 0 {
                BUSY
            } else {
                (pace * 2).min(IDLE)
            };
            done = Instant::now();
        }
    }
}
