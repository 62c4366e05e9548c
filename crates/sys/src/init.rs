//! Going on under another PID.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::signal::{Signal, SignalFd};
use crate::{Error, Result};

/// Forks: the call returns in the child, which has a PID of its own. The parent stays as a small
/// init: it hands SIGTERM and SIGINT on, reaps whatever ends (it may be PID 1 of a container), and
/// ends as the child ends.
///
/// # Errors
/// Other threads exist already, which the child would not have; or the kernel refuses the fork.
pub fn go_on_in_child() -> Result<()> {
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
        ForkResult::Parent { child } => std::process::exit(watch(child)),
    }
}

/// Waits for `child` and gives its exit status, 128 + signal if one ended it.
fn watch(child: Pid) -> i32 {
    let signals = SignalFd::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => return status,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
            Ok(WaitStatus::StillAlive) => {}
            Ok(_) => continue,
            Err(Errno::ECHILD) => return 1,
            Err(_) => {}
        }
        let Ok(signals) = &signals else {
            // Without a descriptor for signals the child alone decides.
            std::thread::sleep(std::time::Duration::from_millis(100));
            continue;
        };
        crate::poll::wait(signals, &[], std::time::Duration::from_secs(1));
        while let Ok(Some(signal)) = signals.read() {
            let number = match signal {
                Signal::Terminate => nix::sys::signal::Signal::SIGTERM,
                Signal::Interrupt => nix::sys::signal::Signal::SIGINT,
                Signal::Child => continue,
            };
            // A child that is gone is reaped above.
            let _ = kill(child, number);
        }
    }
}
