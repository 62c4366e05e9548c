//! Processes started one by one, where a whole panel knows too well how it is done.

// Each test executable uses a part of it.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testbed::machine::{self, TempDir};
use testbed::proc::{self, MARK};
use testbed::{Finished, Proc, huge, wait_until};

/// For a condition to come, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A file prefix, ports and a folder that nobody else has; what was started with its commands is
/// ended and swept on drop.
pub struct Hand {
    pub prefix: String,
    /// For primaries, for secondaries, for REST.
    pub ports: [u16; 3],
    pub dir: TempDir,
}

impl Hand {
    pub fn new() -> Self {
        Self {
            prefix: machine::unique("h"),
            ports: machine::free_ports(),
            dir: TempDir::new(),
        }
    }

    /// A program of ours with these arguments, blanks between them.
    pub fn command(&self, program: impl AsRef<Path>, arguments: &str) -> Command {
        let program = program.as_ref();
        let path = match program.components().count() {
            1 => machine::bin(program.to_str().expect("a name")),
            _ => program.to_owned(),
        };
        let mut command = Command::new(path);
        command.env(MARK, &self.prefix);
        command.env("SPP_STATELESS", "true");
        command.args(arguments.split_whitespace());
        command
    }

    pub fn start(&self, program: impl AsRef<Path>, arguments: &str) -> Proc {
        let name = format!("{} {arguments}", program.as_ref().display());
        Proc::spawn(&name, &mut self.command(program, arguments))
    }

    pub fn run(&self, program: &str, arguments: &str) -> Finished {
        proc::run(&mut self.command(program, arguments), LIMIT)
    }

    /// The arguments of a primary in the new form.
    pub fn primary(&self, more: &str) -> String {
        let [p, s, r] = self.ports;
        format!(
            "--file-prefix {} --ctl-ports {p},{s},{r} --vhost-dir {} --memory 256 {more}",
            self.prefix,
            self.dir.path().display(),
        )
    }

    /// The arguments of an nfv in the new form.
    pub fn nfv(&self, id: u32, more: &str) -> String {
        format!("--sec-id {id} --file-prefix {} {more}", self.prefix)
    }

    pub fn rest(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[2]).into()
    }

    /// Runs the operator's command.
    pub fn spp(&self, line: &str) -> Finished {
        self.run("spp", &format!("-b {} {line}", self.rest()))
    }

    /// Runs a command line of the operator until it takes effect: what it needs may be starting.
    #[track_caller]
    pub fn wait_ok(&self, line: &str) -> String {
        let mut output = String::new();
        wait_until(&format!("`spp {line}` to succeed"), LIMIT, || {
            let finished = self.spp(line);
            output = finished.output;
            finished.status.success()
        });
        output
    }

    /// Nothing of this prefix runs, and nothing is left of it.
    #[track_caller]
    pub fn wait_nothing_left(&self) {
        wait_until("all processes to end", LIMIT, || {
            proc::marked(&self.prefix).is_empty()
        });
        let folder = huge::runtime_dir(&self.prefix);
        let mut left = huge::files_of(&self.prefix);
        left.extend(folder.exists().then_some(folder));
        assert!(left.is_empty(), "left: {left:?}");
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        proc::kill_marked(&self.prefix);
        testbed::wait::poll(LIMIT, || {
            proc::marked(&self.prefix).is_empty().then_some(())
        });
        huge::sweep(&self.prefix);
    }
}
