//! Threads of this process that wait in a socket call.
//!
//! A library that reads from a peer without a time limit can be held up by one that says half a
//! sentence. Where the library gives no handle on its connection, the kernel tells which
//! descriptor the thread waits on (`/proc/PID/task/TID/syscall`, proc(5)).

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, UnixAddr};

use crate::{Error, Result};

/// A thread that waits for a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The thread.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// The descriptor that it reads or writes.
    pub fd: RawFd,
    /// The call with all its arguments: the same text means the same call.
    call: String,
}

/// The threads of this process whose name begins with `prefix` and that are now in a call that
/// reads from or writes to a descriptor. Threads that wait in poll are not among them.
///
/// # Errors
/// The kernel does not show its threads' system calls.
pub fn waiting(prefix: &str) -> Result<Vec<Waiting>> {
    const TASKS: &str = "/proc/self/task";
    let entries = fs::read_dir(TASKS).map_err(|e| Error::call(format!("read {TASKS}"), e))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        // A thread that ends meanwhile has nothing to show.
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let name = name.trim_end().to_owned();
        if !name.starts_with(prefix) {
            continue;
        }
        let path = entry.path().join("syscall");
        let call = match fs::read_to_string(&path) {
            Ok(call) => call,
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Error::call(format!("read {}", path.display()), e));
            }
            Err(_) => continue,
        };
        let tid = entry.file_name().to_str().and_then(|t| t.parse().ok());
        if let (Some(tid), Some(fd)) = (tid, descriptor(&call)) {
            found.push(Waiting {
                tid,
                name,
                fd,
                call,
            });
        }
    }
    Ok(found)
}

/// The descriptor of a line such as `0 0x1c 0x7f… …`, if the call is one that reads or writes.
fn descriptor(call: &str) -> Option<RawFd> {
    const CALLS: [libc::c_long; 6] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
    ];
    let mut words = call.split_whitespace();
    let number: libc::c_long = words.next()?.parse().ok()?;
    let first = words.next()?.strip_prefix("0x")?;
    CALLS
        .contains(&number)
        .then(|| RawFd::from_str_radix(first, 16).ok())?
}

/// Ends the conversation on `fd` if it is a UNIX socket: whoever waits on it goes on
/// (`shutdown(2)`). The descriptor stays open; it is its owner's to close. Gives the socket's path, if it has one.
///
/// # Errors
/// It is no UNIX socket, or not connected any more.
pub fn hang_up(fd: RawFd) -> Result<Option<PathBuf>> {
    let address: SockaddrStorage = nix::sys::socket::getsockname(fd)
        .map_err(|e| Error::call(format!("examine descriptor {fd}"), e))?;
    if address.family() != Some(AddressFamily::Unix) {
        return Err(Error::Invalid(format!("descriptor {fd} is no UNIX socket")));
    }
    let path = path_of(fd);
    // SAFETY: the descriptor is only named for this one call, which fails on a closed one.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::net::shutdown(fd, rustix::net::Shutdown::Both)
        .map_err(|e| Error::call("hang up a connection", e))?;
    Ok(path)
}

/// The path of a connected UNIX socket, by which of the two ends it was bound.
fn path_of(fd: RawFd) -> Option<PathBuf> {
    let theirs: UnixAddr = nix::sys::socket::getpeername(fd).ok()?;
    let ours: Option<UnixAddr> = nix::sys::socket::getsockname(fd).ok();
    let path = ours.as_ref().and_then(UnixAddr::path).or(theirs.path())?;
    Some(path.to_owned())
}

/// Ends every conversation of this process on the UNIX socket `path`, whichever side bound it; gives how many.
///
/// # Errors
/// The kernel does not show this process's descriptors.
pub fn hang_up_all(path: &Path) -> Result<usize> {
    const DESCRIPTORS: &str = "/proc/self/fd";
    let entries =
        fs::read_dir(DESCRIPTORS).map_err(|e| Error::call(format!("read {DESCRIPTORS}"), e))?;
    let mut ended = 0;
    for entry in entries.flatten() {
        let Some(fd) = entry.file_name().to_str().and_then(|t| t.parse().ok()) else {
            continue;
        };
        // Of our own, so that it is the same one that was looked at.
        // SAFETY: the descriptor is only named for this one call, which fails on a closed one.
        let named = unsafe { BorrowedFd::borrow_raw(fd) };
        let Ok(own) = rustix::io::fcntl_dupfd_cloexec(named, 0) else {
            continue;
        };
        if path_of(own.as_raw_fd()).as_deref() == Some(path) && hang_up(own.as_raw_fd()).is_ok() {
            ended += 1;
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_held_up_by_its_peer_is_found_and_freed() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        let thread = std::thread::Builder::new()
            .name("heldup".into())
            .spawn(move || ours.read(&mut [0; 8]))
            .unwrap();
        let limit = Instant::now() + Duration::from_secs(10);
        while !waiting("heldup").unwrap().iter().any(|w| w.fd == fd) {
            assert!(Instant::now() < limit, "never seen");
            std::thread::yield_now();
        }
        let first = waiting("heldup").unwrap();
        assert_eq!(first, waiting("heldup").unwrap());
        hang_up(fd).unwrap();
        assert_eq!(thread.join().unwrap().unwrap(), 0);
        drop(theirs);
        assert!(waiting("heldup").unwrap().is_empty());
    }

    #[test]
    fn conversations_are_found_by_the_path_of_their_socket() {
        let dir = tempfile::tempdir().unwrap();
        let listen = |name: &str| {
            let path = dir.path().join(name);
            (std::os::unix::net::UnixListener::bind(&path).unwrap(), path)
        };
        let ((one, path), (other, spared)) = (listen("one"), listen("other"));
        let mut client = UnixStream::connect(&path).unwrap();
        let mut served = one.accept().unwrap().0;
        let mut neighbour = UnixStream::connect(&spared).unwrap();
        let _neighbours_server = other.accept().unwrap().0;
        // Both ends are this process's.
        assert_eq!(hang_up_all(&path).unwrap(), 2);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(served.read(&mut [0]).unwrap(), 0);
        neighbour.set_nonblocking(true).unwrap();
        assert!(neighbour.read(&mut [0]).is_err());
        // The listener still listens.
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn only_unix_sockets_are_hung_up() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(hang_up(file.as_raw_fd()).is_err());
        assert!(hang_up(-1).is_err());
    }

    #[test]
    fn calls_are_told_apart() {
        assert_eq!(
            descriptor(&format!("{} 0x1c 0x0", libc::SYS_read)),
            Some(0x1c)
        );
        assert_eq!(descriptor(&format!("{} 0x1c 0x0", libc::SYS_ppoll)), None);
        assert_eq!(descriptor("running\n"), None);
        assert_eq!(descriptor(""), None);
    }
}
