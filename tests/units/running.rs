//! The units under a systemd that runs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testbed::machine::{self, TempDir};
use testbed::proc::run;
use testbed::{Proc, skipped, wait_until};

/// For a machine of its own on a busy one.
const LIMIT: Duration = Duration::from_secs(120);
const UNITS: [&str; 4] = ["spp-primary", "spp-nfv@1", "spp-vf@2", "spp-mirror@3"];

/// A systemd in namespaces of its own, over a copy of this machine's files that goes with it.
struct Machine {
    shell: Proc,
    pid: String,
    _units: TempDir,
}

impl Machine {
    /// Starts it, with these variables for the units. `None` where there is no systemd, or only root may do that.
    fn start(variables: &[&str]) -> Option<Self> {
        if !Path::new("/lib/systemd/systemd").exists() {
            skipped("units::running", "systemd is not installed");
            return None;
        }
        let known = std::fs::read_to_string("/proc/filesystems").expect("file systems");
        if !known.contains("\toverlay") {
            skipped("units::running", "this kernel has no overlay");
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            skipped("units::running", "a systemd of its own takes root");
            return None;
        }
        let units = TempDir::new();
        crate::write_units(&units, "/usr/local/bin");
        let name = machine::unique("u");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/units/machine.sh");
        let mut command = Command::new("bash");
        command.args([script, &name]).arg(units.path());
        command.arg(machine::bin_dir());
        command.arg(format!("SPP_FILE_PREFIX={name}"));
        command.args(variables);
        let mut shell = Proc::spawn("a machine under systemd", &mut command);
        let top = shell.pid().to_string();
        let mut pid = None;
        wait_until("systemd to run", LIMIT, || {
            assert!(shell.is_running(), "{}", shell.output());
            // The shell's child made the namespaces, and waits for the first process in them.
            pid = child(&top).and_then(|maker| child(&maker));
            pid.as_ref().is_some_and(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|comm| comm.trim() == "systemd")
            })
        });
        let machine = Self {
            shell,
            pid: pid.expect("it runs"),
            _units: units,
        };
        let is_up = || {
            let state = run(&mut machine.command("systemctl is-system-running"), LIMIT);
            state.output.trim() == "running"
        };
        wait_until("systemd to be up", LIMIT, is_up);
        Some(machine)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &self.pid, "--", "bash", "-c", line]);
        command.env_clear();
        command.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// The output of a line of the shell that succeeds.
    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let finished = run(&mut self.command(line), LIMIT);
        let log = || run(&mut self.command("journalctl --no-pager -o cat"), LIMIT).output;
        assert!(
            finished.status.success(),
            "{line}: {}\n{}",
            finished.output,
            log()
        );
        finished.output
    }

    /// Patches a worker's rings as soon as the controller knows of it, which may be after it is said to run.
    fn patch(&self, worker: u32) {
        let line = format!("spp nfv {worker} patch ring:0 ring:1");
        wait_until(&line, LIMIT, || {
            run(&mut self.command(&line), LIMIT).status.success()
        });
    }

    /// What stands in the journal of all units.
    fn log(&self) -> String {
        self.ok("journalctl --no-pager -o cat")
    }

    /// Waits until all units run and worker 1 has its patch.
    fn whole(&self, why: &str) {
        wait_until(&format!("a whole panel {why}"), LIMIT, || {
            let all = format!("systemctl is-active spp-ctl {}", UNITS.join(" "));
            let states = run(&mut self.command(&all), LIMIT).output;
            // That of systemctl itself would be a success if one of them runs.
            states.lines().filter(|state| *state == "active").count() == UNITS.len() + 1
                && run(&mut self.command("spp status"), LIMIT)
                    .output
                    .lines()
                    .any(|line| {
                        let mut words = line.split_whitespace();
                        words.by_ref().take(3).eq(["nfv:1", "ring:0", "ring:1"])
                    })
        });
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shell.close_input();
        // Killed, it would leave a folder behind.
        let _ = self.shell.wait_exit(LIMIT);
    }
}

/// The only child of a process.
fn child(pid: &str) -> Option<String> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next().map(str::to_owned)
}

#[test]
fn a_panel_of_units_is_confined_and_comes_back_whatever_is_killed() {
    let Some(machine) = Machine::start(&["SPP_MEMORY=256", "SPP_REPLACE=ask"]) else {
        return;
    };
    machine.ok(&format!("systemctl start {}", UNITS.join(" ")));
    machine.patch(1);
    machine.whole("at first");

    // What systemd takes from them, and that they could take the rest from themselves.
    let status = |program: &str| machine.ok(&format!("cat /proc/$(pgrep -x {program})/status"));
    for program in ["spp-ctl", "spp-nfv", "spp-vf", "spp-mirror"] {
        let status = status(program);
        for wanted in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(wanted), "{program}: {status}");
        }
    }
    assert!(!status("spp-ctl").contains("Uid:\t0"), "a user of its own");
    let log = machine.log();
    let mut warnings = log.lines().filter(|line| line.contains(" WARN "));
    assert_eq!(warnings.next(), None, "{log}");

    for unit in ["spp-nfv@1", "spp-ctl", "spp-primary"] {
        let pid = || machine.ok(&format!("systemctl show --property=MainPID {unit}"));
        let killed = pid();
        machine.ok(&format!(
            "systemctl kill --signal=KILL --kill-who=main {unit}"
        ));
        wait_until("systemd to start it again", LIMIT, || {
            let now = pid();
            now != killed && now.trim() != "MainPID=0"
        });
        machine.whole(&format!("after {unit} was killed"));
    }
    let (left, failed) = (
        "spp-nfv@1.service: Scheduled restart job, restart counter is at 2",
        "Start request repeated too quickly",
    );
    let log = machine.log();
    assert!(log.contains(left) && !log.contains(failed), "{log}");

    machine.ok(&format!("systemctl stop {} spp-ctl", UNITS.join(" ")));
    let remains = machine.ok("ls -A /dev/hugepages /run/dpdk /run/spp | grep -v : || true");
    assert_eq!(remains.trim(), "");
    assert_eq!(machine.ok("systemctl --failed --no-legend").trim(), "");
}

#[test]
fn a_primary_without_the_controllers_unit_keeps_the_state_apart_and_refusals_are_named() {
    let Some(machine) = Machine::start(&["SPP_MEMORY=256"]) else {
        return;
    };
    machine.ok("ln -sf /dev/null /etc/systemd/system/spp-ctl.service");
    let refused = "/run/systemd/system/spp-nfv@4.service.d";
    machine.ok(&format!(
        "mkdir {refused} && printf '[Service]\nSystemCallFilter=~seccomp\n' >{refused}/no.conf && \
         systemctl daemon-reload"
    ));
    machine.ok("systemctl start spp-primary spp-nfv@4");
    machine.patch(4);
    machine.ok("test -s /var/lib/spp-primary/journal");
    assert_eq!(machine.ok("ls -A /var/lib/spp-captures").trim(), "");
    let log = machine.log();
    assert!(log.contains("does not permit seccomp"), "{log}");
    machine.ok("systemctl stop spp-nfv@4 spp-primary");
}
