//! Network namespaces (`network_namespaces(7)`). One is a thread's, so each thing that is done in one is done by a thread that ends
//! afterwards: the threads of whoever uses this stay where they are.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, Result};

/// What a thread does after it has moved is done here, and what it gives is given back.
fn moved<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|_| Err(Error::Refused("a thread for a namespace failed".into())))
    })
}

/// A namespace for each of `given`: that one, or a new one where there is none. `each` is called in it, with its number. It takes
/// CAP_SYS_ADMIN.
///
/// # Errors
/// The kernel refuses (without CAP_SYS_ADMIN, or beyond `/proc/sys/user/max_net_namespaces`), or `each` does.
pub fn make<T: Send>(
    given: &[Option<BorrowedFd<'_>>],
    each: impl Fn(usize) -> Result<T> + Send + Sync,
) -> Result<Vec<(OwnedFd, T)>> {
    moved(|| {
        let one = |(number, given): (usize, &Option<BorrowedFd<'_>>)| {
            match given {
                Some(namespace) => setns(namespace, CloneFlags::CLONE_NEWNET)
                    .map_err(|e| Error::io("enter the network namespace of a container", e))?,
                None => unshare(CloneFlags::CLONE_NEWNET).map_err(|e| {
                    Error::io("make a network namespace (it takes root, CAP_SYS_ADMIN)", e)
                })?,
            }
            let path = "/proc/thread-self/ns/net";
            let file = File::open(path).map_err(|e| Error::io(format!("open {path}"), e))?;
            let namespace = sys::keeper::above_standard(file.into())?;
            Ok((namespace, each(number)?))
        };
        given.iter().enumerate().map(one).collect()
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
