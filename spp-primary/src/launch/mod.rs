//! Processes that `launch` starts: reaped at once, remembered, started again if asked for.

mod hang;
mod log;
mod record;
mod restart;
mod upgrade;

use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use process::Error;
use protocol::detail::LaunchedDetail;
use protocol::quotable;
use sys::signal::CommandExt as _;

use crate::children::{beside, program};
use crate::options::Order;
use log::Log;
use record::Record;
pub use record::{Recorded, take as take_recorded};
use restart::{Backoff, Restart};

/// Programs that may be launched, by the second part of their names.
pub const KINDS: [&str; 4] = ["nfv", "vf", "mirror", "pcap"];
/// Time between two looks at the length of the logs.
const TRIM: Duration = Duration::from_secs(1);

/// What a launched process does.
enum State {
    Running(Child),
    /// Ended; the next start is at this time.
    Waiting(Instant),
    /// Ended for good.
    Exited,
}

/// A process that was launched, and what became of it.
struct Launched {
    kind: &'static str,
    args: Vec<String>,
    restart: Restart,
    /// For how long it may hang.
    hang_limit: Option<Duration>,
    /// For how long it has.
    hung: Duration,
    /// It was killed because it hung: in which way.
    killed: Option<String>,
    backoff: Backoff,
    state: State,
    pid: Option<u32>,
    /// When it came into this state, by the clock of the wall and by that of the machine.
    since: (String, Instant),
    /// How it last ended, in words.
    exit: Option<String>,
    last_words: Vec<String>,
    restarts: u64,
    log: Log,
    /// It was told to exit, by a command: it is not started again.
    leaving: bool,
    /// A newer program that is to take its place.
    next: Option<Child>,
    /// What became of the last one of these.
    upgrade: Option<String>,
}

/// The processes that `launch` started, by id.
pub struct Launcher {
    folder: PathBuf,
    /// The panel's.
    file_prefix: String,
    processes: BTreeMap<u32, Launched>,
    record: Record,
    trimmed: Instant,
    looked: Instant,
}

impl Launcher {
    /// Logs go to `folder`, which is made when it is needed. What is launched belongs to the panel `file_prefix`, unless its
    /// arguments name another. What runs is recorded in `panel`, for the next primary.
    pub fn new(folder: PathBuf, file_prefix: &str, panel: &Path) -> Self {
        Launcher {
            folder,
            file_prefix: file_prefix.to_owned(),
            processes: BTreeMap::new(),
            record: Record::new(panel),
            trimmed: Instant::now(),
            looked: Instant::now(),
        }
    }

    /// Starts `spp_nfv` and the like with these arguments. Whether the process comes up shows in [`Launcher::details`]
    /// and at the controller.
    ///
    /// # Errors
    /// No such program or id, a process of ours has the id, or the program cannot be started.
    pub fn launch(&mut self, id: &str, name: &str, args: &[String]) -> Result<(), Error> {
        let kind = KINDS
            .into_iter()
            .find(|kind| {
                name == format!("spp_{kind}") || name == format!("spp-{kind}") || name == *kind
            })
            .ok_or_else(|| {
                Error::Refused(format!(
                    "'{}' cannot be launched: spp_nfv, spp_vf, spp_mirror and spp_pcap can",
                    quotable(name)
                ))
            })?;
        let id = number(id)?;
        let mut args = args.to_vec();
        let restart = Restart::take(&mut args)?;
        let hang_limit = restart.take_hang_limit(&mut args)?;
        place(&mut args, &self.file_prefix);
        if let Some(Launched {
            state: State::Running(child),
            kind,
            ..
        }) = self.processes.get(&id)
        {
            return Err(Error::Refused(format!(
                "{kind} {id} was launched already and runs as process {}: end it, or choose another id",
                child.id()
            )));
        }
        let mut launched = Launched {
            kind,
            args,
            restart,
            hang_limit,
            hung: Duration::ZERO,
            killed: None,
            backoff: Backoff::default(),
            state: State::Exited,
            pid: None,
            since: now(),
            exit: None,
            last_words: Vec::new(),
            restarts: 0,
            log: Log::new(&self.folder, kind, id),
            leaving: false,
            next: None,
            upgrade: None,
        };
        let started = launched.start(id);
        if let Err(e) = &started {
            launched.exit = Some("not started".into());
            launched.last_words = vec![e.to_string()];
        }
        self.processes.insert(id, launched);
        self.note();
        started
    }

    /// Launches what the command line asks for. What a former primary had launched by the same id runs again already.
    pub fn begin(&mut self, orders: &[Order]) {
        for Order { id, kind, args } in orders {
            if self.processes.contains_key(id) {
                continue;
            }
            if let Err(e) = self.launch(&id.to_string(), kind, args) {
                ::log::error!("--launch {kind} {id}: {e}");
            }
        }
    }

    /// Gives the supervision of a process up: it is neither started again nor killed when it hangs, and forgotten unless
    /// it still runs.
    ///
    /// # Errors
    /// No process of this id was launched.
    pub fn release(&mut self, id: &str) -> Result<(), Error> {
        let id = number(id)?;
        let unknown = || Error::Refused(format!("no process with the id {id} was launched here"));
        let launched = self.processes.get_mut(&id).ok_or_else(unknown)?;
        match launched.state {
            State::Running(_) => {
                launched.restart = Restart::Never;
                launched.hang_limit = None;
            }
            State::Waiting(_) | State::Exited => {
                self.processes.remove(&id);
            }
        }
        self.note();
        Ok(())
    }

    /// The process with this id says that it was told to exit.
    ///
    /// # Errors
    /// No id.
    pub fn leaving(&mut self, id: &str) -> Result<(), Error> {
        if let Some(launched) = self.processes.get_mut(&number(id)?) {
            launched.leaving = true;
            self.note();
        }
        Ok(())
    }

    /// Reaps those that have ended, and decides what becomes of them.
    pub fn reap(&mut self) {
        let mut any = false;
        for (id, launched) in &mut self.processes {
            launched.reap_next(*id);
            if let State::Running(child) = &mut launched.state {
                match child.try_wait() {
                    Ok(Some(status)) => {
                        if !launched.pass_on(*id) {
                            launched.ended(*id, status);
                        }
                        any = true;
                    }
                    Ok(None) => {}
                    Err(e) => ::log::error!("{} {id} cannot be watched: {e}", launched.kind),
                }
            }
        }
        if any {
            self.note();
        }
    }

    /// Starts those again whose time has come, and keeps the logs short.
    pub fn tick(&mut self) {
        for (id, launched) in &mut self.processes {
            if matches!(launched.state, State::Waiting(until) if until <= Instant::now()) {
                launched.again(*id);
            }
        }
        if self.trimmed.elapsed() < TRIM {
            return;
        }
        self.trimmed = Instant::now();
        for (id, launched) in &mut self.processes {
            if let (State::Running(_), Err(e)) = (&launched.state, launched.log.trim()) {
                let path = launched.log.path().display();
                ::log::warn!(
                    "the log of {} {id} cannot be kept short: {path}: {e}",
                    launched.kind
                );
            }
        }
    }

    /// How many of them run.
    pub fn running(&self) -> usize {
        let runs = |launched: &&Launched| matches!(launched.state, State::Running(_));
        self.processes.values().filter(runs).count()
    }

    /// All that were launched, by id.
    pub fn details(&self) -> Vec<LaunchedDetail> {
        let detail = |(id, launched): (&u32, &Launched)| LaunchedDetail {
            client_id: *id,
            kind: launched.kind.to_string(),
            pid: launched.pid,
            state: match launched.state {
                State::Running(_) => "running",
                State::Waiting(_) => "restarting",
                State::Exited => "exited",
            }
            .to_string(),
            since: launched.since.0.clone(),
            exit: launched.exit.clone(),
            last_words: launched.last_words.clone(),
            restart: launched.restart.word().to_string(),
            restarts: launched.restarts,
            upgrade: launched.upgrade.clone(),
            log: launched.log.path().display().to_string(),
        };
        self.processes.iter().map(detail).collect()
    }
}

impl Launched {
    fn start(&mut self, id: u32) -> Result<(), Error> {
        let child = self.spawn(id, &[])?;
        self.pid = Some(child.id());
        self.state = State::Running(child);
        self.since = now();
        self.leaving = false;
        self.hung = Duration::ZERO;
        Ok(())
    }

    /// Starts its program, with these further variables of the environment.
    fn spawn(&mut self, id: u32, environment: &[(&str, &str)]) -> Result<Child, Error> {
        let path = beside(&format!("spp-{}", self.kind))?;
        let refused = |what: &std::path::Path, e: std::io::Error| {
            Error::Refused(format!("{}: {e}", what.display()))
        };
        let log = self.log.open().map_err(|e| refused(self.log.path(), e))?;
        let errors = log.try_clone().map_err(|e| refused(self.log.path(), e))?;
        let child = program(&path)
            .args(&self.args)
            .envs(environment.iter().copied())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .parent_death_signal(None)
            .spawn()
            .map_err(|e| refused(&path, e))?;
        ::log::info!(
            "launched spp-{} {id} as process {}, its log is {}",
            self.kind,
            child.id(),
            self.log.path().display()
        );
        Ok(child)
    }

    fn again(&mut self, id: u32) {
        self.restarts += 1;
        if let Err(e) = self.start(id) {
            ::log::error!("spp-{} {id} cannot be started again: {e}", self.kind);
            self.pid = None;
            self.exit = Some("not started".into());
            self.last_words = vec![e.to_string()];
            self.state = State::Waiting(Instant::now() + self.backoff.next(Duration::ZERO));
        }
    }

    fn ended(&mut self, id: u32, status: ExitStatus) {
        let ran = self.since.1.elapsed();
        let level = if status.success() {
            ::log::Level::Info
        } else {
            ::log::Level::Error
        };
        ::log::log!(level, "spp-{} {id} ended: {status}", self.kind);
        self.since = now();
        self.exit = Some(match self.killed.take() {
            Some(why) => format!("{} by the primary: {why}", in_words(status)),
            None => in_words(status),
        });
        self.last_words = if status.success() {
            Vec::new()
        } else {
            self.log.last_words()
        };
        let again = match self.restart {
            _ if self.leaving => false,
            Restart::Never => false,
            Restart::OnFailure => !status.success(),
            Restart::Always => true,
        };
        self.state = if again {
            let pause = self.backoff.next(ran);
            ::log::info!("spp-{} {id} is started again in {pause:?}", self.kind);
            State::Waiting(Instant::now() + pause)
        } else {
            State::Exited
        };
    }
}

/// `exit status 2`, `killed by signal 9 (SIGKILL)`.
fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        // The standard library knows the names.
        (None, Some(_)) => format!("killed by {}", status.to_string().replacen(": ", " ", 1)),
        (None, None) => status.to_string(),
    }
}

fn number(id: &str) -> Result<u32, Error> {
    match id.parse() {
        Ok(number @ 1..=127) => Ok(number),
        _ => Err(Error::Refused(format!(
            "'{}' is no id of a secondary: 1 to 127",
            quotable(id)
        ))),
    }
}

/// The time, for people and for differences.
fn now() -> (String, Instant) {
    let seconds = jiff::Timestamp::now().as_second();
    let shown =
        jiff::Timestamp::from_second(seconds).map_or_else(|e| e.to_string(), |t| t.to_string());
    (shown, Instant::now())
}

/// Names the panel in arguments that name none: they are for a process of whoever launches it.
fn place(args: &mut Vec<String>, file_prefix: &str) {
    const OPTION: &str = "--file-prefix";
    let names = |arg: &String| arg.split('=').next() == Some(OPTION);
    if !args.iter().take_while(|arg| *arg != "--").any(names) {
        args.splice(0..0, [OPTION.to_owned(), file_prefix.to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_put_in_words() {
        assert_eq!(in_words(ExitStatus::from_raw(0)), "exit status 0");
        assert_eq!(in_words(ExitStatus::from_raw(2 << 8)), "exit status 2");
        assert_eq!(
            in_words(ExitStatus::from_raw(9)),
            "killed by signal 9 (SIGKILL)"
        );
    }

    #[test]
    fn arguments_that_name_no_panel_are_for_ours() {
        for (given, wanted) in [
            ("", "--file-prefix p"),
            ("-l 1 -- -n 1", "--file-prefix p -l 1 -- -n 1"),
            (
                "-l 1 -- --file-prefix q",
                "--file-prefix p -l 1 -- --file-prefix q",
            ),
            (
                "-l 1 --file-prefix q -- -n 1",
                "-l 1 --file-prefix q -- -n 1",
            ),
            ("--file-prefix=q --sec-id 1", "--file-prefix=q --sec-id 1"),
        ] {
            let mut args = given.split_whitespace().map(str::to_owned).collect();
            place(&mut args, "p");
            assert_eq!(args.join(" "), wanted);
        }
    }

    #[test]
    fn times_are_of_seconds_in_utc() {
        let shown = now().0;
        assert!(shown.ends_with('Z') && !shown.contains('.'), "{shown}");
        assert_eq!(shown.len(), "2026-01-31T23:59:59Z".len());
    }

    #[test]
    fn only_our_programs_and_ids_are_launched() {
        let mut launcher = Launcher::new("/nonexistent".into(), "p", Path::new("/nonexistent"));
        for (id, name, words) in [
            ("1", "sh", "cannot be launched"),
            ("1", "../spp_nfv", "cannot be launched"),
            ("1", "spp_ctl", "cannot be launched"),
            ("0", "spp_nfv", "1 to 127"),
            ("128", "spp_nfv", "1 to 127"),
            ("../1", "spp_nfv", "1 to 127"),
        ] {
            let told = launcher.launch(id, name, &[]).unwrap_err().to_string();
            assert!(told.contains(words), "{id} {name}: {told}");
        }
        assert!(launcher.details().is_empty());
        assert!(launcher.release("1").is_err());
        assert!(launcher.leaving("0").is_err());
        assert!(launcher.leaving("1").is_ok());
    }
}
