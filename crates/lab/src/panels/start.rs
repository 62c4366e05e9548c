//! Starting panels: their processes in the network's namespaces, and what these are to have.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use protocol::desired::{Desired, ProcessName, System};

use super::Rack;
use crate::build::Options;
use crate::error::{Error, Result};
use crate::kernel::dpdk::tap;
use crate::kernel::process::Inside;
use crate::outside::of_spp;
use crate::programs::{self, Kept};
use crate::state::Claim;

/// How long a panel may take until all of its processes are there and have what they are to have.
const LIMIT: Duration = Duration::from_secs(60);

/// The panels' mount of hugetlbfs and their runtime folder, in the folder of the network.
const HUGE: &str = "huge";
const RUNTIME: &str = "run";

/// What programs need to know to be of a panel: a command of `spp`, which is found by its name, or a further process.
pub(crate) fn environment(folder: &Path, name: &str) -> Vec<(&'static str, OsString)> {
    let mut known = vec![
        ("RUNTIME_DIRECTORY", folder.join(RUNTIME).into()),
        ("SPP_FILE_PREFIX", name.into()),
        ("SPP_HUGE_DIR", folder.join(HUGE).into()),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = of_spp("spp")
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned));
    let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path)));
    known.extend(path.ok().map(|path| ("PATH", path)));
    known
}

/// A program of a panel that was started.
struct Started {
    log: String,
    line: String,
    child: Child,
}

/// Starts panels and waits until all that is asked for is there.
///
/// # Errors
/// A program is missing, fails, or takes too long: it is named, with the last of what it wrote.
pub(crate) fn start(
    racks: &[Rack],
    kept: &Kept<'_>,
    claim: &Claim,
    options: &Options<'_>,
) -> Result<()> {
    let Some(first) = racks.first() else {
        return Ok(());
    };
    for name in [HUGE, RUNTIME] {
        folder(&claim.folder().join(name))?;
    }
    Inside::open(kept.state, first.place)?.mount_hugepages(&claim.folder().join(HUGE))?;
    let mut started = Vec::new();
    for rack in racks {
        started.push(processes(rack, kept, claim)?);
    }
    for (rack, started) in racks.iter().zip(&mut started) {
        let commander = Commander { rack, kept, claim };
        for process in rack.processes.keys() {
            let words = ["wait", &process.kind.to_string(), &process.id.to_string()];
            commander.run(&words, started, options)?;
        }
        let file = claim.folder().join(format!("{}.json", rack.name));
        let document = serde_json::to_vec(&System::new(rack.processes.clone()));
        let document = document.map_err(|e| Error::io(format!("write {}", file.display()), e))?;
        std::fs::write(&file, document)
            .map_err(|e| Error::io(format!("write {}", file.display()), e))?;
        commander.run(&["apply", &file.to_string_lossy()], started, options)?;
    }
    Ok(())
}

fn folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|e| Error::io(format!("make the folder {}", path.display()), e))
}

/// Starts the processes of a panel.
fn processes(rack: &Rack, kept: &Kept<'_>, claim: &Claim) -> Result<Vec<Started>> {
    let own = claim.folder().join(&rack.name);
    folder(&own)?;
    let inside = Inside::open(kept.state, rack.place)?;
    let mut started = Vec::new();
    let mut spawn = |name: &str, log: String, arguments: Vec<String>| -> Result<()> {
        let program = of_spp(name)?;
        let mut command = Command::new(&program);
        command.args(&arguments).stdin(Stdio::null());
        prepare(&mut command, rack, claim, &log)?;
        let child = kept.spawn(&inside, &mut command)?;
        let line = [vec![name.to_owned()], arguments].concat().join(" ");
        started.push(Started { log, line, child });
        Ok(())
    };
    spawn(
        "spp-primary",
        format!("{}.primary", rack.name),
        primary(rack, &own),
    )?;
    for (process, desired) in &rack.processes {
        let log = format!("{}.{}.{}", rack.name, process.kind, process.id);
        spawn(
            &format!("spp-{}", process.kind),
            log,
            secondary(*process, desired),
        )?;
    }
    Ok(started)
}

/// With the environment of a panel and nothing of ours that SPP's programs listen to, and with its output in a log.
fn prepare(command: &mut Command, rack: &Rack, claim: &Claim, log: &str) -> Result<()> {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPP_") {
            command.env_remove(name);
        }
    }
    command.envs(environment(claim.folder(), &rack.name));
    programs::write_to(command, claim, log)
}

fn primary(rack: &Rack, own: &Path) -> Vec<String> {
    let mut words = vec![
        format!("--memory={}", rack.memory),
        format!("--rings={}", rack.rings),
        format!("--state-dir={}", own.join("state").display()),
        format!("--vhost-dir={}", own.display()),
    ];
    words.extend(rack.mbufs.map(|mbufs| format!("--mbufs={mbufs}")));
    words.extend((0..rack.taps).map(|n| format!("--vdev=net_tap{n},iface={}", tap(n))));
    words
}

fn secondary(process: ProcessName, desired: &Desired) -> Vec<String> {
    let mut words = vec![
        format!("--sec-id={}", process.id),
        format!("--wait={}", LIMIT.as_secs()),
    ];
    let named = desired.components.iter().map(|component| component.core);
    let mut cpus: Vec<u32> = named
        .chain(desired.patches.iter().filter_map(|patch| patch.cpu))
        .collect();
    cpus.sort_unstable();
    cpus.dedup();
    if !cpus.is_empty() {
        let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        words.push(format!("--lcores={}", cpus.join(",")));
    }
    words
}

/// Runs commands of `spp` for a panel.
struct Commander<'a> {
    rack: &'a Rack,
    kept: &'a Kept<'a>,
    claim: &'a Claim,
}

impl Commander<'_> {
    /// Runs one to its end, unless a process of the panel ends before it.
    fn run(&self, words: &[&str], panel: &mut [Started], options: &Options<'_>) -> Result<()> {
        let log = format!("{}.spp", self.rack.name);
        let mut command = Command::new(of_spp("spp")?);
        command.args(words).stdin(Stdio::null());
        prepare(&mut command, self.rack, self.claim, &log)?;
        let inside = Inside::open(self.kept.state, self.rack.place)?;
        let mut child = self.kept.spawn(&inside, &mut command)?;
        let line = format!("spp {}", words.join(" "));
        let end = std::time::Instant::now() + LIMIT;
        loop {
            for process in &mut *panel {
                if let Some(status) = programs::wait(&mut process.child, Duration::ZERO, options)? {
                    let how = programs::ended(&status);
                    return Err(self.failed(&process.log, &process.line, &how));
                }
            }
            match programs::wait(&mut child, programs::PAUSE, options)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&log, &line, &programs::ended(&status))),
                None if std::time::Instant::now() >= end => {
                    let how = format!("takes longer than {} s", LIMIT.as_secs());
                    return Err(self.failed(&log, &line, &how));
                }
                None => {}
            }
        }
    }

    fn failed(&self, log: &str, line: &str, how: &str) -> Error {
        let whose = match self.rack.name.strip_prefix('_') {
            Some(_) => "the panel that carries links with delay, loss or rate",
            None => &self.rack.name,
        };
        programs::failed(self.claim, log, line, whose, how)
    }
}
