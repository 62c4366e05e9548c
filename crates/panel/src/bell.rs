//! Waking a worker that rests.
//!
//! Each worker has a named pipe in the panel's folder, called after its lcore id, so that any process of the panel
//! can wake it. It is rung only while the worker says in shared memory that it is asleep.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sys::fifo::{FifoReader, FifoWriter};

use crate::area::Area;
use crate::doze;

fn path(folder: &Path, lcore: u32) -> PathBuf {
    folder.join(format!("bell-{lcore}"))
}

/// The bell of one worker.
pub struct Bell {
    area: Area,
    lcore: u32,
    pipe: FifoReader,
}

impl Bell {
    /// Makes the bell of `lcore` in the panel's folder.
    pub fn new(area: Area, folder: &Path, lcore: u32) -> Result<Self, sys::Error> {
        Ok(Bell {
            area,
            lcore,
            pipe: FifoReader::create(&path(folder, lcore))?,
        })
    }

    /// Asks for the bell to be rung from now on. Whoever passes packets on after this sees it; what
    /// came before has to be looked for once more before [`Bell::wait`].
    pub fn lie_down(&self) {
        doze::lie_down(&self.area.layout().sleep[self.lcore as usize].asleep);
    }

    /// Waits for the bell, for one of `kicks` to be readable, or for `limit`.
    pub fn wait(&self, kicks: &[RawFd], limit: Duration) {
        sys::poll::wait(&self.pipe, kicks, limit);
    }

    /// No ringing any more.
    pub fn get_up(&self) {
        doze::get_up(&self.area.layout().sleep[self.lcore as usize].asleep);
        // What cannot be drained wakes the worker once more: no harm.
        let _ = self.pipe.drain();
    }
}

/// Rings the bells of other workers.
#[derive(Clone)]
pub struct Ringer {
    area: Area,
    folder: PathBuf,
}

impl Ringer {
    /// A ringer for the bells in the panel's folder.
    pub fn new(area: Area, folder: &Path) -> Self {
        Ringer {
            area,
            folder: folder.to_path_buf(),
        }
    }

    /// Wakes `lcore` if it sleeps. To be called after what it shall find has been put in place.
    #[inline(always)]
    pub fn ring(&self, lcore: u32) {
        if let Some(sleep) = self.area.layout().sleep.get(lcore as usize)
            && doze::is_asleep(&sleep.asleep)
        {
            self.wake(lcore);
        }
    }

    #[cold]
    fn wake(&self, lcore: u32) {
        match FifoWriter::open(&path(&self.folder, lcore)) {
            Ok(Some(bell)) => {
                // A bell that nobody hears belongs to a worker that is gone.
                let _ = bell.ring();
            }
            Ok(None) => {}
            Err(e) => log::debug!("the bell of lcore {lcore} cannot be rung: {e}"),
        }
    }
}
