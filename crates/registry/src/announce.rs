//! Is the primary ready, and what must its secondaries know before they attach?
//!
//! The primary holds `primary.lock` for its life and announces itself in `panel.json` only when
//! everything is there. A secondary that starts EAL too early harms the primary or hangs, and a
//! dead primary leaves its files behind; so a secondary attaches only if the lock is held *and*
//! the announcement is of the incarnation that holds it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sys::lock::FileLock;
use sys::owner::Owner;

use crate::Incarnation;
use crate::folder::{Folder, FolderError, SUBFOLDER};

/// The layout of `panel.json` that this version reads and writes.
const FORMAT: u32 = 1;
const LOCK: &str = "primary.lock";
const PANEL: &str = "panel.json";
const NEW_PANEL: &str = "panel.json.new";
/// A longer announcement is not one of ours.
const MAX_PANEL: u64 = 64 * 1024;
const POLL: Duration = Duration::from_millis(5);
/// How long the removal of a panel may take.
const REMOVAL: Duration = Duration::from_secs(1);

/// What a primary tells its secondaries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelInfo {
    /// Which run of the primary this is.
    pub incarnation: Incarnation,
    /// The primary's PID, in its own PID namespace.
    pub pid: u32,
    /// Its version of SPP.
    pub spp_version: String,
    /// Its version of DPDK, to the patch level: secondaries must equal it.
    pub dpdk_version: String,
    /// Whether it probed PCI devices: secondaries must do as it did.
    pub pci: bool,
    /// `--base-virtaddr` of its EAL, if one was given: secondaries must use the same.
    pub base_virtaddr: Option<u64>,
    /// `host:port` of the controller where primaries register, if there is one.
    pub controller_primary: Option<String>,
    /// `host:port` of the controller where secondaries register, if there is one.
    pub controller_secondary: Option<String>,
    /// Where vhost sockets are made.
    pub vhost_dir: PathBuf,
    /// Whose they are, if not the user's of the process that makes them.
    #[serde(default)]
    pub vhost_owner: Option<Owner>,
    /// Capabilities that secondaries need for the panel's devices, one bit each by their numbers.
    #[serde(default)]
    pub capabilities: u64,
    /// Number of rings: `ring:0` to `ring:(rings-1)`.
    pub rings: u32,
    /// Descriptors in a ring.
    pub ring_size: u32,
    /// The pool that all mbufs come from.
    pub pool: PoolInfo,
    /// The most ports that a process can have.
    pub max_ports: u32,
}

/// The shared packet pool, as far as it must be checked before use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolInfo {
    /// Its name, by which it is looked up.
    pub name: String,
    /// The name of its operations (`ring_mp_mc`, …).
    pub ops: String,
    /// The index of those operations in the primary: binaries number them each in its own way.
    pub ops_index: i32,
}

/// Why a panel cannot be claimed or attached to.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// A second primary of one file prefix.
    #[error(
        "a primary{} runs already in {folder}: stop it, or use another --file-prefix",
        with_pid(*pid)
    )]
    Claimed {
        /// The panel's folder.
        folder: PathBuf,
        /// The PID of the other primary, if it could be read.
        pid: Option<u32>,
    },
    /// Nobody holds the primary's lock and nothing is announced.
    #[error(
        "no primary runs in {folder} (waited {waited:?}): start spp-primary, \
         or name its --file-prefix"
    )]
    NoPrimary {
        /// The runtime folder that was watched.
        folder: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// A primary holds the lock but has not announced itself.
    #[error(
        "the primary{} in {folder} is starting but was not ready within {waited:?}: \
         look at its log, or wait longer",
        with_pid(*pid)
    )]
    NotReady {
        /// The panel's folder.
        folder: PathBuf,
        /// The primary's PID, if it could be read.
        pid: Option<u32>,
        /// For how long it was waited.
        waited: Duration,
    },
    /// What is announced is of a primary that is dead.
    #[error(
        "the primary{} of {folder} died and left its files (waited {waited:?}): \
         start spp-primary again",
        with_pid(*pid)
    )]
    Dead {
        /// The panel's folder.
        folder: PathBuf,
        /// The dead primary's PID, if it could be read.
        pid: Option<u32>,
        /// For how long a new one was waited for.
        waited: Duration,
    },
    /// The ready primary's announcement cannot be read.
    #[error("{path} of the running primary cannot be understood: {reason}")]
    Unreadable {
        /// The announcement.
        path: PathBuf,
        /// Why not, and what helps.
        reason: String,
    },
    /// The runtime folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The kernel refused.
    #[error(transparent)]
    Sys(#[from] sys::Error),
}

fn with_pid(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

/// What the lock file says about its holder; also the head of every announcement.
#[derive(Serialize, Deserialize)]
struct Identity {
    incarnation: Incarnation,
    pid: u32,
}

#[derive(Serialize, Deserialize)]
struct Document<T> {
    format: u32,
    #[serde(flatten)]
    content: T,
}

/// A panel that this process, its primary, holds. Dropping it withdraws the announcement and
/// lets go of the lock.
#[derive(Debug)]
pub struct Panel {
    folder: Folder,
    incarnation: Incarnation,
    // Dropped last, after the announcement was withdrawn.
    lock: FileLock,
}

impl Panel {
    /// Makes this process the primary of a panel, and withdraws what a dead one announced.
    ///
    /// # Errors
    /// [`AnnounceError::Claimed`] if a living process is its primary.
    pub fn claim(folder: Folder, incarnation: Incarnation) -> Result<Self, AnnounceError> {
        let path = folder.file(LOCK);
        let Some(lock) = FileLock::try_lock(&path)? else {
            let holder = FileLock::peek(&path)?.filter(|peek| peek.by_holder);
            let pid = holder
                .and_then(|peek| identity(&peek.content))
                .map(|holder| holder.pid);
            return Err(AnnounceError::Claimed {
                folder: folder.path().to_owned(),
                pid,
            });
        };
        let panel = Self {
            folder,
            incarnation,
            lock,
        };
        panel.withdraw()?;
        let us = Identity {
            incarnation,
            pid: std::process::id(),
        };
        panel.lock.write(&json(&us, &path)?)?;
        Ok(panel)
    }

    /// Announces that the primary is ready; replaces an earlier announcement at once.
    ///
    /// # Errors
    /// `info` is of another incarnation than the panel was claimed with; the file cannot be
    /// written.
    pub fn publish(&self, info: &PanelInfo) -> Result<(), AnnounceError> {
        let (path, new) = (self.folder.file(PANEL), self.folder.file(NEW_PANEL));
        if info.incarnation != self.incarnation {
            return Err(AnnounceError::Unreadable {
                path,
                reason: format!(
                    "incarnation {} was to be announced by {}",
                    info.incarnation, self.incarnation
                ),
            });
        }
        let text = json(
            &Document {
                format: FORMAT,
                content: info,
            },
            &path,
        )?;
        remove(&new)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| FolderError::io("write", &new, e))?;
        fs::rename(&new, &path).map_err(|e| FolderError::io("write", &path, e))?;
        Ok(())
    }

    /// Takes the announcement back: no secondary attaches from here on.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn withdraw(&self) -> Result<(), AnnounceError> {
        remove(&self.folder.file(PANEL))?;
        Ok(())
    }

    /// The panel's folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The incarnation it was claimed with.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        // Should it stay, it is known as stale: the lock goes in any case.
        let _ = self.withdraw();
    }
}

/// A panel without a primary, taken for its removal: while this is held, no primary can start.
#[derive(Debug)]
pub struct Abandoned {
    _lock: FileLock,
}

impl Abandoned {
    /// Takes it; `None` if it has a primary. Another process that removes it is waited for.
    ///
    /// # Errors
    /// The lock file cannot be opened or read.
    pub fn take(folder: &Folder) -> Result<Option<Self>, AnnounceError> {
        let path = folder.file(LOCK);
        let end = Instant::now() + REMOVAL;
        loop {
            // Removed with all the rest, by somebody else.
            if !path.exists() {
                return Ok(None);
            }
            if let Some(lock) = FileLock::try_lock(&path)? {
                return Ok(Some(Self { _lock: lock }));
            }
            // A primary says who it is, who removes does not.
            let primary = FileLock::peek(&path)?.is_some_and(|peek| peek.by_holder);
            if primary || Instant::now() > end {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The lock of the primary in a runtime folder of ours.
pub(crate) fn lock_of(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join(SUBFOLDER).join(LOCK)
}

/// What the last primary of this folder announced, dead or alive; `None` if nothing that can be read.
#[must_use]
pub fn last(folder: &Folder) -> Option<PanelInfo> {
    let path = folder.file(PANEL);
    let text = announcement(&path).ok()??;
    parse(&text, &path).ok()
}

/// What a look at a runtime folder shows.
enum Seen {
    Nobody,
    Dead(Option<u32>),
    Starting(Option<u32>),
    Ready(Folder, Box<PanelInfo>),
}

/// Waits until the primary of this runtime folder is ready, and gives what it announces.
/// Looks at least once, so a limit of zero asks "is it ready now?".
///
/// # Errors
/// After the limit: [`AnnounceError::NoPrimary`], [`AnnounceError::NotReady`] or
/// [`AnnounceError::Dead`]. At once: the folder is not to be trusted, or a running primary's
/// announcement cannot be understood (another version of SPP).
pub fn wait_ready(
    runtime_dir: &Path,
    limit: Duration,
) -> Result<(Folder, PanelInfo), AnnounceError> {
    let start = Instant::now();
    loop {
        let seen = look(runtime_dir)?;
        if let Seen::Ready(folder, info) = seen {
            return Ok((folder, *info));
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            let (folder, waited) = (runtime_dir.to_owned(), limit);
            return Err(match seen {
                Seen::Dead(pid) => AnnounceError::Dead {
                    folder,
                    pid,
                    waited,
                },
                Seen::Starting(pid) => AnnounceError::NotReady {
                    folder,
                    pid,
                    waited,
                },
                Seen::Nobody | Seen::Ready(..) => AnnounceError::NoPrimary { folder, waited },
            });
        }
        std::thread::sleep(POLL.min(left));
    }
}

fn look(runtime_dir: &Path) -> Result<Seen, AnnounceError> {
    let folder = match Folder::open(runtime_dir) {
        Ok(folder) => folder,
        Err(FolderError::Missing(_)) => return Ok(Seen::Nobody),
        Err(e) => return Err(e.into()),
    };
    let lock = FileLock::peek(&folder.file(LOCK))?;
    let path = folder.file(PANEL);
    let announced = announcement(&path)?;
    let Some(lock) = lock.filter(|lock| lock.held) else {
        return Ok(match announced {
            Some(text) => Seen::Dead(identity(&text).map(|dead| dead.pid)),
            None => Seen::Nobody,
        });
    };
    let Some(holder) = lock.by_holder.then(|| identity(&lock.content)).flatten() else {
        return Ok(Seen::Starting(None));
    };
    let fresh = announced.filter(|text| {
        identity(text).is_some_and(|announced| announced.incarnation == holder.incarnation)
    });
    match fresh {
        Some(text) => Ok(Seen::Ready(folder, Box::new(parse(&text, &path)?))),
        None => Ok(Seen::Starting(Some(holder.pid))),
    }
}

fn parse(text: &str, path: &Path) -> Result<PanelInfo, AnnounceError> {
    let unreadable = |reason| AnnounceError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    match serde_json::from_str::<Document<serde_json::Value>>(text) {
        Ok(document) if document.format != FORMAT => Err(unreadable(format!(
            "it has format {}, this program reads {FORMAT}: use programs of one version of SPP",
            document.format
        ))),
        Ok(document) => {
            serde_json::from_value(document.content).map_err(|e| unreadable(e.to_string()))
        }
        Err(e) => Err(unreadable(e.to_string())),
    }
}

fn announcement(path: &Path) -> Result<Option<String>, AnnounceError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FolderError::io("read", path, e).into()),
    };
    let mut text = String::new();
    match file.take(MAX_PANEL).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(e) => Err(FolderError::io("read", path, e).into()),
    }
}

fn identity(text: &str) -> Option<Identity> {
    serde_json::from_str(text).ok()
}

fn json(value: &impl Serialize, path: &Path) -> Result<String, AnnounceError> {
    serde_json::to_string(value).map_err(|e| AnnounceError::Unreadable {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}

fn remove(path: &Path) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(FolderError::io("remove", path, e)),
        _ => Ok(()),
    }
}
