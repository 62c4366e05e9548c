//! What a board refuses.

use thiserror::Error;

use crate::area::Direction;
use crate::code::PortCode;

/// Why a change was refused. Nothing was changed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BoardError {
    /// The port is not open in this process.
    #[error("{0} is not added: add it first (add {0})")]
    NoPort(PortCode),
    /// The port is open already.
    #[error("{0} is added already")]
    Exists(PortCode),
    /// The device behind the port was removed.
    #[error("{0} is gone: its device was removed from the panel")]
    Gone(PortCode),
    /// Nothing to take out.
    #[error("{0} is not patched as a source")]
    NotPatched(PortCode),
    /// Another process claims an end.
    #[error("{port} is claimed as {} by {holder}: unpatch it there first", side(*.direction))]
    Claimed {
        /// The port.
        port: PortCode,
        /// Which of its ends.
        direction: Direction,
        /// Who holds it.
        holder: String,
    },
    /// No worker runs on this CPU.
    #[error(
        "no worker of this process runs on CPU {cpu}: it has workers on {}",
        list(workers)
    )]
    NoWorker {
        /// The CPU that was asked for.
        cpu: u32,
        /// CPUs that have a worker.
        workers: Vec<u32>,
    },
    /// Patches would hold back too many mbufs.
    #[error(
        "patches of this worker could hold back {wanted} mbufs, {left} are left for that of the panel's {most} (half of its pool): \
         choose lower limits (with … limit MBUFS), take other such patches out, or start the primary with more --memory"
    )]
    Reserved {
        /// mbufs that the worker's patches could hold.
        wanted: u32,
        /// mbufs that it may hold.
        left: u32,
        /// mbufs that may be held back in the whole panel.
        most: u32,
    },
    /// No component has this name.
    #[error("component {0} does not exist: start it first (component start {0} CORE TYPE)")]
    NoComponent(String),
    /// A component has this name already.
    #[error(
        "component {0} is started already: stop it first (component stop {0}), or take another name"
    )]
    ComponentExists(String),
    /// The component is none that copies.
    #[error("component {0} is no mirror: only a mirror has this setting")]
    NoMirror(String),
    /// The port is used in this direction.
    #[error("{port} is {} of {by} already: detach it there first", side(*.direction))]
    InUse {
        /// The port.
        port: PortCode,
        /// Which of its ends.
        direction: Direction,
        /// Who uses it.
        by: String,
    },
    /// A component takes no more ports.
    #[error(
        "component {name} takes no further port as {}: {most} is the most for what it does",
        side(*.direction)
    )]
    TooManyPorts {
        /// The component.
        name: String,
        /// Which side.
        direction: Direction,
        /// Most ports there.
        most: usize,
    },
    /// The port is not one of the component's.
    #[error("{port} is not attached to component {name} as {}", side(*.direction))]
    NotAttached {
        /// The component.
        name: String,
        /// The port.
        port: PortCode,
        /// Which side.
        direction: Direction,
    },
    /// A worker did not adopt its table in time.
    #[error("the worker on CPU {cpu} did not answer within 1 s: nothing was changed")]
    Stuck {
        /// Its CPU.
        cpu: u32,
    },
    /// Nothing to end.
    #[error("no latency is measured from {0} to {1} in this process")]
    NotMeasured(PortCode, PortCode),
    /// Nothing to trace.
    #[error("{0} is no source now: patch it or attach it to a component, and let it forward")]
    NoSource(PortCode),
    /// One trace a source.
    #[error("{0} is traced already: wait for the end of that trace")]
    Traced(PortCode),
    /// A trace of too many packets, or of none.
    #[error("a trace has 1 to {most} packets, not {count}")]
    TraceCount {
        /// Packets that were asked for.
        count: usize,
        /// The most that there can be.
        most: usize,
    },
    /// All counters of a worker are taken.
    #[error(
        "the worker on CPU {cpu} runs {} patches, more are not possible: start a further process",
        crate::area::SLOTS
    )]
    Full {
        /// Its CPU.
        cpu: u32,
    },
}

fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Rx => "a source",
        Direction::Tx => "a destination",
    }
}

fn list(cpus: &[u32]) -> String {
    cpus.iter()
        .map(|c| format!("CPU {c}"))
        .collect::<Vec<_>>()
        .join(", ")
}
