//! A network that is up.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use sys::keeper::Keeper;

use crate::containers;
use crate::drops::Dropped;
use crate::error::{Error, Result};
use crate::file::Switching;
use crate::kernel::namespace;
use crate::kernel::process::Inside;
use crate::plan::{Node, Plan, Role};
use crate::programs;
use crate::state::{self, Claim, ContainerState, KeeperState, State};

/// How long the kernel may take to end all processes of a network.
const LIMIT: Duration = Duration::from_secs(20);

/// A network that is up. One that was [brought up](crate::build::up) by this process is taken down when this is dropped; one that was
/// [found](Running::find) stays.
#[derive(Debug)]
pub struct Running {
    state: State,
    /// Ours to take down.
    keeper: Option<Keeper>,
}

/// A process in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its PID, as the machine sees it.
    pub pid: u32,
    /// Number of its node.
    pub node: usize,
    /// Its command line.
    pub command: String,
}

/// Packets at an interface of a node, as the kernel counts them (`/proc/net/dev`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The interface's name.
    pub interface: String,
    /// Packets that arrived.
    pub received: u64,
    /// Packets that left.
    pub sent: u64,
    /// Packets that were dropped or damaged, in either direction.
    pub dropped: u64,
}

impl Running {
    pub(crate) fn new(state: State, keeper: Keeper) -> Self {
        Self {
            state,
            keeper: Some(keeper),
        }
    }

    /// A network that is up, by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(name: &str) -> Result<Self> {
        Ok(Self {
            state: state::look(name)?,
            keeper: None,
        })
    }

    /// The network that is up, if it is the only one.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn only() -> Result<Self> {
        let names = state::names()?;
        let mut up: Vec<Self> = names
            .iter()
            .filter_map(|name| Self::find(name).ok())
            .collect();
        match (up.pop(), up.len()) {
            (Some(running), 0) => Ok(running),
            (None, _) => Err(Error::Refused(
                "no network is up: `spp lab up FILE` brings one up".into(),
            )),
            (Some(last), _) => {
                let names: Vec<&str> = up.iter().chain([&last]).map(Self::name).collect();
                Err(Error::Refused(format!(
                    "there are {} networks: say which, -n {}",
                    names.len(),
                    names.join(" or -n ")
                )))
            }
        }
    }

    /// Makes ready to work in it: if an ordinary user brought it up, this process enters their user namespace, for good.
    ///
    /// # Errors
    /// It is another user's; or this process has threads and is not in that namespace.
    pub fn enter(&self) -> Result<()> {
        crate::user::enter(self.kept()?)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.plan.name
    }

    /// What it consists of.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.state.plan
    }

    /// Its links have no character, although the file gives them one.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.state.plain
    }

    /// What was dropped before it was complete.
    pub(crate) fn dropped_before(&self) -> &[Dropped] {
        &self.state.dropped
    }

    /// PID of the process that keeps it.
    #[must_use]
    pub fn keeper(&self) -> u32 {
        self.state.keeper.as_ref().map_or(0, |keeper| keeper.pid)
    }

    /// It is still up: nobody has taken it down.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let keeper = self.state.keeper.as_ref();
        keeper.is_some_and(KeeperState::is_alive)
    }

    fn kept(&self) -> Result<&KeeperState> {
        let keeper = self.state.keeper.as_ref();
        keeper.ok_or_else(|| Error::Refused(format!("the network '{}' is not up", self.name())))
    }

    /// The number of a node.
    ///
    /// # Errors
    /// There is no node of this name; it says which there are.
    pub fn node(&self, name: &str) -> Result<usize> {
        self.plan().find(name).ok_or_else(|| {
            let names: Vec<&str> = self
                .plan()
                .nodes
                .iter()
                .map(|node| node.name.as_str())
                .collect();
            let hint = match crate::file::closest(name, names.iter().copied()) {
                Some(close) => format!("did you mean '{close}'?"),
                None => format!("there are: {}", names.join(", ")),
            };
            Error::Refused(format!("'{}' has no node '{name}' ({hint})", self.name()))
        })
    }

    /// Its nodes with what is planned of them.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.plan().nodes
    }

    /// The container of a node, if it is one.
    #[must_use]
    pub fn container(&self, node: usize) -> Option<&ContainerState> {
        self.state.keeper.as_ref()?.container(node)
    }

    /// Starts a program in a node. It ends with the network at the latest, and then needs not be waited for.
    ///
    /// # Errors
    /// There is no such node or program, or the kernel refuses.
    pub fn spawn(&self, node: &str, command: &mut Command) -> Result<Child> {
        let number = self.node(node)?;
        let folder = state::folder(self.name())?;
        command.envs(programs::environment(&folder, &self.nodes()[number]));
        let child = Inside::open(self.kept()?, number)?.spawn(command)?;
        if let Some(keeper) = &self.keeper {
            keeper.adopt(child.id());
        }
        Ok(child)
    }

    /// Opens a namespace by its place: those of the nodes, and behind them those of panels that carry links.
    pub(crate) fn inside(&self, place: usize) -> Result<Inside> {
        Inside::open(self.kept()?, place)
    }

    /// The network namespace of a node, as a file that is there as long as the network: what `ip link set DEVICE netns` takes to move a
    /// device of the machine into it, and `nsenter --net`.
    ///
    /// # Errors
    /// There is no such node, or the network has gone.
    pub fn namespace(&self, node: &str) -> Result<PathBuf> {
        let keeper = self.kept()?;
        let descriptor = keeper.namespaces.get(self.node(node)?).copied();
        Ok(format!("/proc/{}/fd/{}", keeper.pid, descriptor.unwrap_or(-1)).into())
    }

    /// Does something in the network namespace of a node: a socket that is opened there belongs to it for good.
    ///
    /// # Errors
    /// The network has gone, or `work` fails.
    pub fn within<T: Send>(
        &self,
        node: usize,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        let inside = Inside::open(self.kept()?, node)?;
        namespace::within(inside.network(), work)
    }

    /// The counters of a node's interfaces, without its loopback.
    ///
    /// # Errors
    /// The network has gone.
    pub fn counters(&self, node: usize) -> Result<Vec<Counters>> {
        let path = "/proc/thread-self/net/dev";
        let text = self.within(node, || {
            std::fs::read_to_string(path).map_err(|e| Error::io(format!("read {path}"), e))
        })?;
        let ours = |counters: &Counters| {
            let interfaces = &self.nodes()[node].interfaces;
            interfaces
                .iter()
                .any(|interface| interface.name == counters.interface)
        };
        Ok(text.lines().filter_map(counters).filter(ours).collect())
    }

    /// Processes in the nodes, by node and PID.
    ///
    /// # Errors
    /// The network has gone.
    pub fn processes(&self) -> Result<Vec<Process>> {
        let keeper = self.kept()?;
        let inode = |path: String| {
            std::fs::metadata(path)
                .ok()
                .map(|meta| (meta.dev(), meta.ino()))
        };
        let namespaces: Vec<_> = keeper
            .namespaces
            .iter()
            .take(self.nodes().len())
            .map(|descriptor| inode(format!("/proc/{}/fd/{descriptor}", keeper.pid)))
            .collect();
        let entries = std::fs::read_dir("/proc").map_err(|e| Error::io("read /proc", e))?;
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        // The first process of a container is a part of the lab.
        let first: Vec<u32> = keeper.containers.iter().map(|of| of.pid).collect();
        let pids = pids.filter(|pid| !first.contains(pid));
        let process = |pid: u32| {
            let namespace = inode(format!("/proc/{pid}/ns/net"))?;
            let node = namespaces
                .iter()
                .position(|known| *known == Some(namespace))?;
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let words = String::from_utf8_lossy(&words)
                .trim_end_matches('\0')
                .replace('\0', " ");
            // A zombie has no command line any more.
            (!words.is_empty()).then_some(Process {
                pid,
                node,
                command: words,
            })
        };
        let mut all: Vec<Process> = pids.filter_map(process).collect();
        all.sort_by_key(|process| (process.node, process.pid));
        Ok(all)
    }

    /// Programs that a node is to run and does not, given its processes. What `start` names is not among them: it may end.
    #[must_use]
    pub fn ended(&self, node: usize, processes: &[&Process]) -> Vec<&'static str> {
        let runs = |name: &&str| {
            let mut programs = processes
                .iter()
                .filter_map(|process| process.command.split(' ').next());
            programs.any(|program| program.rsplit('/').next() == Some(name))
        };
        let all: &[_] = match &self.nodes()[node].role {
            Role::Panel(_) => &["spp-primary"],
            Role::Switch {
                via: Switching::Ovs,
                ..
            } => &["ovs-vswitchd", "ovsdb-server"],
            Role::Dpdk(program) if program.command.is_some() && processes.is_empty() => {
                return vec!["its program"];
            }
            _ => &[],
        };
        all.iter().copied().filter(|name| !runs(name)).collect()
    }

    /// Lets it stay up when this process ends.
    ///
    /// # Errors
    /// Its keeper has ended.
    pub fn release(mut self) -> Result<()> {
        match self.keeper.take() {
            Some(keeper) => Ok(keeper.release()?),
            None => Ok(()),
        }
    }

    /// Takes it down: ends all its processes, and with them all its namespaces and interfaces.
    ///
    /// # Errors
    /// A process does not end within 20 s; somebody else is changing the network.
    pub fn down(mut self) -> Result<()> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<()> {
        let claim = Claim::take(self.name())?;
        let ours = self.kept()?.clone();
        let same = claim
            .state()
            .and_then(|state| state.keeper)
            .is_none_or(|keeper| keeper == ours);
        drop(self.keeper.take());
        if !sys::keeper::end(ours.pid, ours.started, LIMIT)? {
            return Err(Error::Refused(format!(
                "process {} of the network '{}' has not ended within {} s: some process of it hangs in the kernel",
                ours.pid,
                self.name(),
                LIMIT.as_secs()
            )));
        }
        // Somebody may have brought up another one of that name after ours had ended.
        if !same {
            return Ok(());
        }
        containers::remove(self.plan(), claim.folder())?;
        claim.forget()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.keeper.is_some()
            && let Err(error) = self.take_down()
        {
            eprintln!("the network '{}' was not taken down: {error}", self.name());
        }
    }
}

/// A line of `/proc/net/dev` (`proc(5)`): the interface, then bytes, packets, errs, drop, fifo, frame, compressed, multicast of what
/// was received, then bytes, packets, errs, drop, fifo, colls, carrier, compressed of what was sent.
pub(crate) fn device(line: &str) -> Option<(&str, [u64; 16])> {
    let (interface, numbers) = line.split_once(':')?;
    let numbers: Vec<u64> = numbers
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()
        .ok()?;
    Some((interface.trim(), numbers.try_into().ok()?))
}

fn counters(line: &str) -> Option<Counters> {
    let (interface, numbers) = device(line)?;
    Some(Counters {
        interface: interface.to_owned(),
        received: numbers[1],
        sent: numbers[9],
        dropped: numbers[2] + numbers[3] + numbers[10] + numbers[11],
    })
}

/// Removes what networks left behind whose makers died: gives their names. Networks that are up, and those that somebody is working
/// on, stay.
///
/// # Errors
/// Something cannot be removed.
pub fn clean() -> Result<Vec<String>> {
    let mut cleaned = Vec::new();
    for name in state::names()? {
        let Some(claim) = state::abandoned(&name)? else {
            continue;
        };
        let state = claim.state();
        // A keeper without a maker has ended or is about to.
        if let Some(keeper) = state.as_ref().and_then(|state| state.keeper.as_ref())
            && !sys::keeper::end(keeper.pid, keeper.started, LIMIT)?
        {
            return Err(Error::Refused(format!(
                "process {} of the network '{name}' does not end",
                keeper.pid
            )));
        }
        if let Some(state) = state {
            containers::remove(&state.plan, claim.folder())?;
        }
        claim.forget()?;
        cleaned.push(name);
    }
    cleaned.extend(containers::remove_strays(&state::root()?)?);
    cleaned.dedup();
    Ok(cleaned)
}
