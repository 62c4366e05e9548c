//! Nodes that are containers: hosts of an image, and apps of `spp container`.
//!
//! An engine enters no network namespace that it did not make. So the container is made first, without a network, and the namespace of
//! its first process becomes that of the node. That process is ours, whatever the image has: it waits until the node's interfaces
//! are there before it starts the program, and it hangs on a leash whose other end the keeper holds. So a container ends with its
//! network, however that ends; what is left then is its name, which [`remove`] has the engine forget.

pub(crate) mod app;
mod entry;

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use container::engine::Engine;
use container::plan::{self, Mount, Privilege};

use crate::build::Options;
use crate::error::{Error, Result};
use crate::plan::{Node, Plan, Role};
use crate::state::{Claim, ContainerState};

/// The name of the container of a node.
pub(crate) fn name(network: &str, node: &str) -> String {
    format!("spp-lab-{network}-{node}")
}

/// The engine for the containers of a network; none if it has no containers.
///
/// # Errors
/// Only root may have them; no engine answers.
pub(crate) fn engine(plan: &Plan) -> Result<Option<Engine>> {
    let Some(node) = plan.nodes.iter().find(|node| node.is_container()) else {
        return Ok(None);
    };
    match sys::proc::effective_uid() == 0 && sys::proc::outer_uid() == 0 {
        true => Ok(Some(Engine::connect()?)),
        false => Err(Error::Refused(format!(
            "'{}' is a container, of which only root can have the network: bring the network up as root, or leave image and app out",
            node.name
        ))),
    }
}

/// Has the engine remove all containers of the network of this folder, if it has any.
///
/// # Errors
/// No engine answers, or it refuses.
pub(crate) fn remove(plan: &Plan, folder: &Path) -> Result<()> {
    match plan.nodes.iter().any(Node::is_container) {
        true => remove_by(&Engine::connect().map_err(left)?, folder),
        false => Ok(()),
    }
}

/// The same by an engine that answered before.
///
/// # Errors
/// It does not answer, or refuses.
pub(crate) fn remove_by(engine: &Engine, folder: &Path) -> Result<()> {
    for found in engine.of_labs().map_err(left)? {
        if found.lab.is_some_and(|lab| Path::new(&lab) == folder) {
            engine.remove(&found.id).map_err(left)?;
        }
    }
    Ok(())
}

fn left(error: container::Error) -> Error {
    Error::Refused(format!(
        "containers of the network are not removed: {error}. `spp lab clean` tries again"
    ))
}

/// Has the engine remove containers of networks that are not remembered in their folder `root`: an engine goes on making one when who
/// asked for it was killed, and nobody may have seen it since. Gives the networks' names. Where no engine answers there are none to be
/// seen.
///
/// # Errors
/// The engine refuses.
pub(crate) fn remove_strays(root: &Path) -> Result<Vec<String>> {
    let Ok(engine) = Engine::connect() else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for found in engine.of_labs()? {
        let folder = PathBuf::from(found.lab.unwrap_or_default());
        let name = folder.file_name().map(OsStr::to_string_lossy);
        if let Some(name) = name
            && folder.parent() == Some(root)
            && !folder.exists()
        {
            // By its id: another network of this name may be coming up.
            engine.remove(&found.id)?;
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// One that was made.
struct Made {
    node: usize,
    plan: plan::Plan,
    leash: PathBuf,
    /// The leash's other end, until the keeper has it.
    held: Option<OwnedFd>,
    network: OwnedFd,
    state: ContainerState,
}

/// The containers of a network that is being built.
pub(crate) struct Containers<'a> {
    /// None where none is needed.
    engine: Option<&'a Engine>,
    made: Vec<Made>,
}

impl<'a> Containers<'a> {
    /// Makes and starts those of a plan. Their programs wait.
    ///
    /// # Errors
    /// An image is missing, or the engine refuses.
    pub fn start(
        plan: &Plan,
        engine: Option<&'a Engine>,
        claim: &Claim,
        options: &Options<'_>,
    ) -> Result<Self> {
        let mut containers = Self {
            engine,
            made: Vec::new(),
        };
        let Some(engine) = engine else {
            return Ok(containers);
        };
        let entry = entry::Entry::find()?;
        for (number, node) in plan.nodes.iter().enumerate() {
            options.go_on()?;
            if let Some(mut wanted) = wanted(plan, node)? {
                let leash = claim.folder().join(format!("{}.leash", node.name));
                // Of an `up` that was killed: nobody hangs on it any more.
                let _ = std::fs::remove_file(&leash);
                let held = sys::leash::hold(&leash)?;
                wanted.lab = Some(claim.folder().to_string_lossy().into_owned());
                if node.image.is_some() && node.start.is_empty() {
                    wanted.command = own_program(engine, &wanted, node)?;
                }
                entry.put_before(&mut wanted, &leash);
                let made = make(engine, number, wanted, leash, held)?;
                containers.made.push(made);
            }
        }
        Ok(containers)
    }

    /// The network namespace of a node that is a container.
    pub fn network(&self, node: usize) -> Option<BorrowedFd<'_>> {
        Some(self.of(node)?.network.as_fd())
    }

    /// For the keeper: who holds these has the containers live.
    pub fn leashes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let held = self.made.iter().filter_map(|made| made.held.as_ref());
        held.map(|held| held.as_fd())
    }

    /// Lets go of the leashes, which the keeper holds now; gives what is to be remembered.
    pub fn hand_over(&mut self) -> Vec<ContainerState> {
        for made in &mut self.made {
            made.held = None;
        }
        self.made.iter().map(|made| made.state.clone()).collect()
    }

    /// Has the program of a node start, if it is a container with one.
    ///
    /// # Errors
    /// The network has gone.
    pub fn go_on(&self, node: usize) -> Result<()> {
        match self.of(node).filter(|made| made.has_program()) {
            Some(made) => Ok(sys::leash::let_go_on(&made.leash)?),
            None => Ok(()),
        }
    }

    /// Waits until the program of a node, which began at `begin`, is up, if it is a container with one.
    ///
    /// # Errors
    /// It ended, with its last words, or is not ready in time.
    pub fn wait(&self, node: usize, begin: Instant, options: &Options<'_>) -> Result<()> {
        let made = self.of(node).filter(|made| made.has_program());
        let (Some(made), Some(engine)) = (made, self.engine) else {
            return Ok(());
        };
        let stopped = || {
            let stop = options.interrupt.map(|stop| stop.load(Ordering::Relaxed));
            stop.unwrap_or_default()
        };
        let up = engine.comes_up(&made.state.name, &made.plan, begin, &stopped);
        options.go_on()?;
        if up?.ended {
            let what = format!(
                "the program of container {} ended at once, with success (start: sleep infinity has the container of an image stay)",
                made.state.name
            );
            return Err(engine.last_words(&made.state.name, &what).into());
        }
        Ok(())
    }

    fn of(&self, node: usize) -> Option<&Made> {
        self.made.iter().find(|made| made.node == node)
    }
}

impl Made {
    /// Without one the container waits for what is started in it.
    fn has_program(&self) -> bool {
        !self.plan.command.is_empty()
    }
}

/// The container of a node, if it is one.
fn wanted(plan: &Plan, node: &Node) -> Result<Option<plan::Plan>> {
    if let Some(image) = &node.image {
        let mut wanted = plan::Plan::of_image(image);
        wanted.name = Some(name(&plan.name, &node.name));
        // Its network is nobody else's.
        wanted.privilege = Privilege::Usual(vec!["NET_ADMIN".to_owned()]);
        return Ok(Some(wanted));
    }
    let Role::Dpdk(program) = &node.role else {
        return Ok(None);
    };
    let Some(named) = &program.app else {
        return Ok(None);
    };
    let wanted = app::planned(&plan.name, node, program, named);
    wanted.map(Some).map_err(|wrong| {
        let text = format!("the app of '{}': {}", node.name, wrong.text);
        Error::Refused(text)
    })
}

/// What an image runs by itself.
fn own_program(engine: &Engine, wanted: &plan::Plan, node: &Node) -> Result<Vec<String>> {
    // Without the image it is said later what is missing.
    if !engine.has_image(&wanted.image)? {
        return Ok(Vec::new());
    }
    let words = engine.program_of(&wanted.image)?;
    match words.is_empty() {
        false => Ok(words),
        true => Err(Error::Refused(format!(
            "{}: the image {} runs nothing by itself: say what is to run, such as start: sleep infinity",
            node.name, wanted.image
        ))),
    }
}

fn make(
    engine: &Engine,
    node: usize,
    plan: plan::Plan,
    leash: PathBuf,
    held: OwnedFd,
) -> Result<Made> {
    container::checks::plan(&plan, &engine.list(true)?)?;
    let name = engine.create(&plan)?;
    engine.run(&name)?;
    let ended = || engine.last_words(&name, &format!("container {name} ended at its start"));
    let pid = engine.first_process(&name)?.ok_or_else(ended)?;
    let path = format!("/proc/{pid}/ns/net");
    let opened = File::open(&path).map_err(|e| Error::io(format!("open {path}"), e));
    let started = sys::keeper::start_time(pid);
    // Of a process of another machine, or of a PID that has become another's, it would be something else.
    let same = |path: &Path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    };
    let inside = PathBuf::from(format!("/proc/{pid}/root{}", entry::LEASH));
    let ours = same(&inside).is_some_and(|inside| Some(inside) == same(&leash));
    let (Some(started), true) = (started, ours) else {
        return Err(match engine.ended(&name)? {
            Some(_) => ended().into(),
            None => Error::Refused(format!(
                "the first process of container {name} is not process {pid} of this machine: networks take a container engine that runs here, not {}",
                engine.address()
            )),
        });
    };
    Ok(Made {
        node,
        plan,
        leash,
        held: Some(held),
        network: sys::keeper::above_standard(opened?.into())?,
        state: ContainerState {
            node,
            name,
            pid,
            started,
        },
    })
}

/// Something of this machine that a container may only read.
fn read_only(host: &Path, guest: &str) -> Mount {
    Mount {
        host: host.display().to_string(),
        guest: format!("{guest}:ro"),
    }
}
