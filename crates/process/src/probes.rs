//! The commands of latencies and traces, carried out on a board: one call for every kind of process.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dpdk::Stamps;
use panel::latency::{Path, clock_is_even};
use panel::trace::{Fate, Record, Tracer};
use panel::{Board, PortCode};
use protocol::command::probe::{EVERY, PathEnd, ProbeCommand};
use protocol::detail::DROP_REASONS;
use protocol::probe::{
    Decision, LATENCY_BOUNDS_NS, LatencyDetail, LatencyTimes, TracePart, TraceStarted, TracedPacket,
};
use protocol::reply::Simple;

use crate::Error;
use crate::ports::code;
use crate::report::name;

/// Traces at a time.
const TRACES: usize = 4;
/// How long what was traced is kept for somebody who has stopped reading.
const KEPT: Duration = Duration::from_secs(30);
/// Bytes of packets in one answer, after which no further packet is put in.
const PART: usize = 256 * 1024;

/// The traces of a process.
#[derive(Default)]
pub struct Traces {
    running: Vec<Running>,
    last: u64,
}

struct Running {
    id: u64,
    src: PortCode,
    tracer: Arc<Tracer>,
    until: Instant,
    /// It takes no packets any more.
    ended: bool,
    /// Ended, it is forgotten then.
    kept: Instant,
    /// Time stamp counter and clock at its start.
    base: (u64, SystemTime),
}

impl Traces {
    /// Carries `text` out if it is a command about latencies or traces, and gives the answer.
    pub fn command(&mut self, board: &mut Board, text: &str) -> Option<String> {
        self.tick(board);
        let command = match ProbeCommand::take(text)? {
            Ok(command) => command,
            Err(e) => return Some(Simple::refused(&e).to_json()),
        };
        let answer = self.carry_out(board, &command);
        Some(answer.unwrap_or_else(|e| {
            log::warn!("{text}: {e}");
            Simple::new(command.word(), Err(e)).to_json()
        }))
    }

    /// Ends traces that have all their packets, or whose time is over. To be called now and then.
    pub fn tick(&mut self, board: &mut Board) {
        let now = Instant::now();
        for trace in self.running.iter_mut().filter(|trace| !trace.ended) {
            if trace.tracer.is_full() || now >= trace.until {
                trace.end(board);
            }
        }
        self.running.retain(|t| !t.ended || now < t.kept);
    }

    fn carry_out(&mut self, board: &mut Board, command: &ProbeCommand) -> Result<String, Error> {
        let word = command.word();
        match command {
            ProbeCommand::LatencyOn {
                src,
                dst,
                every,
                end,
            } => {
                let path = Path {
                    src: code(*src)?,
                    dst: code(*dst)?,
                };
                let stamp = (*end != Some(PathEnd::Dst)).then_some(*every);
                let read = *end != Some(PathEnd::Src);
                board.measure(Stamps::find()?, path, stamp, read)?;
                if !clock_is_even() {
                    log::warn!(
                        "{command}: this CPU's time stamp counter is not invariant: times over two CPUs mean nothing"
                    );
                }
            }
            ProbeCommand::LatencyOff { src, dst } => board.unmeasure(Path {
                src: code(*src)?,
                dst: code(*dst)?,
            })?,
            ProbeCommand::TraceStart {
                src,
                count,
                seconds,
                full,
            } => {
                let limit = Duration::from_secs(u64::from(*seconds));
                return Ok(TraceStarted {
                    result: "succeeded".into(),
                    command: word.into(),
                    trace: self.start(board, code(*src)?, *count as usize, limit, *full)?,
                }
                .to_json());
            }
            ProbeCommand::TraceRead(id) => return self.read(board, *id, word),
            ProbeCommand::TraceStop(id) => self.find(*id)?.end(board),
        }
        Ok(Simple::new::<Error>(word, Ok(())).to_json())
    }

    fn start(
        &mut self,
        board: &mut Board,
        src: PortCode,
        count: usize,
        limit: Duration,
        full: bool,
    ) -> Result<u64, Error> {
        if self.running.len() >= TRACES {
            return Err(Error::Refused(format!(
                "{TRACES} traces are running or not read to their ends: wait until one is done"
            )));
        }
        let base = (dpdk::tsc(), SystemTime::now());
        let tracer = board.trace(src, count, full)?;
        self.last += 1;
        let until = Instant::now() + limit;
        self.running.push(Running {
            id: self.last,
            src,
            tracer,
            until,
            ended: false,
            kept: until + KEPT,
            base,
        });
        Ok(self.last)
    }

    fn find(&mut self, id: u64) -> Result<&mut Running, Error> {
        let found = self.running.iter_mut().find(|trace| trace.id == id);
        found.ok_or_else(|| {
            Error::Refused(format!(
                "there is no trace {id}: it was read to its end, or nobody read it for {} s",
                KEPT.as_secs()
            ))
        })
    }

    fn read(&mut self, board: &Board, id: u64, word: &str) -> Result<String, Error> {
        let trace = self.find(id)?;
        let clock = Clock::new(trace.base);
        let (mut packets, mut bytes, mut empty) = (Vec::new(), 0, false);
        while bytes < PART {
            let Some(record) = trace.tracer.next() else {
                empty = true;
                break;
            };
            bytes += record.data.len() + 64;
            packets.push(packet(board, &clock, &record));
        }
        trace.kept = trace.until.max(Instant::now()) + KEPT;
        let done = trace.ended && empty;
        if done {
            self.running.retain(|trace| trace.id != id);
        }
        let part = TracePart {
            result: "succeeded".into(),
            command: word.into(),
            packets,
            done,
        };
        Ok(part.to_json())
    }
}

impl Running {
    /// Ends it. If the worker does not answer it ends at the next try; until then it takes packets on.
    fn end(&mut self, board: &mut Board) {
        match board.untrace(self.src) {
            Ok(()) => {
                self.ended = true;
                self.kept = Instant::now() + KEPT;
            }
            Err(e) => log::warn!("the end of the trace of {}: {e}", self.src),
        }
    }
}

/// Turns time stamps into times of day, by what the clock says now and said at the start.
struct Clock {
    cycles: u64,
    start_ns: u128,
    passed: (u128, u128),
}

impl Clock {
    fn new((cycles, start): (u64, SystemTime)) -> Self {
        let since_1970 = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH);
            since.unwrap_or_default().as_nanos()
        };
        let hz = u128::from(dpdk::tsc_hz().max(1));
        let passed = u128::from(dpdk::tsc().saturating_sub(cycles));
        let by_clock = since_1970(SystemTime::now()).saturating_sub(since_1970(start));
        Clock {
            cycles,
            start_ns: since_1970(start),
            // What is known of the frequency is rounded: after a while the clock knows it better, unless it was set.
            passed: match passed * 1_000_000_000 / hz {
                known if passed < hz / 10 || known.abs_diff(by_clock) > known / 50 => {
                    (1_000_000_000, hz)
                }
                _ => (by_clock, passed),
            },
        }
    }

    /// Seconds and nanoseconds since 1970.
    fn time(&self, tsc: u64) -> (u64, u32) {
        let cycles = u128::from(tsc.saturating_sub(self.cycles));
        let ns = self.start_ns + cycles * self.passed.0 / self.passed.1;
        ((ns / 1_000_000_000) as u64, (ns % 1_000_000_000) as u32)
    }
}

fn packet(board: &Board, clock: &Clock, record: &Record) -> TracedPacket {
    let (seconds, nanoseconds) = clock.time(record.tsc);
    let decision = |fate| match fate {
        Fate::Sent(port) => Decision {
            port: Some(name(board, port)),
            dropped: None,
        },
        Fate::Dropped(port, reason) => Decision {
            port: port.map(|port| name(board, port)),
            dropped: Some(DROP_REASONS[reason as usize].to_owned()),
        },
    };
    let mut data = String::with_capacity(record.data.len() * 2);
    for byte in &record.data {
        for digit in [byte >> 4, byte & 15] {
            data.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    TracedPacket {
        seconds,
        nanoseconds,
        length: record.len,
        data,
        decisions: record.fates().map(decision).collect(),
        more: record.more,
    }
}

/// The commands that measure the latencies that are measured on a board.
pub fn standing(board: &Board) -> Vec<ProbeCommand> {
    let command = |view: panel::probes::LatencyView| {
        Some(ProbeCommand::LatencyOn {
            src: name(board, view.path.src).parse().ok()?,
            dst: name(board, view.path.dst).parse().ok()?,
            every: view.start.map_or(EVERY, |(every, _)| every),
            end: match (view.start, &view.end) {
                (Some(_), None) => Some(PathEnd::Src),
                (None, Some(_)) => Some(PathEnd::Dst),
                _ => None,
            },
        })
    };
    board.latencies().into_iter().filter_map(command).collect()
}

/// The latencies that are measured on a board, for [`protocol::detail::Detail`].
pub fn latencies(board: &Board) -> Vec<LatencyDetail> {
    let views = board.latencies();
    let even_clock = views.is_empty() || clock_is_even();
    let detail = |view: panel::probes::LatencyView| LatencyDetail {
        src: name(board, view.path.src),
        dst: name(board, view.path.dst),
        every: view.start.map(|(every, _)| every),
        stamped: view.start.map(|(_, stamped)| stamped),
        times: view.end.map(|times| {
            let [p50_ns, p90_ns, p99_ns, p999_ns] = times.quantiles([0.5, 0.9, 0.99, 0.999]);
            LatencyTimes {
                samples: times.samples,
                sum_ns: times.sum_ns,
                p50_ns,
                p90_ns,
                p99_ns,
                p999_ns,
                max_ns: times.longest_ns,
                backward: times.backward,
                within: times.within(LATENCY_BOUNDS_NS).to_vec(),
            }
        }),
        even_clock,
    };
    views.into_iter().map(detail).collect()
}
