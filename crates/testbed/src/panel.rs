//! A whole panel: primary, controller and workers, on names and ports that no other test has.

mod ask;
mod look;
mod plan;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use plan::Builder;

use crate::machine::{self, TempDir};
use crate::proc::{self, MARK, Proc};
use crate::{huge, wait_until};

/// For a process to be ready, or to end.
const START: Duration = Duration::from_secs(30);

/// A running panel. [`Panel::finish`], or dropping it in a test that has not failed, ends it and
/// checks that everything ended cleanly and that nothing is left.
pub struct Panel {
    prefix: String,
    ports: [u16; 3],
    dir: Option<TempDir>,
    primary: Option<Proc>,
    nfvs: BTreeMap<u32, Proc>,
    /// A process was killed: then its sockets may be left and are swept instead of checked.
    killed: bool,
    /// The primary was: likewise its hugepages and runtime folder.
    primary_killed: bool,
    finished: bool,
    plan: Builder,
}

impl Panel {
    /// Begins the description of a panel.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Its EAL file prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where its REST interface listens.
    pub fn rest(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[2]).into()
    }

    /// Where processes connect to its controller: the primary's port, then the secondaries'.
    pub fn control(&self) -> [SocketAddr; 2] {
        [0, 1].map(|n| ([127, 0, 0, 1], self.ports[n]).into())
    }

    /// A folder of this panel's own.
    pub fn dir(&self) -> &Path {
        match &self.dir {
            Some(dir) => dir.path(),
            None => panic!("the panel has ended"),
        }
    }

    /// The folder of its vhost sockets: its own one, or one in that.
    pub fn vhost_dir(&self) -> PathBuf {
        match &self.plan.vhost_folder {
            Some(name) => self.dir().join(name),
            None => self.dir().to_owned(),
        }
    }

    /// The folder in which its controller keeps the desired state, if it does.
    pub fn state_dir(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// The socket of `vhost:N`.
    pub fn socket(&self, number: u32) -> PathBuf {
        self.vhost_dir().join(format!("sock{number}"))
    }

    /// The primary.
    ///
    /// # Panics
    /// If it is not started.
    #[track_caller]
    pub fn primary(&mut self) -> &mut Proc {
        self.primary.as_mut().expect("the primary is started")
    }

    /// A worker process.
    ///
    /// # Panics
    /// If it is not started.
    #[track_caller]
    pub fn nfv(&mut self, id: u32) -> &mut Proc {
        self.nfvs
            .get_mut(&id)
            .unwrap_or_else(|| panic!("nfv {id} is not started"))
    }

    /// A binary of this panel's.
    #[track_caller]
    fn bin(&self, name: &str) -> PathBuf {
        match &self.plan.bin_dir {
            Some(folder) => folder.join(name),
            None => machine::bin(name),
        }
    }

    /// A command that has the mark and the environment of this panel.
    pub fn command(&self, program: Command) -> Command {
        let mut command = program;
        command.env(MARK, &self.prefix);
        // By the environment, which other builds do not mind.
        match self.plan.keeps_state {
            true => command.env("SPP_STATE_DIR", self.state_dir()),
            false => command.env("SPP_STATELESS", "true"),
        };
        command.envs(self.plan.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the primary again (after [`Panel::kill_primary`]), with the same arguments, and waits
    /// until the controller has it.
    #[track_caller]
    pub fn start_primary(&mut self) {
        self.start_primary_with(&[]);
    }

    /// Likewise, with further arguments.
    #[track_caller]
    pub fn start_primary_with(&mut self, more: &[&str]) {
        let mut command = self.primary_command();
        command.args(more);
        self.primary = Some(Proc::spawn("spp-primary", &mut command));
        self.wait_listed(0);
    }

    /// The command that starts the primary: for tests in which it is to fail.
    pub fn primary_command(&self) -> Command {
        let mut command = self.command(Command::new(self.bin("spp-primary")));
        command.args([
            "--file-prefix",
            &self.prefix,
            "--ctl",
            "127.0.0.1",
            "--ctl-ports",
        ]);
        command.arg(self.ports.map(|port| port.to_string()).join(","));
        command
            .arg("--vhost-dir")
            .arg(self.vhost_dir())
            .args(&self.plan.primary);
        command
    }

    /// Starts a worker process, planned or not, and waits until the controller has it.
    #[track_caller]
    pub fn start_nfv(&mut self, id: u32) {
        let command = self.nfv_command(id);
        self.nfvs
            .insert(id, Proc::spawn(&format!("spp-nfv {id}"), &mut { command }));
        self.wait_listed(id);
    }

    /// The command that starts a worker process: for tests in which it is to fail.
    pub fn nfv_command(&self, id: u32) -> Command {
        let plan = self.plan.nfvs.get(&id).cloned().unwrap_or_default();
        let bin = self.bin(plan.bin.unwrap_or("spp-nfv"));
        let program = match plan.cpu {
            Some(cpu) => machine::on_cpu(cpu, bin),
            None => Command::new(bin),
        };
        let mut command = self.command(program);
        command
            .args(["--sec-id", &id.to_string(), "--file-prefix", &self.prefix])
            .args(plan.args);
        command
    }

    #[track_caller]
    fn wait_listed(&mut self, id: u32) {
        let what = format!("the controller to list process {id}");
        let end = std::time::Instant::now() + START;
        loop {
            if self
                .find_detail(id)
                .is_some_and(|found| found.detail.is_some())
            {
                return;
            }
            let proc = if id == 0 {
                self.primary()
            } else {
                self.nfv(id)
            };
            if !proc.is_running() || std::time::Instant::now() > end {
                proc.fail(&format!("waited up to {START:?} for {what}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Has a new process take the place of a worker process while that runs; gives what the new one says of it.
    ///
    /// # Panics
    /// If it does not, or the old one does not end with success.
    #[track_caller]
    pub fn upgrade_nfv(&mut self, id: u32) -> String {
        let mut command = self.nfv_command(id);
        let mut new = Proc::spawn(&format!("spp-nfv {id}, next"), command.arg("--take-over"));
        let told = new.wait_rest_of_line("took over from ", START);
        let old = self.nfvs.insert(id, new);
        let mut old = old.expect("an old one");
        let status = old.wait_exit(START);
        if !status.success() {
            old.fail("should have ended with success");
        }
        self.wait_listed(id);
        told
    }

    /// Kills the primary (SIGKILL).
    pub fn kill_primary(&mut self) {
        self.killed = true;
        self.primary_killed = true;
        self.primary().kill();
        self.primary = None;
    }

    /// Kills a worker process (SIGKILL).
    #[track_caller]
    pub fn kill_nfv(&mut self, id: u32) {
        self.killed = true;
        self.nfv(id).kill();
        self.nfvs.remove(&id);
    }

    /// Ends a worker process properly.
    ///
    /// # Panics
    /// If it does not end within half a minute, or not with success.
    #[track_caller]
    pub fn stop_nfv(&mut self, id: u32) {
        match self.nfvs.remove(&id) {
            Some(mut proc) => end(&mut proc),
            None => panic!("nfv {id} is not started"),
        }
    }

    /// Ends everything and checks that it ended with success and that nothing is left: no process,
    /// hugepage file, runtime folder or socket. What a killed process may leave is swept instead.
    ///
    /// # Panics
    /// If that is not so.
    #[track_caller]
    pub fn finish(mut self) {
        self.end_and_check();
    }

    #[track_caller]
    fn end_and_check(&mut self) {
        self.finished = true;
        while let Some((_, mut nfv)) = self.nfvs.pop_first() {
            end(&mut nfv);
        }
        if let Some(mut primary) = self.primary.take() {
            end(&mut primary);
        } else {
            // The controller outlives a killed primary.
            proc::kill_marked(&self.prefix);
        }
        wait_until("all processes of the panel to end", START, || {
            proc::marked(&self.prefix).is_empty()
        });
        if !self.primary_killed {
            let files = huge::files_of(&self.prefix);
            assert!(files.is_empty(), "hugepages are left: {files:?}");
            let folder = huge::runtime_dir(&self.prefix);
            assert!(
                !folder.exists(),
                "the runtime folder is left: {}",
                folder.display()
            );
        }
        if self.killed {
            return;
        }
        let sockets: Vec<_> = std::fs::read_dir(self.vhost_dir())
            .expect("the folder of vhost sockets")
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| {
                let name = name.to_string_lossy();
                name.starts_with("sock") || name.starts_with("memif")
            })
            .collect();
        assert!(sockets.is_empty(), "sockets are left: {sockets:?}");
    }
}

#[track_caller]
fn end(proc: &mut Proc) {
    let status = proc.terminate(START);
    if !status.success() {
        proc.fail("should have ended with success");
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        let check = !self.finished && !std::thread::panicking();
        if check {
            // Sweeps below even if this fails the test.
            let outcome =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.end_and_check()));
            self.sweep();
            if let Err(failure) = outcome {
                std::panic::resume_unwind(failure);
            }
        } else {
            self.sweep();
        }
    }
}

impl Panel {
    /// Kills what still runs and removes what is left.
    fn sweep(&mut self) {
        self.nfvs.clear();
        self.primary = None;
        proc::kill_marked(&self.prefix);
        crate::wait::poll(Duration::from_secs(10), || {
            proc::marked(&self.prefix).is_empty().then_some(())
        });
        huge::sweep(&self.prefix);
        self.dir = None;
    }
}
