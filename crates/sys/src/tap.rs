//! Descriptors of tap devices that a driver forgot to close.

use std::fs;
use std::os::fd::RawFd;

use crate::{Error, Result};

/// Closes every descriptor of this process that is a queue of the tap device `interface`; returns
/// how many. For a process that has let go of the device: DPDK's net_tap leaves the queues open in
/// secondaries.
///
/// # Errors
/// The kernel does not show this process's descriptors.
pub fn close_queues(interface: &str) -> Result<usize> {
    const INFO: &str = "/proc/self/fdinfo";
    let entries = fs::read_dir(INFO).map_err(|e| Error::call(format!("read {INFO}"), e))?;
    let mut closed = 0;
    for entry in entries.flatten() {
        // One that is closed meanwhile has nothing to show.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let ours = text
            .lines()
            .filter_map(|line| line.strip_prefix("iff:"))
            .any(|name| name.trim() == interface);
        let fd = entry
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<RawFd>().ok());
        if let (true, Some(fd)) = (ours, fd) {
            // SAFETY: nobody uses the queue: its driver has let go of it and forgot the number.
            if unsafe { nix::libc::close(fd) } == 0 {
                closed += 1;
            }
        }
    }
    Ok(closed)
}
