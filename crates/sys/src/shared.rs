//! Memory that another process shares with us by a descriptor, and that it may change at any time.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::fs::{SealFlags, fcntl_get_seals, fstat};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::withdrawn::Noted;
use crate::{Error, Result};

/// The smallest page.
const PAGE: usize = 4096;

/// A mapping of a file that can no longer shrink. Every access is checked against its length. Should a page of it not be
/// there for another reason, [`crate::withdrawn`] puts zeros in its place.
#[derive(Debug)]
pub struct Shared {
    at: NonNull<u8>,
    len: usize,
    /// With the pages that end it: the kernel unmaps whole ones only.
    whole: usize,
    /// `None` when it is about to be unmapped.
    noted: Option<Noted>,
}

// SAFETY: the mapping belongs to this value, not to a thread, and is only accessed by copies and atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps the first `len` bytes of `file`.
    ///
    /// # Errors
    /// The file is shorter, or could be made so: touching what was cut off would kill this process.
    pub fn map(file: impl AsFd, len: u64) -> Result<Self> {
        let seals = fcntl_get_seals(&file).unwrap_or(SealFlags::empty());
        if !seals.contains(SealFlags::SHRINK) {
            return Err(Error::Invalid(
                "the shared memory is not sealed against shrinking (F_SEAL_SHRINK)".into(),
            ));
        }
        let stat = fstat(&file).map_err(|e| Error::call("examine shared memory", e))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let len = usize::try_from(len).ok().filter(|n| *n > 0 && len <= size);
        let len = len.ok_or_else(|| {
            Error::Invalid(format!(
                "the shared memory has {size} bytes, not what was said"
            ))
        })?;
        // Huge ones are told by their block.
        let block = usize::try_from(stat.st_blksize).unwrap_or(0).max(PAGE);
        let whole = len.next_multiple_of(block);
        // SAFETY: a new mapping at a place that the kernel chooses.
        let at = unsafe {
            let prot = ProtFlags::READ | ProtFlags::WRITE;
            mmap(
                std::ptr::null_mut(),
                whole,
                prot,
                MapFlags::SHARED,
                &file,
                0,
            )
        };
        let at = at.map_err(|e| Error::call("map shared memory", e))?;
        let at = NonNull::new(at.cast())
            .ok_or_else(|| Error::Invalid("shared memory was mapped at address 0".into()))?;
        // From here on dropping it undoes what was done.
        let mut shared = Shared {
            at,
            len,
            whole,
            noted: None,
        };
        shared.noted = Some(Noted::new(at.as_ptr() as usize, whole)?);
        Ok(shared)
    }

    /// Whether its owner, or the machine, has taken pages of it away: what is there now are zeros of our own.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.noted.as_ref().is_some_and(Noted::is_withdrawn)
    }

    /// Whether it has `len` bytes from `at` on.
    #[inline(always)]
    #[must_use]
    pub fn has(&self, at: usize, len: usize) -> bool {
        at <= self.len && len <= self.len - at
    }

    /// Copies from `at` on into `out`; false (and nothing done) if it is not all inside.
    #[inline(always)]
    pub fn read(&self, at: usize, out: &mut [u8]) -> bool {
        if !self.has(at, out.len()) {
            return false;
        }
        // SAFETY: inside the mapping, as checked, and `out` is ours alone. Bytes that the other side changes
        // meanwhile come out as either value; nothing is concluded from them before they are copied.
        unsafe {
            std::ptr::copy_nonoverlapping(self.at.as_ptr().add(at), out.as_mut_ptr(), out.len());
        }
        true
    }

    /// Copies `data` to `at`; false (and nothing done) if it does not all fit.
    #[inline(always)]
    pub fn write(&self, at: usize, data: &[u8]) -> bool {
        if !self.has(at, data.len()) {
            return false;
        }
        // SAFETY: inside the mapping, as checked; no reference to these bytes is ever made.
        unsafe {
            std::ptr::copy_nonoverlapping(data.as_ptr(), self.at.as_ptr().add(at), data.len());
        }
        true
    }

    #[inline(always)]
    fn word(&self, at: usize) -> Option<&AtomicU16> {
        if !at.is_multiple_of(2) || !self.has(at, 2) {
            return None;
        }
        // SAFETY: aligned (a mapping begins at a page) and inside, as checked; it lives as long as we do.
        Some(unsafe { &*self.at.as_ptr().add(at).cast::<AtomicU16>() })
    }

    /// The 16-bit number at `at` (acquire); `None` if it is outside or not aligned.
    #[inline(always)]
    #[must_use]
    pub fn load16(&self, at: usize) -> Option<u16> {
        Some(self.word(at)?.load(Ordering::Acquire))
    }

    /// Sets the 16-bit number at `at` (release); false if it is outside or not aligned.
    #[inline(always)]
    pub fn store16(&self, at: usize, value: u16) -> bool {
        let Some(word) = self.word(at) else {
            return false;
        };
        word.store(value, Ordering::Release);
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.noted = None;
        // SAFETY: our own mapping, to which nothing refers any more.
        let _ = unsafe { munmap(self.at.as_ptr().cast(), self.whole) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, fcntl_add_seals, ftruncate, memfd_create};

    #[test]
    fn what_could_shrink_or_is_too_short_is_refused() {
        let file = memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, 4096).unwrap();
        assert!(Shared::map(&file, 4096).is_err());
        fcntl_add_seals(&file, SealFlags::SHRINK).unwrap();
        for len in [0, 4097, u64::MAX] {
            assert!(Shared::map(&file, len).is_err(), "{len}");
        }
        assert!(Shared::map(&file, 4096).is_ok());
    }

    #[test]
    fn nothing_outside_is_touched() {
        let file = memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, 4096).unwrap();
        fcntl_add_seals(&file, SealFlags::SHRINK).unwrap();
        let memory = Shared::map(&file, 100).unwrap();
        let other = Shared::map(&file, 4096).unwrap();
        assert!(memory.write(96, &[1, 2, 3, 4]));
        let mut seen = [0; 4];
        assert!(other.read(96, &mut seen));
        assert_eq!(seen, [1, 2, 3, 4]);
        assert!(!memory.write(97, &[0; 4]) && !memory.read(usize::MAX, &mut seen));
        assert_eq!(memory.load16(98), Some(0x0403));
        assert!(memory.load16(99).is_none() && memory.load16(100).is_none());
        assert!(memory.store16(0, 7) && !memory.store16(1, 7));
    }
}
