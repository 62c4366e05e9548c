//! What a process may still do, asked of the process itself: a thread of the real one is stopped, makes a system call, and goes on.

#![cfg(target_arch = "x86_64")]
#![allow(clippy::expect_used, clippy::panic)]

mod controller;
mod inject;
mod links;
mod secondary;
mod sockets;

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A line of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    line.map_or_else(String::new, |l| l.trim_start_matches(':').trim().to_owned())
}

/// The threads of a process, each with what `name` says of it in its status.
fn of_threads(pid: u32, name: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let tids = tasks.flatten().map(|t| t.file_name());
    tids.map(|tid| status(tid.to_string_lossy().parse().expect("a number"), name))
        .collect()
}
