//! The worker of a run: one lcore that sends and checks in turns.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::Sender;
use dpdk::{BURST, Burst, tsc};
use panel::area::WorkerBlock;
use panel::port::Context;

use super::progress::Moment;
use super::receiving::{Judge, Receiving};
use super::report::{FlowReport, Looks, Report};
use super::sending::Sending;
use super::{Plan, Stop, Until};

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

/// Both sides on one lcore.
pub(super) struct Lane {
    cx: Context,
    sending: Option<Sending>,
    receiving: Option<Receiving>,
    until: Until,
    rate: Option<u64>,
    patience: Duration,
    busy: bool,
    size: Option<usize>,
    stop: Stop,
    moments: Sender<Moment>,
}

impl Lane {
    pub(super) fn new(
        cx: Context,
        sending: Option<Sending>,
        receiving: Option<Receiving>,
        plan: &Plan,
        stop: Stop,
        moments: Sender<Moment>,
    ) -> Self {
        Lane {
            cx,
            sending,
            receiving,
            until: plan.until,
            rate: plan.rate,
            patience: plan.patience,
            busy: plan.busy,
            size: plan.what.size(),
            stop,
            moments,
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
        let (mut looked_at, mut looks) = (0, Looks::default());
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
            // For the time of the next frame.
            let mut waits = false;
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
                let wanted = sending.due(now, wanted);
                waits = wanted == 0 && left > 0;
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
                let look = clock();
                looks.most_ns = looks.most_ns.max(look - looked_at);
                looked_at = look;
                let count = receiving.receive(&mut self.cx, &mut burst, look);
                if count > 0 {
                    last_at = now;
                    first_at = first_at.or(Some(now));
                }
                moved += count;
            }
            rounds += 1;
            block.rounds.store(rounds, Ordering::Relaxed);
            if moved > 0 || waits {
                moved_at = now;
            }
            if moved > 0 {
                idle = 0;
            }
            if self.stop.asked() {
                // Nobody waits for it any more, or it is there: both are well.
                let moment = self.moment(now);
                let _ = self.moments.try_send(moment);
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
                if rests && !self.busy && (over || !restless) {
                    std::thread::sleep(NAP);
                }
            }
        };
        looks.mean_ns = looked_at / rounds;
        self.report(
            stalled,
            sent_at,
            last_at - first_at.unwrap_or(last_at),
            looks,
        )
    }

    /// What came of it so far.
    fn moment(&mut self, now: u64) -> Moment {
        let mut moment = Moment {
            at_ns: now,
            ..Moment::default()
        };
        if let Some(sending) = &self.sending {
            moment.sent = sending.sent;
            moment.sent_bytes = sending.sent_bytes;
        }
        if let Some(receiving) = &mut self.receiving {
            receiving.ages.count();
            moment.received = receiving.received;
            moment.received_bytes = receiving.bytes;
            moment.missing = receiving.missing();
            moment.ages = receiving.ages.clone();
        }
        moment
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

    fn report(&mut self, stalled: bool, sent_ns: u64, received_ns: u64, looks: Looks) -> Report {
        let mut report = Report {
            size: self.size,
            stalled,
            sent_seconds: sent_ns as f64 / 1e9,
            received_seconds: received_ns as f64 / 1e9,
            ..Report::default()
        };
        if let Some(sending) = &self.sending {
            report.sent = sending.sent;
            report.sent_bytes = sending.sent_bytes;
            report.refused = sending.refused;
        }
        report.buffers_sent = self.sending.as_mut().and_then(|side| side.shown.take());
        report.buffers_received = self.receiving.as_mut().and_then(|side| side.shown.take());
        let Some(receiving) = &mut self.receiving else {
            return report;
        };
        receiving.ages.count();
        report.received_bytes = receiving.bytes;
        report.foreign = receiving.foreign();
        report.age = receiving.ages.figures();
        report.looks = Some(looks);
        let sent_of = |flow: u16| self.sending.as_ref()?.sent_of(flow);
        match &receiving.judge {
            Judge::Numbers(checker) => {
                for flow in 0..u16::MAX {
                    let totals = match sent_of(flow) {
                        Some(sent) => checker.totals(flow, sent).or_else(|_| {
                            // Numbers that nobody sent: somebody else's frames of the same flow.
                            report.alien = true;
                            checker.so_far(flow)
                        }),
                        None => checker.so_far(flow),
                    };
                    let Ok(totals) = totals else { break };
                    report.add(FlowReport::new(flow, sent_of(flow), &totals));
                }
            }
            Judge::Content(matcher) => {
                // Without a sender of ours the whole is expected, or as much as came.
                let sent = match (&self.sending, self.until) {
                    (Some(sending), _) => sending.sent,
                    (None, Until::Count(count)) => count,
                    (None, _) => matcher.known(),
                };
                report.add_content(&matcher.totals(sent));
            }
        }
        report
    }
}
