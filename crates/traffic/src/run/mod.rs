//! Generating and checking on the ports of a panel: a process that has joined it sends frames into
//! one port and accounts for what arrives at another.

mod lane;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use panel::area::Direction;
use panel::{Area, BoardError, Port};
use process::secondary::{Joined, holder_names};
use protocol::port::PortName;

pub use report::{Age, FlowReport, Report};

use crate::Checker;
use crate::check::CheckError;
use crate::frame::{FrameError, FrameSpec};
use lane::{Lane, Receiving, Sending};

/// Most flows of one run.
pub const FLOWS: u16 = 1024;

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
    /// Bytes of a frame without FCS.
    pub size: usize,
    /// Flows, 1 to [`FLOWS`]; the frames of all take turns.
    pub flows: u16,
    /// When to stop.
    pub until: Until,
    /// Most frames a second, all flows together; `None`: as many as the port takes. What was missed while
    /// the thread had no CPU is not caught up with, so that a queue is never flooded.
    pub rate: Option<u64>,
    /// How long nothing may move (be sent while sending, arrive afterwards) until the run ends.
    pub patience: Duration,
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
    Flows(u16),
    /// There cannot be such frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// They cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
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
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Ends sending; what is on its way is waited for. The second time: it is not.
    pub fn tell(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn told(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Plan {
    /// Checks what can be checked before a panel is joined.
    ///
    /// # Errors
    /// [`RunError::Nothing`], [`RunError::Flows`], [`RunError::Frame`].
    pub fn check(&self) -> Result<(), RunError> {
        if self.tx.is_none() && self.rx.is_none() {
            return Err(RunError::Nothing);
        }
        if !(1..=FLOWS).contains(&self.flows) {
            return Err(RunError::Flows(self.flows));
        }
        crate::frame::Template::new(&FrameSpec::new(0, self.size))?;
        Ok(())
    }

    fn specs(&self) -> Vec<FrameSpec> {
        (0..self.flows)
            .map(|flow| FrameSpec::new(flow, self.size))
            .collect()
    }
}

/// A run that goes on.
pub struct Running {
    report: Receiver<Report>,
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
        let port = Arc::new(opener.open(name, None)?);
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
    let specs = plan.specs();
    let sending = tx.map(|port| Sending::new(port, &specs)).transpose()?;
    let receiving = match rx {
        Some(port) => Some(Receiving::new(port, Checker::new(&specs)?)),
        None => None,
    };
    let (done, report) = bounded(1);
    let (pool, foreign, ringer, plan, stop) = (
        joined.pool,
        joined.foreign,
        joined.ringer.clone(),
        plan.clone(),
        stop.clone(),
    );
    let block = &joined.area.layout().workers[lcore as usize];
    if ports.iter().any(|port| port.keeps_mbufs()) {
        block.driver_held.store(1, Ordering::Relaxed);
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
            let lane = Lane::new(cx, sending, receiving, &plan, stop);
            // The ports' last users on this thread are gone before their closer hears of it.
            let report = lane.run(block);
            let _ = done.send(report);
        }),
    )?;
    Ok(Running {
        report,
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

    fn plan(tx: Option<&str>, flows: u16, size: usize) -> Plan {
        Plan {
            tx: tx.map(|name| name.parse().unwrap()),
            rx: None,
            size,
            flows,
            until: Until::Told,
            rate: None,
            patience: Duration::from_secs(1),
        }
    }

    #[test]
    fn plans_that_cannot_be_are_refused_before_a_panel_is_joined() {
        assert!(plan(Some("ring:0"), 1, 60).check().is_ok());
        assert!(plan(Some("ring:0"), FLOWS, 9600).check().is_ok());
        assert!(matches!(plan(None, 1, 60).check(), Err(RunError::Nothing)));
        assert!(matches!(
            plan(Some("ring:0"), 0, 60).check(),
            Err(RunError::Flows(0))
        ));
        assert!(matches!(
            plan(Some("ring:0"), FLOWS + 1, 60).check(),
            Err(RunError::Flows(_))
        ));
        assert!(matches!(
            plan(Some("ring:0"), 1, 59).check(),
            Err(RunError::Frame(_))
        ));
        assert!(matches!(
            plan(Some("ring:0"), 1, 9601).check(),
            Err(RunError::Frame(_))
        ));
    }
}
