//! Programs in nodes: in the node's network namespace, in the network's PID namespace, and with `/proc` and `/sys` that show these; or
//! in the node's container.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::contained::Contained;
use crate::error::{Error, Result};
use crate::state::{ContainerState, KeeperState};

/// A node of a network that is up, opened by us.
pub struct Inside {
    network: OwnedFd,
    pids: OwnedFd,
    mounts: OwnedFd,
    container: Option<ContainerState>,
}

impl Inside {
    /// Opens the namespaces of a node, of which `number` is the place in the plan.
    ///
    /// # Errors
    /// The keeper has ended, or is not ours to look at.
    pub fn open(keeper: &KeeperState, number: usize) -> Result<Self> {
        let file = |kind: &str| {
            let path = format!("/proc/{}/ns/{kind}", keeper.pid);
            File::open(&path)
                .map(OwnedFd::from)
                .map_err(|e| Error::io(format!("open {path}"), e))
        };
        let descriptor = keeper.namespaces.get(number).copied().unwrap_or(-1);
        let inside = Self {
            network: sys::keeper::descriptor_of(keeper.pid, descriptor)?,
            pids: file("pid")?,
            mounts: file("mnt")?,
            container: keeper.container(number).cloned(),
        };
        // Looked at after all was opened: it is of that keeper and no other.
        match keeper.is_alive() {
            true => Ok(inside),
            false => Err(Error::Refused(
                "the network has just been taken down".into(),
            )),
        }
    }

    /// The node's network namespace.
    #[must_use]
    pub fn network(&self) -> std::os::fd::BorrowedFd<'_> {
        self.network.as_fd()
    }

    /// Starts a program in the node, in our current folder, or in that of the node's container.
    ///
    /// # Errors
    /// There is no such program, the container has ended, or the kernel refuses.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        let container = self.container.as_ref().map(Contained::open).transpose()?;
        let mut program = format!("'{}'", command.get_program().to_string_lossy());
        match &container {
            Some(container) => {
                container.prepare(command);
                program.push_str(&format!(" in container {}", container.name()));
            }
            None => {
                let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
                command.current_dir(folder);
            }
        }
        std::thread::scope(|scope| {
            let started = scope.spawn(|| {
                let entered = match &container {
                    Some(container) => container.enter(),
                    None => self.enter(),
                };
                entered.map_err(|e| {
                    Error::io(format!("enter the namespaces of a node for {program}"), e)
                })?;
                command.spawn().map_err(|e| match e.kind() {
                    std::io::ErrorKind::NotFound => {
                        Error::Refused(format!("there is no program {program}"))
                    }
                    _ => Error::io(format!("start {program}"), e),
                })
            });
            let started = started.join();
            started.unwrap_or_else(|_| {
                Err(Error::Refused(format!(
                    "the thread that starts {program} failed"
                )))
            })
        })
    }

    /// Mounts hugetlbfs at a folder for all programs of the network that start from now on: nobody else sees it, and its files go with the
    /// network.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mount_hugepages(&self, folder: &std::path::Path) -> Result<()> {
        let none: Option<&str> = None;
        let mounted = std::thread::scope(|scope| {
            let mount = scope.spawn(|| {
                unshare(CloneFlags::CLONE_FS)?;
                setns(&self.mounts, CloneFlags::CLONE_NEWNS)?;
                mount(
                    Some("hugetlbfs"),
                    folder,
                    Some("hugetlbfs"),
                    MsFlags::empty(),
                    none,
                )
            });
            mount.join().unwrap_or(Err(nix::errno::Errno::EFAULT))
        });
        mounted.map_err(|e| match e {
            nix::errno::Errno::EPERM => Error::Refused(
                "panels, and links with delay, loss or rate, take hugepages, which only root can mount: do it as root, or --plain, without delays, losses and rates"
                    .into(),
            ),
            e => Error::io(format!("mount hugetlbfs at {}", folder.display()), e),
        })
    }

    /// Moves the calling thread. It can never go back: it is to end soon.
    fn enter(&self) -> std::result::Result<(), nix::errno::Errno> {
        let none: Option<&str> = None;
        // To be alone with its view of files is a condition for the next.
        unshare(CloneFlags::CLONE_FS)?;
        setns(&self.mounts, CloneFlags::CLONE_NEWNS)?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)?;
        setns(&self.network, CloneFlags::CLONE_NEWNET)?;
        // Shows the devices of the namespace in which it is mounted.
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)?;
        // Concerns children only.
        setns(&self.pids, CloneFlags::CLONE_NEWPID)
    }
}
