//! What a process can learn about itself and others, and what it tells its supervisor.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use rustix::fs::statvfs;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};

use crate::{Error, Result};

/// Whether a process of this PID runs, as seen from our PID namespace. One that ended but was
/// not waited for (a zombie) does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name, in brackets, may itself hold brackets and blanks; the state is what follows it.
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X' | 'x'))
}

/// PIDs, as seen from our PID namespace, of the processes that have the file `path` open and are `pid` in their own one. Those of
/// which the kernel tells us nothing are left out.
#[must_use]
pub fn holders_of(path: &Path, pid: u32) -> Vec<u32> {
    use std::os::linux::fs::MetadataExt as _;
    let Ok(wanted) = fs::metadata(path) else {
        return Vec::new();
    };
    let same = |file: fs::DirEntry| {
        let seen = fs::metadata(file.path());
        seen.is_ok_and(|seen| (seen.st_dev(), seen.st_ino()) == (wanted.st_dev(), wanted.st_ino()))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|outer| {
        let status = fs::read_to_string(format!("/proc/{outer}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("NSpid:"));
        let innermost = line.and_then(|line| line.rsplit('\t').next()?.parse().ok());
        let files = fs::read_dir(format!("/proc/{outer}/fd"));
        innermost == Some(pid) && files.into_iter().flatten().flatten().any(same)
    })
    .collect()
}

/// Makes the allocator give blocks of 128 kB and more back to the system when they are freed (`mallopt(3)`): by itself
/// it takes the first such block that is freed as a sign to keep the next ones.
pub fn keep_no_large_blocks() {
    // SAFETY: mallopt takes two numbers; at worst it changes nothing.
    unsafe { nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, 128 * 1024) };
}

/// Bytes of memory of ours that are resident, hugepages not counted
/// (`RssAnon + RssFile + RssShmem` of `/proc/self/status`).
///
/// # Errors
/// `/proc` is not there.
pub fn resident_bytes() -> Result<u64> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).map_err(|e| Error::call(format!("read {path}"), e))?;
    let kilobytes = |name: &str| -> Result<u64> {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|value| value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
            .ok_or_else(|| Error::Invalid(format!("{path} has no line '{name}: N kB'")))
    };
    Ok((kilobytes("RssAnon")? + kilobytes("RssFile")? + kilobytes("RssShmem")?) * 1024)
}

/// CPU time that the calling thread has used (`CLOCK_THREAD_CPUTIME_ID`).
#[must_use]
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Tells the supervisor (systemd) how we are, as `sd_notify(3)` does: `READY=1`, `STATUS=…`.
/// Whether there is a supervisor to tell: `NOTIFY_SOCKET` names it. Never waits.
///
/// # Errors
/// `NOTIFY_SOCKET` is not a socket's path or abstract name, or nobody listens there.
pub fn sd_notify(state: &str) -> Result<bool> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(name) if !name.is_empty() => notify_at(name.as_bytes(), state).map(|()| true),
        _ => Ok(false),
    }
}

fn notify_at(name: &[u8], state: &str) -> Result<()> {
    let failed = |e| {
        Error::call(
            format!("notify NOTIFY_SOCKET={}", String::from_utf8_lossy(name)),
            e,
        )
    };
    let address = match name {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
    };
    let address = address.map_err(failed)?;
    let socket = UnixDatagram::unbound().map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket
        .send_to_addr(state.as_bytes(), &address)
        .map(drop)
        .map_err(failed)
}

/// Bytes that an ordinary user can still write into the filesystem of `path`.
///
/// # Errors
/// The path does not exist or may not be looked at.
pub fn fs_free_bytes(path: &Path) -> Result<u64> {
    let stat = statvfs(path)
        .map_err(|e| Error::call(format!("ask for the free space of {}", path.display()), e))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// A number that nobody can guess and that does not come again (`getrandom(2)`).
///
/// # Errors
/// The kernel's refusal; none is known.
pub fn random_u64() -> Result<u64> {
    let mut bytes = [0u8; 8];
    // So few bytes come at once or not at all.
    match getrandom(&mut bytes[..], GetRandomFlags::empty()) {
        Ok(8) => Ok(u64::from_ne_bytes(bytes)),
        Ok(n) => Err(Error::Invalid(format!("getrandom gave {n} bytes of 8"))),
        Err(e) => Err(Error::call("get random bytes", e)),
    }
}

/// The effective user's number, under which files are made.
#[must_use]
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The effective user's number as those outside of our user namespace see it: it stays the same when an ordinary user becomes root of one
/// (`user_namespaces(7)`).
#[must_use]
pub fn outer_uid() -> u32 {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    outer(effective_uid(), &map)
}

/// Lines of a map: the first number here, the first one outside, how many.
fn outer(uid: u32, map: &str) -> u32 {
    let ranges = map.lines().filter_map(|line| {
        let numbers: Vec<u32> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        <[u32; 3]>::try_from(numbers).ok()
    });
    let mut outside = ranges.filter_map(|[here, there, count]| {
        let offset = uid.checked_sub(here).filter(|offset| *offset < count)?;
        there.checked_add(offset)
    });
    outside.next().unwrap_or(uid)
}

/// The real user's number, by which DPDK decides where its runtime folder is.
#[must_use]
pub fn real_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Files that this process makes from now on are for its user only (`umask(2)`), whatever they are: sockets, too, from the moment on
/// when they are there. Before any thread is started.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Bytes of address space that this process may have (`RLIMIT_AS`); `None` if there is no limit.
#[must_use]
pub fn address_space_limit() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// How many files this process may have open: as many as it may allow itself, which this does (`setrlimit(2)`).
#[must_use]
pub fn open_files_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        // Else it stays as it is.
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    limit.current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_user_is_the_same_outside_of_a_namespace() {
        assert_eq!(outer(0, "         0       1000          1\n"), 1000);
        assert_eq!(outer(1000, "0 0 4294967295"), 1000);
        assert_eq!(outer(5, "0 1000 1\n1 100000 65536\n"), 100_004);
        assert_eq!(outer(7, ""), 7);
        assert_eq!(outer_uid(), effective_uid());
    }

    #[test]
    fn the_living_the_dead_and_the_undead() {
        assert!(is_alive(std::process::id()));
        assert!(is_alive(1));
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(is_alive(child.id()));
        child.kill().unwrap();
        let start = std::time::Instant::now();
        while is_alive(child.id()) {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "a zombie counts as alive"
            );
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
        assert!(!is_alive(u32::MAX));
    }

    #[test]
    fn memory_is_counted() {
        let before = resident_bytes().unwrap();
        let block = vec![1u8; 64 << 20];
        let after = resident_bytes().unwrap();
        assert!(after >= before + (60 << 20), "{before} → {after}");
        assert_eq!(block[block.len() - 1], 1);
    }

    #[test]
    fn cpu_time_is_the_threads_own() {
        let before = thread_cpu_time();
        while thread_cpu_time() < before + Duration::from_millis(20) {}
        let other = std::thread::spawn(thread_cpu_time).join().unwrap();
        assert!(other < Duration::from_millis(20), "{other:?}");
    }

    #[test]
    fn the_supervisor_hears_us_by_path_and_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        notify_at(path.as_os_str().as_bytes(), "READY=1").unwrap();
        let mut buffer = [0; 64];
        let read = by_path.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"READY=1");

        let name = format!("sys-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let abstractly = UnixDatagram::bind_addr(&address).unwrap();
        notify_at(format!("@{name}").as_bytes(), "STATUS=x").unwrap();
        let read = abstractly.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"STATUS=x");

        let nobody = folder.path().join("nobody");
        let error = notify_at(nobody.as_os_str().as_bytes(), "x").unwrap_err();
        assert!(error.to_string().contains("nobody"), "{error}");
    }

    #[test]
    fn free_space_is_told() {
        assert!(fs_free_bytes(Path::new("/")).is_ok());
        assert!(fs_free_bytes(Path::new("/no/such/folder")).is_err());
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random_u64().unwrap(), random_u64().unwrap());
    }
}
