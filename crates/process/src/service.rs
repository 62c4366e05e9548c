//! A secondary that takes commands, from its start to its end.

use protocol::command::Change;
use protocol::desired::Desired;
use protocol::port::PortName;

use crate::cli::Start;
use crate::commands::Console;
use crate::events::{self, End, Process};
use crate::handover::{self, Door};
use crate::report::Identity;
use crate::secondary::{self, Secondary};
use crate::{Error, confine, desk, link::Link, logging, report, sweep};

/// What the frame needs of a process beside its commands.
pub trait Service: Process {
    /// Its ports and what runs between them.
    fn console(&mut self) -> &mut Console;

    /// What it has.
    fn has(&self) -> Desired;

    /// Carries a change out, wholly or not at all.
    ///
    /// # Errors
    /// Why not, in words.
    fn apply(&mut self, change: &Change) -> Result<(), String>;

    /// Takes out all that is plugged; what is left are open ports.
    ///
    /// # Errors
    /// A worker is stuck; then nothing was taken out.
    fn unplug(&mut self) -> Result<(), Error> {
        Ok(self.console().board.unplug()?)
    }

    /// Ports that a successor can open only when they are closed here.
    fn exclusive(&mut self) -> Vec<PortName> {
        let board = &self.console().board;
        let ports = board.ports().iter().filter(|port| port.is_exclusive());
        let names = ports.map(|port| report::name(board, port.code()));
        names.filter_map(|name| name.parse().ok()).collect()
    }

    /// Begins its work. One that takes the place of another does as that did instead.
    ///
    /// # Errors
    /// It cannot; then it ends.
    fn begin(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// What it is ready to do, in a few words.
    fn summary(&mut self) -> String {
        let board = &self.console().board;
        let cpus: Vec<String> = board.hands().iter().map(|h| h.cpu.to_string()).collect();
        let status = report::status(board);
        format!("worker on CPU {}, {status}", cpus.join(", "))
    }

    /// Ends its work, and its workers.
    fn shut(&mut self) -> Shut {
        Shut {
            ended: self.console().shut(),
            complete: true,
        }
    }
}

/// How the work of a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Its workers have ended.
    pub ended: bool,
    /// All that it was to leave is there.
    pub complete: bool,
}

/// Starts a secondary, does what it is told, and ends; false if it does not leave all that it was to. `make` gives it its commands.
///
/// # Errors
/// It cannot start.
pub fn run<S: Service>(
    start: Start,
    make: impl FnOnce(Identity, Console, panel::Area) -> Result<S, Error>,
) -> Result<bool, Error> {
    logging::start(start.log_level);
    sys::signal::block_all()?;
    sys::proc::keep_files_private();
    let Secondary {
        info,
        identity,
        console,
        area,
        mut leases,
        folder,
        watch,
        workers,
        predecessor,
    } = secondary::start(&start.options)?;
    let (to, events) = events::queue()?;
    let (kind, id) = (identity.kind, identity.id);
    let mut service = make(identity, console, area)?;
    let begun = match predecessor {
        Some((us, old)) => handover::take(&mut service, &mut leases, &folder, &us, &old),
        None => service.begin().inspect_err(|_| {
            service.shut();
        }),
    };
    if let Err(e) = begun {
        // Its ports are closed and its workers have ended.
        drop(watch);
        leases.let_go();
        sweep::leave(
            &folder,
            &start.options.file_prefix,
            start.options.huge_dir.as_deref(),
        );
        return Err(e);
    }
    log::info!(
        "{kind} {id} of panel {} is ready: {}",
        start.options.file_prefix,
        service.summary()
    );
    let mut door = Door::open(&folder, id, &workers, to.clone())?;
    let link = confine::controller(&start.options, &info)
        .map(|address| Link::start(address.to_owned(), to))
        .transpose()?;
    if link.is_none() {
        log::warn!(
            "the primary announces no controller (--no-ctl): this process takes no commands"
        );
    }
    confine::after_start(&start.options, &info);
    sys::proc::sd_notify("READY=1")?;
    let (leaving, farewell) = loop {
        match events::run(&mut service, &events) {
            End::Command => break (true, None),
            End::Signal => break (false, None),
            End::Successor(caller) => {
                let farewell = handover::give(&mut service, &leases, kind, id, *caller);
                if farewell.is_some() {
                    break (true, farewell);
                }
            }
        }
    };
    drop(events);
    if leaving && let Err(e) = desk::say_leaving(folder.path(), id) {
        log::debug!("the primary was not told that this process leaves: {e}");
    }
    drop(link);
    door.close();
    if let Some(farewell) = farewell {
        leases.hand_on_id();
        farewell.say();
    }
    let Shut { ended, complete } = service.shut();
    if ended {
        // Whoever gets our lcore ids next begins without a sign of life.
        drop(watch);
        leases.let_go();
        sweep::leave(
            &folder,
            &start.options.file_prefix,
            start.options.huge_dir.as_deref(),
        );
    }
    Ok(complete)
}
