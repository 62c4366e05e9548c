//! System calls that whoever started this process keeps from it, as systemd and container engines do.

use std::io;

use nix::errno::Errno;

use crate::{Error, Result};

/// After a system call failed by which a process confines itself: the kernel does not have it.
///
/// # Errors
/// It has it, and somebody outside refuses it.
pub(crate) fn absent(call: &str) -> Result<()> {
    match Errno::last() {
        refused @ (Errno::EPERM | Errno::EACCES) => Err(Error::call(
            format!(
                "confine this process: who started it does not permit {call} (systemd: \
                 SystemCallFilter={call})"
            ),
            io::Error::from(refused),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_taken_for_an_old_kernel() {
        Errno::ENOSYS.set();
        absent("seccomp").expect("the kernel has none");
        Errno::EPERM.set();
        let error = absent("seccomp").expect_err("refused").to_string();
        assert!(error.contains("does not permit seccomp"), "{error}");
    }
}
