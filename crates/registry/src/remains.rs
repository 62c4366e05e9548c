//! What the processes of a file prefix leave when they die: hugepage files, the runtime folder, vhost sockets. Whether they live
//! is asked of the kernel, by the locks and sockets that it takes from the dead.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use sys::hugepages::HugeMount;
use sys::lock::RecordLock;

use crate::announce::{self, Abandoned, AnnounceError};
use crate::folder::{self, Folder};

/// DPDK's file whose lock a primary holds for its life.
const CONFIG: &str = "config";

/// A file, and what of memory or disk it takes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Remnant {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes that its removal gives back.
    pub bytes: u64,
}

impl Remnant {
    fn of(path: PathBuf) -> Option<Self> {
        let meta = fs::symlink_metadata(&path).ok()?;
        let bytes = meta.blocks().saturating_mul(512);
        Some(Self { path, bytes })
    }
}

/// What a removal did.
#[derive(Debug, Default)]
pub struct Removal {
    /// What is gone.
    pub removed: Vec<Remnant>,
    /// What stays, and why.
    pub stays: Vec<(PathBuf, io::Error)>,
}

impl Removal {
    fn file(&mut self, path: PathBuf) {
        let Some(remnant) = Remnant::of(path) else {
            return;
        };
        match fs::remove_file(&remnant.path) {
            Ok(()) => self.removed.push(remnant),
            Err(e) => self.stays.push((remnant.path, e)),
        }
    }
}

/// Where the processes of a file prefix keep what they share.
#[derive(Clone, Debug)]
pub struct Place {
    /// Their runtime folder, if there is one.
    pub runtime: Option<PathBuf>,
    /// Their file prefix.
    pub prefix: String,
    /// Whose the hugepage files are: other users may have panels of the same name.
    pub owner: u32,
    /// The mounts in which these lie.
    pub mounts: Vec<HugeMount>,
}

impl Place {
    /// That of a runtime folder; its hugepage files are of the folder's owner.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn of(runtime: &Path, prefix: &str, mounts: Vec<HugeMount>) -> io::Result<Self> {
        Ok(Self {
            owner: fs::symlink_metadata(runtime)?.uid(),
            runtime: Some(runtime.to_owned()),
            prefix: prefix.to_owned(),
            mounts,
        })
    }

    /// The lock of our primary, if one has run here.
    fn primary(&self) -> Option<PathBuf> {
        let lock = announce::lock_of(self.runtime.as_deref()?);
        lock.exists().then_some(lock)
    }

    /// The file that DPDK's primary locks, if it is there.
    fn config(&self) -> Option<PathBuf> {
        let config = self.runtime.as_deref()?.join(CONFIG);
        config.exists().then_some(config)
    }

    /// A primary of ours has run here.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.primary().is_some()
    }

    fn hugepage_files(&self) -> Vec<PathBuf> {
        let all = self.mounts.iter().flat_map(|mount| entries(&mount.path));
        all.filter(|path| prefix_of(path) == Some(self.prefix.as_str()))
            .filter(|path| fs::symlink_metadata(path).is_ok_and(|m| m.uid() == self.owner))
            .collect()
    }

    /// What shows that a process of this file prefix lives, ours or any other of DPDK; `None` if nothing does. Takes no lock for
    /// longer than a look.
    ///
    /// # Errors
    /// A file cannot be looked at: then nothing is known.
    pub fn life(&self) -> Result<Option<PathBuf>, sys::Error> {
        for path in [self.primary(), self.config()].into_iter().flatten() {
            if sys::lock::record_locked(&path)? {
                return Ok(Some(path));
            }
        }
        self.life_of_others()
    }

    /// Likewise, but for the locks that [`Remains`] takes.
    fn life_of_others(&self) -> Result<Option<PathBuf>, sys::Error> {
        let primary = self.primary();
        let spp = primary.as_deref().and_then(Path::parent);
        let folders = [self.runtime.as_deref(), spp];
        for path in folders.into_iter().flatten().flat_map(entries) {
            let Ok(meta) = fs::symlink_metadata(&path) else {
                continue;
            };
            let name = name(&path);
            let lives = if meta.file_type().is_socket() {
                !sys::socket::is_deaf(&path)
            } else if !meta.is_file() || Some(&path) == primary.as_ref() {
                false
            } else if name.ends_with(".lock") {
                sys::lock::record_locked(&path)?
            } else {
                name.starts_with("fbarray_") && sys::lock::flocked(&path)?
            };
            if lives {
                return Ok(Some(path));
            }
        }
        for path in self.hugepage_files() {
            if sys::lock::flocked(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// All files, and what they take. Links are not followed.
    #[must_use]
    pub fn files(&self) -> Vec<Remnant> {
        let pages = self.hugepage_files().into_iter();
        let mut found: Vec<Remnant> = pages.filter_map(Remnant::of).collect();
        if let Some(runtime) = &self.runtime {
            below(runtime, &mut found);
        }
        found
    }

    /// Takes all of it for its removal; `None` if a process uses it. While it is held, neither our primary nor another of DPDK
    /// begins here.
    ///
    /// # Errors
    /// A file cannot be looked at, or the folder is not ours alone.
    pub fn take(&self) -> Result<Option<Remains<'_>>, AnnounceError> {
        for folder in self
            .runtime
            .iter()
            .flat_map(|path| path.ancestors().take(2))
        {
            folder::not_planted(folder)?;
        }
        let (mut panel, mut sockets) = (None, Vec::new());
        if let (Some(runtime), true) = (&self.runtime, self.is_ours()) {
            let folder = Folder::open(runtime)?;
            panel = Abandoned::take(&folder)?;
            if panel.is_none() {
                return Ok(None);
            }
            sockets = self::sockets(&folder);
        }
        let mut config = None;
        if let Some(path) = self.config() {
            config = RecordLock::try_take(&path)?;
            if config.is_none() {
                return Ok(None);
            }
        }
        if self.life_of_others()?.is_some() {
            return Ok(None);
        }
        Ok(Some(Remains {
            place: self,
            sockets,
            _panel: panel,
            _config: config,
        }))
    }

    /// Removes the hugepage files and the runtime folder. Only for who holds the lock of the primary while no other process of it
    /// runs.
    #[must_use]
    pub fn remove(&self) -> Removal {
        let mut done = Removal::default();
        for path in self.hugepage_files() {
            done.file(path);
        }
        let Some(runtime) = &self.runtime else {
            return done;
        };
        let mut found = Vec::new();
        below(runtime, &mut found);
        match remove_folder(runtime, &self.prefix) {
            Ok(()) => done.removed.extend(found),
            Err(stays) => done.stays.push(stays),
        }
        done
    }
}

/// The file prefix in the name of a hugepage file, which is `PREFIXmap_NUMBER`.
#[must_use]
pub fn prefix_of(path: &Path) -> Option<&str> {
    let (prefix, number) = path.file_name()?.to_str()?.rsplit_once("map_")?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then_some(prefix)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// All that is in a folder.
fn below(folder: &Path, found: &mut Vec<Remnant>) {
    for path in entries(folder) {
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => below(&path, found),
            Ok(_) => found.extend(Remnant::of(path)),
            Err(_) => {}
        }
    }
}

/// Sockets of vhost and memif ports that a dead panel left, where it had announced them: those that nobody has bound any more, and
/// that are of the user of its folder.
#[must_use]
pub fn sockets(folder: &Folder) -> Vec<PathBuf> {
    let (Some(info), Ok(meta)) = (announce::last(folder), fs::metadata(folder.path())) else {
        return Vec::new();
    };
    let owner = info.vhost_owner.map_or(meta.uid(), |owner| owner.user);
    let is_port = |name: &str| {
        let number = name
            .strip_prefix("sock")
            .or_else(|| name.strip_prefix("memif"));
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_left = |path: &PathBuf| {
        is_port(&name(path))
            && fs::symlink_metadata(path).is_ok_and(|m| m.uid() == owner || m.uid() == meta.uid())
            && sys::socket::is_deaf(path)
    };
    entries(&info.vhost_dir)
        .into_iter()
        .filter(is_left)
        .collect()
}

/// What nobody uses, held so that nobody begins to while it is removed.
#[derive(Debug)]
pub struct Remains<'a> {
    place: &'a Place,
    sockets: Vec<PathBuf>,
    _panel: Option<Abandoned>,
    _config: Option<RecordLock>,
}

impl Remains<'_> {
    /// Removes it.
    #[must_use]
    pub fn remove(self) -> Removal {
        let mut done = self.place.remove();
        for path in self.sockets {
            // Somebody may have come meanwhile.
            if sys::socket::is_deaf(&path) {
                done.file(path);
            }
        }
        done
    }
}

/// Under another name first, so that a primary that starts meanwhile makes a folder of its own. Who may not rename goes without.
fn remove_folder(runtime: &Path, prefix: &str) -> Result<(), (PathBuf, io::Error)> {
    if !fs::symlink_metadata(runtime).is_ok_and(|meta| meta.is_dir()) {
        return Ok(());
    }
    let aside = runtime.with_file_name(format!(".{prefix}.{}", std::process::id()));
    let path = match fs::rename(runtime, &aside) {
        Ok(()) => aside,
        Err(_) => runtime.to_owned(),
    };
    fs::remove_dir_all(&path).map_err(|e| (path, e))
}
