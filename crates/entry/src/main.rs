//! `spp-entry PROGRAM …`: starts a DPDK program that knows nothing of SPP, in a container, under a PID that no other process of its
//! panel has.
//!
//! DPDK names files of a secondary by its PID, and the first process of every container is PID 1: two of them destroy each
//! other's maps of the shared memory. SPP's own processes see to that themselves; this does it for others. It takes
//! the PID as they do, by a locked file, which the program then holds as long as it lives.
//!
//! With `--leash` it is the first process of a container of the lab: the program waits until its network is there, and all in the
//! container ends when the network does.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use registry::folder::{self, Folder, FolderError};
use registry::pid::{self, PidError};
use sys::leash::Leash;
use sys::signal::CommandExt as _;

/// Exit statuses, as of other programs that start programs: this one failed, the program cannot be started, it is not there.
const FAILED: u8 = 125;
const CANNOT: u8 = 126;
const MISSING: u8 = 127;
/// EAL's option, and its value if it is not given.
const OPTION: &str = "--file-prefix";
const PREFIX: &str = "rte";

/// Starts a DPDK program under a PID that no other process of its panel has.
///
/// The panel is that of the program's own --file-prefix. SIGTERM and SIGINT reach the program; its exit status is the one here.
#[derive(Parser, Debug)]
#[command(name = "spp-entry", version)]
struct Args {
    /// Name of the panel [default: what the program's option of that name says, else rte]
    #[arg(long, value_name = "PREFIX")]
    file_prefix: Option<String>,
    /// Any program, not one of a panel: it is started when a byte comes by this FIFO; without a program nothing is. All of the
    /// container ends when nobody holds the FIFO's other end any more
    #[arg(long, value_name = "FIFO", conflicts_with = "file_prefix")]
    leash: Option<PathBuf>,
    /// The program and its arguments
    #[arg(
        required_unless_present = "leash",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    command: Vec<OsString>,
}

/// Why the program was not started.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Pid(#[from] PidError),
    #[error(transparent)]
    Kernel(#[from] sys::Error),
    #[error("there is no panel {prefix} here: {} is not there (start its primary first, mount that folder into the container, or name another panel with {OPTION})", path.display())]
    NoPanel { prefix: String, path: PathBuf },
    #[error("cannot start {}: {source}", program.display())]
    Start {
        program: PathBuf,
        source: std::io::Error,
    },
}

/// The file prefix among EAL's options, which end at `--`.
fn prefix_of(arguments: &[OsString]) -> Option<String> {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    let mut found = None;
    while let Some(word) = words.next() {
        let word = word.to_string_lossy();
        match word.strip_prefix(OPTION) {
            Some("") => {
                found = words
                    .next()
                    .map(|value| value.to_string_lossy().into_owned())
            }
            Some(rest) => found = rest.strip_prefix('=').map(str::to_owned).or(found),
            None => {}
        }
    }
    found
}

/// The folder in which the panel's processes say which PIDs they have. A primary that is not SPP's has none yet.
fn panel(prefix: &str) -> Result<Folder, Error> {
    let path = folder::runtime_dir(prefix)?;
    match Folder::open(&path) {
        Err(FolderError::Missing(_)) if path.is_dir() => Ok(Folder::create(&path)?),
        Err(FolderError::Missing(_)) => Err(Error::NoPanel {
            prefix: prefix.to_owned(),
            path,
        }),
        found => Ok(found?),
    }
}

/// Comes back only with a failure, and in the parents of the program with its exit status.
fn start(args: &Args) -> Result<ExitCode, Error> {
    if let Some(path) = &args.leash {
        return on_leash(path, &args.command);
    }
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Ok(ExitCode::from(FAILED));
    };
    let prefix = args.file_prefix.clone().or_else(|| prefix_of(arguments));
    let folder = panel(prefix.as_deref().unwrap_or(PREFIX))?;
    // None is lost between a fork and the parent's look at them.
    sys::signal::block_all()?;
    // As PID 1 the kernel would spare it signals that it does not handle, and it would have to reap orphans.
    if std::process::id() == 1 {
        sys::init::go_on_in_child(None)?;
    }
    pid::settle(&folder)?.leave_to_program()?;
    Err(become_program(program, arguments))
}

/// Waits for the word to go on, and starts the program in a child. Comes back only if it is not to be started, or cannot be.
fn on_leash(path: &Path, command: &[OsString]) -> Result<ExitCode, Error> {
    sys::signal::block_all()?;
    let leash = Leash::open(path)?;
    let Some((program, arguments)) = command.split_first() else {
        sys::init::stay(&leash);
    };
    if !leash.wait()? {
        return Ok(ExitCode::SUCCESS);
    }
    sys::init::go_on_in_child(Some(&leash))?;
    Err(become_program(program, arguments))
}

/// Comes back only with the reason why it cannot.
fn become_program(program: &OsStr, arguments: &[OsString]) -> Error {
    let source = Command::new(program)
        .args(arguments)
        .unblock_signals()
        .exec();
    Error::Start {
        program: PathBuf::from(program),
        source,
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match start(&args) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("spp-entry: {error}");
            ExitCode::from(match error {
                Error::Start { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                    MISSING
                }
                Error::Start { .. } => CANNOT,
                _ => FAILED,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panel_is_that_of_the_programs_own_option() {
        let of = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            prefix_of(&words)
        };
        assert_eq!(
            of("-l 1 --file-prefix a -- --file-prefix b").as_deref(),
            Some("a")
        );
        assert_eq!(of("--file-prefix=a --file-prefix=c").as_deref(), Some("c"));
        assert_eq!(of("--file-prefixes x"), None);
        assert_eq!(of("-l 1 -- --file-prefix b"), None);
    }

    #[test]
    fn options_behind_the_program_are_the_programs() {
        let args = Args::try_parse_from(["spp-entry", "testpmd", "--version", "--", "-i"]).unwrap();
        assert_eq!(args.command, ["testpmd", "--version", "--", "-i"]);
        assert!(Args::try_parse_from(["spp-entry"]).is_err());
    }
}
