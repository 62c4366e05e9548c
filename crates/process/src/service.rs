//! A secondary that takes commands, from its start to its end.

use crate::cli::Start;
use crate::commands::Console;
use crate::events::{self, End, Process};
use crate::report::Identity;
use crate::secondary::{self, Secondary};
use crate::{Error, confine, desk, link::Link, logging, report, sweep};

/// What the frame needs of a process beside its commands.
pub trait Service: Process {
    /// Its ports and what runs between them.
    fn console(&mut self) -> &mut Console;
}

/// Starts a secondary, does what it is told, and ends. `make` gives it its commands.
///
/// # Errors
/// It cannot start.
pub fn run<S: Service>(
    start: Start,
    make: impl FnOnce(Identity, Console, panel::Area) -> S,
) -> Result<(), Error> {
    logging::start(start.log_level);
    sys::signal::block_all()?;
    sys::proc::keep_files_private();
    let Secondary {
        info,
        identity,
        console,
        area,
        leases,
        folder,
        watch,
    } = secondary::start(&start.options)?;
    let (to, events) = events::queue()?;
    let hands = console.board.hands().iter();
    let workers: Vec<String> = hands.map(|h| h.cpu.to_string()).collect();
    log::info!(
        "{} {} of panel {} is ready: worker on CPU {}, {}",
        identity.kind,
        identity.id,
        start.options.file_prefix,
        workers.join(", "),
        report::status(&console.board)
    );
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
    let id = identity.id;
    let mut service = make(identity, console, area);
    if events::run(&mut service, events) == End::Command
        && let Err(e) = desk::say_leaving(folder.path(), id)
    {
        log::debug!("the primary was not told that this process leaves: {e}");
    }
    drop(link);
    if service.console().shut() {
        // Whoever gets our lcore ids next begins without a sign of life.
        drop(watch);
        leases.let_go();
        sweep::leave(
            &folder,
            &start.options.file_prefix,
            start.options.huge_dir.as_deref(),
        );
    }
    Ok(())
}
