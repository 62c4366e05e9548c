//! Generating and checking on the ports of a panel: a process that has joined it sends frames into
//! one port and accounts for what arrives at another.

mod age;
mod buffers;
mod lane;
mod progress;
mod receiving;
mod report;
mod sending;
mod units;
mod what;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use panel::area::Direction;
use panel::{Area, BoardError, Port};
use process::secondary::{Joined, holder_names};
use protocol::port::PortName;

pub use age::Age;
pub use buffers::Buffer;
pub use progress::{Interval, Moment};
pub use report::{FlowReport, Looks, Measured, Report};
pub use what::{FLOWS, What};

use crate::Checker;
use crate::check::CheckError;
use crate::frame::FrameError;
use crate::replay::{Matcher, Player, ReplayError};
use lane::Lane;
use receiving::{Judge, Receiving};
use sending::Sending;

/// When sending, or receiving where nothing is sent, stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After so many frames.
    Count(u64),
    /// After so long.
    Elapsed(Duration),
    /// When told to.
    Told,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The port that frames go into; `None`: nothing is sent.
    pub tx: Option<PortName>,
    /// The port that they are expected from; `None`: nothing is checked.
    pub rx: Option<PortName>,
    /// What is sent.
    pub what: What,
    /// When to stop.
    pub until: Until,
    /// Most frames a second, all flows together; `None`: as many as the port takes. What was missed while
    /// the thread had no CPU is not caught up with, so that a queue is never flooded.
    pub rate: Option<u64>,
    /// How long nothing may move (be sent while sending, arrive afterwards) until the run ends.
    pub patience: Duration,
    /// The thread never rests: times are more exact, and its CPU is busy all the time.
    pub busy: bool,
    /// Of so many frames, the first ones, the report says in which mbufs they lay; not of a capture's, which have no numbers.
    pub show_buffers: usize,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Neither sending nor receiving.
    #[error(
        "nothing to do: name a port to send into (--tx), or one to receive from (--rx), or both"
    )]
    Nothing,
    /// A number of flows that cannot be.
    #[error("{0} flows: 1 to {FLOWS} are possible")]
    Flows(usize),
    /// There cannot be such frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// They cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The capture cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A port, or the panel.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The worker is gone.
    #[error("the worker ended without a report (see its last words above)")]
    NoReport,
}

impl From<BoardError> for RunError {
    fn from(error: BoardError) -> Self {
        RunError::Process(error.into())
    }
}

/// How a run that goes on is told to end. Copies tell the same run.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Orders>);

#[derive(Debug, Default)]
struct Orders {
    told: AtomicU8,
    /// Somebody wants to know how far it is.
    asked: AtomicBool,
}

impl Stop {
    /// Ends sending; what is on its way is waited for. The second time: it is not.
    pub fn tell(&self) {
        self.0.told.fetch_add(1, Ordering::SeqCst);
    }

    fn told(&self) -> u8 {
        self.0.told.load(Ordering::Relaxed)
    }

    /// Whether somebody asked since the last time.
    fn asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed) && self.0.asked.swap(false, Ordering::Relaxed)
    }
}

impl Plan {
    /// Checks what can be checked before a panel is joined.
    ///
    /// # Errors
    /// [`RunError::Nothing`], [`RunError::Flows`].
    pub fn check(&self) -> Result<(), RunError> {
        if self.tx.is_none() && self.rx.is_none() {
            return Err(RunError::Nothing);
        }
        self.what.check()
    }
}

/// A run that goes on.
pub struct Running {
    report: Receiver<Report>,
    moments: Receiver<Moment>,
    stop: Stop,
    /// Closed after the worker has ended.
    ports: Vec<Arc<Port>>,
    claims: Claims,
}

/// The ends of ports that we claim, given up on drop.
struct Claims {
    lcore: u32,
    held: Vec<(Arc<Port>, Direction)>,
}

impl Claims {
    fn take(
        &mut self,
        port: &Arc<Port>,
        direction: Direction,
        joined: &Joined,
    ) -> Result<(), BoardError> {
        let Some(ends) = port.ends() else {
            return Ok(());
        };
        Area::claim(ends, direction, self.lcore).map_err(|held| BoardError::Claimed {
            port: port.code(),
            direction,
            holder: holder_names(joined.folder.clone())(held.lcore),
        })?;
        self.held.push((port.clone(), direction));
        Ok(())
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        for (port, direction) in &self.held {
            if let Some(ends) = port.ends() {
                Area::release(ends, *direction, self.lcore);
            }
        }
    }
}

/// Opens and claims the ports and sets our first lcore to work.
///
/// # Errors
/// What is wrong with the plan; a port that cannot be opened or that somebody else uses.
pub fn start(joined: &Joined, plan: &Plan, stop: &Stop) -> Result<Running, RunError> {
    plan.check()?;
    let lcore = match joined.lcores.first() {
        Some((id, _)) => *id,
        None => return Err(RunError::NoReport),
    };
    let opener = joined.opener();
    let mut ports: Vec<Arc<Port>> = Vec::new();
    let mut open = |name: PortName| -> Result<Arc<Port>, RunError> {
        let code = process::ports::code(name)?;
        if let Some(port) = ports.iter().find(|port| port.code() == code) {
            return Ok(port.clone());
        }
        let port = Arc::new(opener.take(name)?);
        ports.push(port.clone());
        Ok(port)
    };
    let tx = plan.tx.map(&mut open).transpose()?;
    let rx = plan.rx.map(&mut open).transpose()?;
    let mut claims = Claims {
        lcore,
        held: Vec::new(),
    };
    if let Some(port) = &tx {
        claims.take(port, Direction::Tx, joined)?;
    }
    if let Some(port) = &rx {
        claims.take(port, Direction::Rx, joined)?;
    }
    let sending = tx.map(|port| match &plan.what {
        What::Flows(flows) => Sending::flows(port, flows.clone(), plan.show_buffers),
        What::Replay { capture, pace } => {
            Sending::replay(port, Player::new(capture.clone(), *pace))
        }
    });
    let judge = match &plan.what {
        What::Flows(flows) => Judge::Numbers(Checker::new(flows.clone())?),
        What::Replay { capture, .. } => Judge::Content(Matcher::new(capture.clone())),
    };
    let receiving = rx.map(|port| Receiving::new(port, judge, plan.show_buffers));
    let (tell, moments) = bounded(1);
    let (done, report) = bounded(1);
    let (pool, foreign, ringer, plan, stop) = (
        joined.pool,
        joined.foreign,
        joined.ringer.clone(),
        plan.clone(),
        stop.clone(),
    );
    let kept = stop.clone();
    let block = &joined.area.layout().workers[lcore as usize];
    for (port, direction) in &claims.held {
        block.uses(port, *direction);
    }
    joined.set_to_work(
        lcore,
        Box::new(move |lcore| {
            let cx = panel::port::Context {
                cache: pool.cache(&lcore).serving(&foreign),
                lcore,
                ringer,
                stocked: false,
                traced: false,
            };
            let lane = Lane::new(cx, sending, receiving, &plan, stop, tell);
            // The ports' last users on this thread are gone before their closer hears of it.
            let report = lane.run(block);
            let _ = done.send(report);
        }),
    )?;
    Ok(Running {
        report,
        moments,
        stop: kept,
        ports,
        claims,
    })
}

impl Running {
    /// Waits up to `limit` for the end: `None` if the run still goes on.
    ///
    /// # Errors
    /// [`RunError::NoReport`].
    pub fn wait(&self, limit: Duration) -> Result<Option<Report>, RunError> {
        match self.report.recv_timeout(limit) {
            Ok(report) => Ok(Some(report)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RunError::NoReport),
        }
    }

    /// How far it is; waits for that up to `limit`. `None` if it is over, or its thread has no CPU.
    #[must_use]
    pub fn look(&self, limit: Duration) -> Option<Moment> {
        // What nobody waited for any more.
        while self.moments.try_recv().is_ok() {}
        self.stop.0.asked.store(true, Ordering::Relaxed);
        self.moments.recv_timeout(limit).ok()
    }

    /// Gives the ends up and closes the ports; after the end only.
    pub fn close(self) {
        drop(self.claims);
        drop(self.ports);
    }
}

/// Runs a plan to its end, which `stop` may bring about.
///
/// # Errors
/// As [`start`], [`Running::wait`].
pub fn run(joined: &Joined, plan: &Plan, stop: &Stop) -> Result<Report, RunError> {
    let running = start(joined, plan, stop)?;
    loop {
        if let Some(report) = running.wait(Duration::from_secs(1))? {
            running.close();
            return Ok(report);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tx: Option<&str>, what: What) -> Plan {
        Plan {
            tx: tx.map(|name| name.parse().unwrap()),
            rx: None,
            what,
            until: Until::Told,
            rate: None,
            patience: Duration::from_secs(1),
            busy: false,
            show_buffers: 0,
        }
    }

    #[test]
    fn plans_that_cannot_be_are_refused_before_a_panel_is_joined() {
        let flows = |flows, size| What::numbered(flows, size);
        let check = |what| plan(Some("ring:0"), what).check();
        assert!(check(flows(1, 60).unwrap()).is_ok());
        assert!(check(flows(FLOWS, 9600).unwrap()).is_ok());
        let nothing = plan(None, flows(1, 60).unwrap()).check();
        assert!(matches!(nothing, Err(RunError::Nothing)));
        assert!(matches!(flows(0, 60), Err(RunError::Flows(0))));
        assert!(matches!(flows(FLOWS + 1, 60), Err(RunError::Flows(_))));
        assert!(matches!(flows(1, 59), Err(RunError::Frame(_))));
        assert!(matches!(flows(1, 9601), Err(RunError::Frame(_))));
        assert!(matches!(
            check(What::Flows(Vec::new())),
            Err(RunError::Flows(0))
        ));
    }
}
