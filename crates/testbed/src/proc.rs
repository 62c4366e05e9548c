//! A process under test: captured output, input, waits with limits, a certain end.

mod output;

use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use output::Output;
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::wait::poll;

/// In the environment of what tests start, so that their children can be found, too.
pub const MARK: &str = "SPP_TESTBED";

/// Lines of output in the message of a failure.
const TAIL: usize = 40;

/// A running process. Killed and reaped on drop.
pub struct Proc {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    /// Standard error, where it is kept apart.
    errors: Option<Arc<Output>>,
    status: Option<ExitStatus>,
}

impl Proc {
    /// Starts a command with its standard streams captured. `name` is for messages.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        Self::start(name, command, false)
    }

    /// The same for a program whose prompt is waited for: standard error is kept apart, or what it
    /// writes there would stand in the middle of the prompt now and then.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn spawn_with_prompt(name: &str, command: &mut Command) -> Self {
        Self::start(name, command, true)
    }

    #[track_caller]
    fn start(name: &str, command: &mut Command, apart: bool) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: cannot start {command:?}: {error}"));
        let output = Arc::new(Output::default());
        output.follow(child.stdout.take().expect("piped"));
        let errors = apart.then(Arc::<Output>::default);
        let to = errors.as_ref().unwrap_or(&output);
        to.follow(child.stderr.take().expect("piped"));
        let stdin = child.stdin.take();
        Self {
            name: name.to_owned(),
            child,
            stdin,
            output,
            errors,
            status: None,
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written so far.
    pub fn output(&self) -> String {
        self.output.text().clone()
    }

    /// How much it has written so far, for [`Proc::wait_output_from`].
    pub fn position(&self) -> usize {
        self.output.text().len()
    }

    /// Waits until its output contains `text`.
    ///
    /// # Panics
    /// If it does not within `limit`, or the process ends without having written it.
    #[track_caller]
    pub fn wait_output(&mut self, text: &str, limit: Duration) -> String {
        self.wait_output_from(0, text, limit)
    }

    /// Waits until its output contains a whole line with `text`; returns what follows `text` in it.
    ///
    /// # Panics
    /// As [`Proc::wait_output`].
    #[track_caller]
    pub fn wait_rest_of_line(&mut self, text: &str, limit: Duration) -> String {
        let before = self.wait_output(text, limit).len() + text.len();
        self.wait_output_from(before, "\n", limit)
    }

    /// Waits until its output after `position` contains `text`; returns what is between.
    ///
    /// # Panics
    /// As [`Proc::wait_output`].
    #[track_caller]
    pub fn wait_output_from(&mut self, position: usize, text: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        let output = Arc::clone(&self.output);
        let mut all = output.text();
        loop {
            if let Some(at) = all[position..].find(text) {
                return all[position..position + at].to_owned();
            }
            let closed = output.closed();
            let now = Instant::now();
            if closed || now >= end {
                drop(all);
                let why = if closed {
                    "it closed its output"
                } else {
                    "it did not come"
                };
                self.fail(&format!(
                    "waited up to {limit:?} for output {text:?}: {why}"
                ));
            }
            // A limit of its own: the end of the pipes is not announced under the lock.
            let pause = (end - now).min(Duration::from_millis(100));
            all = match output.more.wait_timeout(all, pause) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// If that is closed.
    #[track_caller]
    pub fn send(&mut self, line: &str) {
        let sent = match &mut self.stdin {
            Some(stdin) => stdin.write_all(format!("{line}\n").as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        if let Err(error) = sent {
            self.fail(&format!("cannot send {line:?}: {error}"));
        }
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status.is_none()
    }

    /// Sends it a signal. A process that has been reaped is left alone: its number may be another's.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running()
            && let Err(error) = kill_process(Pid::from_child(&self.child), signal)
        {
            self.fail(&format!("cannot be sent {signal:?}: {error}"));
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it still runs after `limit`.
    #[track_caller]
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        match poll(limit, || if self.is_running() { None } else { self.status }) {
            Some(status) => {
                // What it wrote last is on its way through the pipes, unless a child holds them.
                poll(Duration::from_secs(1), || {
                    (self.output.closed()).then_some(())
                });
                status
            }
            None => self.fail(&format!("still runs after {limit:?}")),
        }
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Panics
    /// If it still runs after `limit`.
    #[track_caller]
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_exit(limit)
    }

    /// Asks it to end as Ctrl-C does (SIGINT) and waits.
    ///
    /// # Panics
    /// If it still runs after `limit`.
    #[track_caller]
    pub fn interrupt(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::INT);
        self.wait_exit(limit)
    }

    /// Kills it (SIGKILL) and reaps it.
    #[track_caller]
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait_exit(Duration::from_secs(10))
    }

    /// Fails the test in this process's name, with the end of its output.
    ///
    /// # Panics
    /// Always.
    #[track_caller]
    pub fn fail(&mut self, why: &str) -> ! {
        let state = match (self.is_running(), self.status) {
            (false, Some(status)) => format!("ended with {status}"),
            _ => format!("process {}", self.pid()),
        };
        panic!("{} ({state}): {why}\n{}", self.name, self.tail());
    }

    fn tail(&self) -> String {
        let mut text = self.output();
        if let Some(errors) = &self.errors {
            text.insert_str(0, &errors.text());
        }
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        format!(
            "--- the last output of {} ---\n{}\n---",
            self.name,
            lines[from..].join("\n")
        )
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
        if self.is_running() {
            // Both may fail only because it has just ended.
            let _ = self.child.kill();
            if poll(Duration::from_secs(10), || {
                (!self.is_running()).then_some(())
            })
            .is_none()
            {
                eprintln!("{}: process {} cannot be killed", self.name, self.pid());
            }
        }
    }
}

/// A command that has run to its end.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output and error, in the order of arrival.
    pub output: String,
}

impl Finished {
    /// The output of a command that succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn success(self) -> String {
        assert!(self.status.success(), "{}: {}", self.status, self.output);
        self.output
    }

    /// The output of a command that failed with an exit status (not by a signal).
    ///
    /// # Panics
    /// If it succeeded or was killed.
    #[track_caller]
    pub fn failure(self) -> String {
        assert!(
            self.status.code().is_some_and(|code| code != 0),
            "it should have failed with a status: {}: {}",
            self.status,
            self.output
        );
        self.output
    }
}

/// Runs a command to its end, without input.
///
/// # Panics
/// If it cannot be started or does not end within `limit`.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    let mut proc = Proc::spawn(&format!("{command:?}"), command);
    proc.close_input();
    let status = proc.wait_exit(limit);
    Finished {
        status,
        output: proc.output(),
    }
}

/// Processes that carry this mark in their environment (variable [`MARK`]) and still run.
pub fn marked(mark: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={mark}");
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            // A zombie has no environment; what ended between the two steps has none either.
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ
                    .split(|byte| *byte == 0)
                    .any(|v| v == wanted.as_bytes())
            })
        })
        .collect()
}

/// Kills the processes that carry this mark.
pub fn kill_marked(mark: &str) {
    marked(mark).into_iter().for_each(kill_pid);
}

/// Kills a process by its id, unless it has just ended by itself.
pub fn kill_pid(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn input_and_output_are_at_hand() {
        let mut cat = Proc::spawn("cat", &mut Command::new("cat"));
        cat.send("grüß Gott");
        assert_eq!(cat.wait_output(" Gott\n", LIMIT), "grüß");
        let position = cat.position();
        cat.send("again Gott");
        assert_eq!(cat.wait_output_from(position, " Gott", LIMIT), "again");
        cat.close_input();
        assert!(cat.wait_exit(LIMIT).success());
    }

    #[test]
    fn standard_error_is_captured_too() {
        let finished = run(&mut sh("echo out; echo err >&2; exit 3"), LIMIT);
        assert_eq!(finished.status.code(), Some(3));
        assert!(finished.output.contains("out\n") && finished.output.contains("err\n"));
        finished.failure();
    }

    #[test]
    #[should_panic(expected = "the last output")]
    fn a_missing_line_fails_with_the_output() {
        let mut proc = Proc::spawn("speaker", &mut sh("echo hello; exec sleep 60"));
        proc.wait_output("hello", LIMIT);
        proc.wait_output("goodbye", Duration::from_millis(50));
    }

    #[test]
    #[should_panic(expected = "it closed its output")]
    fn waiting_for_output_of_an_ended_process_does_not_take_the_limit() {
        Proc::spawn("short", &mut sh("exit 0")).wait_output("x", Duration::from_secs(3600));
    }

    #[test]
    #[should_panic(expected = "still runs after")]
    fn a_process_that_ignores_sigterm_fails_the_test() {
        let mut proc = Proc::spawn(
            "deaf",
            &mut sh("trap '' TERM; echo ready; while :; do sleep 0.1; done"),
        );
        proc.wait_output("ready", LIMIT);
        proc.terminate(Duration::from_millis(100));
    }

    #[test]
    fn drop_kills_and_reaps() {
        let proc = Proc::spawn("sleeper", &mut sh("trap '' TERM; exec sleep 60"));
        let entry = format!("/proc/{}", proc.pid());
        assert!(std::path::Path::new(&entry).exists());
        drop(proc);
        assert!(!std::path::Path::new(&entry).exists());
    }

    #[test]
    fn children_are_found_by_their_mark() {
        let mark = crate::machine::unique("mark");
        let mut proc = Proc::spawn("parent", sh("sleep 60 & echo $!; wait").env(MARK, &mark));
        let child: u32 = proc.wait_output("\n", LIMIT).parse().expect("a process id");
        proc.kill();
        crate::wait_until("the child to be all that is left", LIMIT, || {
            marked(&mark) == [child]
        });
        kill_marked(&mark);
        crate::wait_until("the child to go", LIMIT, || marked(&mark).is_empty());
    }
}
