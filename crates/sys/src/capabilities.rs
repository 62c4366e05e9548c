//! Giving up capabilities (`capabilities(7)`), for the calling thread and those that it starts.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use crate::{Error, Result};

/// A capability by the kernel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability(u32, &'static str);

impl Capability {
    /// Giving files to other users.
    pub const CHOWN: Self = Self(0, "CAP_CHOWN");
    /// Files that one's user may not write.
    pub const DAC_OVERRIDE: Self = Self(1, "CAP_DAC_OVERRIDE");
    /// Files that one's user may not read.
    pub const DAC_READ_SEARCH: Self = Self(2, "CAP_DAC_READ_SEARCH");
    /// What only a file's owner may do.
    pub const FOWNER: Self = Self(3, "CAP_FOWNER");
    /// Signals for processes of others.
    pub const KILL: Self = Self(5, "CAP_KILL");
    /// Ports below 1024.
    pub const NET_BIND_SERVICE: Self = Self(10, "CAP_NET_BIND_SERVICE");
    /// Network devices.
    pub const NET_ADMIN: Self = Self(12, "CAP_NET_ADMIN");
    /// Packet sockets.
    pub const NET_RAW: Self = Self(13, "CAP_NET_RAW");
    /// Memory that is not swapped.
    pub const IPC_LOCK: Self = Self(14, "CAP_IPC_LOCK");
    /// Ports of the machine.
    pub const SYS_RAWIO: Self = Self(17, "CAP_SYS_RAWIO");
    /// Physical addresses, and much else.
    pub const SYS_ADMIN: Self = Self(21, "CAP_SYS_ADMIN");
    /// Priorities, and memory policies.
    pub const SYS_NICE: Self = Self(23, "CAP_SYS_NICE");
    /// Limits.
    pub const SYS_RESOURCE: Self = Self(24, "CAP_SYS_RESOURCE");
    /// Programs in the kernel.
    pub const BPF: Self = Self(39, "CAP_BPF");

    /// As one bit of a set.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << self.0
    }

    /// `CAP_…`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.1
    }
}

/// The effective capabilities of the calling thread, one bit each by their numbers.
///
/// # Errors
/// The kernel does not tell.
pub fn effective() -> Result<u64> {
    Ok(sets()?.effective.bits())
}

fn sets() -> Result<CapabilitySets> {
    capabilities(None).map_err(|e| Error::call("read the capabilities", e))
}

/// The names of a set.
#[must_use]
pub fn names(set: u64) -> String {
    let all = [
        Capability::CHOWN,
        Capability::DAC_OVERRIDE,
        Capability::DAC_READ_SEARCH,
        Capability::FOWNER,
        Capability::KILL,
        Capability::NET_BIND_SERVICE,
        Capability::NET_ADMIN,
        Capability::NET_RAW,
        Capability::IPC_LOCK,
        Capability::SYS_RAWIO,
        Capability::SYS_ADMIN,
        Capability::SYS_NICE,
        Capability::SYS_RESOURCE,
        Capability::BPF,
    ];
    let names = all.iter().filter(|c| set & c.bit() != 0).map(|c| c.name());
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(" ")
    }
}

/// Keeps of all capabilities, in every set, only what is in `wanted`, and never gains any again, by no program
/// (`PR_SET_NO_NEW_PRIVS`). Gives what is left. Holds for threads and processes that the calling thread starts from now on, not
/// for threads that run already.
///
/// # Errors
/// The kernel refuses.
pub fn keep_only(wanted: u64) -> Result<u64> {
    let failed = |e: Errno| Error::call("drop capabilities", e);
    set_no_new_privs(true).map_err(failed)?;
    clear_ambient_capability_set().map_err(failed)?;
    let now = sets()?;
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if wanted >> number & 1 == 1 {
            continue;
        }
        match capability_is_in_bounding_set(capability) {
            Ok(true) => match remove_capability_from_bounding_set(capability) {
                // Whoever may not do that has to live with what bounds it; it gains nothing all the same.
                Ok(()) | Err(Errno::PERM) => {}
                Err(e) => return Err(failed(e)),
            },
            Ok(false) => {}
            // Beyond the last that this kernel knows.
            Err(Errno::INVAL) => break,
            Err(e) => return Err(failed(e)),
        }
    }
    let wanted = CapabilitySet::from_bits_retain(wanted);
    let left = CapabilitySets {
        effective: now.effective & wanted,
        permitted: now.permitted & wanted,
        inheritable: now.inheritable & wanted,
    };
    // A unit of systemd may forbid the call to who has nothing to drop.
    if left != now {
        set_capabilities(None, left).map_err(failed)?;
    }
    Ok(left.permitted.bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_gone_for_the_thread_and_its_children_only() {
        let before = effective().unwrap();
        let net = Capability::NET_ADMIN.bit();
        std::thread::spawn(move || {
            assert_eq!(keep_only(net).unwrap(), before & net);
            assert_eq!(effective().unwrap(), before & net);
            let child = std::thread::spawn(|| effective().unwrap()).join().unwrap();
            assert_eq!(child, before & net);
            assert_eq!(keep_only(0).unwrap(), 0);
            assert_eq!(keep_only(net).unwrap(), 0, "gained again");
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            for line in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
                let line = format!("{line}:\t0000000000000000\n");
                assert!(status.contains(&line), "{status}");
            }
            // Only who had CAP_SETPCAP can narrow what bounds it.
            if before & 1 << 8 != 0 {
                assert!(status.contains("CapBnd:\t0000000000001000\n"), "{status}");
            }
            assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
        })
        .join()
        .unwrap();
        assert_eq!(effective().unwrap(), before);
    }

    #[test]
    fn sets_are_named() {
        assert_eq!(names(0), "none");
        assert_eq!(names(0x3000), "CAP_NET_ADMIN CAP_NET_RAW");
    }
}
