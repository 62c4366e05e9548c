//! Cuts off guests that would hold others up.
//!
//! `librte_vhost` has one event thread a process, which reads a message's payload without a time
//! limit: one peer that stops in the middle keeps every other socket of the process waiting. A worker rings
//! doorbells that guests gave, and a guest may make one that keeps it waiting. And memory that a
//! guest takes back is seen when it is touched ([`sys::withdrawn`]).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dpdk::guest;
use sys::blocked::{Waiting, hang_up, waiting};
use sys::{eventfd, withdrawn};

use crate::threads;

/// Beginning of the name of vhost's event thread.
const THREAD: &str = "vhost-e";
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long the rest of a message may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts the watch, after EAL; it lasts as long as the process.
pub fn start() -> Result<(), sys::Error> {
    withdrawn::start()?;
    threads::spawn("spp-vhost-watch", || {
        let mut watch = Watch::default();
        loop {
            if let Err(e) = watch.look() {
                log::warn!("vhost peers are not watched: {e}");
                return;
            }
        }
    })?;
    Ok(())
}

#[derive(Default)]
struct Watch {
    /// Calls that somebody waits in, and since when.
    seen: HashMap<u32, (Waiting, Instant)>,
    /// When threads were looked at.
    looked: Option<Instant>,
}

impl Watch {
    /// Waits until it is time, and looks.
    fn look(&mut self) -> Result<(), sys::Error> {
        withdrawn::wait(LOOK)?;
        for cut in guest::cut_off()? {
            log::warn!(
                "{}: the peer {}: it is cut off",
                cut.socket.display(),
                cut.fault.words()
            );
        }
        if self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            self.free(waiting("")?);
        }
        Ok(())
    }

    /// Frees the threads that wait for too long.
    fn free(&mut self, now: Vec<Waiting>) {
        self.seen.retain(|_, (before, _)| now.contains(before));
        for call in now {
            let reads = call.name.starts_with(THREAD);
            if !reads && !eventfd::is_doorbell(call.fd) {
                continue;
            }
            let (_, since) = *self
                .seen
                .entry(call.tid)
                .or_insert_with(|| (call.clone(), Instant::now()));
            let freed = match since.elapsed() {
                waited if reads && waited >= PATIENCE => hang_up(call.fd).map(|socket| {
                    let socket = socket.unwrap_or_default();
                    guest::unfinished(&socket);
                    log::warn!(
                        "{}: the peer {}: it is cut off",
                        socket.display(),
                        guest::Fault::Unfinished.words()
                    );
                }),
                waited if !reads && waited >= LOOK => {
                    guest::kept_waiting(call.fd);
                    withdrawn::interrupt(call.tid)
                }
                _ => continue,
            };
            if let Err(e) = freed {
                log::warn!("{e}");
            }
            self.seen.remove(&call.tid);
        }
    }
}
