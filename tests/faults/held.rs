//! Holding one thread of a process, as a debugger does, while the others run.

use std::fs;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// A thread that is held until this is dropped. Everything has to be done by the thread that made it.
pub struct Held(Pid);

impl Held {
    /// Holds the thread called `name` of a process.
    ///
    /// # Panics
    /// If there is none, or it cannot be held.
    #[track_caller]
    pub fn thread(pid: u32, name: &str) -> Self {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .expect("it runs")
            .flatten();
        let called = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let task = tasks
            .into_iter()
            .find(called)
            .expect("a thread of that name");
        let tid = task
            .file_name()
            .to_string_lossy()
            .parse()
            .expect("a number");
        let tid = Pid::from_raw(tid);
        ptrace::seize(tid, ptrace::Options::empty()).expect("to be its tracer");
        ptrace::interrupt(tid).expect("to interrupt it");
        waitpid(tid, Some(WaitPidFlag::__WALL)).expect("it is stopped");
        Held(tid)
    }

    /// Its process was killed: takes note of the thread's end, without which the process is not gone for its parent either.
    /// True once it has ended.
    pub fn has_ended(&self) -> bool {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
        match waitpid(self.0, Some(flags)) {
            Ok(status) => matches!(
                status,
                nix::sys::wait::WaitStatus::Signaled(..) | nix::sys::wait::WaitStatus::Exited(..)
            ),
            Err(_) => true,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // One that has ended needs no release.
        let _ = ptrace::detach(self.0, None);
    }
}
