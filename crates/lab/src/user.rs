//! Networks of ordinary users: in a user namespace of their own, in which they are root (`user_namespaces(7)`).

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, Result};
use crate::state::KeeperState;

/// Makes this process root of a user namespace of its own, for good, unless it is root already.
///
/// # Errors
/// The machine lets ordinary users have none, or this process has threads.
pub fn become_root() -> Result<()> {
    if sys::proc::effective_uid() == 0 {
        return Ok(());
    }
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| {
        Error::Refused(match error {
            Errno::EINVAL => {
                "a program with threads brings networks up as root only: start it by `unshare -r`"
                    .to_owned()
            }
            error => format!(
                "networks need root here: ordinary users may have no user namespaces ({error}; see \
                 `sysctl user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns`)"
            ),
        })
    })?;
    // Without the first an ordinary user may not write the last (`user_namespaces(7)`).
    for (name, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        let path = format!("/proc/self/{name}");
        fs::write(&path, text).map_err(|e| Error::io(format!("write {path}"), e))?;
    }
    Ok(())
}

/// Enters the user namespace of a network, for good, unless this process is in it.
///
/// # Errors
/// It is of another user, or this process has threads.
pub fn enter(keeper: &KeeperState) -> Result<()> {
    let path = format!("/proc/{}/ns/user", keeper.pid);
    let failed = |e| Error::io(format!("open {path}"), e);
    let file = File::open(&path).map_err(failed)?;
    let theirs = file.metadata().map_err(failed)?.ino();
    let own = fs::metadata("/proc/self/ns/user").map_err(failed)?.ino();
    if theirs == own {
        return Ok(());
    }
    setns(&file, CloneFlags::CLONE_NEWUSER)
        .map_err(|e| Error::io("enter the user namespace of the network", e))
}
