//! When devices come and go, drivers send messages to every process through sockets that block once they are full, as that of a
//! process is that hangs. So nothing is begun while one hangs; and it is done on a thread of its own, so that whoever asks
//! gets an answer in time and the primary goes on meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam::channel::bounded;
use process::ports::Plug;
use process::secondary::holder_names;
use process::watch::{Trouble, hanging};
use process::{Error, threads};
use protocol::port::PortName;
use registry::folder::Folder;

use crate::house::House;
use crate::plug::{plug, unplug};
use crate::reaper::Estate;

/// Longest wait for a device that comes or goes.
const LIMIT: Duration = Duration::from_millis(1800);

/// Makes and removes devices.
#[derive(Clone)]
pub struct Plugs {
    estate: Estate,
    house: House,
    folder: Folder,
    /// What still goes on after its limit has passed, in words.
    late: Arc<Mutex<Option<String>>>,
}

impl Plugs {
    /// Makes and removes devices of the panel.
    pub fn new(estate: &Estate, house: &House, folder: &Folder) -> Self {
        Plugs {
            estate: estate.clone(),
            house: house.clone(),
            folder: folder.clone(),
            late: Arc::default(),
        }
    }

    fn late(&self) -> MutexGuard<'_, Option<String>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes or removes the device of `port`. What does not come to an end in time is refused, and taken back when it does.
    ///
    /// # Errors
    /// A process hangs, DPDK refuses, or time is up.
    pub fn run(&self, way: Plug, port: PortName) -> Result<(), Error> {
        if let Some(late) = self.late().as_ref() {
            return Err(Error::Refused(format!("{port}: {late}: try again later")));
        }
        let hang = hanging(&self.estate.area, &self.folder)?;
        if let Some(silent) = hang.iter().find(|h| h.trouble == Trouble::Silent) {
            return Err(Error::Refused(format!(
                "{port}: {} has given no sign of life for {:.1} s, and every process is told of a device: end it, or wait until it goes on",
                silent.holder,
                silent.time.as_secs_f64()
            )));
        }
        let (done, result) = bounded(1);
        let this = self.clone();
        threads::spawn("spp-plug", move || {
            let outcome = match way {
                Plug::In => plug(port, &this.estate, &this.house),
                Plug::Out => {
                    let names = holder_names(this.folder.clone());
                    unplug(port, &this.estate, &this.house, &names)
                }
            };
            {
                let late = this.late();
                if late.is_none() {
                    // Somebody waits, or did until a moment ago and looks once more.
                    let _ = done.send(outcome);
                    return;
                }
            }
            match (way, outcome) {
                // Whoever asked was told that it failed.
                (Plug::In, Ok(())) => {
                    let names = holder_names(this.folder.clone());
                    let back = unplug(port, &this.estate, &this.house, &names);
                    log::warn!(
                        "{port} came too late and is taken back: {}",
                        in_words(&back)
                    );
                }
                (_, outcome) => log::warn!("{port}: it ends late: {}", in_words(&outcome)),
            }
            *this.late() = None;
        })?;
        if let Ok(outcome) = result.recv_timeout(LIMIT) {
            return outcome;
        }
        let mut late = self.late();
        // It may have come to an end just now.
        if let Ok(outcome) = result.try_recv() {
            return outcome;
        }
        let what = match way {
            Plug::In => format!("{port} came too late and is still being rolled back"),
            Plug::Out => format!("{port} is still being removed, or rolled back"),
        };
        *late = Some(what);
        let hang = hanging(&self.estate.area, &self.folder)?;
        let who: Vec<String> = hang.iter().map(|h| h.holder.to_string()).collect();
        Err(Error::Refused(format!(
            "{port}: not done after {LIMIT:?}{}: still rolling back, and no device comes or goes until that is over",
            match who.as_slice() {
                [] => String::new(),
                who => format!(" ({} gives no sign of life)", who.join(", ")),
            }
        )))
    }
}

fn in_words(outcome: &Result<(), Error>) -> String {
    match outcome {
        Ok(()) => "done".to_owned(),
        Err(e) => e.to_string(),
    }
}
