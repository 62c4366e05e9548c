//! spp-traffic: a secondary that sends numbered frames into one port of a panel and accounts for
//! what arrives at another.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use panel::Poll;
use process::cli::{Common, Joining, seconds};
use process::events::{self, Event};
use process::secondary::{self, Options, Placement};
use process::{Error, eal_options, logging};
use protocol::port::PortName;
use sys::signal::Signal;
use traffic::run::{self, Plan, RunError, Stop, Until};

/// Sends numbered frames into one port of a panel and accounts for what arrives at another.
///
/// The exit status is 0 only if no frame was lost, doubled, damaged or out of order. SIGINT or SIGTERM end the
/// sending; what is on its way is waited for.
#[derive(Parser, Debug)]
#[command(name = "spp-traffic", version)]
struct Args {
    #[command(flatten)]
    joining: Joining,
    #[command(flatten)]
    common: Common,
    /// Port to send into, such as ring:0
    #[arg(long, value_name = "PORT")]
    tx: Option<PortName>,
    /// Port to receive from
    #[arg(long, value_name = "PORT")]
    rx: Option<PortName>,
    /// Bytes of a frame, without the frame check sequence: 60 to 9600
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    size: usize,
    /// Flows whose frames take turns
    #[arg(long, value_name = "N", default_value_t = 4)]
    flows: u16,
    /// End after so many frames [default: when told to]
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Most frames a second, all flows together [default: as many as the port takes]
    #[arg(long, value_name = "PPS", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// CPU to run on [default: the one with the fewest workers]
    #[arg(long, value_name = "CPU")]
    lcores: Option<String>,
    /// End when nothing has moved for so many seconds
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    patience: f64,
    /// Lost frames are counted, but are no failure
    #[arg(long)]
    allow_loss: bool,
    /// Print the totals as JSON
    #[arg(long)]
    json: bool,
}

fn plan(args: &Args) -> Result<Plan, Error> {
    let until = match (args.count, args.seconds) {
        (Some(count), _) => Until::Count(count),
        (None, Some(s)) => Until::Elapsed(seconds("--seconds", s)?),
        (None, None) => Until::Told,
    };
    let plan = Plan {
        tx: args.tx,
        rx: args.rx,
        size: args.size,
        flows: args.flows,
        until,
        rate: args.rate,
        patience: seconds("--patience", args.patience)?,
    };
    plan.check().map_err(|e| Error::Usage(e.to_string()))?;
    Ok(plan)
}

fn options(args: &Args) -> Result<Options, Error> {
    let placement = match &args.lcores {
        Some(text) => {
            let lcores = eal_options::lcore_map(text)?;
            if lcores.len() != 1 {
                return Err(Error::Usage(format!(
                    "--lcores {text}: one CPU is used, name one"
                )));
            }
            Placement::On(lcores)
        }
        None => Placement::Any(1),
    };
    Ok(Options {
        kind: "traffic",
        id: args.joining.sec_id,
        file_prefix: args.common.file_prefix.clone(),
        main_lcore: None,
        placement,
        wait: args.joining.wait()?,
        vhost_mode: args.common.vhost_mode(),
        pcap_dir: args.common.pcap_dir.clone(),
        poll: Poll::Busy,
        forwarding: false,
        controller: None,
        confinement: args.common.confining.confinement(),
        huge_dir: args.common.huge_dir.clone(),
        eal: args.common.eal.clone(),
    })
}

fn start(args: &Args) -> Result<bool, Error> {
    let (plan, options) = (plan(args)?, options(args)?);
    logging::start(args.common.log_level);
    sys::signal::block_all()?;
    sys::proc::keep_files_private();
    let refused = |e: RunError| match e {
        RunError::Process(e) => e,
        other => Error::Refused(other.to_string()),
    };
    let joined = secondary::join(&options)?;
    let (_keep, events) = events::queue()?;
    let stop = Stop::default();
    let running = run::start(&joined, &plan, &stop).map_err(refused)?;
    log::info!(
        "traffic {} of panel {} is running",
        options.id,
        options.file_prefix
    );
    let report = loop {
        while let Ok(event) = events.try_recv() {
            if let Event::Signal(Signal::Terminate | Signal::Interrupt) = event {
                stop.tell();
            }
        }
        if let Some(report) = running.wait(Duration::from_millis(20)).map_err(refused)? {
            break report;
        }
    };
    running.close();
    if args.json {
        println!("{}", report.to_json());
    } else {
        println!("{report}");
    }
    Ok(report.is_good(args.allow_loss))
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(e) => process::fail("spp-traffic", &e),
    }
}
