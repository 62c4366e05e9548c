//! A file that one process holds at a time; the kernel lets go of it when that process dies.
//!
//! Open file description locks (`F_OFD_SETLK`, `fcntl(2)`): they can be looked at without being
//! taken, so who only asks never gets into the way of who wants it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{self, flock};

use crate::{Error, Result};

/// The byte whose lock says "mine".
const OWNED: i64 = 0;
/// The byte whose lock says "and I wrote what you read".
const WRITTEN: i64 = 1;
/// A content that changes under the eyes more often than this is left unvouched.
const PEEKS: usize = 16;

/// A content longer than this is refused, on both sides.
pub const MAX_CONTENT: usize = 4000;

/// A locked file. Dropping it lets go of the lock; the file stays (removing it would let two
/// processes hold "the same" lock).
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
    /// Another process has the same open file, and keeps the lock when ours is closed.
    handed_on: bool,
}

/// What can be seen of a lock file from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Somebody holds the lock now.
    pub held: bool,
    /// Who holds it now also wrote the content (and not one who is gone).
    pub by_holder: bool,
    /// What was written last; empty if nothing ever was.
    pub content: String,
}

impl FileLock {
    /// Opens the file, made with mode 0600 if it is not there, and takes its lock without
    /// waiting; `None` if somebody else has it. Symbolic links are not followed; the descriptor
    /// is closed on exec.
    ///
    /// # Errors
    /// The file cannot be opened or made (no folder, no right to it, a symbolic link).
    pub fn try_lock(path: &Path) -> Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path)
            .map_err(|e| Error::call(format!("open the lock file {}", path.display()), e))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&exclusive(OWNED))) {
            Ok(_) => Ok(Some(Self {
                file,
                path: path.to_owned(),
                handed_on: false,
            })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(e) => Err(Error::call(format!("lock {}", path.display()), e)),
        }
    }

    /// The lock that another process holds and has passed on: `file` is its open file of `path`. From then on both hold it,
    /// until one lets go, or has [handed it on](Self::hand_on) or died and so left it to the other.
    ///
    /// # Errors
    /// It is another file, or not locked by who passed it on.
    pub fn passed_on(file: OwnedFd, path: &Path) -> Result<Self> {
        let file = File::from(file);
        let name = path.display();
        let failed = |e| Error::call(format!("look at the lock file {name}"), e);
        let (ours, named) = (
            file.metadata().map_err(failed)?,
            std::fs::symlink_metadata(path).map_err(failed)?,
        );
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(Error::Invalid(format!("what was passed on is not {name}")));
        }
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&exclusive(OWNED))) {
            Ok(_) => Ok(Self {
                file,
                path: path.to_owned(),
                handed_on: false,
            }),
            Err(Errno::EAGAIN | Errno::EACCES) => Err(Error::Invalid(format!(
                "{name} was passed on by a process that does not hold it"
            ))),
            Err(e) => Err(Error::call(format!("lock {name}"), e)),
        }
    }

    /// The open file, to be passed on to another process.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Closes it without letting go of the lock: the process that it was passed on to keeps it.
    pub fn hand_on(mut self) {
        self.handed_on = true;
    }

    /// Leaves it to the program that takes the place of this one by exec, until that has ended: the open file is no longer closed on exec, and
    /// never closed here.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn leave_to_program(mut self) -> Result<()> {
        rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())
            .map_err(|e| Error::call(format!("keep {} over exec", self.path.display()), e))?;
        self.handed_on = true;
        std::mem::forget(self);
        Ok(())
    }

    /// What the last holder wrote; empty if nobody ever did.
    ///
    /// # Errors
    /// The file cannot be read or holds what was never written here.
    pub fn read(&self) -> Result<String> {
        content(&self.file, &self.path)
    }

    /// Replaces the content by one line, at once for whoever peeks.
    ///
    /// # Errors
    /// The text has a line break or more than [`MAX_CONTENT`] bytes; the disk is full.
    pub fn write(&self, text: &str) -> Result<()> {
        let name = self.path.display();
        if text.len() > MAX_CONTENT || text.contains('\n') {
            return Err(Error::Invalid(format!(
                "{name} takes one line of at most {MAX_CONTENT} bytes, this has {}",
                text.len()
            )));
        }
        let line = format!("{text}\n");
        let failed = |e| Error::call(format!("write {name}"), e);
        // One write, of less than a page: nobody sees or leaves half of it. Readers take the
        // first line only, so that what an older, longer line leaves behind does no harm before
        // it is cut off.
        let written = self.file.write_at(line.as_bytes(), 0).map_err(failed)?;
        if written < line.len() {
            return Err(failed(ErrorKind::StorageFull.into()));
        }
        self.file.set_len(line.len() as u64).map_err(failed)?;
        fcntl(&self.file, FcntlArg::F_OFD_SETLK(&exclusive(WRITTEN)))
            .map_err(|e| Error::call(format!("lock {name}"), e))?;
        Ok(())
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at a lock file without touching it; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be opened or read, or holds what was never written here.
    pub fn peek(path: &Path) -> Result<Option<Peek>> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path);
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => {
                return Err(Error::call(
                    format!("open the lock file {}", path.display()),
                    e,
                ));
            }
        };
        let mut text = content(&file, path)?;
        for _ in 0..PEEKS {
            let by_holder = is_locked(&file, WRITTEN, path)?;
            let held = by_holder || is_locked(&file, OWNED, path)?;
            // The same text before and after: it is that of the holder just seen.
            let after = content(&file, path)?;
            if after == text {
                return Ok(Some(Peek {
                    held,
                    by_holder,
                    content: text,
                }));
            }
            text = after;
        }
        Ok(Some(Peek {
            held: is_locked(&file, OWNED, path)?,
            by_holder: false,
            content: text,
        }))
    }
}

impl Drop for FileLock {
    /// Closing the file would do, but for a child that is just between fork and exec: it has the
    /// same open file and would keep the lock for that moment.
    fn drop(&mut self) {
        if self.handed_on {
            return;
        }
        for byte in [WRITTEN, OWNED] {
            // It cannot fail on an open file; and closing it follows at once.
            let _ = fcntl(
                &self.file,
                FcntlArg::F_OFD_SETLK(&request(libc::F_UNLCK, byte)),
            );
        }
    }
}

/// The request "this byte, for me alone".
fn exclusive(byte: i64) -> flock {
    request(libc::F_WRLCK, byte)
}

fn request(kind: libc::c_int, byte: i64) -> flock {
    flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

fn is_locked(file: &File, byte: i64, path: &Path) -> Result<bool> {
    let mut lock = exclusive(byte);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))
        .map_err(|e| Error::call(format!("ask who holds {}", path.display()), e))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn content(file: &File, path: &Path) -> Result<String> {
    let name = path.display();
    let mut bytes = [0; MAX_CONTENT + 1];
    let read = file
        .read_at(&mut bytes, 0)
        .map_err(|e| Error::call(format!("read {name}"), e))?;
    if read == 0 {
        return Ok(String::new());
    }
    let line = bytes[..read]
        .iter()
        .position(|&b| b == b'\n')
        .and_then(|end| std::str::from_utf8(&bytes[..end]).ok());
    line.map(str::to_owned).ok_or_else(|| {
        Error::Invalid(format!(
            "{name} is damaged: it does not begin with a line of text"
        ))
    })
}

/// The lock of a whole file by `fcntl(2)`, which conflicts with that of any of its parts. Dropping it lets go of it.
#[derive(Debug)]
pub struct RecordLock {
    _file: File,
}

impl RecordLock {
    /// Takes it without waiting; `None` if somebody has locked a part of the file. Links are not followed.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(path)
            .map_err(|e| Error::call(format!("open {}", path.display()), e))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole())) {
            Ok(_) => Ok(Some(Self { _file: file })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(e) => Err(Error::call(format!("lock {}", path.display()), e)),
        }
    }
}

/// The request for all of a file, however long it is.
fn whole() -> flock {
    flock {
        l_len: 0,
        ..exclusive(0)
    }
}

/// Opens a file to ask for its locks, without waiting and without following a link.
fn open_to_ask(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
        .map_err(|e| Error::call(format!("open {}", path.display()), e))
}

/// Whether another process has locked the file by `flock(2)`, as DPDK locks its memory maps. A file that
/// cannot be opened is not.
#[must_use]
pub fn is_flocked(path: &Path) -> bool {
    flocked(path).unwrap_or(false)
}

/// Whether another process has locked the file by `flock(2)`.
///
/// # Errors
/// It cannot be opened: then nothing is known of it.
pub fn flocked(path: &Path) -> Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    let file = open_to_ask(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(e) => Err(Error::call(format!("lock {}", path.display()), e)),
    }
}

/// Whether somebody has locked a part of the file by `fcntl(2)`, as a primary of DPDK locks its configuration. Asks without
/// taking a lock.
///
/// # Errors
/// It cannot be opened: then nothing is known of it.
pub fn record_locked(path: &Path) -> Result<bool> {
    let file = open_to_ask(path)?;
    let mut lock = whole();
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))
        .map_err(|e| Error::call(format!("ask who holds {}", path.display()), e))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::CommandExt as _;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    /// Holds a lock in a process of its own until it is killed: this test binary, told by its
    /// environment which file to lock.
    fn holder(path: &Path, text: &str) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "lock::tests::hold_for_another_test",
                "--nocapture",
            ])
            .env("SYS_TEST_LOCK", path)
            .env("SYS_TEST_TEXT", text)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .unblock_signals()
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("locked")),
            "the child has no lock"
        );
        child
    }

    #[test]
    fn hold_for_another_test() {
        let Some(path) = std::env::var_os("SYS_TEST_LOCK") else {
            return;
        };
        let lock = FileLock::try_lock(Path::new(&path)).unwrap().unwrap();
        lock.write(&std::env::var("SYS_TEST_TEXT").unwrap())
            .unwrap();
        println!("locked");
        std::io::stdout().flush().unwrap();
        // Ends with its parent, which holds the other end.
        let _ = std::io::stdin().read_line(&mut String::new());
    }

    #[test]
    fn a_killed_holder_lets_go_and_its_words_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        assert_eq!(FileLock::peek(&path).unwrap(), None);
        for round in 0..20 {
            let text = "x".repeat(1 + (round * 37) % 100);
            let mut child = holder(&path, &text);
            assert!(FileLock::try_lock(&path).unwrap().is_none());
            let seen = FileLock::peek(&path).unwrap().unwrap();
            assert_eq!(
                seen,
                Peek {
                    held: true,
                    by_holder: true,
                    content: text.clone()
                }
            );
            child.kill().unwrap();
            child.wait().unwrap();
            let seen = FileLock::peek(&path).unwrap().unwrap();
            assert_eq!(
                seen,
                Peek {
                    held: false,
                    by_holder: false,
                    content: text.clone()
                }
            );
            let lock = FileLock::try_lock(&path).unwrap().unwrap();
            assert_eq!(
                (lock.read().unwrap(), lock.read().unwrap()),
                (text.clone(), text)
            );
        }
    }

    #[test]
    fn what_a_dead_holder_wrote_is_not_taken_for_the_new_ones_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = FileLock::try_lock(&path).unwrap().unwrap();
        lock.write("old").unwrap();
        drop(lock);
        let lock = FileLock::try_lock(&path).unwrap().unwrap();
        let seen = FileLock::peek(&path).unwrap().unwrap();
        assert_eq!(
            seen,
            Peek {
                held: true,
                by_holder: false,
                content: "old".into()
            }
        );
        lock.write("new").unwrap();
        assert!(FileLock::peek(&path).unwrap().unwrap().by_holder);
    }

    #[test]
    fn peeking_does_not_take_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        std::thread::scope(|scope| {
            let peek = || (0..20_000).for_each(|_| drop(FileLock::peek(&path).unwrap()));
            let threads = [scope.spawn(peek), scope.spawn(peek)];
            while threads.iter().any(|thread| !thread.is_finished()) {
                assert!(FileLock::try_lock(&path).unwrap().is_some());
            }
        });
    }

    #[test]
    fn a_launched_child_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = FileLock::try_lock(&path).unwrap().unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        drop(lock);
        assert!(FileLock::try_lock(&path).unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_lock_that_is_handed_on_is_never_free_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let ours = FileLock::try_lock(&path).unwrap().unwrap();
        ours.write("old").unwrap();
        let theirs = FileLock::passed_on(ours.file().try_clone_to_owned().unwrap(), &path).unwrap();
        theirs.write("new").unwrap();
        ours.hand_on();
        let seen = FileLock::peek(&path).unwrap().unwrap();
        assert_eq!((seen.by_holder, seen.content.as_str()), (true, "new"));
        assert!(FileLock::try_lock(&path).unwrap().is_none());
        drop(theirs);
        assert!(FileLock::try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn locks_of_dpdks_kind_are_seen_and_what_cannot_be_opened_is_not_taken_for_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        assert!(flocked(&path).is_err() && record_locked(&path).is_err() && !is_flocked(&path));
        assert!(RecordLock::try_take(&path).is_err());
        std::fs::write(&path, [0; 100]).unwrap();
        assert!(!flocked(&path).unwrap() && !record_locked(&path).unwrap());
        let shared = File::open(&path).unwrap();
        shared.lock_shared().unwrap();
        assert!(flocked(&path).unwrap() && !record_locked(&path).unwrap());
        drop(shared);
        let whole = RecordLock::try_take(&path).unwrap().unwrap();
        assert!(record_locked(&path).unwrap() && !flocked(&path).unwrap());
        assert!(RecordLock::try_take(&path).unwrap().is_none());
        drop(whole);
        // One byte of it is enough.
        let byte = FileLock::try_lock(&path).unwrap().unwrap();
        assert!(record_locked(&path).unwrap());
        assert!(RecordLock::try_take(&path).unwrap().is_none());
        drop(byte);
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert!(flocked(&folder.path().join("link")).is_err());
    }

    #[test]
    fn only_the_locked_file_itself_can_be_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.lock"), folder.path().join("b.lock"));
        let lock = FileLock::try_lock(&path).unwrap().unwrap();
        let _other = FileLock::try_lock(&other).unwrap().unwrap();
        let told = FileLock::passed_on(lock.file().try_clone_to_owned().unwrap(), &other);
        assert!(told.unwrap_err().to_string().contains("is not"));
        // Opened anew it is another open file, to which the lock does not belong.
        let anew = File::options().read(true).write(true).open(&path).unwrap();
        let told = FileLock::passed_on(anew.into(), &path)
            .unwrap_err()
            .to_string();
        assert!(told.contains("does not hold it"), "{told}");
    }

    #[test]
    fn bad_files_and_contents_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = FileLock::try_lock(&path).unwrap().unwrap();
        assert!(lock.write("two\nlines").is_err());
        assert!(lock.write(&"x".repeat(MAX_CONTENT + 1)).is_err());
        assert_eq!(lock.read().unwrap(), "");
        lock.write(&"x".repeat(MAX_CONTENT)).unwrap();
        assert_eq!(lock.read().unwrap().len(), MAX_CONTENT);
        std::fs::write(&path, [0xff; 10_000]).unwrap();
        assert!(lock.read().unwrap_err().to_string().contains("damaged"));
        assert!(FileLock::peek(&path).is_err());

        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(FileLock::try_lock(&link).is_err());
        assert!(FileLock::peek(&link).is_err());
        let error = FileLock::try_lock(&folder.path().join("no/a.lock")).unwrap_err();
        assert!(error.to_string().contains("no/a.lock"), "{error}");
    }

    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let _lock = FileLock::try_lock(&path).unwrap().unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
