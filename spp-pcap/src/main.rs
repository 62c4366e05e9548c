//! spp-pcap: a secondary that captures a port into files.

#![forbid(unsafe_code)]

mod options;
mod pcap;

use std::process::ExitCode;

use capture::Capture;
use options::Asked;
use pcap::Pcap;
use process::{Error, service};

fn start() -> Result<bool, Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Asked {
        start,
        port,
        plan,
        shown,
    } = options::parse(&args)?;
    let unfit = |e: capture::CaptureError| Error::Usage(e.to_string());
    // Before anything is taken: what is wrong with the filter shows at once.
    Capture::check(&plan).map_err(unfit)?;
    let at_once = start.options.forwarding;
    if start.options.take_over {
        pcap::can_succeed(port)?;
    }
    service::run(start, |identity, console, area| {
        // Its threads inherit what is left to a process that has joined a panel.
        let capture = Capture::new(plan).map_err(unfit)?;
        Pcap::new(identity, console, area, capture, port, shown, at_once)
    })
}

fn main() -> ExitCode {
    match start() {
        Ok(true) => process::ended(),
        Ok(false) => ExitCode::FAILURE,
        Err(e) => process::fail("spp-pcap", &e),
    }
}
