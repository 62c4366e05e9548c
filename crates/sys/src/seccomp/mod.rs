//! Giving up system calls (`seccomp(2)`), for the whole process and for good.
//!
//! A filter lists what there is; everything else does not exist (ENOSYS). A second one refuses (EPERM) what an intruder
//! would want, and looks at arguments. Both are made of rules by a library; the kernel keeps for each call without a rule
//! that it passes, so that such a call costs as much as without a filter.

mod calls;

use std::collections::BTreeMap;

use nix::libc::{self, c_int, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

use crate::{Error, Result, outside};

/// Which sockets a confined process can still make. Those that it has, it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// None, nor may it bind, connect or listen with those that it has.
    None,
    /// Those of UNIX, and TCP.
    Tcp,
    /// What is needed to look names up, too: UDP, and netlink to ask for addresses of ours.
    TcpAndNames,
}

/// `TIOCSTI` and `TIOCLINUX`: typing into a terminal that others read commands from.
const TYPING: [u64; 2] = [0x5412, 0x541c];

/// Confines all threads of this process, and those that they start: no other programs or processes, no namespaces, no
/// executable memory, only such new `sockets`. Privileges cannot be gained any more (`PR_SET_NO_NEW_PRIVS`). False if the kernel
/// has no seccomp: then nothing has changed.
///
/// # Errors
/// Whoever started this process does not let it confine itself. The kernel refuses; filters may be in force then.
pub fn confine(sockets: Sockets) -> Result<bool> {
    if !is_available()? {
        return Ok(false);
    }
    // The first filter permits no further one.
    install(&refusals(sockets)?)?;
    install(&permissions()?)?;
    Ok(true)
}

/// Whether the kernel has filters.
fn is_available() -> Result<bool> {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: asks for an action that the kernel may know; it reads that number and changes nothing.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    match ret {
        0 => Ok(true),
        _ => outside::absent("seccomp").map(|()| false),
    }
}

fn install(program: &BpfProgram) -> Result<()> {
    apply_filter_all_threads(program).map_err(failed)
}

fn failed(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::call("confine this process by seccomp", std::io::Error::other(e))
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn permissions() -> Result<BpfProgram> {
    let lists = [
        calls::PERMITTED,
        calls::OLDER,
        calls::REFUSED,
        calls::REFUSED_HERE,
    ];
    let rules: Rules = lists.concat().into_iter().map(|c| (c, vec![])).collect();
    compile(
        rules,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
    )
}

fn refusals(sockets: Sockets) -> Result<BpfProgram> {
    let lists = [calls::REFUSED, calls::REFUSED_HERE];
    let mut rules: Rules = lists.concat().into_iter().map(|c| (c, vec![])).collect();
    let mut add = |call: c_long, when: Vec<Vec<SeccompCondition>>| -> Result<()> {
        for conditions in when {
            let rule = SeccompRule::new(conditions).map_err(failed)?;
            rules.entry(call).or_default().push(rule);
        }
        Ok(())
    };
    let us = u64::from(std::process::id());
    // Signals for itself only.
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        add(call, vec![vec![differs(0, us)?]])?;
    }
    add(
        libc::SYS_prlimit64,
        vec![vec![differs(0, 0)?, differs(0, us)?]],
    )?;
    for typing in TYPING {
        add(libc::SYS_ioctl, vec![vec![is(1, typing)?]])?;
    }
    // Threads only, and none in namespaces of its own.
    add(
        libc::SYS_clone,
        vec![vec![masked(0, libc::CLONE_THREAD, 0)?]],
    )?;
    for namespace in [
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWUTS,
    ] {
        add(
            libc::SYS_clone,
            vec![vec![masked(0, namespace, namespace)?]],
        )?;
    }
    // Pipes and files, but no devices.
    for kind in [libc::S_IFCHR, libc::S_IFBLK] {
        let device = |n| masked(n, libc::S_IFMT as c_int, kind as c_int);
        add(libc::SYS_mknodat, vec![vec![device(2)?]])?;
        #[cfg(target_arch = "x86_64")]
        add(libc::SYS_mknod, vec![vec![device(1)?]])?;
    }
    // A library that wants an executable stack gets one for every thread.
    if !has_writable_code() {
        for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
            let code = masked(2, libc::PROT_EXEC, libc::PROT_EXEC)?;
            add(call, vec![vec![code]])?;
        }
    }
    add(
        libc::SYS_socketpair,
        vec![vec![differs(0, libc::AF_UNIX as u64)?]],
    )?;
    if sockets == Sockets::None {
        for call in [
            libc::SYS_socket,
            libc::SYS_bind,
            libc::SYS_connect,
            libc::SYS_listen,
        ] {
            rules.insert(call, vec![]);
        }
    } else {
        add(libc::SYS_socket, socket_rules(sockets)?)?;
    }
    compile(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
    )
}

/// When `socket(domain, type, protocol)` is refused.
fn socket_rules(sockets: Sockets) -> Result<Vec<Vec<SeccompCondition>>> {
    let names = sockets == Sockets::TcpAndNames;
    let mut domains = vec![libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let mut rules = Vec::new();
    if names {
        domains.push(libc::AF_NETLINK);
        rules.push(vec![
            is(0, libc::AF_NETLINK as u64)?,
            differs(2, libc::NETLINK_ROUTE as u64)?,
        ]);
    }
    let others = domains.iter().map(|d| differs(0, *d as u64));
    rules.push(others.collect::<Result<_>>()?);
    for domain in [libc::AF_INET, libc::AF_INET6] {
        let inet = || is(0, domain as u64);
        let good = |kind| kind == libc::SOCK_STREAM || names && kind == libc::SOCK_DGRAM;
        // All values of the four bits in which a type is said.
        for kind in (0..16).filter(|kind| !good(*kind)) {
            rules.push(vec![inet()?, masked(1, 0xf, kind)?]);
        }
        rules.push(vec![
            inet()?,
            masked(1, 0xf, libc::SOCK_STREAM)?,
            differs(2, 0)?,
            differs(2, libc::IPPROTO_TCP as u64)?,
        ]);
    }
    Ok(rules)
}

fn condition(arg: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    SeccompCondition::new(arg, SeccompCmpArgLen::Dword, op, value).map_err(failed)
}

fn is(arg: u8, value: u64) -> Result<SeccompCondition> {
    condition(arg, SeccompCmpOp::Eq, value)
}

fn differs(arg: u8, value: u64) -> Result<SeccompCondition> {
    condition(arg, SeccompCmpOp::Ne, value)
}

fn masked(arg: u8, mask: c_int, value: c_int) -> Result<SeccompCondition> {
    let (mask, value) = (u64::from(mask as u32), u64::from(value as u32));
    condition(arg, SeccompCmpOp::MaskedEq(mask), value)
}

/// Whether some memory of this process is writable and executable.
fn has_writable_code() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().any(|line| line.contains(" rwx"))
}

fn compile(rules: Rules, otherwise: SeccompAction, found: SeccompAction) -> Result<BpfProgram> {
    let arch = std::env::consts::ARCH.try_into().map_err(failed)?;
    SeccompFilter::new(rules, otherwise, found, arch)
        .and_then(BpfProgram::try_from)
        .map_err(failed)
}
