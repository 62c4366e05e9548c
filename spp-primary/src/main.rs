//! spp-primary: owns the panel's memory, rings and NICs, cleans up after the dead, and starts the controller.

#![forbid(unsafe_code)]

mod boot;
mod children;
mod flow;
mod heap;
mod house;
mod launch;
mod memory;
mod options;
mod plug;
mod plugs;
mod primary;
mod reaper;
mod replace;

use std::process::ExitCode;

use process::{Error, events, link::Link, logging, sweep};

fn start() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options = options::parse(&args)?;
    logging::start(options.log_level);
    // The audit of the pool takes more than a megabyte.
    sys::proc::keep_no_large_blocks();
    sys::signal::block_all()?;
    sys::proc::keep_files_private();
    let (to, events) = events::queue()?;
    let boot::Booted {
        mut primary,
        panel,
        leases,
        again,
    } = boot::boot(&options)?;
    let desk = process::desk::Desk::open(panel.folder().path(), to.clone())?;
    let link = match &options.controller {
        Some(c) => Some(Link::start(format!("{}:{}", c.address, c.primary), to)?),
        None => None,
    };
    if let Some(link) = &link {
        primary.connected = link.connected();
    }
    sys::proc::sd_notify("READY=1")?;
    log::info!(
        "panel {} is ready: start workers with spp-nfv --sec-id 1{}",
        options.file_prefix,
        prefix_hint(&options.file_prefix)
    );
    primary.launcher.resume(again);
    primary.launcher.begin(&options.launch);
    events::run(&mut primary, &events);
    drop(events);

    sys::proc::sd_notify("STOPPING=1")?;
    panel.withdraw()?;
    drop(desk);
    if let Some(console) = &mut primary.console {
        console.shut();
    }
    drop(link);
    primary.flows.end();
    let launched = primary.launcher.running();
    if launched > 0 {
        log::warn!("{launched} launched processes stay, and nobody starts them again if they end");
    }
    let others = sweep::secondaries(panel.folder())?;
    if others.is_empty() {
        sweep::remove(
            panel.folder(),
            &options.file_prefix,
            options.huge_dir.as_deref(),
        );
    } else {
        log::warn!(
            "secondaries are still running: they go on forwarding, and have to be ended before a new primary can start"
        );
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

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => process::fail("spp-primary", &e),
    }
}
