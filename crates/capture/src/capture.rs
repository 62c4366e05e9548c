//! The control thread's side: begins and ends runs, and tells what became of the packets.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use panel::sink::Sink;
use protocol::detail::{CaptureDetail, CaptureFile};
use sys::affinity::CpuSet;
use sys::bpf::Filter;

use crate::clock::{Clock, wall_ns};
use crate::intake::{Intake, Look};
use crate::lane::{CHUNK, lane};
use crate::plan::{Plan, Target};
use crate::tally::Tally;
use crate::writer::{FileName, Order, Run, Writer};

/// How long writers may take to make their files.
const BEGIN: Duration = Duration::from_secs(5);

/// Why a capture cannot be, or not now.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// libpcap does not understand the filter.
    #[error("--filter {text:?}: {words}")]
    Filter {
        /// The filter.
        text: String,
        /// What libpcap says.
        words: String,
    },
    /// A writer's CPU.
    #[error(
        "a writer cannot run on CPU {cpu}: this process may run on {allowed:?} (see taskset, cpuset)"
    )]
    Cpu {
        /// The CPU.
        cpu: u32,
        /// Those that it may run on.
        allowed: Vec<u32>,
    },
    /// No thread, or no affinity.
    #[error("{0}")]
    Kernel(#[from] sys::Error),
    /// A thread.
    #[error("cannot start a writer: {0}")]
    Thread(std::io::Error),
    /// A file.
    #[error("{0}")]
    File(String),
    /// A run is not over.
    #[error(
        "the last capture is still being written ({0} packets to go): wait, or see whether the disk is slow"
    )]
    Busy(u64),
    /// A writer does not answer.
    #[error("a writer did not make its file within {BEGIN:?}: see whether the disk is slow")]
    Slow,
}

struct Hand {
    orders: Sender<Order>,
    thread: Thread,
    join: JoinHandle<()>,
    name: FileName,
    cpu: Option<u32>,
}

/// A capture: its writers, and the end of the patch that feeds them.
pub struct Capture {
    plan: Arc<Plan>,
    intake: Arc<Intake>,
    clock: Clock,
    hands: Vec<Hand>,
    run: Option<Arc<Run>>,
    /// What is still to be answered by writers that complete their files.
    ending: Vec<Receiver<()>>,
    running: bool,
    past: Left,
}

/// Packets that reached no file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// The filter did not let them through.
    pub filtered: u64,
    /// The file could not be written.
    pub lost: u64,
}

/// The filter, if there is one.
fn filter(plan: &Plan) -> Result<Option<Filter>, CaptureError> {
    let text = plan.filter.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let filter = Filter::compile(text, plan.snaplen).map_err(|words| CaptureError::Filter {
        text: text.into(),
        words,
    })?;
    Ok(Some(filter))
}

fn check_cpus(plan: &Plan) -> Result<(), CaptureError> {
    let allowed = CpuSet::of_current_thread()?;
    let cpus = plan.writers.iter().flatten();
    match cpus.copied().find(|cpu| !allowed.contains(*cpu)) {
        None => Ok(()),
        Some(cpu) => Err(CaptureError::Cpu {
            cpu,
            allowed: allowed.to_vec(),
        }),
    }
}

impl Capture {
    /// Finds what is wrong with a plan, and starts no thread.
    ///
    /// # Errors
    /// The filter, a CPU.
    pub fn check(plan: &Plan) -> Result<(), CaptureError> {
        filter(plan)?;
        check_cpus(plan)
    }

    /// Prepares everything; nothing is written yet.
    ///
    /// # Errors
    /// As [`Capture::check`]; the kernel.
    pub fn new(plan: Plan) -> Result<Self, CaptureError> {
        let filter = filter(&plan)?;
        check_cpus(&plan)?;
        let chunks = plan.buffer_mb * 1024 * 1024 / CHUNK;
        let (feeds, outlets): (Vec<_>, Vec<_>) = plan.writers.iter().map(|_| lane(chunks)).unzip();
        let (clock, lines) = Clock::new();
        let look = Look {
            format: plan.format,
            snaplen: plan.snaplen,
            filter,
        };
        let intake = Arc::new(Intake::new(plan.port.clone(), look, lines, feeds));
        let mut hands = Vec::new();
        for (at, outlet) in outlets.into_iter().enumerate() {
            let (orders, told) = bounded(4);
            let name = FileName::default();
            let cpu = plan.writers[at];
            let writer = Writer {
                number: at + 1,
                outlet,
                orders: told,
                name: name.clone(),
                intake: intake.clone(),
            };
            let join = std::thread::Builder::new()
                .name(format!("spp-writer-{}", at + 1))
                .spawn(move || {
                    let pinned = cpu.map(|cpu| {
                        let only: CpuSet = cpu.to_string().parse()?;
                        only.apply_to_current_thread()
                    });
                    if let Some(Err(e)) = pinned {
                        log::warn!("a writer runs on any CPU: {e}");
                    }
                    writer.run();
                })
                .map_err(CaptureError::Thread)?;
            hands.push(Hand {
                orders,
                thread: join.thread().clone(),
                join,
                name,
                cpu,
            });
        }
        Ok(Capture {
            plan: Arc::new(plan),
            intake,
            clock,
            hands,
            run: None,
            ending: Vec::new(),
            running: false,
            past: Left::default(),
        })
    }

    /// Where the records go.
    pub fn target(&self) -> &Target {
        &self.plan.target
    }

    /// What did not reach a file in all runs together.
    pub fn left(&self) -> Left {
        let tally = self.run.as_ref().map(|run| &run.tally);
        Left {
            filtered: self.past.filtered + self.intake.counts.filtered.load(Relaxed),
            lost: self.past.lost + tally.map_or(0, |tally| tally.lost.load(Relaxed)),
        }
    }

    /// Where a patch has to end.
    pub fn sink(&self) -> Arc<dyn Sink> {
        self.intake.clone()
    }

    /// Whether a run goes on, from [`Capture::begin`] to [`Capture::end`].
    pub fn running(&self) -> bool {
        self.running
    }

    /// Begins a run: the files are there when this returns. Only while no worker has the sink.
    ///
    /// # Errors
    /// A file cannot be made, or the last run is still being written.
    pub fn begin(&mut self, patience: Duration) -> Result<(), CaptureError> {
        if !self.wait_written(patience) {
            return Err(CaptureError::Busy(self.waiting()));
        }
        self.past = self.left();
        self.intake.counts.clear();
        let run = Arc::new(Run {
            plan: self.plan.clone(),
            stamp: jiff::Zoned::now().strftime("%Y%m%d%H%M%S").to_string(),
            start_ns: wall_ns(),
            tally: Tally::default(),
        });
        self.run = Some(run.clone());
        let answers: Vec<Receiver<Result<(), String>>> = self
            .hands
            .iter()
            .map(|hand| {
                let (answer, answered) = bounded(1);
                hand.tell(Order::Begin(run.clone(), answer));
                answered
            })
            .collect();
        self.running = true;
        let until = Instant::now() + BEGIN;
        for answer in answers {
            let refused = match answer.recv_deadline(until) {
                Ok(Ok(())) => continue,
                Ok(Err(words)) => CaptureError::File(words),
                Err(_) => CaptureError::Slow,
            };
            run.tally.complain(refused.to_string());
            self.end(true);
            self.wait_written(BEGIN);
            return Err(refused);
        }
        Ok(())
    }

    /// Ends the run: what has been received is still written. Only when no worker has the sink any more. With
    /// `discard` files without a packet are removed.
    pub fn end(&mut self, discard: bool) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        for hand in &self.hands {
            let (answer, answered) = bounded(1);
            hand.tell(Order::End(discard, answer));
            self.ending.push(answered);
        }
    }

    /// Waits until all files are complete; false if they are not within `limit`.
    pub fn wait_written(&mut self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        self.ending.retain(|answer| {
            use crossbeam::channel::RecvTimeoutError::Timeout;
            answer.recv_deadline(until) == Err(Timeout)
        });
        self.ending.is_empty()
    }

    /// Ends everything, and waits for the files up to `limit`. False: some are not complete, and keep their
    /// unfinished names.
    pub fn shut(mut self, limit: Duration) -> bool {
        self.end(false);
        if !self.wait_written(limit) {
            let words = format!(
                "ending with {} packets unwritten: the disk is too slow",
                self.waiting()
            );
            log::error!("{words}");
            return false;
        }
        for hand in self.hands {
            drop(hand.orders);
            hand.thread.unpark();
            let _ = hand.join.join();
        }
        true
    }

    /// To be called several times a second. True: the run has to be ended, because it failed.
    pub fn tick(&mut self) -> bool {
        self.clock.tick();
        let failed = |run: &Arc<Run>| run.tally.failed.load(SeqCst);
        self.running && self.run.as_ref().is_some_and(failed)
    }

    /// Packets between the worker and the files.
    fn waiting(&self) -> u64 {
        let Some(run) = &self.run else { return 0 };
        let done = run.tally.written.load(Relaxed) + run.tally.lost.load(Relaxed);
        self.intake
            .counts
            .accepted
            .load(Relaxed)
            .saturating_sub(done)
    }

    /// The files being written, by writer; empty where there is none.
    pub fn names(&self) -> Vec<String> {
        let name = |hand: &Hand| {
            let name = hand.name.lock().unwrap_or_else(PoisonError::into_inner);
            name.clone()
        };
        self.hands.iter().map(name).collect()
    }

    /// What became of the packets of the run that goes on, or of the last one.
    pub fn report(&self) -> CaptureDetail {
        let counts = &self.intake.counts;
        let none = Tally::default();
        let tally = self.run.as_ref().map_or(&none, |run| &run.tally);
        // Written first: what comes in between then counts as waiting.
        let (written, lost) = (tally.written.load(Relaxed), tally.lost.load(Relaxed));
        let accepted = counts.accepted.load(Relaxed);
        let names = self.names();
        CaptureDetail {
            port: self.plan.port.clone(),
            target: match &self.plan.target {
                Target::Folder { dir, .. } => dir.display().to_string(),
                Target::Stream(path) => path.display().to_string(),
                Target::Output => "-".into(),
            },
            format: match self.plan.format {
                capfile::Format::Pcap => "pcap".into(),
                capfile::Format::PcapNg => "pcapng".into(),
            },
            compress: self.plan.compress.word().into(),
            filter: self.plan.filter.clone(),
            snaplen: self.plan.snaplen,
            running: self.running,
            received: counts.received.load(Relaxed),
            filtered: counts.filtered.load(Relaxed),
            written,
            waiting: accepted.saturating_sub(written + lost),
            lost_full: counts.full.load(Relaxed),
            lost_error: lost,
            bytes: tally.bytes.load(Relaxed),
            files: tally.files.load(Relaxed),
            removed_files: tally.removed_files.load(Relaxed),
            removed_packets: tally.removed_packets.load(Relaxed),
            error: tally.error(),
            clock_off_ns: self.clock.off_ns(),
            writers: self
                .hands
                .iter()
                .zip(names)
                .map(|(hand, file)| CaptureFile {
                    cpu: hand.cpu,
                    file,
                })
                .collect(),
        }
    }
}

impl Hand {
    fn tell(&self, order: Order) {
        // Only a writer that panicked hears nothing: then nobody answers, which the asker sees.
        let _ = self.orders.try_send(order);
        self.thread.unpark();
    }
}
