//! spp-primary: owns the panel's memory, rings and NICs, cleans up after the dead, and starts the controller.

mod boot;
mod children;
mod house;
mod memory;
mod options;
mod plug;
mod primary;
mod reaper;

use std::path::Path;
use std::process::ExitCode;

use process::{Error, events, link::Link, logging};

fn start() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options = options::parse(&args)?;
    logging::start(options.log_level);
    sys::signal::block_all()?;
    let (to, events) = events::queue()?;
    let boot::Booted {
        mut primary,
        panel,
        leases,
    } = boot::boot(&options)?;
    let desk = process::desk::Desk::open(panel.folder().path(), to.clone())?;
    let link = match &options.controller {
        Some(c) => Some(Link::start(format!("{}:{}", c.address, c.primary), to)?),
        None => None,
    };
    sys::proc::sd_notify("READY=1")?;
    log::info!(
        "panel {} is ready: start workers with spp-nfv --sec-id 1{}",
        options.file_prefix,
        prefix_hint(&options.file_prefix)
    );
    events::run(&mut primary, &events);

    sys::proc::sd_notify("STOPPING=1")?;
    panel.withdraw()?;
    drop(desk);
    if let Some(console) = &mut primary.console {
        console.shut();
    }
    drop(link);
    let others = registry::lease::holders(panel.folder())?
        .iter()
        .any(|h| h.holder.kind != "primary");
    if others {
        log::warn!(
            "secondaries are still running: they go on forwarding, and have to be ended before a new primary can start"
        );
    } else {
        clean_up(&options, panel.folder().path());
    }
    drop(leases);
    Ok(())
}

fn prefix_hint(prefix: &str) -> String {
    if prefix == "spp" {
        String::new()
    } else {
        format!(" --file-prefix {prefix}")
    }
}

/// Removes what only a running panel needs: its hugepage files and its runtime folder.
fn clean_up(options: &options::Options, folder: &Path) {
    let mounts = sys::hugepages::mounts().unwrap_or_default();
    let ours = format!("{}map_", options.file_prefix);
    for mount in mounts
        .iter()
        .filter(|m| options.huge_dir.as_ref().is_none_or(|d| *d == m.path))
    {
        let Ok(entries) = std::fs::read_dir(&mount.path) else {
            continue;
        };
        for entry in entries
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with(&ours))
        {
            if let Err(e) = std::fs::remove_file(entry.path()) {
                log::warn!("{} stays: {e}", entry.path().display());
            }
        }
    }
    if let Some(runtime) = folder.parent()
        && let Err(e) = std::fs::remove_dir_all(runtime)
    {
        log::warn!("{} stays: {e}", runtime.display());
    }
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => process::fail("spp-primary", &e),
    }
}
