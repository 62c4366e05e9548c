//! The folder that holds a controller's state: `journal`, and `lock` while a controller runs.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::format;
use super::journal::Store;
use super::memory::Memory;

/// Damaged journals that are kept at most; then somebody has to look.
const KEPT: u32 = 100;

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Another controller uses it.
    #[error(
        "the state in {} is in use by another spp-ctl{}: end that one, or give this one a folder \
         of its own (--state-dir DIR)",
        .folder.display(),
        holder(.pid)
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Process id of the other one, as it wrote it; may be empty.
        pid: String,
    },
    /// The system refused something.
    #[error(
        "cannot {what} {}: {error} (name another folder with --state-dir DIR, or keep no state: \
         --stateless)",
        .path.display()
    )]
    Io {
        /// What was being done.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Too many damaged journals lie there.
    #[error(
        "{} is not to be read, and there are {KEPT} files {}.damaged-N beside it: look at \
         them and delete them",
        .0.display(),
        .0.display()
    )]
    TooManyDamaged(PathBuf),
}

fn holder(pid: &str) -> String {
    match pid {
        "" => String::new(),
        pid => format!(" (process {pid})"),
    }
}

/// An open journal in a locked folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    journal: File,
    /// A new journal has its name, but that may not be on disk.
    renamed: bool,
    _lock: File,
}

/// What a folder held.
pub(super) struct Opened {
    pub folder: Folder,
    pub memory: Memory,
    /// Bytes of the journal.
    pub length: u64,
}

/// Opens or makes the folder, and reads its journal. One that is damaged or foreign is kept aside
/// as `journal.damaged-N`, and the state is empty.
pub(super) fn open(path: &Path) -> Result<Opened, StateError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |error| StateError::Io { what, path, error }
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .map_err(failed("make the folder", path))?;
    let lock = lock(path)?;

    let file = path.join("journal");
    let mut journal = open_file(&file).map_err(failed("open", &file))?;
    let mut bytes = Vec::new();
    journal
        .read_to_end(&mut bytes)
        .map_err(failed("read", &file))?;
    let mut memory = Memory::default();
    let good = match format::read(&bytes) {
        Ok(contents) => {
            contents
                .entries
                .into_iter()
                .for_each(|entry| memory.apply(entry));
            contents.good
        }
        Err(damage) => {
            let aside = keep_aside(&file)?;
            log::error!(
                "the journal {} is refused: {damage}. It is kept as {}. NOTHING IS KNOWN ANY MORE \
                 OF THE DESIRED STATE: processes that run keep what they have, those that crashed \
                 are not put back",
                file.display(),
                aside.display()
            );
            journal = open_file(&file).map_err(failed("open", &file))?;
            bytes.clear();
            0
        }
    };
    if good < bytes.len() {
        let torn = bytes.len() - good;
        log::warn!(
            "the journal {} ends within a record, which was being written when the machine or the \
             controller stopped: {torn} bytes are cut off",
            file.display()
        );
    }
    let mut folder = Folder {
        path: path.to_owned(),
        journal,
        renamed: true,
        _lock: lock,
    };
    let mut length = good as u64;
    let mut prepared = Ok(());
    if good == 0 {
        let header = format::header();
        length = header.len() as u64;
        prepared = folder.replace(&header);
    }
    let prepared = prepared
        .and_then(|()| folder.cut(length))
        .and_then(|()| folder.sync());
    prepared.map_err(failed("write", &file))?;
    Ok(Opened {
        folder,
        memory,
        length,
    })
}

/// Holds the folder as long as the file is open.
fn lock(path: &Path) -> Result<File, StateError> {
    let file = path.join("lock");
    let failed = |error| StateError::Io {
        what: "lock",
        path: file.clone(),
        error,
    };
    let mut lock = open_file(&file).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Only for the message.
            let _ = lock.take(20).read_to_string(&mut pid);
            pid.retain(|c| c.is_ascii_digit());
            let folder = path.to_owned();
            return Err(StateError::Locked { folder, pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // A full disk is no reason not to start: only the message of the next one lacks the number.
    let _ = lock
        .set_len(0)
        .and_then(|()| lock.write_all(std::process::id().to_string().as_bytes()));
    Ok(lock)
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    // The names are known to all; a link in the place of one leads elsewhere.
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path)
}

fn keep_aside(file: &Path) -> Result<PathBuf, StateError> {
    for number in 1..=KEPT {
        let aside = file.with_file_name(format!("journal.damaged-{number}"));
        // Nobody else makes one meanwhile: the folder is locked.
        if aside.exists() {
            continue;
        }
        let path = aside.clone();
        return match std::fs::rename(file, &aside) {
            Ok(()) => Ok(aside),
            Err(error) => Err(StateError::Io {
                what: "keep the damaged journal aside as",
                path,
                error,
            }),
        };
    }
    Err(StateError::TooManyDamaged(file.to_owned()))
}

impl Store for Folder {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.journal.seek(SeekFrom::End(0))?;
        self.journal.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.journal.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.renamed {
            File::open(&self.path)?.sync_all()?;
            self.renamed = false;
        }
        self.journal.sync_data()
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (old, new) = (self.path.join("journal"), self.path.join("journal.new"));
        let mut file = open_file(&new)?;
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(bytes))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&new, &old));
        if let Err(error) = written {
            // It is of no use, and takes room that may be short.
            let _ = std::fs::remove_file(&new);
            return Err(error);
        }
        self.journal = file;
        self.renamed = true;
        // The file is in use now, whatever comes of this: a failure is found by every later sync.
        if let Err(error) = self.sync() {
            log::error!("{}: {error}", self.path.display());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use protocol::desired::Desired;

    use super::super::journal::{Journal, PATIENCE};
    use super::super::memory::Entry;
    use super::*;

    fn state(ports: &str) -> Entry {
        Entry::State {
            process: "nfv:1".parse().unwrap(),
            incarnation: None,
            desired: serde_json::from_str::<Desired>(ports).unwrap(),
        }
    }

    async fn write(path: &Path, entry: Entry) {
        let opened = open(path).unwrap();
        let journal =
            Journal::start(opened.folder, opened.memory, opened.length, PATIENCE).unwrap();
        journal.commit(vec![entry], PATIENCE).await.unwrap();
    }

    fn names(path: &Path) -> Vec<String> {
        let names = std::fs::read_dir(path).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_any_restart_and_whatever_clocks_say() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        assert_eq!(open(&path).unwrap().memory, Memory::default());
        write(&path, state(r#"{"ports": ["ring:1"]}"#)).await;
        let memory = open(&path).unwrap().memory;
        // Written in the future, by a clock that was then set back.
        let file = File::options()
            .write(true)
            .open(path.join("journal"))
            .unwrap();
        let future = SystemTime::now() + Duration::from_secs(10 * 365 * 86400);
        file.set_modified(future).unwrap();
        assert_eq!(open(&path).unwrap().memory, memory);
        write(&path, state(r#"{"ports": ["ring:2"]}"#)).await;
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let now = open(&path).unwrap().memory;
        let ports = &now.processes[&"nfv:1".parse().unwrap()].desired.ports;
        assert_eq!(ports[0].to_string(), "ring:2");
        assert_eq!(names(&path), ["journal", "lock"]);
    }

    #[tokio::test]
    async fn one_controller_has_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        let words = open(dir.path()).err().unwrap().to_string();
        let pid = format!("(process {})", std::process::id());
        assert!(
            words.contains("in use by another spp-ctl") && words.contains(&pid),
            "{words}"
        );
        assert!(words.contains("--state-dir"), "{words}");
        drop(first);
        assert!(open(dir.path()).is_ok());
    }

    #[tokio::test]
    async fn a_torn_tail_is_cut_off_and_writing_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), state(r#"{"ports": ["ring:1"]}"#)).await;
        let file = dir.path().join("journal");
        let whole = std::fs::read(&file).unwrap();
        write(dir.path(), state(r#"{"ports": ["ring:2"]}"#)).await;
        let longer = std::fs::read(&file).unwrap();
        for cut in whole.len()..longer.len() {
            std::fs::write(&file, &longer[..cut]).unwrap();
            let opened = open(dir.path()).unwrap();
            let record = &opened.memory.processes[&"nfv:1".parse().unwrap()];
            assert_eq!(
                record.desired.ports[0].to_string(),
                "ring:1",
                "cut at {cut}"
            );
            assert_eq!(std::fs::read(&file).unwrap(), whole);
        }
        write(dir.path(), state(r#"{"ports": ["ring:3"]}"#)).await;
        assert_eq!(open(dir.path()).unwrap().memory.processes.len(), 1);
    }

    #[tokio::test]
    async fn damaged_and_foreign_files_are_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("journal");
        std::fs::write(&file, "not ours").unwrap();
        assert_eq!(open(dir.path()).unwrap().memory, Memory::default());
        write(dir.path(), state(r#"{"ports": ["ring:1"]}"#)).await;
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(open(dir.path()).unwrap().memory, Memory::default());
        assert_eq!(
            names(dir.path()),
            ["journal", "journal.damaged-1", "journal.damaged-2", "lock"]
        );
        let aside =
            |n: u32| std::fs::read(dir.path().join(format!("journal.damaged-{n}"))).unwrap();
        assert_eq!((aside(1), aside(2)), (b"not ours".to_vec(), bytes));
    }
}
