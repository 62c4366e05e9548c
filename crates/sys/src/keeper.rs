//! A process that keeps things alive: PID 1 of a PID namespace of its own, with descriptors that it holds open.
//!
//! What is started in its PID namespace ends with it, whatever it has become: the kernel kills a whole PID namespace when its
//! PID 1 ends (`pid_namespaces(7)`). What its descriptors are the last to refer to goes with them: network namespaces, and the
//! devices in these. So one process that ends, in whatever way, takes all of it along, and nobody has to be there to clean up.

use std::ffi::CString;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::{Error, Result};

/// How long it may take to begin and to end. Both take milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// Between two looks at children of ours.
const STEP: Duration = Duration::from_millis(2);

/// A keeper that this process has started. It ends when this is dropped, or this process ends, in whatever way, unless it was
/// [released](Self::release).
#[derive(Debug)]
pub struct Keeper {
    pid: u32,
    process: OwnedFd,
    /// It ends when the other end of this closes.
    leash: Option<OwnedFd>,
    /// Children of ours in its PID namespace.
    children: Mutex<Vec<OwnedFd>>,
}

impl Keeper {
    /// Starts one that holds copies of `descriptors` under the same numbers and nothing else of ours, calls itself `name` (15 bytes
    /// at most are seen by `ps`), and has a mount namespace of its own in which `/proc` is that of its PID namespace and what is mounted
    /// elsewhere on the machine still appears.
    ///
    /// It needs CAP_SYS_ADMIN (in the user namespace that it is in).
    ///
    /// # Errors
    /// The kernel refuses a namespace or the process.
    pub fn start(name: &str, descriptors: &[BorrowedFd<'_>]) -> Result<Self> {
        // Namespaces are a thread's: this one's are not to change, so a thread that ends makes them.
        std::thread::scope(|scope| {
            let started = scope.spawn(|| start(name, descriptors)).join();
            started.unwrap_or_else(|_| {
                Err(Error::Invalid(
                    "the thread that starts a keeper failed".into(),
                ))
            })
        })
    }

    /// Its PID, as seen from our PID namespace.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Takes note of a child of ours that ends with it: one in its PID namespace, or in one whose first process hangs on a
    /// [leash](crate::leash) that it holds. Neither can end before somebody has waited for each process in it, so when it is dropped, the
    /// child is waited for by us, unless somebody has done so.
    pub fn adopt(&self, child: u32) {
        if let Ok(Some(process)) = open(child) {
            self.children().push(process);
        }
    }

    fn children(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets it live on when this process ends. From then on SIGTERM or SIGKILL end it.
    ///
    /// # Errors
    /// It has ended.
    pub fn release(mut self) -> Result<()> {
        let Some(leash) = self.leash.take() else {
            return Ok(());
        };
        std::fs::File::from(leash)
            .write_all(b"1")
            .map_err(|e| Error::call(format!("tell process {} to go on by itself", self.pid), e))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(leash) = self.leash.take() {
            drop(leash);
            // It ends at once, but only after the kernel has killed all in its namespace and they were waited for. Those in others, which
            // hang on a leash that it held, end a moment later.
            let end = Instant::now() + LIMIT;
            loop {
                let ended = has_ended(self.process.as_fd(), STEP);
                let mut children = self.children();
                children.retain(|child| {
                    let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                    // Who has waited for it already is right, too.
                    matches!(waitid(WaitId::PidFd(child.as_fd()), how), Ok(None))
                });
                if (ended && children.is_empty()) || Instant::now() >= end {
                    break;
                }
                std::thread::sleep(STEP);
            }
            // Somebody else may have waited for it.
            let _ = waitpid(pid_of(self.pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX))
}

/// What the child needs, made before it is there: it may call nothing that allocates or takes a lock.
struct Preparation {
    null: OwnedFd,
    leash: OwnedFd,
    ready: OwnedFd,
    /// Ranges of descriptors that are not its own.
    foreign: Vec<(u32, u32)>,
    name: CString,
}

fn start(name: &str, descriptors: &[BorrowedFd<'_>]) -> Result<Keeper> {
    let call = |what: &str| {
        let what = what.to_owned();
        move |e: Errno| Error::call(what, e)
    };
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(call("make a pipe"));
    let ((leash, ours), (answer, ready)) = (pipe()?, pipe()?);
    let (leash, ready) = (above_standard(leash)?, above_standard(ready)?);
    let null: OwnedFd = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|e| Error::call("open /dev/null", e))?
        .into();
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(call("make a mount namespace (it takes CAP_SYS_ADMIN)"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .map_err(call("keep mounts of a mount namespace in it"))?;
    unshare(CloneFlags::CLONE_NEWPID)
        .map_err(call("make a PID namespace (it takes CAP_SYS_ADMIN)"))?;
    let own: Vec<RawFd> = descriptors
        .iter()
        .map(AsRawFd::as_raw_fd)
        .chain([leash.as_raw_fd(), ready.as_raw_fd()])
        .collect();
    let prepared = Preparation {
        foreign: gaps(&own),
        null: above_standard(null)?,
        leash,
        ready,
        name: CString::new(name)
            .map_err(|_| Error::Invalid("a process's name has no NUL".into()))?,
    };
    // SAFETY: the child only makes system calls, on what was prepared (`keep` says so), and never returns, so it needs none of the
    // locks that other threads may have held at the fork.
    let child = match unsafe { fork() }.map_err(call("start a process in a PID namespace"))? {
        // SAFETY: this is that child.
        ForkResult::Child => unsafe { keep(&prepared) },
        ForkResult::Parent { child } => child,
    };
    drop(prepared);
    let pid = child.as_raw().unsigned_abs();
    let keeper = Keeper {
        pid,
        process: open(pid)?.ok_or_else(|| ended(pid))?,
        leash: Some(ours),
        children: Mutex::default(),
    };
    let mut word = [0; 1];
    crate::poll::wait(&answer, &[], LIMIT);
    nix::fcntl::fcntl(&answer, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map_err(call("look at a pipe"))?;
    match std::fs::File::from(answer).read(&mut word) {
        Ok(1) if word[0] == 0 => Ok(keeper),
        Ok(1) => Err(Error::call(
            "mount /proc in a PID namespace",
            Errno::from_raw(i32::from(word[0])),
        )),
        _ => Err(ended(pid)),
    }
}

fn ended(pid: u32) -> Error {
    Error::Invalid(format!("process {pid} ended as it was started"))
}

/// A descriptor of a process; `None` if there is none of this PID.
fn open(pid: u32) -> Result<Option<OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let Some(raw) = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    else {
        return Ok(None);
    };
    match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(e) => Err(Error::call(format!("open process {pid}"), e)),
    }
}

/// The ranges of numbers from 3 on that are not in `own`.
fn gaps(own: &[RawFd]) -> Vec<(u32, u32)> {
    let mut own: Vec<u32> = own
        .iter()
        .filter_map(|&fd| u32::try_from(fd).ok())
        .collect();
    own.sort_unstable();
    own.dedup();
    let mut gaps = Vec::new();
    let mut from = 3;
    for fd in own.into_iter().filter(|&fd| fd >= 3) {
        if fd > from {
            gaps.push((from, fd - 1));
        }
        from = fd + 1;
    }
    gaps.push((from, u32::MAX));
    gaps
}

/// The child's life.
///
/// # Safety
/// To be called in a child that has just been forked and has one thread. It makes system calls only, of those that
/// `signal-safety(7)` allows or that are no more than the call itself, and ends in one.
unsafe fn keep(prepared: &Preparation) -> ! {
    // SAFETY: every pointer is to something that lives as long as this function, which never returns; results that are not looked
    // at are of calls whose failure changes nothing for the life of what is kept.
    unsafe {
        // Handlers of the parent's must not run here, and what is blocked is not lost, although this is a PID 1.
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
        for fd in 0..3 {
            libc::dup2(prepared.null.as_raw_fd(), fd);
        }
        for &(first, last) in &prepared.foreign {
            libc::syscall(libc::SYS_close_range, first, last, 0);
        }
        libc::setsid();
        libc::chdir(c"/".as_ptr());
        libc::prctl(libc::PR_SET_NAME, prepared.name.as_ptr());
        let mounted = libc::mount(
            c"proc".as_ptr(),
            c"/proc".as_ptr(),
            c"proc".as_ptr(),
            0,
            std::ptr::null(),
        );
        let word = if mounted == 0 {
            0
        } else {
            *libc::__errno_location() as u8
        };
        libc::write(prepared.ready.as_raw_fd(), (&raw const word).cast(), 1);
        libc::close(prepared.ready.as_raw_fd());
        let mut wanted: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut wanted, libc::SIGCHLD);
        libc::sigaddset(&raw mut wanted, libc::SIGTERM);
        let signals = libc::signalfd(-1, &raw const wanted, libc::SFD_CLOEXEC);
        if mounted != 0 || signals < 0 {
            libc::_exit(1);
        }
        let mut leash = prepared.leash.as_raw_fd();
        loop {
            let mut polled = [signals, leash].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
            libc::poll(polled.as_mut_ptr(), 2, -1);
            if polled[1].revents != 0 {
                let mut byte = 0_u8;
                if libc::read(leash, (&raw mut byte).cast(), 1) != 1 {
                    libc::_exit(0);
                }
                libc::close(leash);
                // poll passes over it.
                leash = -1;
            }
            if polled[0].revents != 0 {
                let mut info: libc::signalfd_siginfo = std::mem::zeroed();
                libc::read(
                    signals,
                    (&raw mut info).cast(),
                    size_of::<libc::signalfd_siginfo>(),
                );
                if info.ssi_signo == libc::SIGTERM as u32 {
                    libc::_exit(0);
                }
                while libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) > 0 {}
            }
        }
    }
}

/// Ends a process by a descriptor of it (`pidfd_open(2)`), so that no other is ever meant, and waits at most `limit` until it has
/// ended. `started` is its start time in clock ticks ([`start_time`]). Whether it has ended; true if there was none of this PID that
/// began then.
///
/// # Errors
/// It is not ours to end.
pub fn end(pid: u32, started: u64, limit: Duration) -> Result<bool> {
    use rustix::process::{Signal, pidfd_send_signal};
    let Some(process) = open(pid)? else {
        return Ok(true);
    };
    // Looked at after it was opened: it is the one that is open.
    if start_time(pid) != Some(started) {
        return Ok(true);
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(e) => return Err(Error::call(format!("end process {pid}"), e)),
    }
    let ended = has_ended(process.as_fd(), limit);
    // A child of ours would stay as a zombie.
    let _ = waitpid(pid_of(pid), Some(WaitPidFlag::WNOHANG));
    Ok(ended)
}

/// Waits until the process of a pidfd has ended, which for a PID 1 is when all of its namespace have.
fn has_ended(process: BorrowedFd<'_>, limit: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(_) if left.is_zero() => return false,
            Err(_) => {}
        }
    }
}

/// When a process began, in clock ticks since the machine did (field 22 of `/proc/PID/stat`, `proc(5)`): with its PID it is the name
/// of a process that no other will have. `None` if there is none.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may itself hold brackets and blanks. What follows it begins with field 3.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(22 - 3)?.parse().ok()
}

/// The descriptor of another process, opened once more by us: what is open there under this number (`/proc/PID/fd/N`).
///
/// # Errors
/// The process or the descriptor is not there, or is not ours to look at.
pub fn descriptor_of(pid: u32, number: RawFd) -> Result<OwnedFd> {
    let path = format!("/proc/{pid}/fd/{number}");
    let file = std::fs::File::open(&path).map_err(|e| Error::call(format!("open {path}"), e))?;
    Ok(file.into())
}

/// A descriptor under a number of 3 or above, so that it can be [kept](Keeper::start).
///
/// # Errors
/// No number is free.
pub fn above_standard(file: OwnedFd) -> Result<OwnedFd> {
    if file.as_raw_fd() > 2 {
        return Ok(file);
    }
    let copy = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(3))
        .map_err(|e| Error::call("copy a descriptor", e))?;
    // SAFETY: the kernel has just made it for us; nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_closed() {
        assert_eq!(gaps(&[]), [(3, u32::MAX)]);
        assert_eq!(gaps(&[3, 4, 7, 5]), [(6, 6), (8, u32::MAX)]);
        assert_eq!(gaps(&[9, 2]), [(3, 8), (10, u32::MAX)]);
    }

    #[test]
    fn a_process_is_known_by_its_beginning() {
        let pid = std::process::id();
        let started = start_time(pid).unwrap();
        assert!(started > 0);
        assert_eq!(start_time(u32::MAX), None);
        // Another one of this PID is not touched.
        assert!(end(pid, started + 1, Duration::from_secs(1)).unwrap());
    }

    #[test]
    fn it_ends_with_its_leash_and_lives_on_without() {
        let file =
            above_standard(std::fs::File::open("/proc/self/ns/net").unwrap().into()).unwrap();
        let keeper = Keeper::start("keeper-test", &[file.as_fd()]).unwrap();
        let pid = keeper.pid();
        let started = start_time(pid).unwrap();
        assert_eq!(
            std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(),
            "keeper-test\n"
        );
        // Its PID there is 1, its descriptors are what it was given and its own few.
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(
            status
                .lines()
                .any(|l| l.starts_with("NSpid:") && l.ends_with("\t1")),
            "{status}"
        );
        assert!(descriptor_of(pid, file.as_raw_fd()).is_ok());
        drop(keeper);
        assert_eq!(start_time(pid).filter(|&s| s == started), None);

        let keeper = Keeper::start("keeper-test", &[file.as_fd()]).unwrap();
        let (pid, started) = (keeper.pid(), start_time(keeper.pid()).unwrap());
        keeper.release().unwrap();
        let process = open(pid).unwrap().unwrap();
        assert!(!has_ended(process.as_fd(), Duration::from_millis(200)));
        assert!(end(pid, started, Duration::from_secs(5)).unwrap());
        assert_eq!(start_time(pid).filter(|&s| s == started), None);
    }
}
