//! The lease of a process id.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use super::slot::{Content, Held, Record, Slot, look, try_lock, until};
use super::{Holder, LeaseError, MAX_PROCESS_ID};
use crate::folder::Folder;

/// This process's id on its panel, unique among all kinds of processes. Dropping it, or dying,
/// frees it.
#[derive(Debug)]
pub struct IdLease {
    held: Held,
    id: u32,
}

impl IdLease {
    /// Takes the id `holder.id`, waiting up to `wait` for one that is being freed. The id of a
    /// dead process is taken at once.
    ///
    /// # Errors
    /// [`LeaseError::IdOutOfRange`] outside 1..=127; [`LeaseError::IdHeld`], naming who has it.
    pub fn take(folder: &Folder, holder: &Holder, wait: Duration) -> Result<Self, LeaseError> {
        let id = holder.id;
        if !(1..=MAX_PROCESS_ID).contains(&id) {
            return Err(LeaseError::IdOutOfRange(id));
        }
        let slot = Slot::Id(id);
        match until(wait, || try_lock(folder, slot))? {
            Some(locked) => Ok(Self {
                held: locked.hold(Record::begin(holder, None))?,
                id,
            }),
            None => {
                let seen = look(folder, slot)?;
                let holder = match seen.content {
                    Content::Held(record) if seen.by_holder => Some(record.holder),
                    _ => None,
                };
                Err(LeaseError::IdHeld {
                    id,
                    holder,
                    waited: wait,
                })
            }
        }
    }

    /// The lease of a process that hands it on to this one with its open `file`. Both have it until the other says
    /// [`hand_on`](Self::hand_on), or this one does, and the id is never free in between.
    ///
    /// # Errors
    /// It is not that lease, or cannot be written.
    pub fn passed_on(folder: &Folder, holder: &Holder, file: OwnedFd) -> Result<Self, LeaseError> {
        let id = holder.id;
        Ok(Self {
            held: Held::passed_on(folder, Slot::Id(id), file, Record::begin(holder, None))?,
            id,
        })
    }

    /// Its open file, to be passed on.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.held.file()
    }

    /// Writes again who holds it: the process that it was passed on to did not keep it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self) -> Result<(), LeaseError> {
        self.held.write()
    }

    /// Leaves it to the process that it was passed on to, or back to the one that had passed it on.
    pub fn hand_on(self) {
        self.held.hand_on();
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Frees it.
    ///
    /// # Errors
    /// The file cannot be written (a full disk); the id is free nevertheless.
    pub fn release(self) -> Result<(), LeaseError> {
        self.held.release()
    }
}
