//! spp-pcap: a secondary that captures a port into files.

#![forbid(unsafe_code)]

mod options;
mod pcap;

use std::process::ExitCode;

use capture::Capture;
use options::Asked;
use pcap::Pcap;
use process::events::{self, End};
use process::secondary::{self, Secondary};
use process::{Error, confine, desk, link::Link, logging, sweep};

fn start() -> Result<bool, Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Asked {
        start,
        port,
        plan,
        shown,
    } = options::parse(&args)?;
    if start.options.take_over {
        return Err(Error::Usage(
            "a capture cannot be taken over: end the process and start it again".into(),
        ));
    }
    logging::start(start.log_level);
    sys::signal::block_all()?;
    sys::proc::keep_files_private();
    // Before anything else is taken: what is wrong with the filter shows at once.
    let unfit = |e: capture::CaptureError| Error::Usage(e.to_string());
    Capture::check(&plan).map_err(unfit)?;
    let Secondary {
        info,
        identity,
        console,
        area,
        leases,
        folder,
        watch,
        workers: _,
        predecessor: _,
    } = secondary::start(&start.options)?;
    // Its threads inherit what is left to a process that has joined a panel.
    let capture = Capture::new(plan).map_err(unfit)?;
    let (to, events) = events::queue()?;
    let id = identity.id;
    let mut pcap = Pcap::new(identity, console, area, capture, port, shown)?;
    let at_once = start.options.forwarding;
    let begun = if at_once { pcap.start() } else { Ok(()) };
    let end = match begun {
        Ok(()) => {
            log::info!(
                "pcap {id} of panel {} is ready: {}",
                start.options.file_prefix,
                pcap.summary()
            );
            let link = confine::controller(&start.options, &info)
                .map(|address| Link::start(address.to_owned(), to))
                .transpose()?;
            confine::after_start(&start.options, &info);
            sys::proc::sd_notify("READY=1")?;
            let end = events::run(&mut pcap, &events);
            drop(events);
            if matches!(end, End::Command)
                && let Err(e) = desk::say_leaving(folder.path(), id)
            {
                log::debug!("the primary was not told that this process leaves: {e}");
            }
            drop(link);
            Ok(())
        }
        Err(e) => Err(e),
    };
    let (ended, complete) = pcap.shut();
    if ended {
        drop(watch);
        leases.let_go();
        sweep::leave(
            &folder,
            &start.options.file_prefix,
            start.options.huge_dir.as_deref(),
        );
    }
    end.map(|()| complete)
}

fn main() -> ExitCode {
    match start() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => process::fail("spp-pcap", &e),
    }
}
