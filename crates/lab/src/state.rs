//! What is remembered of a network that is up: a folder with a lock, what was planned, and the process that keeps it.
//!
//! Of a network only that folder outlives its keeper, and the folder is made first: whoever looks for what a network left behind
//! need not look anywhere else.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sys::lock::FileLock;

use crate::drops::Dropped;
use crate::error::{Error, Result};
use crate::plan::Plan;

/// How long to wait for somebody who is changing a network, too.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network that is being built, or is up.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct State {
    /// What it consists of.
    pub plan: Plan,
    /// Who keeps it; `None` before there is anything to be kept.
    pub keeper: Option<KeeperState>,
    /// All of it is there.
    pub complete: bool,
    /// Links have no character, although the file gives them one.
    pub plain: bool,
    /// What was dropped before it was complete.
    #[serde(default)]
    pub dropped: Vec<Dropped>,
}

/// The process that keeps a network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct KeeperState {
    /// Its PID.
    pub pid: u32,
    /// When it began (`sys::keeper::start_time`).
    pub started: u64,
    /// Its descriptors of the nodes' network namespaces, in the order of the plan.
    pub namespaces: Vec<i32>,
    /// Nodes that are containers.
    #[serde(default)]
    pub containers: Vec<ContainerState>,
}

/// A container of a network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ContainerState {
    /// The number of its node.
    pub node: usize,
    /// Its name, as the engine has it.
    pub name: String,
    /// PID of its first process, with which it ends.
    pub pid: u32,
    /// When that began (`sys::keeper::start_time`).
    pub started: u64,
}

impl ContainerState {
    /// It runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        lives(self.pid, self.started)
    }
}

/// A process lives: its PID has not become another's.
fn lives(pid: u32, started: u64) -> bool {
    sys::proc::is_alive(pid) && sys::keeper::start_time(pid) == Some(started)
}

impl KeeperState {
    /// The container of a node.
    #[must_use]
    pub fn container(&self, node: usize) -> Option<&ContainerState> {
        self.containers.iter().find(|of| of.node == node)
    }

    /// It lives: its PID has not become another process's.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        lives(self.pid, self.started)
    }
}

/// Where networks are remembered: `$SPP_LAB_DIR`, else `/run/spp-lab` for root and `$XDG_RUNTIME_DIR/spp-lab` for others.
///
/// # Errors
/// There is no such folder for this user, or it belongs to somebody else.
pub fn root() -> Result<PathBuf> {
    let named = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let path = match (
        named("SPP_LAB_DIR"),
        sys::proc::outer_uid(),
        named("XDG_RUNTIME_DIR"),
    ) {
        (Some(path), ..) => path,
        (None, 0, _) => PathBuf::from("/run/spp-lab"),
        (None, _, Some(path)) => path.join("spp-lab"),
        (None, _, None) => {
            return Err(Error::Refused(
                "there is no folder for what networks are remembered by: XDG_RUNTIME_DIR is not set; set SPP_LAB_DIR to a folder of yours"
                    .into(),
            ));
        }
    };
    // A container engine has no current folder of ours.
    std::path::absolute(&path).map_err(|e| Error::io(format!("find {}", path.display()), e))
}

/// Makes a folder of ours that nobody else can look into, or makes sure of it.
fn private(path: &Path) -> Result<()> {
    let shown = path.display();
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io(format!("make the folder {shown}"), error)),
    }
    let meta = fs::symlink_metadata(path).map_err(|e| Error::io(format!("look at {shown}"), e))?;
    if !meta.is_dir()
        || meta.uid() != sys::proc::effective_uid()
        || meta.permissions().mode() & 0o022 != 0
    {
        return Err(Error::Refused(format!(
            "{shown} is to be a folder of yours that nobody else can write to: remove it, or set SPP_LAB_DIR to another one"
        )));
    }
    Ok(())
}

/// The folder of one network, locked by us: nobody else changes it meanwhile.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    _lock: FileLock,
}

impl Claim {
    /// Takes the folder of a network, which is made if it is not there.
    ///
    /// # Errors
    /// Somebody else is changing it and does not come to an end within 30 s; the folder cannot be made.
    pub fn take(name: &str) -> Result<Self> {
        let root = root()?;
        private(&root)?;
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(claim) = Self::try_take(&root.join(name))? {
                return Ok(claim);
            }
            if Instant::now() >= end {
                return Err(Error::Refused(format!(
                    "the network '{name}' has been changed by somebody else for {} s now: look for another `spp lab`",
                    PATIENCE.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// As [`take`](Self::take), without waiting.
    fn try_take(folder: &Path) -> Result<Option<Self>> {
        private(folder)?;
        let path = folder.join("lock");
        let lock = match FileLock::try_lock(&path) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Ok(None),
            // Who had it has just removed the folder.
            Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Or did so after we had opened the file.
        let ours = nix::sys::stat::fstat(lock.file())
            .map_err(|e| Error::io(format!("look at {}", path.display()), e))?;
        let same = fs::symlink_metadata(&path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == (ours.st_dev, ours.st_ino));
        Ok(same.then(|| Self {
            folder: folder.to_owned(),
            _lock: lock,
        }))
    }

    /// What is remembered; `None` if nothing is, or it is cut off or of another version: then nobody knows of a keeper.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        read(&self.folder)
    }

    /// Remembers. Whoever reads sees the old or the new.
    ///
    /// # Errors
    /// The disk is full, or the like.
    pub fn remember(&self, state: &State) -> Result<()> {
        let path = self.folder.join("state.json");
        let failed = |e| Error::io(format!("write {}", path.display()), e);
        let text = serde_json::to_vec(state).map_err(|e| failed(e.into()))?;
        let new = self.folder.join("state.new");
        fs::write(&new, text).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)
    }

    /// Where the programs of a node write to.
    #[must_use]
    pub fn log(&self, node: &str) -> PathBuf {
        log(&self.folder, node)
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the folder: nothing is left of the network.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn forget(self) -> Result<()> {
        fs::remove_dir_all(&self.folder)
            .map_err(|e| Error::io(format!("remove {}", self.folder.display()), e))
    }
}

fn log(folder: &Path, node: &str) -> PathBuf {
    folder.join(format!("{node}.log"))
}

fn read(folder: &Path) -> Option<State> {
    serde_json::from_slice(&fs::read(folder.join("state.json")).ok()?).ok()
}

/// What is remembered of a network, without locking it.
///
/// # Errors
/// There is none of this name that is up.
pub fn look(name: &str) -> Result<State> {
    let state = read(&root()?.join(name));
    match state {
        Some(state)
            if state.complete && state.keeper.as_ref().is_some_and(KeeperState::is_alive) =>
        {
            Ok(state)
        }
        Some(_) => Err(Error::Refused(format!(
            "the network '{name}' is not up: it is being built, or was left behind, which `spp lab clean` removes"
        ))),
        None => Err(Error::Refused(format!(
            "there is no network '{name}' (`spp lab ps` lists those that are up)"
        ))),
    }
}

/// The folder of a network.
///
/// # Errors
/// There is no folder for networks.
pub fn folder(network: &str) -> Result<PathBuf> {
    Ok(root()?.join(network))
}

/// Where the programs of a node of a network write to.
///
/// # Errors
/// There is no folder for networks.
pub fn log_of(network: &str, node: &str) -> Result<PathBuf> {
    Ok(log(&folder(network)?, node))
}

/// Names of all networks of which something is remembered, sorted.
///
/// # Errors
/// The folder cannot be read.
pub fn names() -> Result<Vec<String>> {
    let root = root()?;
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format!("read {}", root.display()), error)),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Takes the folder of a network that somebody left behind; `None` if it is up, or somebody is changing it.
///
/// # Errors
/// As of [`Claim::take`].
pub fn abandoned(name: &str) -> Result<Option<Claim>> {
    let Some(claim) = Claim::try_take(&root()?.join(name))? else {
        return Ok(None);
    };
    let up = claim.state().is_some_and(|state| {
        state.complete && state.keeper.is_some_and(|keeper| keeper.is_alive())
    });
    Ok((!up).then_some(claim))
}
