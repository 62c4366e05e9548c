//! Memory that its owner takes away while we use it.
//!
//! A guest gives us its memory as a file that we map. If it shortens that file, or the machine has no page for it, the next
//! touch raises SIGBUS, which ends a process. Here such mappings are noted: a SIGBUS in one of them puts pages of
//! zeros in its place, remembers that, and rings a bell. Any other SIGBUS ends the process, as without this.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::eventfd::EventFd;
use crate::{Error, Result};

/// Mappings that can be noted at a time.
const SLOTS: usize = 4096;

const FREE: u64 = 0;
const BUSY: u64 = 1;
const LIVE: u64 = 2;
/// The state is in the lower bits, how often it has changed above them.
const STATE: u64 = 3;
const ONCE: u64 = 4;

/// A noted mapping. The handler of the signal reads what others write: all is atomic.
struct Slot {
    state: AtomicU64,
    at: AtomicUsize,
    len: AtomicUsize,
    withdrawn: AtomicBool,
}

static NOTED: [Slot; SLOTS] = [const {
    Slot {
        state: AtomicU64::new(FREE),
        at: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        withdrawn: AtomicBool::new(false),
    }
}; SLOTS];

/// Times that memory was found to be withdrawn.
static COUNT: AtomicU64 = AtomicU64::new(0);
/// The thread that maps a guest's memory just now, and may touch it before it is noted; 0 if none does.
static ATTENDING: AtomicI32 = AtomicI32::new(0);
/// It touched memory that was withdrawn.
static ATTENDED: AtomicBool = AtomicBool::new(false);
static BELL: OnceLock<EventFd> = OnceLock::new();
/// The bell's descriptor, for the handler.
static BELL_FD: AtomicI32 = AtomicI32::new(-1);

impl Slot {
    /// What `state` becomes.
    fn turn(&self, from: u64, to: u64) -> bool {
        let next = (from & !STATE).wrapping_add(ONCE) | to;
        let turned = self
            .state
            .compare_exchange(from, next, Ordering::SeqCst, Ordering::SeqCst);
        turned.is_ok()
    }

    /// Whether its mapping holds `address`.
    fn holds(&self, address: usize) -> bool {
        let state = self.state.load(Ordering::SeqCst);
        let at = self.at.load(Ordering::SeqCst);
        let len = self.len.load(Ordering::SeqCst);
        let same = self.state.load(Ordering::SeqCst) == state;
        same && state & STATE == LIVE && address.wrapping_sub(at) < len
    }
}

/// A mapping that may be withdrawn, noted as long as this lives.
#[derive(Debug)]
pub struct Noted(usize);

impl Noted {
    /// Notes the `len` bytes from `at` on, which must be mapped for as long as this lives, and belong to nobody who could
    /// not bear to find zeros in them.
    ///
    /// # Errors
    /// 4096 are noted already.
    pub fn new(at: usize, len: usize) -> Result<Self> {
        for (i, slot) in NOTED.iter().enumerate() {
            let state = slot.state.load(Ordering::SeqCst);
            if state & STATE == FREE && slot.turn(state, BUSY) {
                slot.at.store(at, Ordering::SeqCst);
                slot.len.store(len, Ordering::SeqCst);
                slot.withdrawn.store(false, Ordering::SeqCst);
                slot.turn(slot.state.load(Ordering::SeqCst), LIVE);
                return Ok(Noted(i));
            }
        }
        Err(Error::Invalid(format!(
            "{SLOTS} pieces of guests' memory are mapped, more are not possible: delete ports, or use another process"
        )))
    }

    /// Whether it was found to be withdrawn: what is there now are zeros of our own.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        NOTED[self.0].withdrawn.load(Ordering::SeqCst)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let slot = &NOTED[self.0];
        slot.turn(slot.state.load(Ordering::SeqCst), FREE);
    }
}

/// How often memory was found to be withdrawn in this process: what has not changed need not be looked at again.
#[inline(always)]
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Until [`attended`], a SIGBUS of this thread is taken for memory of a guest that is being mapped and is not noted yet. For one
/// thread at a time.
pub fn attend() {
    ATTENDED.store(false, Ordering::SeqCst);
    // SAFETY: takes nothing and gives a number.
    ATTENDING.store(unsafe { libc::gettid() }, Ordering::SeqCst);
}

/// Ends what [`attend`] began; whether there was a SIGBUS.
pub fn attended() -> bool {
    ATTENDING.store(0, Ordering::SeqCst);
    ATTENDED.swap(false, Ordering::SeqCst)
}

/// Begins: from now on noted mappings may be withdrawn. Once a process; again does nothing. After EAL's start, which has a
/// handler of its own for a while.
///
/// # Errors
/// No descriptor is free.
pub fn start() -> Result<()> {
    let bell = EventFd::new()?;
    if BELL.set(bell).is_err() {
        return Ok(());
    }
    BELL_FD.store(
        BELL.get().map_or(-1, |bell| bell.as_fd().as_raw_fd()),
        Ordering::SeqCst,
    );
    set_action(on_fault as *const () as usize)
}

/// Waits until memory was found to be withdrawn, or [`ring`] was called, or `limit` has passed; whether it was.
///
/// # Errors
/// [`start`] was not called, or the kernel's refusal.
pub fn wait(limit: Duration) -> Result<bool> {
    let Some(bell) = BELL.get() else {
        return Err(Error::Invalid(
            "the watch of guests' memory has not begun".into(),
        ));
    };
    let limit = Timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut ready = [PollFd::new(bell, PollFlags::IN)];
    match poll(&mut ready, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => bell.drain(),
        Err(e) => Err(Error::call("wait for the bell of guests' memory", e)),
    }
}

/// Ends a [`wait`].
pub fn ring() {
    if let Some(bell) = BELL.get() {
        // A bell that rings already is as good.
        let _ = bell.ring();
    }
}

/// Interrupts the system call in which a thread of this process waits: it fails with EINTR. Needs [`start`].
///
/// # Errors
/// The thread is gone.
pub fn interrupt(tid: u32) -> Result<()> {
    let pid = libc::c_long::from(std::process::id());
    // SAFETY: takes numbers; a thread of ours gets the signal that `on_fault` knows to be this.
    let ret =
        unsafe { libc::syscall(libc::SYS_tgkill, pid, libc::c_long::from(tid), libc::SIGBUS) };
    match ret {
        0 => Ok(()),
        _ => Err(Error::call(
            format!("interrupt the thread {tid}"),
            std::io::Error::last_os_error(),
        )),
    }
}

/// Sets what SIGBUS does; without SA_RESTART, so that [`interrupt`] does.
fn set_action(handler: usize) -> Result<()> {
    // SAFETY: all zeros are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler is `on_fault`, which has this signature and does only what a handler may, or SIG_DFL.
    match unsafe { libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(Error::call("take SIGBUS", std::io::Error::last_os_error())),
    }
}

/// Only system calls and atomics: it may strike anywhere in a thread.
extern "C" fn on_fault(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid siginfo with SA_SIGINFO; which fields count depends on the code. errno is this thread's own.
    let (code, address, sender, errno) = unsafe {
        let errno = *libc::__errno_location();
        (
            (*info).si_code,
            (*info).si_addr() as usize,
            (*info).si_pid(),
            errno,
        )
    };
    // SAFETY: takes nothing and gives a number.
    let ours = code == libc::SI_TKILL && sender == unsafe { libc::getpid() };
    let fault = code == libc::BUS_ADRERR || code == libc::BUS_MCEERR_AR;
    let dealt_with = ours || fault && replace(address);
    if !dealt_with {
        // As if there were no handler: the instruction strikes again, or the signal does, after the return.
        // SAFETY: takes numbers and a valid sigaction; both may be called in a handler.
        unsafe {
            let mut default: libc::sigaction = std::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(libc::SIGBUS, &default, std::ptr::null_mut());
            libc::raise(libc::SIGBUS);
        }
    }
    // SAFETY: this thread's own.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts zeros where a guest's memory was; false if `address` is nothing of a guest's. A page only: should a note be out of date,
/// nothing of anybody else's is harmed.
fn replace(address: usize) -> bool {
    let mut known = false;
    for slot in NOTED.iter().filter(|slot| slot.holds(address)) {
        slot.withdrawn.store(true, Ordering::SeqCst);
        known = true;
    }
    // SAFETY: takes nothing and gives a number.
    if ATTENDING.load(Ordering::SeqCst) == unsafe { libc::gettid() } {
        ATTENDED.store(true, Ordering::SeqCst);
        known = true;
    }
    known && put_zeros(address) && struck()
}

/// Counts it and tells who waits.
fn struck() -> bool {
    COUNT.fetch_add(1, Ordering::SeqCst);
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight bytes of ours; a descriptor that is never closed, and does not block.
    unsafe {
        libc::write(
            BELL_FD.load(Ordering::SeqCst),
            one.as_ptr().cast(),
            one.len(),
        )
    };
    true
}

/// In place of the page of `address`, of whichever size that is: the kernel refuses a part of a larger one.
fn put_zeros(address: usize) -> bool {
    const SIZES: [usize; 4] = [1 << 12, 1 << 16, 1 << 21, 1 << 30];
    SIZES.iter().any(|size| {
        let at = address & !(size - 1);
        // SAFETY: a page of a mapping that was noted as one that may become zeros, and whose user is the thread that is
        // interrupted here: nobody unmaps it meanwhile.
        let new = unsafe {
            libc::mmap(
                at as *mut libc::c_void,
                *size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        new as usize == at
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Shared;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    use std::os::unix::process::ExitStatusExt as _;

    const PAGE: usize = 4096;

    /// Two pages of a file that may shrink.
    fn mapped() -> (std::os::fd::OwnedFd, *mut u8) {
        let file = memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, 2 * PAGE as u64).unwrap();
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses.
        let at = unsafe {
            mmap(
                std::ptr::null_mut(),
                2 * PAGE,
                prot,
                MapFlags::SHARED,
                &file,
                0,
            )
        };
        (file, at.unwrap().cast())
    }

    fn touch(at: *mut u8) -> u8 {
        // SAFETY: of a mapping of the test's, withdrawn or not.
        unsafe {
            at.write_volatile(at.read_volatile().wrapping_add(1));
            at.read_volatile()
        }
    }

    /// Runs the test `name` in a process of its own, in which `SPP_CHILD` is set; gives the signal that ended it.
    fn apart(name: &str) -> Option<i32> {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args([name, "--exact", "--nocapture"])
            .env("SPP_CHILD", "1");
        let out = child.output().unwrap();
        assert!(
            out.status.success() || out.status.signal().is_some(),
            "{out:?}"
        );
        out.status.signal()
    }

    fn is_apart() -> bool {
        std::env::var_os("SPP_CHILD").is_some()
    }

    #[test]
    fn noted_memory_that_is_withdrawn_becomes_zeros() {
        const NAME: &str = "withdrawn::tests::noted_memory_that_is_withdrawn_becomes_zeros";
        if !is_apart() {
            return assert_eq!(apart(NAME), None);
        }
        start().unwrap();
        let (file, at) = mapped();
        let (_other, untouched) = mapped();
        let noted = Noted::new(at as usize, 2 * PAGE).unwrap();
        let spared = Noted::new(untouched as usize, 2 * PAGE).unwrap();
        for n in 1..=3 {
            assert_eq!(touch(at), n);
        }
        assert!(!wait(Duration::ZERO).unwrap() && count() == 0);
        ftruncate(&file, 0).unwrap();
        assert_eq!(touch(at), 1);
        assert!(noted.is_withdrawn() && !spared.is_withdrawn());
        // SAFETY: the second page.
        assert_eq!(touch(unsafe { at.add(PAGE) }), 1);
        assert_eq!(touch(at), 2);
        assert!(count() == 2 && wait(Duration::from_secs(5)).unwrap());
        assert_eq!(touch(untouched), 1);
    }

    #[test]
    fn memory_that_is_being_mapped_becomes_zeros_page_by_page() {
        const NAME: &str =
            "withdrawn::tests::memory_that_is_being_mapped_becomes_zeros_page_by_page";
        if !is_apart() {
            return assert_eq!(apart(NAME), None);
        }
        start().unwrap();
        let (file, at) = mapped();
        ftruncate(&file, PAGE as u64).unwrap();
        attend();
        // SAFETY: the second page.
        assert_eq!(touch(unsafe { at.add(PAGE) }), 1);
        assert_eq!(touch(at), 1);
        assert!(attended() && !attended());
    }

    #[test]
    fn what_is_not_noted_any_more_ends_the_process() {
        const NAME: &str = "withdrawn::tests::what_is_not_noted_any_more_ends_the_process";
        if !is_apart() {
            return assert_eq!(apart(NAME), Some(libc::SIGBUS));
        }
        start().unwrap();
        let (file, at) = mapped();
        drop(Noted::new(at as usize, 2 * PAGE).unwrap());
        ftruncate(&file, 0).unwrap();
        attend();
        attended();
        touch(at);
    }

    #[test]
    fn a_signal_that_is_sent_ends_the_process_and_an_interruption_does_not() {
        const NAME: &str =
            "withdrawn::tests::a_signal_that_is_sent_ends_the_process_and_an_interruption_does_not";
        if !is_apart() {
            return assert_eq!(apart(NAME), Some(libc::SIGBUS));
        }
        start().unwrap();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            // SAFETY: takes nothing and gives a number.
            tell.send(unsafe { libc::gettid() }).unwrap();
            let mut byte = [0];
            rustix::io::read(&ours, &mut byte)
        });
        let tid = told.recv().unwrap() as u32;
        while !thread.is_finished() {
            interrupt(tid).ok();
            std::thread::yield_now();
        }
        assert_eq!(thread.join().unwrap(), Err(rustix::io::Errno::INTR));
        drop(theirs);
        let pid = std::process::id().to_string();
        std::process::Command::new("kill")
            .args(["-BUS", &pid])
            .status()
            .unwrap();
        // It comes at the latest when this thread asks the kernel for something.
        loop {
            std::thread::yield_now();
        }
    }

    #[test]
    fn memory_that_cannot_shrink_is_noted_as_well() {
        let file = memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, PAGE as u64).unwrap();
        rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::SHRINK).unwrap();
        let memory = Shared::map(&file, 100).unwrap();
        assert!(!memory.is_withdrawn());
    }

    #[test]
    fn places_are_used_again() {
        if !is_apart() {
            return assert_eq!(apart("withdrawn::tests::places_are_used_again"), None);
        }
        for _ in 0..2 {
            let all: Vec<_> = std::iter::from_fn(|| Noted::new(1, 1).ok()).collect();
            assert_eq!(all.len(), SLOTS);
        }
    }
}
