//! What runs on nodes from the beginning: commands, programs that go on, and DPDK programs.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sys::keeper::Keeper;

use crate::build::Options;
use crate::containers::Containers;
use crate::cores;
use crate::error::{Error, Result};
use crate::kernel::process::Inside;
use crate::kernel::{dpdk, namespace};
use crate::panels;
use crate::plan::{Node, Plan, Role};
use crate::state::{Claim, KeeperState};
use crate::switches;

/// How long a command of `run` may take.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// How long a program of `start` is watched, within which it is not to fail.
const START_LIMIT: Duration = Duration::from_millis(100);

/// How long a DPDK program may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at what is waited for.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// Who keeps the network, and what is remembered of it.
pub(crate) struct Kept<'a> {
    /// The process.
    pub keeper: &'a Keeper,
    /// Where its descriptors are.
    pub state: &'a KeeperState,
}

impl Kept<'_> {
    /// Starts a child that the keeper need not wait for.
    pub fn spawn(&self, inside: &Inside, command: &mut Command) -> Result<Child> {
        let child = inside.spawn(command)?;
        self.keeper.adopt(child.id());
        Ok(child)
    }
}

/// A program that goes on.
struct Started<'a> {
    node: &'a Node,
    line: String,
    child: Child,
}

/// Starts DPDK programs and waits until they are ready.
///
/// # Errors
/// One fails, or takes too long: it is named, with the last of what it wrote.
pub(crate) fn dpdk(
    plan: &Plan,
    kept: &Kept<'_>,
    containers: &Containers<'_>,
    claim: &Claim,
    options: &Options<'_>,
) -> Result<()> {
    let mut started = Vec::new();
    let begin = Instant::now();
    for (number, node) in plan.nodes.iter().enumerate() {
        let Role::Dpdk(program) = &node.role else {
            continue;
        };
        containers.go_on(number)?;
        if let Some(command) = &program.command {
            let line = dpdk::line(&plan.name, node, program, command);
            let mut command = logged(claim, node, &line)?;
            command.stdin(dpdk::quiet_input(claim.folder())?);
            let child = kept.spawn(&Inside::open(kept.state, number)?, &mut command)?;
            started.push((number, program, Started { node, line, child }));
        }
    }
    let end = Instant::now() + READY_LIMIT;
    for (number, program, started) in &mut started {
        let inside = Inside::open(kept.state, *number)?;
        loop {
            if let Some(status) = wait(&mut started.child, Duration::ZERO, options)? {
                return Err(failed_on(
                    claim,
                    started.node,
                    &started.line,
                    &ended(&status),
                ));
            }
            let ready = match &program.ready {
                Some(text) => wrote(claim, &started.node.name).contains(text.as_str()),
                None => namespace::within(inside.network(), || dpdk::has_taken(started.node))?,
            };
            if ready {
                break;
            }
            if Instant::now() >= end {
                let how = format!("is not ready after {} s", READY_LIMIT.as_secs());
                return Err(failed_on(claim, started.node, &started.line, &how));
            }
            std::thread::sleep(PAUSE);
        }
    }
    let programs = plan.nodes.iter().enumerate();
    for (number, _) in programs.filter(|(_, node)| matches!(node.role, Role::Dpdk(_))) {
        containers.wait(number, begin, options)?;
    }
    Ok(())
}

/// Runs and starts what the file says of hosts and routers, in its order.
///
/// # Errors
/// One fails, or takes too long: it is named, with the last of what it wrote.
pub(crate) fn hosts(
    plan: &Plan,
    kept: &Kept<'_>,
    containers: &Containers<'_>,
    claim: &Claim,
    options: &Options<'_>,
) -> Result<()> {
    let (mut started, mut own) = (Vec::new(), Vec::new());
    for (number, node) in plan.nodes.iter().enumerate() {
        if node.run.is_empty() && node.start.is_empty() && node.image.is_none() {
            continue;
        }
        let inside = Inside::open(kept.state, number)?;
        for line in &node.run {
            let mut child = kept.spawn(&inside, &mut logged(claim, node, line)?)?;
            match wait(&mut child, RUN_LIMIT, options)? {
                Some(status) if status.success() => {}
                Some(status) => return Err(failed_on(claim, node, line, &ended(&status))),
                None => {
                    let how = format!("takes longer than {} s", RUN_LIMIT.as_secs());
                    return Err(failed_on(claim, node, line, &how));
                }
            }
        }
        for line in &node.start {
            let child = kept.spawn(&inside, &mut logged(claim, node, line)?)?;
            let line = line.clone();
            started.push(Started { node, line, child });
        }
        if node.image.is_some() {
            containers.go_on(number)?;
            own.push((number, Instant::now()));
        }
    }
    let end = Instant::now() + START_LIMIT;
    for started in &mut started {
        let left = end.saturating_duration_since(Instant::now());
        let status = wait(&mut started.child, left, options)?;
        if let Some(status) = status.filter(|status| !status.success()) {
            return Err(failed_on(
                claim,
                started.node,
                &started.line,
                &ended(&status),
            ));
        }
    }
    for (number, begin) in own {
        containers.wait(number, begin, options)?;
    }
    Ok(())
}

/// What programs on a node find in their environment: `LAB_DIR`, the folder of the network, which goes with it, and on a panel what
/// makes them a part of that; a switch of Open vSwitch is found by that's own commands.
pub(crate) fn environment(folder: &Path, node: &Node) -> Vec<(&'static str, OsString)> {
    // A container does not see that folder.
    if node.is_container() {
        return Vec::new();
    }
    let mut known = vec![("LAB_DIR", folder.into())];
    match node.role {
        Role::Panel(_) => known.extend(panels::environment(folder, &node.name)),
        // Where EAL makes its runtime folder, which it does in any case.
        Role::Dpdk(_) => known.push(("RUNTIME_DIRECTORY", folder.into())),
        Role::Switch { .. } => known.extend(switches::environment(folder, node)),
        Role::Host | Role::Router => {}
    }
    known
}

/// A shell that runs a line, in a process group of its own, with its output in the node's log.
fn logged(claim: &Claim, node: &Node, line: &str) -> Result<Command> {
    let kept = node.keeps_cores();
    let kept = kept.then(|| cores::kept(claim.folder(), &node.name, line));
    let kept = kept.transpose()?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", kept.as_deref().unwrap_or(line)]);
    command.stdin(Stdio::null());
    command.envs(environment(claim.folder(), node));
    write_to(&mut command, claim, &node.name)?;
    Ok(command)
}

/// Has a program write to the end of a log, in a process group of its own.
///
/// # Errors
/// The log cannot be opened.
pub(crate) fn write_to(command: &mut Command, claim: &Claim, log: &str) -> Result<()> {
    let path = claim.log(log);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| Error::io(format!("open {}", path.display()), e))?;
    let error = log
        .try_clone()
        .map_err(|e| Error::io("copy a descriptor", e))?;
    command.process_group(0).stdout(log).stderr(error);
    Ok(())
}

/// Waits for a program, at most `limit`; `None` if it goes on.
pub(crate) fn wait(
    child: &mut Child,
    limit: Duration,
    options: &Options<'_>,
) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        let status = child
            .try_wait()
            .map_err(|e| Error::io("wait for a program", e))?;
        options.go_on()?;
        if status.is_some() || Instant::now() >= end {
            return Ok(status);
        }
        std::thread::sleep(PAUSE);
    }
}

pub(crate) fn ended(status: &ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with exit status {code}"),
        None => format!("was ended: {status}"),
    }
}

/// What the programs of a log wrote.
fn wrote(claim: &Claim, log: &str) -> String {
    let text = std::fs::read(claim.log(log)).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// A command of a node that failed.
fn failed_on(claim: &Claim, node: &Node, line: &str, how: &str) -> Error {
    failed(claim, &node.name, line, &node.name, how)
}

/// A command that failed, with the last of what it wrote: its log is not kept.
pub(crate) fn failed(claim: &Claim, log: &str, line: &str, on: &str, how: &str) -> Error {
    const LINES: usize = 5;
    let text = wrote(claim, log);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    let wrote = if last.is_empty() {
        "it wrote nothing".to_owned()
    } else {
        format!("it wrote:\n  {last}")
    };
    Error::Refused(format!("the command '{line}' on {on} {how}; {wrote}"))
}
