//! Going on under another PID.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::leash::Leash;
use crate::signal::{Signal, SignalFd};
use crate::{Error, Result};

/// Forks: the call returns in the child, which has a PID of its own. The parent stays as a small
/// init: it hands SIGTERM and SIGINT on, reaps whatever ends (it may be PID 1 of a container), and
/// ends as the child ends, or when nobody holds its `leash` any more: if it is PID 1, all in its PID
/// namespace end with it.
///
/// # Errors
/// Other threads exist already, which the child would not have; or the kernel refuses the fork.
pub fn go_on_in_child(leash: Option<&Leash>) -> Result<()> {
    const TASKS: &str = "/proc/self/task";
    let threads = fs::read_dir(TASKS).map_err(|e| Error::call(format!("read {TASKS}"), e))?;
    if threads.count() != 1 {
        return Err(Error::Invalid(
            "this process has threads and cannot fork any more".into(),
        ));
    }
    // SAFETY: this is the only thread, so the child has all that the parent had.
    match unsafe { fork() }.map_err(|e| Error::call("fork", e))? {
        ForkResult::Child => Ok(()),
        ForkResult::Parent { child } => std::process::exit(watch(Some(child), leash)),
    }
}

/// Stays as a small init without a program, as long as somebody holds the leash; then it ends this process.
pub fn stay(leash: &Leash) -> ! {
    std::process::exit(watch(None, Some(leash)))
}

/// Waits for `child` and gives its exit status, 128 + signal if one ended it; 0 if the leash ended it all, or a signal where there is no
/// child.
fn watch(child: Option<Pid>, leash: Option<&Leash>) -> i32 {
    let signals = SignalFd::new();
    let leash_number: Vec<_> = leash.iter().map(|leash| leash.number()).collect();
    loop {
        if leash.is_some_and(Leash::is_gone) {
            return 0;
        }
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if Some(pid) == child => return status,
            Ok(WaitStatus::Signaled(pid, signal, _)) if Some(pid) == child => {
                return 128 + signal as i32;
            }
            Ok(WaitStatus::StillAlive) => {}
            Ok(_) => continue,
            Err(Errno::ECHILD) if child.is_some() => return 1,
            Err(_) => {}
        }
        let Ok(signals) = &signals else {
            // Without a descriptor for signals the child alone decides.
            std::thread::sleep(std::time::Duration::from_millis(100));
            continue;
        };
        crate::poll::wait(signals, &leash_number, std::time::Duration::from_secs(1));
        while let Ok(Some(signal)) = signals.read() {
            let number = match signal {
                Signal::Terminate => nix::sys::signal::Signal::SIGTERM,
                Signal::Interrupt => nix::sys::signal::Signal::SIGINT,
                Signal::Child => continue,
            };
            match child {
                // One that is gone is reaped above.
                Some(child) => {
                    let _ = kill(child, number);
                }
                None => return 0,
            }
        }
    }
}
