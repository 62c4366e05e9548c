//! Frees vhost's thread from peers that say half a sentence.
//!
//! `librte_vhost` has one event thread a process, which reads a message's payload without a time
//! limit: one peer that stops in the middle keeps every other socket of the process waiting.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sys::blocked::{Waiting, hang_up, waiting};

use crate::threads;

/// Beginning of the name of vhost's event thread.
const THREAD: &str = "vhost-e";
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long the rest of a message may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts the watch; it lasts as long as the process.
pub fn start() -> Result<(), sys::Error> {
    threads::spawn("spp-vhost-watch", || {
        let mut seen: HashMap<u32, (Waiting, Instant)> = HashMap::new();
        loop {
            match waiting(THREAD) {
                Ok(now) => look(&mut seen, now),
                Err(e) => {
                    log::warn!("vhost peers are not watched: {e}");
                    return;
                }
            }
            std::thread::sleep(LOOK);
        }
    })?;
    Ok(())
}

fn look(seen: &mut HashMap<u32, (Waiting, Instant)>, now: Vec<Waiting>) {
    seen.retain(|_, (before, _)| now.contains(before));
    for call in now {
        let (_, since) = *seen
            .entry(call.tid)
            .or_insert_with(|| (call.clone(), Instant::now()));
        if since.elapsed() >= PATIENCE {
            log::warn!("a vhost peer stopped in the middle of a message: its connection is closed");
            if let Err(e) = hang_up(call.fd) {
                log::warn!("{e}");
            }
            seen.remove(&call.tid);
        }
    }
}
