//! The worker of a run: one lcore that sends and checks in turns.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dpdk::{BURST, Burst, tsc};
use panel::Port;
use panel::area::WorkerBlock;
use panel::port::Context;

use super::{Age, FlowReport, Plan, Report, Stop, Until};
use crate::frame::{FrameError, FrameSpec, MAX_SIZE};
use crate::{Checker, Generator, Verdict};

/// Bytes of a frame in the first mbuf; the rest is in chained ones.
const ROOM: usize = 2048;
/// mbufs that may be taken between two burst boundaries: fewer than a worker keeps at hand.
const AT_ONCE: usize = 160;
/// With a rate, so many frames may be sent without a pause, ...
const CREDIT: f64 = 128.0;
/// ... and at a high one as many as are due after a long nap, but not more than a ring takes by default.
const MOST_CREDIT: f64 = 1000.0;
/// Rounds without anything moved after which the thread gives the CPU away for a moment.
const QUIET: u32 = 256;
/// That moment.
const NAP: Duration = Duration::from_micros(50);
/// What it may become: the kernel wakes later than it is told to.
const LONG_NAP: Duration = Duration::from_micros(250);

/// The sending side.
pub(super) struct Sending {
    port: Arc<Port>,
    flows: Vec<Generator>,
    /// The flow whose turn it is.
    turn: usize,
    /// Most frames in a burst.
    most: usize,
    frame: Vec<u8>,
    sent: u64,
    refused: u64,
}

impl Sending {
    pub(super) fn new(port: Arc<Port>, specs: &[FrameSpec]) -> Result<Self, FrameError> {
        let flows: Vec<Generator> = specs.iter().map(Generator::new).collect::<Result<_, _>>()?;
        let size = flows.first().map_or(ROOM, Generator::size);
        Ok(Self {
            port,
            flows,
            turn: 0,
            most: (AT_ONCE / size.div_ceil(ROOM)).clamp(1, BURST),
            frame: vec![0; MAX_SIZE],
            sent: 0,
            refused: 0,
        })
    }

    /// Sends up to `wanted` frames; returns how many the port took. What it refused is taken back.
    fn send(&mut self, cx: &mut Context, burst: &mut Burst, wanted: usize, now_ns: u64) -> usize {
        let wanted = wanted.min(self.most);
        if !cx.stocked || cx.cache.alloc(burst, wanted) != wanted {
            return 0;
        }
        let (first, count) = (self.turn, self.flows.len());
        for i in 0..wanted {
            let flow = &mut self.flows[(first + i) % count];
            // Room for the longest frame; an empty frame would be counted as damage by the checker.
            let size = flow.next_into(&mut self.frame, now_ns).unwrap_or(0);
            if !burst.write_frame(i, &self.frame[..size], &mut cx.cache, ROOM) {
                // No mbuf for the chain, or a pool of small buffers: nothing of this burst goes.
                flow.take_back(1);
                self.take_back(first, 0, i);
                burst.clear(&mut cx.cache);
                return 0;
            }
        }
        let (taken, _) = self.port.send(cx, burst);
        self.take_back(first, taken, wanted);
        self.turn = (first + taken) % count;
        self.sent += taken as u64;
        self.refused += (wanted - taken) as u64;
        burst.clear(&mut cx.cache);
        taken
    }

    /// Takes back the frames `from..to` of the burst that began with the flow `first`.
    fn take_back(&mut self, first: usize, from: usize, to: usize) {
        let count = self.flows.len();
        for i in from..to {
            self.flows[(first + i) % count].take_back(1);
        }
    }
}

/// The checking side.
pub(super) struct Receiving {
    port: Arc<Port>,
    checker: Checker,
    frame: Vec<u8>,
    /// Frames of ours, whatever became of them.
    arrived: u64,
    received: u64,
    age: Age,
}

impl Receiving {
    pub(super) fn new(port: Arc<Port>, checker: Checker) -> Self {
        Self {
            port,
            checker,
            frame: vec![0; 65_536],
            arrived: 0,
            received: 0,
            age: Age::default(),
        }
    }

    /// Checks a burst; returns how many packets came.
    fn receive(&mut self, cx: &mut Context, burst: &mut Burst, now_ns: u64) -> usize {
        // Chains of 64 kB have 32 segments: six of them are fewer than a worker has at hand.
        let most = if burst.segments() as usize > 3 * BURST {
            6
        } else {
            BURST
        };
        let count = self.port.receive(cx, burst, most);
        for i in 0..count {
            let whole = match burst.packet(i) {
                Some(first) if burst.segments() as usize == count => {
                    self.checker.check(first, now_ns)
                }
                _ => {
                    let length = burst.copy_packet(i, &mut self.frame).unwrap_or(0);
                    let frame = &self.frame[..length.min(self.frame.len())];
                    self.checker.check(frame, now_ns)
                }
            };
            match whole {
                Verdict::Received { age_ns } | Verdict::Reordered { age_ns } => {
                    self.received += 1;
                    self.age.add(age_ns);
                }
                _ => {}
            }
            self.arrived += u64::from(whole != Verdict::Foreign);
        }
        burst.clear(&mut cx.cache);
        count
    }
}

/// Both sides on one lcore.
pub(super) struct Lane {
    cx: Context,
    sending: Option<Sending>,
    receiving: Option<Receiving>,
    until: Until,
    rate: Option<u64>,
    patience: Duration,
    size: usize,
    stop: Stop,
}

impl Lane {
    pub(super) fn new(
        cx: Context,
        sending: Option<Sending>,
        receiving: Option<Receiving>,
        plan: &Plan,
        stop: Stop,
    ) -> Self {
        Lane {
            cx,
            sending,
            receiving,
            until: plan.until,
            rate: plan.rate,
            patience: plan.patience,
            size: plan.size,
            stop,
        }
    }

    /// Runs to the end. All mbufs are given back before it returns.
    pub(super) fn run(mut self, block: &WorkerBlock) -> Report {
        let hz = u128::from(dpdk::tsc_hz().max(1));
        let start = tsc();
        let clock = || (u128::from(tsc().wrapping_sub(start)) * 1_000_000_000 / hz) as u64;
        let mut burst = Burst::new();
        let (mut credit, mut credited, mut moved_at) = (0.0f64, 0u64, 0u64);
        // Sent for the last time, arrived for the first and the last time.
        let (mut sent_at, mut first_at, mut last_at) = (0, None, 0);
        let (mut rounds, mut idle) = (0u64, 0u32);
        let mut over = self.sending.is_none();
        // Twice what is due after a long nap: time for sending it.
        let due = self.rate.unwrap_or(0) as f64 * LONG_NAP.as_secs_f64() * 2.0;
        let most_credit = due.clamp(CREDIT, MOST_CREDIT);
        // At such a rate a nap would cost frames.
        let restless = due > MOST_CREDIT;
        block.started.store(start, Ordering::Relaxed);
        let stalled = loop {
            let now = clock();
            let told = self.stop.told();
            let mut moved = 0;
            self.cx.stocked = self.cx.cache.balance();
            if let Some(sending) = &mut self.sending
                && !over
            {
                let left = match self.until {
                    Until::Count(count) => count - sending.sent,
                    Until::Elapsed(limit) if u128::from(now) >= limit.as_nanos() => 0,
                    Until::Elapsed(_) | Until::Told => u64::MAX,
                };
                let allowed = match self.rate {
                    Some(rate) => {
                        credit += (now - credited) as f64 * rate as f64 / 1e9;
                        credited = now;
                        credit = credit.min(most_credit);
                        credit as usize
                    }
                    None => BURST,
                };
                over = left == 0 || told > 0;
                let wanted = usize::try_from(left)
                    .unwrap_or(BURST)
                    .min(allowed)
                    .min(BURST);
                if !over && wanted > 0 {
                    let sent = sending.send(&mut self.cx, &mut burst, wanted, now);
                    if self.rate.is_some() {
                        credit -= sent as f64;
                    }
                    if sent > 0 {
                        sent_at = now;
                    }
                    moved += sent;
                }
            }
            self.cx.stocked = self.cx.cache.balance();
            if let Some(receiving) = &mut self.receiving {
                let count = receiving.receive(&mut self.cx, &mut burst, clock());
                if count > 0 {
                    last_at = now;
                    first_at = first_at.or(Some(now));
                }
                moved += count;
            }
            rounds += 1;
            block.rounds.store(rounds, Ordering::Relaxed);
            if moved > 0 {
                moved_at = now;
                idle = 0;
            }
            if told > 1 || (over && self.all_in(now, told)) {
                break false;
            }
            // Without a sender and without an end there is nothing to be impatient about.
            let waiting = self.sending.is_some() || self.until != Until::Told;
            if waiting && u128::from(now - moved_at) >= self.patience.as_nanos() {
                break !over;
            }
            if moved == 0 {
                idle += 1;
                let rests = idle >= QUIET || self.rate.is_some_and(|_| credit < 1.0);
                if rests && (over || !restless) {
                    std::thread::sleep(NAP);
                }
            }
        };
        self.report(stalled, sent_at, last_at - first_at.unwrap_or(last_at))
    }

    /// Whether nothing more is to be waited for.
    fn all_in(&self, now: u64, told: u8) -> bool {
        match (&self.sending, &self.receiving) {
            (_, None) => true,
            (Some(sending), Some(receiving)) => receiving.received >= sending.sent,
            (None, Some(receiving)) => {
                told > 0
                    || match self.until {
                        Until::Count(count) => receiving.arrived >= count,
                        Until::Elapsed(limit) => u128::from(now) >= limit.as_nanos(),
                        Until::Told => false,
                    }
            }
        }
    }

    fn report(&self, stalled: bool, sent_ns: u64, received_ns: u64) -> Report {
        let mut report = Report {
            size: self.size,
            stalled,
            sent_seconds: sent_ns as f64 / 1e9,
            received_seconds: received_ns as f64 / 1e9,
            ..Report::default()
        };
        if let Some(sending) = &self.sending {
            report.sent = sending.sent;
            report.refused = sending.refused;
        }
        let sent_of = |flow: u16| {
            let sending = self.sending.as_ref()?;
            Some(sending.flows.get(usize::from(flow))?.sent())
        };
        if let Some(receiving) = &self.receiving {
            report.foreign = receiving.checker.foreign();
            report.age = Some(receiving.age).filter(|age| age.frames() > 0);
            for flow in 0..u16::MAX {
                let totals = match sent_of(flow) {
                    Some(sent) => receiving.checker.totals(flow, sent).or_else(|_| {
                        // Numbers that nobody sent: somebody else's frames of the same flow.
                        report.alien = true;
                        receiving.checker.so_far(flow)
                    }),
                    None => receiving.checker.so_far(flow),
                };
                let Ok(totals) = totals else { break };
                report.add(FlowReport::new(flow, sent_of(flow), &totals));
            }
        }
        report
    }
}
