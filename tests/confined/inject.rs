//! A system call in another process.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The instruction `syscall`; what follows it is not reached.
const SYSCALL: i64 = 0x050f;

/// Lets the main thread of `pid` make a system call between two instructions of its own; gives what it returned. Strings for
/// it are written over its stack's unused end, and are named by their place in `texts`, as [`text`].
pub fn call(pid: u32, number: i64, arguments: [u64; 6], texts: &[&str]) -> Result<i64, Errno> {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    ptrace::attach(pid).expect("attached");
    let stopped = || loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)).expect("waited for") {
            WaitStatus::Stopped(_, signal) => return signal,
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => panic!("{pid} has ended"),
            _ => {}
        }
    };
    assert_eq!(stopped(), Signal::SIGSTOP);
    let before = ptrace::getregs(pid).expect("its registers");
    let at = before.rip as ptrace::AddressType;
    let code = ptrace::read(pid, at).expect("its code");
    // Far below what the stopped call may keep below the stack pointer.
    let room = (before.rsp - 8192) & !0xfff;
    let mut places = Vec::new();
    let mut end = room;
    for text in texts {
        places.push(end);
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(bytes.len() / 8 * 8 + 8, 0);
        for word in bytes.chunks_exact(8) {
            let word = i64::from_le_bytes(word.try_into().expect("8 bytes"));
            ptrace::write(pid, end as ptrace::AddressType, word).expect("written");
            end += 8;
        }
    }
    let place = |value: u64| match value.checked_sub(text(0)) {
        Some(n) if (n as usize) < places.len() => places[n as usize],
        _ => value,
    };
    let mut regs = before;
    [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9] = arguments.map(place);
    regs.rax = number as u64;
    // No call is to be begun again that was interrupted.
    regs.orig_rax = u64::MAX;
    ptrace::write(pid, at, SYSCALL).expect("written");
    ptrace::setregs(pid, regs).expect("its registers");
    ptrace::step(pid, None).expect("a step");
    assert_eq!(stopped(), Signal::SIGTRAP);
    let returned = ptrace::getregs(pid).expect("its registers").rax as i64;
    ptrace::write(pid, at, code).expect("restored");
    ptrace::setregs(pid, before).expect("restored");
    ptrace::detach(pid, None).expect("detached");
    Errno::result(if returned < 0 { -1 } else { returned })
        .map_err(|_| Errno::from_raw(i32::try_from(-returned).unwrap_or_default()))
}

/// Stands for the address of a string among the arguments.
pub const fn text(n: u64) -> u64 {
    0x7e57_0000_0000_0000 + n
}
