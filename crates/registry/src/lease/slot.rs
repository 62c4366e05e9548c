//! One lease file: its name, its content, and taking it.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sys::lock::FileLock;

use super::{Holder, LeaseError};
use crate::folder::Folder;

/// How often a wanted lease is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(5);

/// What a lease is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// A process id.
    Id(u32),
    /// A DPDK lcore id.
    Lcore(u32),
}

impl Slot {
    /// The file of its lease.
    #[must_use]
    pub fn path(self, folder: &Folder) -> PathBuf {
        match self {
            Self::Id(number) => folder.file(&format!("id-{number}.lock")),
            Self::Lcore(number) => folder.file(&format!("lcore-{number}.lock")),
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(number) => write!(f, "id {number}"),
            Self::Lcore(number) => write!(f, "lcore id {number}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// In use, or its user died.
    Held,
    /// Its last user left nothing behind.
    Clean,
}

/// The content of a lease file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    state: State,
    pub(super) holder: Holder,
    /// The CPU, as the user numbers them, on which the lcore's worker runs.
    pub(super) cpu: Option<u32>,
    /// Since when, in seconds since 1970.
    pub(super) since: u64,
}

impl Record {
    /// A lease that begins now.
    pub(super) fn begin(holder: &Holder, cpu: Option<u32>) -> Self {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |t| t.as_secs());
        Self {
            state: State::Held,
            holder: holder.clone(),
            cpu,
            since,
        }
    }
}

/// What a lease file says.
#[derive(Debug)]
pub(super) enum Content {
    /// Nobody left anything behind.
    Clean,
    /// Somebody uses it, or did when he died.
    Held(Record),
    /// Not ours: to be treated as if somebody had died.
    Damaged,
}

impl Content {
    fn parse(text: &str) -> Self {
        if text.is_empty() {
            // Locked but never written: its holder died before he used it.
            return Self::Clean;
        }
        match serde_json::from_str::<Record>(text) {
            Ok(Record {
                state: State::Clean,
                ..
            }) => Self::Clean,
            Ok(record) => Self::Held(record),
            Err(_) => Self::Damaged,
        }
    }
}

/// A lease file as seen from outside, without getting into anybody's way.
pub(super) struct Look {
    pub(super) locked: bool,
    /// The content was written by who holds the lock now.
    pub(super) by_holder: bool,
    pub(super) content: Content,
}

pub(super) fn look(folder: &Folder, slot: Slot) -> Result<Look, LeaseError> {
    match FileLock::peek(&slot.path(folder)) {
        Ok(Some(peek)) => Ok(Look {
            locked: peek.held,
            by_holder: peek.by_holder,
            content: Content::parse(&peek.content),
        }),
        Ok(None) => Ok(Look {
            locked: false,
            by_holder: false,
            content: Content::Clean,
        }),
        Err(sys::Error::Invalid(_)) => Ok(Look {
            locked: false,
            by_holder: false,
            content: Content::Damaged,
        }),
        Err(e) => Err(e.into()),
    }
}

/// The lock of a lease file, with what it said when it was taken.
pub(super) struct Locked {
    lock: FileLock,
    pub(super) content: Content,
}

/// Takes the lock; `None` if somebody else has it.
pub(super) fn try_lock(folder: &Folder, slot: Slot) -> Result<Option<Locked>, LeaseError> {
    let Some(lock) = FileLock::try_lock(&slot.path(folder))? else {
        return Ok(None);
    };
    let content = match lock.read() {
        Ok(text) => Content::parse(&text),
        Err(sys::Error::Invalid(_)) => Content::Damaged,
        Err(e) => return Err(e.into()),
    };
    Ok(Some(Locked { lock, content }))
}

impl Locked {
    /// Writes "held"; from here on this process has the lease.
    pub(super) fn hold(self, record: Record) -> Result<Held, LeaseError> {
        self.lock.write(&serde_json::to_string(&record)?)?;
        Ok(Held {
            lock: self.lock,
            record,
        })
    }

    /// Writes "clean" (and who was there last, if that is known) and lets go.
    pub(super) fn clean(self) -> Result<(), LeaseError> {
        let text = match self.content {
            Content::Held(last) => serde_json::to_string(&Record {
                state: State::Clean,
                ..last
            })?,
            Content::Clean | Content::Damaged => String::new(),
        };
        Ok(self.lock.write(&text)?)
    }
}

/// A lease that this process has. Dropped, it is let go of as if its holder had died.
#[derive(Debug)]
pub(super) struct Held {
    lock: FileLock,
    pub(super) record: Record,
}

impl Held {
    /// Its open file, to be passed on.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.lock.file()
    }

    /// A lease that its holder has passed on, from now on in the name of `record`.
    pub(super) fn passed_on(
        folder: &Folder,
        slot: Slot,
        file: OwnedFd,
        record: Record,
    ) -> Result<Self, LeaseError> {
        let lock = FileLock::passed_on(file, &slot.path(folder))?;
        let held = Self { lock, record };
        held.write()?;
        Ok(held)
    }

    /// Writes again who holds it.
    pub(super) fn write(&self) -> Result<(), LeaseError> {
        Ok(self.lock.write(&serde_json::to_string(&self.record)?)?)
    }

    /// Leaves it to the process that it was passed on to.
    pub(super) fn hand_on(self) {
        self.lock.hand_on();
    }

    /// Writes "clean" and lets go.
    pub(super) fn release(self) -> Result<(), LeaseError> {
        Locked {
            lock: self.lock,
            content: Content::Held(self.record),
        }
        .clean()
    }
}

/// Calls `attempt` until it gives something, at least once and then until the limit is over.
pub(super) fn until<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, LeaseError>,
) -> Result<Option<T>, LeaseError> {
    let start = Instant::now();
    loop {
        if let Some(got) = attempt()? {
            return Ok(Some(got));
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        std::thread::sleep(POLL.min(left));
    }
}
