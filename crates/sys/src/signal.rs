//! Signals, taken from a descriptor instead of by handlers: block them before any thread starts,
//! read them where the other events are read.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd as NixSignalFd};
use rustix::process::set_parent_process_death_signal;

use crate::{Error, Result};

/// Raised by the thread's own instruction: the kernel kills a process that blocks them when they
/// strike, so a handler (a guest's memory that went away) would never run.
const FAULTS: [NixSignal; 7] = [
    NixSignal::SIGSEGV,
    NixSignal::SIGBUS,
    NixSignal::SIGFPE,
    NixSignal::SIGILL,
    NixSignal::SIGTRAP,
    NixSignal::SIGSYS,
    NixSignal::SIGABRT,
];

/// A signal that processes of ours act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end cleanly.
    Terminate,
    /// SIGINT: end cleanly (Ctrl-C).
    Interrupt,
    /// SIGCHLD: a child ended. Several ends may be merged into one signal.
    Child,
}

impl Signal {
    fn of_number(number: u32) -> Option<Self> {
        let number = i32::try_from(number).ok()?;
        [Self::Terminate, Self::Interrupt, Self::Child]
            .into_iter()
            .find(|signal| signal.to_nix() as i32 == number)
    }

    fn to_nix(self) -> NixSignal {
        match self {
            Self::Terminate => NixSignal::SIGTERM,
            Self::Interrupt => NixSignal::SIGINT,
            Self::Child => NixSignal::SIGCHLD,
        }
    }
}

/// Blocks every signal that can be blocked in the calling thread, but those raised by faults of
/// its own instructions (SIGSEGV, SIGBUS, …). Threads started later inherit this: call it before
/// EAL starts its own (`pthread_sigmask(3)`).
///
/// # Errors
/// The kernel's refusal; none is known.
pub fn block_all() -> Result<()> {
    let mut set = SigSet::all();
    for fault in FAULTS {
        set.remove(fault);
    }
    set.thread_set_mask()
        .map_err(|e| Error::call("block signals", e))
}

/// Sends SIGTERM to this process: it ends as if it had been told to from outside (`kill(2)`).
///
/// # Errors
/// The kernel's refusal; none is known.
pub fn end_ourselves() -> Result<()> {
    nix::sys::signal::kill(nix::unistd::Pid::this(), NixSignal::SIGTERM)
        .map_err(|e| Error::call("end this process", e))
}

/// Kills a process (SIGKILL, `kill(2)`).
///
/// # Errors
/// There is none of this PID, or it is not ours to kill.
pub fn kill(pid: u32) -> Result<()> {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    nix::sys::signal::kill(pid, NixSignal::SIGKILL)
        .map_err(|e| Error::call(format!("kill process {pid}"), e))
}

/// Sends SIGUSR1 to a child that knows what it means (`kill(2)`).
///
/// # Errors
/// There is none of this PID, or it is not ours.
pub fn tell(pid: u32) -> Result<()> {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    nix::sys::signal::kill(pid, NixSignal::SIGUSR1)
        .map_err(|e| Error::call(format!("send SIGUSR1 to process {pid}"), e))
}

/// A descriptor from which SIGTERM, SIGINT and SIGCHLD are read (`signalfd(2)`).
///
/// A signal sent to the process arrives here only if every thread blocks it: see [`block_all`].
#[derive(Debug)]
pub struct SignalFd(NixSignalFd);

impl SignalFd {
    /// Opens the descriptor (non-blocking, closed on exec) and blocks the three in this thread.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn new() -> Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::Terminate, Signal::Interrupt, Signal::Child] {
            set.add(signal.to_nix());
        }
        set.thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map_err(|e| Error::call("block SIGTERM, SIGINT and SIGCHLD", e))?;
        NixSignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map(Self)
            .map_err(|e| Error::call("open a signalfd", e))
    }

    /// Takes the next signal, `None` if there is none now. Never waits.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn read(&self) -> Result<Option<Signal>> {
        let info = self
            .0
            .read_signal()
            .map_err(|e| Error::call("read a signal", e))?;
        Ok(info.and_then(|info| Signal::of_number(info.ssi_signo)))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a launched child must not inherit from a process of ours.
pub trait CommandExt {
    /// The child starts with no signal blocked, whatever this thread blocks.
    fn unblock_signals(&mut self) -> &mut Self;

    /// What the kernel sends to the child when the *thread* that launched it ends
    /// (`PR_SET_PDEATHSIG`): `None` for a child that outlives us.
    fn parent_death_signal(&mut self, signal: Option<Signal>) -> &mut Self;

    /// The child gets the three standard streams and no other descriptor, however it was opened
    /// here (`close_range`). DPDK's are not closed on exec, and a lock on one of them would
    /// outlive this process in the child.
    fn only_standard_streams(&mut self) -> &mut Self;
}

impl CommandExt for Command {
    fn unblock_signals(&mut self) -> &mut Self {
        let clear = || SigSet::empty().thread_set_mask().map_err(Into::into);
        // SAFETY: between fork and exec the closure only calls pthread_sigmask, which is
        // async-signal-safe; it allocates nothing and takes no lock.
        unsafe { self.pre_exec(clear) }
    }

    fn parent_death_signal(&mut self, signal: Option<Signal>) -> &mut Self {
        let signal = signal.map(|signal| match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Child => rustix::process::Signal::CHILD,
        });
        let set = move || set_parent_process_death_signal(signal).map_err(Into::into);
        // SAFETY: between fork and exec the closure makes one prctl call and nothing else; it
        // allocates nothing and takes no lock.
        unsafe { self.pre_exec(set) }
    }

    fn only_standard_streams(&mut self) -> &mut Self {
        // Marked, not closed: the standard library reports a failed exec through one of them.
        let mark = || {
            // SAFETY: the call takes three numbers; it changes flags of descriptors of this process,
            // which is about to exec or to exit.
            let ret = unsafe {
                libc::syscall(
                    libc::SYS_close_range,
                    3,
                    libc::c_uint::MAX,
                    libc::CLOSE_RANGE_CLOEXEC,
                )
            };
            match ret {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: between fork and exec the closure makes one system call and reads errno; it
        // allocates nothing and takes no lock.
        unsafe { self.pre_exec(mark) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoll::Epoll;
    use std::time::Duration;

    /// The mask of a thread as /proc shows it: bit n-1 is signal n.
    fn mask_in(status: &str) -> u64 {
        let line = status.lines().find(|l| l.starts_with("SigBlk:")).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    }

    fn bit(signal: NixSignal) -> u64 {
        1 << (signal as i32 - 1)
    }

    /// Each test on a thread of its own, so that a mask never leaks into another test.
    fn on_own_thread(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    #[test]
    fn faults_stay_unblocked_and_threads_inherit_the_rest() {
        on_own_thread(|| {
            block_all().unwrap();
            let status =
                std::thread::spawn(|| std::fs::read_to_string("/proc/thread-self/status").unwrap());
            let mask = mask_in(&status.join().unwrap());
            for blocked in [NixSignal::SIGTERM, NixSignal::SIGCHLD, NixSignal::SIGUSR1] {
                assert_ne!(mask & bit(blocked), 0, "{blocked}");
            }
            for fault in FAULTS {
                assert_eq!(mask & bit(fault), 0, "{fault}");
            }
        });
    }

    #[test]
    fn a_child_starts_with_a_clear_mask() {
        on_own_thread(|| {
            block_all().unwrap();
            let status = |command: &mut Command| {
                let out = command.arg("/proc/self/status").output().unwrap();
                mask_in(&String::from_utf8(out.stdout).unwrap())
            };
            assert_ne!(
                status(&mut Command::new("cat")) & bit(NixSignal::SIGTERM),
                0
            );
            assert_eq!(status(Command::new("cat").unblock_signals()), 0);
        });
    }

    #[test]
    fn signals_are_read_from_the_descriptor() {
        on_own_thread(|| {
            let fd = SignalFd::new().unwrap();
            assert_eq!(fd.read().unwrap(), None);
            let mut epoll = Epoll::new().unwrap();
            epoll.add(&fd, 7).unwrap();
            for signal in [Signal::Terminate, Signal::Interrupt, Signal::Child] {
                // To this thread only: the other threads of the test runner block nothing.
                nix::sys::pthread::pthread_kill(nix::sys::pthread::pthread_self(), signal.to_nix())
                    .unwrap();
                let mut ready = Vec::new();
                epoll
                    .wait(&mut ready, Some(Duration::from_secs(5)))
                    .unwrap();
                assert_eq!(ready, [7]);
                assert_eq!(fd.read().unwrap(), Some(signal));
            }
            assert_eq!(fd.read().unwrap(), None);
        });
    }

    #[test]
    fn a_child_can_be_tied_to_its_launcher() {
        use std::os::unix::process::ExitStatusExt as _;
        let launch = || {
            Command::new("sleep")
                .arg("600")
                .parent_death_signal(Some(Signal::Terminate))
                .spawn()
                .unwrap()
        };
        let mut child = std::thread::spawn(launch).join().unwrap();
        assert_eq!(
            child.wait().unwrap().signal(),
            Some(NixSignal::SIGTERM as i32)
        );
    }

    #[test]
    fn a_child_gets_no_descriptor_that_was_left_open() {
        // As DPDK opens its files: not closed on exec.
        let open = std::fs::File::open("/dev/null").unwrap();
        let leaky = rustix::io::fcntl_dupfd_cloexec(&open, 100).unwrap();
        rustix::io::fcntl_setfd(&leaky, rustix::io::FdFlags::empty()).unwrap();
        let inherits = |command: &mut Command| {
            let script = "[ -e /proc/self/fd/100 ] && echo leaked; true";
            let output = command.args(["-c", script]).output().unwrap();
            assert!(output.status.success());
            !output.stdout.is_empty()
        };
        assert!(inherits(&mut Command::new("sh")));
        assert!(!inherits(Command::new("sh").only_standard_streams()));
    }
}
