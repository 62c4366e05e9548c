//! A process of the panel that is stopped after any number of instructions of an operation.
//!
//! Three processes: the test itself, which only watches and cleans up; a DPDK primary, which steps,
//! recovers and audits; and a secondary, the *mould*. A start of EAL takes too long for every
//! instruction, so the mould forks: its child has the same shared memory, the same lcore id and one
//! thread, does one operation, and is all that is ever killed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use testbed::proc::{MARK, kill_marked, marked};
use testbed::{Proc, huge, machine, wait_until};

use crate::{Eal, EalConfig, Lcore, ProcessType};

/// For everything in one test, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(900);
/// For the end of what was told to end.
const SOON: Duration = Duration::from_secs(20);
/// Hugepages of a primary.
const PAGES: u32 = 16;

const ROLE: &str = "SPP_TEST_STEPPER_ROLE";
const BEGIN: Signal = Signal::SIGUSR1;
const END: Signal = Signal::SIGUSR2;

/// The lcore of the mould and its children.
pub const STEPPED: u32 = 2;
/// Another lcore of the primary's process.
pub const BYSTANDER: u32 = 1;

/// What ends with the test, also when it fails.
struct Place(String);

impl Drop for Place {
    fn drop(&mut self) {
        kill_marked(&self.0);
        testbed::wait::poll(SOON, || marked(&self.0).is_empty().then_some(()));
        huge::sweep(&self.0);
    }
}

fn again(name: &str, prefix: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(MARK, prefix);
    command
}

/// Runs `steps` in a primary that has a mould, whose children run `operation`. `name` is the test's
/// whole path in its crate; `cpu` is where it runs, so that stepping costs no trip to another CPU.
pub fn with_mould(
    name: &str,
    cpu: usize,
    steps: impl FnOnce(Eal, Lcore, &mut dyn FnMut() -> Mould),
    operation: impl FnOnce(&Lcore, Operations),
) {
    let (own, other) = (machine::cpu(cpu), machine::cpu(cpu + 1));
    match std::env::var(ROLE).as_deref() {
        Ok("primary") => {
            let prefix = std::env::var(MARK).unwrap();
            let lcores = vec![(0, own), (BYSTANDER, other)];
            let mut config = EalConfig::new(ProcessType::Primary, &prefix, lcores);
            config.memory_mb = Some(2 * PAGES);
            let (eal, lcore) = Eal::init(&config).unwrap();
            steps(eal, lcore, &mut || Mould::start(name, &prefix));
        }
        Ok("mould") => {
            let prefix = std::env::var(MARK).unwrap();
            let lcores = vec![(STEPPED, own)];
            let config = EalConfig::new(ProcessType::Secondary, &prefix, lcores);
            let (_eal, lcore) = Eal::init(&config).unwrap();
            operation(&lcore, Operations { _private: () });
        }
        _ => {
            huge::need(u64::from(PAGES));
            let place = Place(machine::unique("step"));
            let mut primary = Proc::spawn(name, &mut again(name, &place.0, "primary"));
            let status = primary.wait_exit(LIMIT);
            let output = primary.output();
            assert!(
                status.success() && output.contains("1 passed"),
                "{name} failed in its own process ({status}):\n{output}"
            );
            for line in output
                .lines()
                .filter(|line| line.contains(" instructions") || line.contains(" kills"))
            {
                println!("{line}");
            }
            wait_until("the mould to end", SOON, || marked(&place.0).is_empty());
        }
    }
}

/// What the mould is asked for.
pub struct Operations {
    _private: (),
}

impl Operations {
    /// Forks a child for every operation that the primary asks for, until it asks for no more.
    pub fn serve(self, mut operation: impl FnMut(&str)) {
        let mut lines = std::io::stdin().lines();
        while let Some(Ok(name)) = lines.next() {
            let (seized, mut go) = std::io::pipe().unwrap();
            // SAFETY: the child runs on this thread alone, the lcore's; EAL's other threads of the
            // mould serve devices and messages, which the operations do not use, and the C
            // library keeps its allocator usable over a fork.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => {
                    drop(go);
                    child(seized, || operation(&name));
                }
                ForkResult::Parent { child } => {
                    println!("child {child}");
                    if lines.next().is_none() {
                        return;
                    }
                    go.write_all(b"g").unwrap();
                    waitpid(child, None).unwrap();
                }
            }
        }
    }
}

/// The child's whole life: it never returns into the test that its mould runs.
fn child(mut seized: PipeReader, operation: impl FnOnce()) -> ! {
    if seized.read_exact(&mut [0]).is_ok() {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(operation));
    }
    let _ = raise(Signal::SIGKILL);
    std::process::abort()
}

/// The part of an operation that is stepped through.
#[inline(always)]
pub fn between_marks<R>(work: impl FnOnce() -> R) -> R {
    let _ = raise(BEGIN);
    let result = work();
    let _ = raise(END);
    result
}

/// Where an operation begins that goes on until it is killed.
pub fn begin() {
    let _ = raise(BEGIN);
}

/// The secondary that forks, as the primary sees it.
pub struct Mould {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Mould {
    fn start(name: &str, prefix: &str) -> Self {
        let mut process = again(name, prefix, "mould")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Mould {
            requests: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// A child that is stopped before the first instruction of `operation`.
    pub fn cast(&mut self, operation: &str) -> Stepped {
        writeln!(self.requests, "{operation}").unwrap();
        let mut line = String::new();
        let pid = loop {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "no mould");
            // The test runner writes into the same stream.
            if let Some((_, pid)) = line.split_once("child ") {
                break Pid::from_raw(pid.trim().parse().unwrap());
            }
        };
        ptrace::seize(pid, ptrace::Options::PTRACE_O_EXITKILL).unwrap();
        writeln!(self.requests, "go").unwrap();
        let stepped = Stepped { pid };
        assert_eq!(stepped.stop(), BEGIN, "{operation}");
        stepped
    }

    /// Ends the mould.
    pub fn finish(self) {
        let Mould {
            mut process,
            requests,
            ..
        } = self;
        drop(requests);
        assert!(process.wait().unwrap().success());
    }
}

/// A child that stands still.
pub struct Stepped {
    pid: Pid,
}

impl Stepped {
    fn stop(&self) -> Signal {
        match waitpid(self.pid, None).unwrap() {
            WaitStatus::Stopped(_, signal) => signal,
            other => panic!("the stepped process: {other:?}"),
        }
    }

    /// Lets it carry out one instruction; false at the end of the operation.
    fn step(&self) -> bool {
        ptrace::step(self.pid, None).unwrap();
        match self.stop() {
            Signal::SIGTRAP => true,
            END => false,
            other => panic!("the stepped process got {other}"),
        }
    }

    /// Goes to the end of the operation; gives the instructions that it comes by.
    pub fn record(&self) -> Vec<u64> {
        let mut way = vec![self.at()];
        while self.step() {
            way.push(self.at());
        }
        way
    }

    /// Steps to the end of the operation; gives the number of instructions.
    pub fn step_to_end(&self) -> usize {
        1 + std::iter::from_fn(|| self.step().then_some(())).count()
    }

    /// Goes from the beginning of `way` to its `n`th instruction. A stop costs far more than the instruction, so
    /// it runs through loops by a breakpoint at one of their instructions, and only steps from there.
    pub fn go_to(&self, way: &[u64], n: usize) {
        let mut times: HashMap<u64, usize> = HashMap::new();
        // Where to step from, and how often the breakpoint there is met until then.
        let (mut from, mut met) = (0, 0);
        for (m, place) in way.iter().enumerate().take(n + 1) {
            let times = times.entry(*place).or_default();
            *times += 1;
            if cfg!(target_arch = "x86_64") && *place != way[0] && *times + n - m < met + n - from {
                (from, met) = (m, *times);
            }
        }
        if met > 0 {
            self.breakpoint(Some(way[from]));
            for _ in 0..met {
                ptrace::cont(self.pid, None).unwrap();
                assert_eq!(self.stop(), Signal::SIGTRAP);
            }
            self.breakpoint(None);
        }
        assert!((from..n).all(|_| self.step()));
        assert_eq!(self.at(), way[n], "instruction {n} is another one now");
    }

    /// Sets the first of the CPU's breakpoints for this process, or takes it away.
    fn breakpoint(&self, at: Option<u64>) {
        let registers = std::mem::offset_of!(libc::user, u_debugreg);
        let set = |number: usize, value: u64| {
            let offset = (registers + number * 8) as ptrace::AddressType;
            ptrace::write_user(self.pid, offset, value as i64).unwrap();
        };
        set(0, at.unwrap_or(0));
        // Register 7: enabled for this process, when the instruction is about to be carried out.
        set(7, u64::from(at.is_some()));
    }

    /// Lets it go on to the end of the operation.
    pub fn go_on(&self) {
        ptrace::cont(self.pid, None).unwrap();
        assert_eq!(self.stop(), END);
    }

    /// Lets it go on, until it is killed.
    pub fn run(&self) {
        ptrace::cont(self.pid, None).unwrap();
    }

    /// Address of its next instruction.
    fn at(&self) -> u64 {
        let registers = ptrace::getregs(self.pid).unwrap();
        #[cfg(target_arch = "x86_64")]
        return registers.rip;
        #[cfg(target_arch = "aarch64")]
        return registers.pc;
    }

    /// Kills it where it stands.
    pub fn kill(self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
        match waitpid(self.pid, None).unwrap() {
            WaitStatus::Signaled(_, Signal::SIGKILL, _) => {}
            other => panic!("the killed process: {other:?}"),
        }
    }
}

/// A loop of more rounds is long, unless an operation says otherwise.
pub const LONG: usize = 8;
/// Of a long loop these rounds at the beginning and at the end are walked through,
const ENDS: usize = 2;
/// and every so many instructions of the others: a prime, so that all instructions of the loop are met.
const STRIDE: usize = 17;
/// Set: long loops are walked through from end to end.
const ALL: &str = "SPP_TEST_EVERY_INSTRUCTION";

/// The instructions of a way to stop at: every single one, but in the middle of loops of more than `long` rounds.
pub fn choose(way: &[u64], long: usize) -> Vec<usize> {
    let all = std::env::var_os(ALL).is_some();
    let mut times: HashMap<u64, Vec<usize>> = HashMap::new();
    for (n, place) in way.iter().enumerate() {
        times.entry(*place).or_default().push(n);
    }
    let chosen = way.iter().enumerate().filter(|(n, place)| {
        let times = &times[*place];
        let (first, last) = (ENDS - 1, times.len().saturating_sub(ENDS));
        all || times.len() <= long || *n <= times[first] || *n >= times[last] || n % STRIDE == 0
    });
    chosen.map(|(n, _)| n).collect()
}
