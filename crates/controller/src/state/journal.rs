//! The journal's thread: it writes what many ask for with one fsync, and keeps the file small.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::Histogram;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::memory::{Entry, Memory, Outcome};
use super::{format, unpoisoned};
use crate::metrics::histogram;

/// A file is written anew when it has four times the bytes of its last beginning, and this much.
const COMPACT_FROM: u64 = 256 << 10;

/// A disk is waited for this long, as a process is for its answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Settlements are on disk this long after they were written, also when nobody asks for it.
const QUIET: Duration = Duration::from_millis(5);

/// Why nothing was written.
#[derive(Debug, Clone, Error)]
#[error(
    "nothing is changed, because the journal of the desired state cannot be written: {0} (make \
     room or repair the disk, or start the controller with --state-dir DIR or --stateless)"
)]
pub(crate) struct JournalError(String);

/// Where the bytes go.
pub(super) trait Store: Send + 'static {
    /// Adds bytes at the end. After an error any part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Waits until everything is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Puts a file with these bytes in place of the old one, on disk when it returns. After an
    /// error the old one is in use as before.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;
}

struct Job {
    entries: Vec<Entry>,
    durable: bool,
    answer: oneshot::Sender<Result<(), JournalError>>,
}

/// Since when the thread is in a call that waits for the disk.
type Waiting = Arc<Mutex<Option<Instant>>>;

/// Writes entries. Dropped, it has written all of them.
pub(super) struct Journal {
    jobs: Option<Sender<Job>>,
    memory: Arc<Mutex<Memory>>,
    syncs: Histogram,
    waiting: Waiting,
    patience: Duration,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Goes on with a file that holds `memory` in `length` bytes. Who writes waits for `patience` at most.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(
        store: impl Store,
        memory: Memory,
        length: u64,
        patience: Duration,
    ) -> io::Result<Self> {
        let memory = Arc::new(Mutex::new(memory));
        let waiting = Waiting::default();
        let syncs = histogram();
        let (jobs, queue) = channel();
        let writer = Writer {
            store,
            memory: memory.clone(),
            syncs: syncs.clone(),
            waiting: waiting.clone(),
            length,
            base: length,
            backlog: Vec::new(),
            broken: None,
            unsynced: false,
        };
        let thread = std::thread::Builder::new().name("spp-journal".to_owned());
        let thread = thread.spawn(move || writer.run(&queue))?;
        Ok(Self {
            jobs: Some(jobs),
            memory,
            syncs,
            waiting,
            patience,
            thread: Some(thread),
        })
    }

    /// What all entries so far add up to.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        unpoisoned(&self.memory)
    }

    /// How long each fsync of what was added to the file took, in seconds.
    pub fn syncs(&self) -> Histogram {
        self.syncs.clone()
    }

    /// If the disk has not answered for longer than anybody waits: that.
    ///
    /// # Errors
    /// [`JournalError`] with how long that is.
    pub fn answers(&self) -> Result<(), JournalError> {
        let since = *unpoisoned(&self.waiting);
        match since.map(|since| since.elapsed()) {
            Some(time) if time >= self.patience => Err(JournalError(format!(
                "the disk has not answered for {}",
                shown(time)
            ))),
            _ => Ok(()),
        }
    }

    /// Writes entries and waits until they are on disk, for `limit` at most and never longer than for a disk at all.
    ///
    /// # Errors
    /// [`JournalError`]: then they count for nothing.
    pub async fn commit(&self, entries: Vec<Entry>, limit: Duration) -> Result<(), JournalError> {
        self.answers()?;
        let limit = limit.min(self.patience);
        let hangs = || {
            let error = JournalError(format!("the disk has not answered for {}", shown(limit)));
            log::error!("{error}");
            error
        };
        let written = self.write(entries, true, limit).await?;
        written.unwrap_or_else(|| Err(hangs()))
    }

    /// Writes what has happened: it survives the end of this program at once, is on disk a little later, and is kept even if the
    /// disk is full. If the disk does not answer in time, it is kept until it does.
    ///
    /// # Errors
    /// [`JournalError`] if nothing is written any more.
    pub async fn note(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        let written = self.write(entries, false, self.patience).await?;
        written.unwrap_or(Ok(()))
    }

    /// Hands entries to the thread; `None` if it had no answer within `limit`.
    async fn write(
        &self,
        entries: Vec<Entry>,
        durable: bool,
        limit: Duration,
    ) -> Result<Option<Result<(), JournalError>>, JournalError> {
        let ended = || JournalError("its thread has ended".to_owned());
        let (answer, mut written) = oneshot::channel();
        let job = Job {
            entries,
            durable,
            answer,
        };
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_| ended())?;
        if let Ok(written) = timeout(limit, &mut written).await {
            return Ok(Some(written.unwrap_or_else(|_| Err(ended()))));
        }
        // From now on the thread finds that nobody waits any more.
        written.close();
        Ok(written.try_recv().ok())
    }
}

/// A time in seconds, as exact as somebody reads it.
fn shown(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of the journal failed");
        }
    }
}

/// That an intent of which nobody waits any more did not come to anything.
fn given_up(intent: Entry) -> Option<Entry> {
    match intent {
        Entry::Intent {
            process, number, ..
        } => Some(Entry::Settled {
            process,
            number,
            outcome: Outcome::Failed,
        }),
        _ => None,
    }
}

struct Writer<S> {
    store: S,
    memory: Arc<Mutex<Memory>>,
    syncs: Histogram,
    waiting: Waiting,
    /// Bytes that are known to be good.
    length: u64,
    /// Bytes when the file was last written anew.
    base: u64,
    /// Settlements that could not be written yet: they go before everything else.
    backlog: Vec<u8>,
    /// Why the file cannot be used any more: it has to be written anew.
    broken: Option<String>,
    unsynced: bool,
}

impl<S: Store> Writer<S> {
    fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let first = match self.unsynced {
                true => queue.recv_timeout(QUIET),
                false => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match first {
                Ok(first) => {
                    let batch = std::iter::once(first).chain(queue.try_iter()).collect();
                    self.commit(batch);
                    self.waits(Self::compact);
                }
                Err(RecvTimeoutError::Timeout) => self.waits(Self::sync_late),
                Err(RecvTimeoutError::Disconnected) => {
                    if self.unsynced {
                        self.sync_late();
                    }
                    return;
                }
            }
        }
    }

    /// Does what may wait for the disk, and lets others see since when.
    fn waits<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        *unpoisoned(&self.waiting) = Some(Instant::now());
        let outcome = work(self);
        *unpoisoned(&self.waiting) = None;
        outcome
    }

    /// Writes what all of `batch` ask for, with one fsync if one of them wants it.
    fn commit(&mut self, batch: Vec<Job>) {
        let (mut durable, rest): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(|j| j.durable);
        durable.retain(|job| !job.answer.is_closed());
        let written = self.waits(|writer| writer.put(rest, &durable));
        let mut late = Vec::new();
        for job in durable {
            if written.is_ok() {
                self.note(job.entries.clone());
            }
            let answer = written.clone().map_err(JournalError);
            if job.answer.send(answer).is_err() && written.is_ok() {
                late.extend(job.entries.into_iter().filter_map(given_up));
            }
        }
        if !late.is_empty() {
            self.commit(vec![Job {
                entries: late,
                durable: false,
                answer: oneshot::channel().0,
            }]);
        }
    }

    /// Writes all of it, and waits until `durable` is on disk.
    fn put(&mut self, rest: Vec<Job>, durable: &[Job]) -> Result<(), String> {
        if self.broken.is_some() {
            self.renew();
        }
        let written = self.append(&rest, durable);
        for job in rest {
            // Whoever asked may have gone.
            let _ = job.answer.send(Ok(()));
        }
        written?;
        match durable {
            [] => Ok(()),
            _ => self.sync(),
        }
    }

    /// Writes all of it. The entries of `rest` count from now on, whether they are written or wait.
    fn append(&mut self, rest: &[Job], durable: &[Job]) -> Result<(), String> {
        let encode = |bytes: &mut Vec<u8>, jobs: &[Job]| {
            let mut entries = jobs.iter().flat_map(|job| &job.entries);
            entries.try_for_each(|entry| format::record(bytes, entry))
        };
        encode(&mut self.backlog, rest)?;
        for job in rest {
            self.note(job.entries.clone());
        }
        if let Some(reason) = &self.broken {
            return Err(reason.clone());
        }
        let waiting = self.backlog.len();
        encode(&mut self.backlog, durable)?;
        match self.store.append(&self.backlog) {
            Ok(()) => {
                self.length += self.backlog.len() as u64;
                self.backlog.clear();
                self.unsynced = true;
                Ok(())
            }
            Err(error) => {
                self.backlog.truncate(waiting);
                log::error!("the journal cannot be written: {error}");
                if let Err(error) = self.store.cut(self.length) {
                    self.broken = Some(error.to_string());
                }
                Err(error.to_string())
            }
        }
    }

    fn note(&self, entries: Vec<Entry>) {
        let mut memory = unpoisoned(&self.memory);
        entries.into_iter().for_each(|entry| memory.apply(entry));
    }

    /// After an error nobody knows what is on disk: the file is not used any more.
    fn sync(&mut self) -> Result<(), String> {
        self.unsynced = false;
        let begin = Instant::now();
        let synced = self.store.sync();
        self.syncs.observe(begin.elapsed().as_secs_f64());
        synced.map_err(|error| {
            log::error!("the journal cannot be brought to disk: {error}");
            self.broken = Some(error.to_string());
            error.to_string()
        })
    }

    fn sync_late(&mut self) {
        if self.sync().is_err() {
            self.renew();
        }
    }

    fn compact(&mut self) {
        if self.length > COMPACT_FROM.max(self.base.saturating_mul(4)) {
            let before = self.length;
            self.renew();
            // If it could not be done: later again.
            self.base = self.base.max(before / 4 + COMPACT_FROM / 4);
        }
    }

    /// Writes the file anew, with all that counts.
    fn renew(&mut self) {
        let mut bytes = format::header();
        let entries = unpoisoned(&self.memory).entries();
        let encoded = entries
            .iter()
            .try_for_each(|entry| format::record(&mut bytes, entry));
        let replaced = encoded.and_then(|()| {
            let replaced = self.store.replace(&bytes);
            replaced.map_err(|error| error.to_string())
        });
        match replaced {
            Ok(()) => {
                self.length = bytes.len() as u64;
                self.base = self.length;
                self.backlog.clear();
                self.broken = None;
                self.unsynced = false;
            }
            Err(error) => log::warn!("the journal cannot be written anew: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
