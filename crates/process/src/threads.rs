//! Threads of ours beside EAL's.

use std::thread::JoinHandle;

/// Starts a control thread. It inherits the blocked signals and the affinity of the control thread, which EAL
/// has not pinned because it runs on a thread of its own.
pub fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, sys::Error> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map_err(|source| sys::Error::Call {
            what: format!("start the thread {name}"),
            source,
        })
}
