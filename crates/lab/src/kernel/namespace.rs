//! Network namespaces (`network_namespaces(7)`). One is a thread's, so each thing that is done in one is done by a thread that ends
//! afterwards: the threads of whoever uses this stay where they are.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, Result};

/// What a thread does after it has moved is done here, and what it gives is given back.
fn moved<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|_| Err(Error::Refused("a thread for a namespace failed".into())))
    })
}

/// Makes as many new namespaces as `each` is called for; `each` is called in the new one, with its number. It takes CAP_SYS_ADMIN.
///
/// # Errors
/// The kernel refuses (without CAP_SYS_ADMIN, or beyond `/proc/sys/user/max_net_namespaces`), or `each` does.
pub fn make<T: Send>(
    count: usize,
    each: impl Fn(usize) -> Result<T> + Send + Sync,
) -> Result<Vec<(OwnedFd, T)>> {
    moved(|| {
        let one = |number| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|e| {
                Error::io("make a network namespace (it takes root, CAP_SYS_ADMIN)", e)
            })?;
            let path = "/proc/thread-self/ns/net";
            let file = File::open(path).map_err(|e| Error::io(format!("open {path}"), e))?;
            let namespace = sys::keeper::above_standard(file.into())?;
            Ok((namespace, each(number)?))
        };
        (0..count).map(one).collect()
    })
}

/// Does something in a namespace.
///
/// # Errors
/// The kernel refuses to go there, or `work` fails.
pub fn within<T: Send>(
    namespace: impl AsFd + Send,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    moved(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET)
            .map_err(|e| Error::io("enter a network namespace", e))?;
        work()
    })
}
