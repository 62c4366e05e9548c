//! The log files of launched processes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A log beyond this many bytes is moved to `….log.1`.
const LONGEST: u64 = 1 << 20;
/// Lines that are shown of a process that failed.
const LINES: usize = 5;
/// Bytes at the end of a log that are looked at for these, and characters of each.
const TAIL: u64 = 4096;
const LINE: usize = 400;

/// The log of one launched process.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Where what its last start wrote begins.
    start: u64,
    /// It could not be cut, which was said.
    stuck: bool,
}

impl Log {
    /// In `folder`, as `spp_KIND-ID.log`. Both parts are ours, so that the name cannot lead elsewhere.
    pub fn new(folder: &Path, kind: &'static str, id: u32) -> Self {
        Log {
            path: folder.join(format!("spp_{kind}-{id}.log")),
            start: 0,
            stuck: false,
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for a start of its process, which appends to it; makes the folder if it is not there.
    ///
    /// # Errors
    /// It cannot be opened, or is no ordinary file of ours.
    pub fn open(&mut self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let file = open(&self.path, false)?;
        self.start = file.metadata()?.len();
        Ok(file)
    }

    /// Moves what it holds to `….log.1` if it has become too long. Its process goes on appending to it; lines that
    /// it writes at this very moment may be missing from both.
    ///
    /// # Errors
    /// It cannot be done; told once, until it can be done again.
    pub fn trim(&mut self) -> io::Result<()> {
        let result = self.cut();
        match result {
            Err(_) if std::mem::replace(&mut self.stuck, true) => Ok(()),
            Ok(()) => {
                self.stuck = false;
                Ok(())
            }
            first => first,
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if found.len() > LONGEST => {}
            // One that somebody removed is written on without a name.
            _ => return Ok(()),
        }
        let mut file = open(&self.path, false)?;
        let mut old = open(&self.path.with_extension("log.1"), true)?;
        // What is written meanwhile is not followed without end.
        io::copy(&mut (&mut file).take(16 * LONGEST), &mut old)?;
        file.set_len(0)?;
        self.start = 0;
        Ok(())
    }

    /// The last lines that its process wrote since it was last started; none if they cannot be read.
    pub fn last_words(&self) -> Vec<String> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = open(&self.path, false)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.start.max(length.saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let text = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        last.iter().map(|line| harmless(line)).collect()
    }
}

/// A line as a terminal may show it.
fn harmless(line: &str) -> String {
    let shown = line.chars().take(LINE);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Opens a file of ours for reading and appending, and makes it if it is not there. Never waits, never follows a link.
fn open(path: &Path, empty: bool) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() > 1 || found.uid() != sys::proc::effective_uid() {
        return Err(io::Error::other(
            "it is no ordinary file of ours (a device, a second name of a file, or another user's): \
             remove it, or choose another folder (--log-dir)",
        ));
    }
    if empty {
        file.set_len(0)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("spp-log-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_last_words_are_those_of_the_last_start() {
        let folder = Folder::new("words");
        let mut log = Log::new(&folder.0.join("a/b"), "nfv", 7);
        let mut file = log.open().unwrap();
        assert_eq!(log.last_words(), Vec::<String>::new());
        writeln!(file, "old").unwrap();
        let mut file = log.open().unwrap();
        file.write_all(b"1\n\n2\n3\x1b[2J\xff\n4\n5\n6").unwrap();
        assert_eq!(log.last_words(), ["2", "3 [2J\u{fffd}", "4", "5", "6"]);
        file.write_all(&[b'x'; 100_000]).unwrap();
        assert_eq!(log.last_words(), ["x".repeat(LINE)]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(log.path()), mode(&folder.0.join("a/b"))),
            (0o600, 0o700)
        );
    }

    #[test]
    fn a_long_log_is_cut_while_it_is_written_to() {
        let folder = Folder::new("trim");
        let mut log = Log::new(&folder.0, "nfv", 1);
        let mut file = log.open().unwrap();
        let line = [b'a'; 1023];
        while file.metadata().unwrap().len() <= LONGEST {
            log.trim().unwrap();
            file.write_all(&line).unwrap();
            file.write_all(b"\n").unwrap();
        }
        let length = file.metadata().unwrap().len();
        log.trim().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
        let old = log.path().with_extension("log.1");
        assert_eq!(std::fs::metadata(&old).unwrap().len(), length);
        writeln!(file, "after").unwrap();
        assert_eq!(std::fs::read_to_string(log.path()).unwrap(), "after\n");
        assert_eq!(log.last_words(), ["after"]);
        // The next time the older one goes.
        file.write_all(&vec![b'b'; LONGEST as usize]).unwrap();
        log.trim().unwrap();
        let kept = std::fs::read_to_string(&old).unwrap();
        assert!(kept.starts_with("after\nb"), "{}", &kept[..20]);
        // What is in the way is told once.
        std::fs::remove_file(&old).unwrap();
        std::fs::create_dir(&old).unwrap();
        file.write_all(&vec![b'c'; LONGEST as usize + 1]).unwrap();
        log.trim().unwrap_err();
        log.trim().unwrap();
        std::fs::remove_dir(&old).unwrap();
        log.trim().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn only_an_ordinary_file_of_ours_is_written_to() {
        let folder = Folder::new("links");
        let target = folder.0.join("target");
        std::fs::write(&target, "untouched").unwrap();
        let mut log = Log::new(&folder.0, "nfv", 1);
        symlink(&target, log.path()).unwrap();
        log.open().unwrap_err();
        std::fs::remove_file(log.path()).unwrap();
        std::fs::hard_link(&target, log.path()).unwrap();
        let told = log.open().unwrap_err().to_string();
        assert!(told.contains("no ordinary file"), "{told}");
        std::fs::remove_file(log.path()).unwrap();
        // Opening a FIFO for writing would wait for a reader.
        let made = std::process::Command::new("mkfifo")
            .arg(log.path())
            .status();
        assert!(made.unwrap().success());
        log.open().unwrap_err();
        std::fs::remove_file(log.path()).unwrap();
        std::fs::create_dir(log.path()).unwrap();
        log.open().unwrap_err();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
    }
}
