//! What a guest may do to us beside its queues: take back the memory that it gave, and give a doorbell that cannot be rung.
//!
//! The memory that vhost maps is noted ([`sys::withdrawn`]), so that its loss ends a connection and not the process. vhost's
//! thread and the worker only accuse; a thread of the process's hangs up ([`cut_off`]).

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use dpdk_sys as ffi;
use sys::blocked;
use sys::eventfd;
use sys::withdrawn::{self, Noted};

use crate::vhost::links;

/// Most pieces of memory that `librte_vhost` maps of one guest, with the log.
const PIECES: usize = 16;
/// A mapping that was made of memory begins and ends with a page.
const PAGE: u64 = 4096;

/// Requests of the protocol after which something of the guest's is mapped or given.
const SET_MEM_TABLE: u32 = 5;
const SET_LOG_BASE: u32 = 6;
const SET_VRING_CALL: u32 = 13;
/// The queue's number in the payload of `SET_VRING_CALL`; the flag that no descriptor comes with it.
const QUEUE: u64 = 0xff;
const NO_DESCRIPTOR: u64 = 0x100;

/// Why a peer is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    /// It took away memory that it had given.
    Withdrawn = 1,
    /// More memory is mapped of guests than can be watched over.
    TooMany = 2,
    /// What it gave to be rung is no doorbell, or kept a worker waiting.
    Doorbell = 3,
    /// It stopped in the middle of a message.
    Unfinished = 4,
}

impl Fault {
    fn of(number: u32) -> Option<Self> {
        [
            Fault::Withdrawn,
            Fault::TooMany,
            Fault::Doorbell,
            Fault::Unfinished,
        ]
        .into_iter()
        .find(|fault| *fault as u32 == number)
    }

    /// In words, to be read after "the peer".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Fault::Withdrawn => "withdrew memory that it had given",
            Fault::TooMany => "gave more memory than can be watched over",
            Fault::Doorbell => "gave a doorbell that cannot be rung",
            Fault::Unfinished => "stopped in the middle of a message",
        }
    }
}

/// What is mapped of a device.
#[derive(Debug)]
struct Memory {
    pieces: Vec<Noted>,
    /// Its loss has been told.
    charged: bool,
}

impl Memory {
    fn is_withdrawn(&self) -> bool {
        self.pieces.iter().any(Noted::is_withdrawn)
    }
}

/// What is known of the peers of one socket.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// What is mapped, by device.
    noted: Mutex<HashMap<c_int, Memory>>,
    /// Withdrawals of memory in this process that the workers have looked at.
    seen: AtomicU64,
    accused: AtomicU32,
    last: AtomicU32,
    cut: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    /// The device's thread is about to handle a message.
    pub(crate) fn before(&self) {
        withdrawn::attend();
    }

    /// It has handled it.
    ///
    /// # Safety
    /// `message` is what `librte_vhost` gives to the callback after a message.
    pub(crate) unsafe fn after(&self, vid: c_int, message: *const c_void) {
        // SAFETY: the message begins with its request, flags and size, of 32 bits each, and the payload, of more than 64.
        let (request, payload) = unsafe {
            let words = message.cast::<u32>();
            let payload = words.add(3).cast::<u64>();
            (words.read_unaligned(), payload.read_unaligned())
        };
        if matches!(request, SET_MEM_TABLE | SET_LOG_BASE) {
            self.note(vid);
        }
        // Only now: what is noted needs nobody to attend.
        if withdrawn::attended() {
            self.accuse(Fault::Withdrawn);
        }
        if request == SET_VRING_CALL && payload & NO_DESCRIPTOR == 0 {
            // SAFETY: an unknown device or queue gives -1.
            let fd = unsafe { ffi::spp_vhost_callfd(vid, (payload & QUEUE) as u16) };
            if fd >= 0 && !eventfd::tame(fd) {
                self.accuse(Fault::Doorbell);
            }
        }
    }

    /// Notes what is mapped of a device now.
    fn note(&self, vid: c_int) {
        let mut pieces = [ffi::spp_piece::default(); PIECES];
        // SAFETY: room for so many.
        let n = unsafe { ffi::spp_vhost_pieces(vid, pieces.as_mut_ptr(), PIECES as u32) } as usize;
        let note = |piece: &ffi::spp_piece| {
            let begin = piece.at - piece.at % PAGE;
            let end = (piece.at + piece.len).next_multiple_of(PAGE);
            Noted::new(begin as usize, (end - begin) as usize)
        };
        let mut noted = locked(&self.noted);
        noted.remove(&vid);
        match pieces.get(..n).map(|all| all.iter().map(note).collect()) {
            Some(Ok(pieces)) => {
                let charged = false;
                noted.insert(vid, Memory { pieces, charged });
            }
            _ => self.accuse(Fault::TooMany),
        }
    }

    /// Forgets a device, to whose memory nobody goes any more.
    pub(crate) fn forget(&self, vid: c_int) {
        if withdrawn::attended() {
            self.accuse(Fault::Withdrawn);
        }
        locked(&self.noted).remove(&vid);
    }

    /// Whether the memory of one of its peers is still there, for a worker before a burst.
    #[inline(always)]
    pub(crate) fn is_whole(&self) -> bool {
        let count = withdrawn::count();
        self.seen.load(Ordering::Relaxed) == count || self.look(count)
    }

    /// Somebody's memory was withdrawn: is it that of one of ours? Never waits.
    #[cold]
    fn look(&self, count: u64) -> bool {
        let noted = match self.noted.try_lock() {
            Ok(noted) => noted,
            Err(TryLockError::Poisoned(noted)) => noted.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let whole = !noted.values().any(Memory::is_withdrawn);
        if whole {
            self.seen.store(count, Ordering::Relaxed);
        }
        whole
    }

    /// Has the peer cut off.
    pub(crate) fn accuse(&self, fault: Fault) {
        self.accused.store(fault as u32, Ordering::SeqCst);
        withdrawn::ring();
    }

    /// What it is accused of, once.
    pub(crate) fn charge(&self) -> Option<Fault> {
        if let Some(fault) = Fault::of(self.accused.swap(0, Ordering::SeqCst)) {
            return Some(fault);
        }
        let mut charged = None;
        for memory in locked(&self.noted).values_mut() {
            if !memory.charged && memory.is_withdrawn() {
                memory.charged = true;
                charged = Some(Fault::Withdrawn);
            }
        }
        charged
    }

    /// It was cut off.
    pub(crate) fn was_cut(&self, fault: Fault) {
        self.last.store(fault as u32, Ordering::SeqCst);
        self.cut.fetch_add(1, Ordering::SeqCst);
    }

    /// How many peers were cut off, and why the last one was.
    pub(crate) fn record(&self) -> Option<(u64, Fault)> {
        let fault = Fault::of(self.last.load(Ordering::SeqCst))?;
        Some((self.cut.load(Ordering::SeqCst), fault))
    }
}

/// A peer that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The socket of its port.
    pub socket: PathBuf,
    /// Why.
    pub fault: Fault,
}

/// Hangs up on the peers that are accused of something, and tells of them. On a thread that may wait.
///
/// # Errors
/// The kernel does not show this process's descriptors.
pub fn cut_off() -> sys::Result<Vec<Cut>> {
    let mut all = Vec::new();
    for (socket, link) in links() {
        let guard = &link.guard;
        let Some(fault) = guard.charge() else {
            continue;
        };
        // It may have gone by itself.
        blocked::hang_up_all(&socket)?;
        guard.was_cut(fault);
        all.push(Cut { socket, fault });
    }
    Ok(all)
}

/// Tells that the peer of this socket stopped in the middle of a message, and was hung up on.
pub fn unfinished(socket: &Path) {
    let links = links();
    if let Some((_, link)) = links.iter().find(|(path, _)| path == socket) {
        link.guard.was_cut(Fault::Unfinished);
    }
}

/// Accuses the peer that gave this descriptor to be rung, or rang it; false if it is nobody's.
pub fn kept_waiting(fd: RawFd) -> bool {
    let links = links();
    let found = links.iter().find(|(_, link)| link.has_bell(fd));
    found
        .inspect(|(_, link)| link.guard.accuse(Fault::Doorbell))
        .is_some()
}
