//! spp-traffic: a secondary that sends numbered frames into one port of a panel and accounts for
//! what arrives at another.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use panel::Poll;
use process::events::{self, Event};
use process::secondary::{self, Options, Placement};
use process::{Error, eal_options, logging};
use protocol::command::VhostMode;
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
    /// Id of this process, 1 to 127, unique in the panel
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..=127))]
    sec_id: u32,
    /// Name of the panel, as given to spp-primary
    #[arg(
        long,
        value_name = "NAME",
        env = "SPP_FILE_PREFIX",
        default_value = "spp"
    )]
    file_prefix: String,
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
    /// A vhost port connects to a socket that its peer makes
    #[arg(long)]
    vhost_client: bool,
    /// Where the files of pcap ports lie: spp-rxN.pcap is read, spp-txN.pcap written
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    pcap_dir: std::path::PathBuf,
    /// Lost frames are counted, but are no failure
    #[arg(long)]
    allow_loss: bool,
    /// Print the totals as JSON
    #[arg(long)]
    json: bool,
    /// How long to wait for the primary, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    wait: f64,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: log::LevelFilter,
}

fn seconds(option: &str, value: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| Error::Usage(format!("{option} {value}: a number of seconds, 0 or more")))
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
        id: args.sec_id,
        file_prefix: args.file_prefix.clone(),
        main_lcore: None,
        placement,
        wait: seconds("--wait", args.wait)?,
        vhost_mode: if args.vhost_client {
            VhostMode::Client
        } else {
            VhostMode::Server
        },
        pcap_dir: args.pcap_dir.clone(),
        poll: Poll::Busy,
        forwarding: false,
        huge_dir: None,
        eal: Vec::new(),
    })
}

fn start(args: &Args) -> Result<bool, Error> {
    let (plan, options) = (plan(args)?, options(args)?);
    logging::start(args.log_level);
    sys::signal::block_all()?;
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
