//! The primary's own lcore: the only thread of it that touches mbufs. It does what it is asked, one
//! thing after the other.

use crossbeam::channel::{Sender, bounded};
use std::time::Duration;

use dpdk::{Eal, EalConfig, Lcore};
use process::{Error, threads};

/// How long EAL may take: it clears all of its hugepages.
const START: Duration = Duration::from_secs(120);

type Job = Box<dyn FnOnce(&Lcore) + Send>;

/// The housekeeping lcore.
#[derive(Clone)]
pub struct House {
    jobs: Sender<Job>,
}

impl House {
    /// Starts EAL on a thread of its own, which then waits for jobs.
    pub fn start(config: EalConfig) -> Result<(House, Eal), Error> {
        let (jobs, waiting) = bounded::<Job>(16);
        let (ready, started) = bounded(1);
        threads::spawn("spp-house", move || match Eal::init(&config) {
            Ok((eal, lcore)) => {
                if ready.send(Ok(eal)).is_ok() {
                    waiting.iter().for_each(|job| job(&lcore));
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
            .send(Box::new(move |lcore| drop(done.send(job(lcore)))))
            .map_err(|_| gone())?;
        result.recv().map_err(|_| gone())
    }
}
