//! Programs in containers: with the container's files, processes and environment, in the node's network. They are root there, and have
//! rights that the container itself need not have.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, Result};
use crate::state::ContainerState;

/// Kinds of namespaces, in the order in which they are entered: what concerns children only is last.
const KINDS: [(&str, CloneFlags); 5] = [
    ("mnt", CloneFlags::CLONE_NEWNS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("pid", CloneFlags::CLONE_NEWPID),
];

/// A container that runs, opened by us.
pub(super) struct Contained {
    name: String,
    namespaces: Vec<(OwnedFd, CloneFlags)>,
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

impl Contained {
    /// Opens the namespaces of a container.
    ///
    /// # Errors
    /// It has ended.
    pub fn open(container: &ContainerState) -> Result<Self> {
        let opened = Self::of_process(container);
        // Looked at after all was opened: it is of that container and no other.
        match container.is_alive() {
            true => opened,
            false => Err(Error::Refused(format!(
                "the container {0} has ended (`spp container logs {0}` says why)",
                container.name
            ))),
        }
    }

    fn of_process(container: &ContainerState) -> Result<Self> {
        let path = |name: &str| format!("/proc/{}/{name}", container.pid);
        let failed = |name: &str| {
            let path = path(name);
            move |e: std::io::Error| Error::io(format!("open {path}"), e)
        };
        let mut namespaces = Vec::new();
        for (kind, flag) in KINDS {
            let name = format!("ns/{kind}");
            let file = File::open(path(&name)).map_err(failed(&name))?;
            namespaces.push((file.into(), flag));
        }
        let environment = std::fs::read(path("environ")).map_err(failed("environ"))?;
        Ok(Self {
            name: container.name.clone(),
            namespaces,
            folder: std::fs::read_link(path("cwd")).map_err(failed("cwd"))?,
            environment: environment
                .split(|byte| *byte == 0)
                .filter_map(variable)
                .collect(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives a program the container's environment and folder. What was set for it on purpose it keeps, and our terminal's kind.
    pub fn prepare(&self, command: &mut Command) {
        let kept =
            |(name, value): (&OsStr, Option<&OsStr>)| Some((name.to_owned(), value?.to_owned()));
        let kept: Vec<_> = command.get_envs().filter_map(kept).collect();
        command.env_clear();
        if let Some(terminal) = std::env::var_os("TERM") {
            command.env("TERM", terminal);
        }
        command.envs(self.environment.iter().cloned()).envs(kept);
        command.current_dir(&self.folder);
    }

    /// Moves the calling thread. It can never go back: it is to end soon.
    pub fn enter(&self) -> std::result::Result<(), Errno> {
        // To be alone with its view of files is a condition for the next.
        unshare(CloneFlags::CLONE_FS)?;
        for (namespace, flag) in &self.namespaces {
            setns(namespace, *flag)?;
        }
        Ok(())
    }
}

/// `NAME=value`.
fn variable(text: &[u8]) -> Option<(OsString, OsString)> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&text[..at], &text[at + 1..]);
    Some((
        OsStr::from_bytes(name).into(),
        OsStr::from_bytes(value).into(),
    ))
}
