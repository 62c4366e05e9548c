//! Starting panels: their processes in the network's namespaces, and what these are to have.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use protocol::desired::{Desired, ProcessName, System};
use protocol::port::PortName;
use protocol::reply::ProcessKind;
use sys::affinity::CpuSet;

use super::{Rack, look};
use crate::build::Options;
use crate::cores;
use crate::error::{Error, Result};
use crate::file::Recorder;
use crate::kernel::dpdk::tap;
use crate::kernel::process::Inside;
use crate::outside::of_spp;
use crate::programs::{self, Kept};
use crate::state::Claim;

/// How long a panel may take until all of its processes are there and have what they are to have.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at what is there of a panel.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

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

/// The primary of a panel, which was started.
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
        started.push(primary(rack, kept, claim)?);
    }
    for (rack, started) in racks.iter().zip(&mut started) {
        let commander = Commander { rack, kept, claim };
        commander.wait(started, options)?;
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

/// Starts the primary of a panel, which starts its other processes, and starts those again that end by themselves.
fn primary(rack: &Rack, kept: &Kept<'_>, claim: &Claim) -> Result<Started> {
    let own = claim.folder().join(&rack.name);
    folder(&own)?;
    let mut arguments = arguments(rack, &own);
    for (process, desired) in &rack.processes {
        if process.kind == ProcessKind::Primary {
            arguments.push(forwarding(desired)?);
            continue;
        }
        let mut words = vec![process.kind.to_string(), process.id.to_string()];
        words.push(format!("--wait={}", LIMIT.as_secs()));
        words.extend(cpus(desired));
        if let Some(recorder) = rack.recorders.get(process) {
            words.extend(recording(&rack.name, *process, recorder, claim.folder())?);
        }
        // Who looks into one with a debugger holds it up for as long as that takes.
        words.extend(["--restart=on-failure", "--hang-limit=0"].map(str::to_owned));
        arguments.extend(["--launch".to_owned(), quoted(&words)?]);
    }
    let name = "spp-primary";
    let log = format!("{}.primary", rack.name);
    let mut command = match rack.cores {
        true => {
            let program = of_spp(name)?;
            let words = [program.to_string_lossy().into_owned()];
            let line = quoted(words.iter().chain(&arguments))?;
            let mut command = Command::new("/bin/sh");
            let line = cores::kept(claim.folder(), &rack.name, &format!("exec {line}"))?;
            command.args(["-c", &line]);
            command
        }
        false => {
            let mut command = Command::new(of_spp(name)?);
            command.args(&arguments);
            command
        }
    };
    command.stdin(Stdio::null());
    prepare(&mut command, rack, claim.folder());
    programs::write_to(&mut command, claim, &log)?;
    let child = kept.spawn(&Inside::open(kept.state, rack.place)?, &mut command)?;
    let line = format!("{name} {}", arguments.join(" "));
    Ok(Started { log, line, child })
}

/// Words as one line, of which a shell makes the same words.
fn quoted<'a>(words: impl IntoIterator<Item = &'a String>) -> Result<String> {
    let line = shlex::try_join(words.into_iter().map(String::as_str));
    line.map_err(|_| Error::Refused("a word of a panel's processes has a zero byte".into()))
}

/// What has the primary forward, too: a worker for each CPU that its patches name, or else one.
fn forwarding(desired: &Desired) -> Result<String> {
    let all = CpuSet::of_current_thread()?.to_vec();
    let (first, last) = all.first().zip(all.last()).unwrap_or((&0, &0));
    let named = cpus_of(desired);
    let workers = if named.is_empty() { vec![*last] } else { named };
    let workers = (1..).zip(&workers).map(|(id, cpu)| format!(",{id}@{cpu}"));
    Ok(format!("--lcores=0@{first}{}", workers.collect::<String>()))
}

/// Gives a program of SPP the environment of a panel, and nothing of ours that it would listen to.
pub(super) fn prepare(command: &mut Command, rack: &Rack, network: &Path) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPP_") {
            command.env_remove(name);
        }
    }
    command.envs(environment(network, &rack.name));
}

fn arguments(rack: &Rack, own: &Path) -> Vec<String> {
    let mut words = vec![
        format!("--memory={}", rack.memory),
        format!("--rings={}", rack.rings),
        format!("--state-dir={}", own.join("state").display()),
        format!("--vhost-dir={}", own.display()),
        format!("--log-dir={}", own.display()),
    ];
    words.extend(rack.mbufs.map(|mbufs| format!("--mbufs={mbufs}")));
    words.extend((0..rack.taps).map(|n| format!("--vdev=net_tap{n},iface={}", tap(n))));
    words
}

/// The option for the CPUs that are named by what a process is to have.
fn cpus(desired: &Desired) -> Option<String> {
    let cpus = cpus_of(desired);
    let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    (!cpus.is_empty()).then(|| format!("--lcores={}", cpus.join(",")))
}

fn cpus_of(desired: &Desired) -> Vec<u32> {
    let named = desired.components.iter().map(|component| component.core);
    let mut cpus: Vec<u32> = named
        .chain(desired.patches.iter().filter_map(|patch| patch.cpu))
        .collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// How a process captures. Its folder is made.
fn recording(
    panel: &str,
    process: ProcessName,
    recorder: &Recorder,
    network: &Path,
) -> Result<Vec<String>> {
    let own = || format!("{panel}.{}.{}", process.kind, process.id).into();
    let folder = network.join(recorder.folder.clone().unwrap_or_else(own));
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|e| Error::io(format!("make the folder {}", folder.display()), e))?;
    let mut words = vec!["-c".to_owned()];
    words.extend(words_of(recorder.port));
    // Readable without further programs, also after a sudden end.
    words.extend(["--format=pcapng", "--compress=none"].map(str::to_owned));
    words.push(format!("--out-dir={}", folder.display()));
    words.extend(
        recorder
            .filter
            .as_ref()
            .map(|filter| format!("--filter={filter}")),
    );
    words.extend((!recorder.capture).then(|| "--idle".to_owned()));
    Ok(words)
}

/// `phy:0 nq 1` is three words.
fn words_of(port: PortName) -> Vec<String> {
    let text = port.to_string();
    text.split(' ').map(str::to_owned).collect()
}

/// Runs commands of `spp` for a panel.
struct Commander<'a> {
    rack: &'a Rack,
    kept: &'a Kept<'a>,
    claim: &'a Claim,
}

impl Commander<'_> {
    /// Waits until all processes are there.
    fn wait(&self, primary: &mut Started, options: &Options<'_>) -> Result<()> {
        let inside = Inside::open(self.kept.state, self.rack.place)?;
        let end = Instant::now() + LIMIT;
        loop {
            self.lives(primary, options)?;
            // The controller comes after the primary: until then there is no answer.
            let known = look::details(self.rack, &inside, self.claim.folder()).unwrap_or_default();
            if let Some(ended) = look::ended(&known, self.whose()) {
                return Err(Error::Refused(ended));
            }
            let mut missing = self.rack.processes.keys();
            let Some(missing) = missing.find(|process| !look::answers(&known, **process)) else {
                return Ok(());
            };
            if Instant::now() >= end {
                let how = format!(
                    "has not got {missing} to answer within {} s",
                    LIMIT.as_secs()
                );
                return Err(self.failed(&primary.log, &primary.line, &how));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// # Errors
    /// The primary has ended.
    fn lives(&self, primary: &mut Started, options: &Options<'_>) -> Result<()> {
        match programs::wait(&mut primary.child, Duration::ZERO, options)? {
            Some(status) => {
                Err(self.failed(&primary.log, &primary.line, &programs::ended(&status)))
            }
            None => Ok(()),
        }
    }

    /// Runs one to its end, unless the primary ends before it.
    fn run(&self, words: &[&str], primary: &mut Started, options: &Options<'_>) -> Result<()> {
        let log = format!("{}.spp", self.rack.name);
        let mut command = Command::new(of_spp("spp")?);
        command.args(words).stdin(Stdio::null());
        prepare(&mut command, self.rack, self.claim.folder());
        programs::write_to(&mut command, self.claim, &log)?;
        let inside = Inside::open(self.kept.state, self.rack.place)?;
        let mut child = self.kept.spawn(&inside, &mut command)?;
        let line = format!("spp {}", words.join(" "));
        let end = Instant::now() + LIMIT;
        loop {
            self.lives(primary, options)?;
            match programs::wait(&mut child, programs::PAUSE, options)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&log, &line, &programs::ended(&status))),
                None if Instant::now() >= end => {
                    let how = format!("takes longer than {} s", LIMIT.as_secs());
                    return Err(self.failed(&log, &line, &how));
                }
                None => {}
            }
        }
    }

    fn whose(&self) -> &str {
        match self.rack.name.strip_prefix('_') {
            Some(_) => "the panel that carries links with delay, loss or rate",
            None => &self.rack.name,
        }
    }

    fn failed(&self, log: &str, line: &str, how: &str) -> Error {
        programs::failed(self.claim, log, line, self.whose(), how)
    }
}
