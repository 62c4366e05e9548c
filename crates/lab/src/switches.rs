//! Switches that Open vSwitch makes, in user space: no module of the kernel's, and flows as `ovs-ofctl(8)` takes them.
//!
//! Each has a database, a daemon and a folder of its own in the folder of the network, and none of the machine's.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::build::Options;
use crate::error::{Error, Result};
use crate::file::Switching;
use crate::kernel::process::Inside;
use crate::outside::need;
use crate::plan::{BRIDGE, Node, Plan, Role};
use crate::programs::{self, Kept};
use crate::state::Claim;

/// How long a switch may take until all its links are ports of it.
const LIMIT: Duration = Duration::from_secs(30);

/// Debian's name of what has these programs.
const PACKAGE: &str = "openvswitch-switch";

/// What a switch's log gets: warnings.
const QUIET: [&str; 3] = ["-vsyslog:off", "-vfile:off", "-vconsole:warn"];

/// Whether Open vSwitch makes this node.
fn is_ours(node: &Node) -> bool {
    matches!(
        node.role,
        Role::Switch {
            via: Switching::Ovs,
            ..
        }
    )
}

/// The folder of a switch.
fn folder(network: &Path, node: &Node) -> PathBuf {
    network.join(format!("{}.ovs", node.name))
}

/// By what Open vSwitch's own commands find the switch (`ovs-vswitchd(8)`).
pub(crate) fn environment(network: &Path, node: &Node) -> Vec<(&'static str, OsString)> {
    if !is_ours(node) {
        return Vec::new();
    }
    let names = ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"];
    let folder = folder(network, node);
    names.map(|name| (name, folder.clone().into())).to_vec()
}

/// Makes sure that Open vSwitch is installed, if a plan needs it.
///
/// # Errors
/// It is not.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    if plan.nodes.iter().any(is_ours) {
        for program in ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"] {
            need(program, PACKAGE)?;
        }
    }
    Ok(())
}

/// Starts the switches, of which all interfaces are there, and waits until they pass packets.
///
/// # Errors
/// A program fails, or takes too long: it is named, with the last of what it wrote.
pub(crate) fn start(
    plan: &Plan,
    kept: &Kept<'_>,
    claim: &Claim,
    options: &Options<'_>,
) -> Result<()> {
    let nodes = plan.nodes.iter().enumerate();
    let switches: Vec<Switch<'_>> = nodes
        .filter(|(_, node)| is_ours(node))
        .map(|(number, node)| {
            Ok(Switch {
                node,
                inside: Inside::open(kept.state, number)?,
                kept,
                claim,
                options,
            })
        })
        .collect::<Result<_>>()?;
    let mut started = Vec::new();
    for switch in &switches {
        started.push(switch.start()?);
    }
    for (switch, daemons) in switches.iter().zip(&mut started) {
        switch.connect(daemons)?;
    }
    Ok(())
}

/// A switch that comes up.
struct Switch<'a> {
    node: &'a Node,
    inside: Inside,
    kept: &'a Kept<'a>,
    claim: &'a Claim,
    options: &'a Options<'a>,
}

impl Switch<'_> {
    /// Starts its programs.
    fn start(&self) -> Result<Vec<Daemon>> {
        let folder = folder(self.claim.folder(), self.node);
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|e| Error::io(format!("make the folder {}", folder.display()), e))?;
        self.run("ovsdb-tool", &["create"], &mut [])?;
        let socket = format!("--remote=punix:{}", folder.join("db.sock").display());
        Ok(vec![
            self.go("ovsdb-server", &[&socket, "--pidfile", "--no-chdir"])?,
            self.go("ovs-vswitchd", &["--pidfile", "--no-chdir"])?,
        ])
    }

    /// Makes the bridge, and ports of it of all interfaces; waits until packets pass.
    fn connect(&self, daemons: &mut [Daemon]) -> Result<()> {
        let Role::Switch { stp, .. } = self.node.role else {
            return Ok(());
        };
        let timeout = format!("--timeout={}", LIMIT.as_secs());
        let stp = format!("stp_enable={stp}");
        let names = || {
            self.node
                .interfaces
                .iter()
                .map(|interface| &*interface.name)
        };
        let mut words = vec![&*timeout, "--retry", "add-br", BRIDGE, "--"];
        // Without a controller it learns and forwards.
        words.extend(["set", "bridge", BRIDGE, "datapath_type=netdev"]);
        words.extend(["fail_mode=standalone", &stp]);
        words.extend(names().flat_map(|name| ["--", "add-port", BRIDGE, name]));
        self.run("ovs-vsctl", &words, daemons)?;
        let mut words = vec![&*timeout, "--no-wait", "init"];
        words.extend(names().flat_map(|name| {
            [
                "--",
                "wait-until",
                "interface",
                name,
                "ofport>=1",
                "link_state=up",
            ]
        }));
        self.run("ovs-vsctl", &words, daemons)
    }

    fn command(&self, program: &str, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(need(program, PACKAGE)?);
        command
            .args(QUIET)
            .args(words)
            .envs(environment(self.claim.folder(), self.node))
            .stdin(Stdio::null());
        programs::write_to(&mut command, self.claim, &self.node.name)?;
        Ok(command)
    }

    /// Starts a program that goes on.
    fn go(&self, program: &'static str, words: &[&str]) -> Result<Daemon> {
        let child = self
            .kept
            .spawn(&self.inside, &mut self.command(program, words)?)?;
        Ok(Daemon { program, child })
    }

    /// Runs a program to its end, unless one of the switch's ends before it.
    fn run(&self, program: &str, words: &[&str], daemons: &mut [Daemon]) -> Result<()> {
        let mut child = self
            .kept
            .spawn(&self.inside, &mut self.command(program, words)?)?;
        let line = format!("{program} {}", words.join(" "));
        let end = Instant::now() + LIMIT;
        loop {
            for daemon in &mut *daemons {
                if let Some(status) =
                    programs::wait(&mut daemon.child, Duration::ZERO, self.options)?
                {
                    return Err(self.failed(daemon.program, &programs::ended(&status)));
                }
            }
            match programs::wait(&mut child, programs::PAUSE, self.options)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&line, &programs::ended(&status))),
                None if Instant::now() >= end => {
                    let how = format!("takes longer than {} s", LIMIT.as_secs());
                    return Err(self.failed(&line, &how));
                }
                None => {}
            }
        }
    }

    fn failed(&self, line: &str, how: &str) -> Error {
        let name = &self.node.name;
        programs::failed(self.claim, name, line, name, how)
    }
}

/// A program of a switch that goes on.
struct Daemon {
    program: &'static str,
    child: Child,
}
