//! Options that processes have in common: groups for `#[command(flatten)]`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::command::VhostMode;

use crate::Error;
use crate::confine::{Confinement, Confining};
use crate::eal_options::{EalOptions, NamedLcore, lcore_map};
use crate::secondary::{Options, Placement};
use crate::watch::STALL;

/// Variable of the environment that says when a worker counts as stuck.
const STALL_NAME: &str = "SPP_STALL";
/// Variable of the environment that stands for `--take-over`.
const TAKE_OVER_NAME: &str = "SPP_TAKE_OVER";
/// Shortest time after which a worker can count as stuck.
const SHORTEST_STALL: Duration = Duration::from_millis(500);

/// What the command line of a secondary asks for.
pub struct Start {
    /// How the process starts.
    pub options: Options,
    /// What is logged.
    pub log_level: log::LevelFilter,
}

/// Of every process that uses DPDK.
#[derive(Args, Debug, Clone)]
pub struct Common {
    /// Name of the panel; processes of one panel use the same
    #[arg(
        long,
        value_name = "NAME",
        env = "SPP_FILE_PREFIX",
        default_value = "spp"
    )]
    pub file_prefix: String,
    /// vhost ports connect to sockets that their peers make
    #[arg(long, env = "SPP_VHOST_CLIENT")]
    pub vhost_client: bool,
    /// Where the files of pcap ports lie: spp-rxN.pcap is read, spp-txN.pcap written
    #[arg(long, value_name = "DIR", env = "SPP_PCAP_DIR", default_value = "/tmp")]
    pub pcap_dir: PathBuf,
    /// Mount of hugetlbfs
    #[arg(long, value_name = "DIR", env = "SPP_HUGE_DIR")]
    pub huge_dir: Option<PathBuf>,
    /// What it gives up
    #[command(flatten)]
    pub confining: Confining,
    /// An argument for DPDK's EAL as it is (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub eal: Vec<String>,
    /// error, warn, info, debug or trace
    #[arg(
        long,
        value_name = "LEVEL",
        env = "SPP_LOG_LEVEL",
        default_value = "info"
    )]
    pub log_level: log::LevelFilter,
}

impl Common {
    /// Who makes the sockets of vhost ports that do not say it themselves.
    pub fn vhost_mode(&self) -> VhostMode {
        vhost_mode(self.vhost_client)
    }
}

/// The meaning of `--vhost-client`, given or not.
pub fn vhost_mode(client: bool) -> VhostMode {
    if client {
        VhostMode::Client
    } else {
        VhostMode::Server
    }
}

/// Of processes with workers.
#[derive(Args, Debug, Clone)]
pub struct Polling {
    /// What workers do when there is nothing to do
    #[arg(
        long,
        value_name = "MODE",
        env = "SPP_POLL",
        default_value = "adaptive"
    )]
    poll: Mode,
    /// Seconds without progress after which a worker counts as stuck
    #[arg(long, value_name = "SECONDS", env = STALL_NAME, default_value_t = STALL.as_secs_f64())]
    stall: f64,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Mode {
    /// They rest
    Adaptive,
    /// They go on polling
    Busy,
}

impl Polling {
    /// Whether workers rest.
    pub fn poll(&self) -> panel::Poll {
        match self.poll {
            Mode::Adaptive => panel::Poll::Adaptive,
            Mode::Busy => panel::Poll::Busy,
        }
    }

    /// When a worker counts as stuck.
    ///
    /// # Errors
    /// Less than a worker may rest, or a number that is no time.
    pub fn stall(&self) -> Result<Duration, Error> {
        checked_stall("--stall", self.stall)
    }
}

/// Of secondaries.
#[derive(Args, Debug, Clone)]
pub struct Joining {
    /// Id of this process, 1 to 127, unique in the panel
    #[arg(long, value_name = "ID", env = "SPP_SEC_ID", value_parser = clap::value_parser!(u32).range(1..=127))]
    pub sec_id: u32,
    /// How long to wait for the primary, in seconds
    #[arg(long, value_name = "SECONDS", env = "SPP_WAIT", default_value_t = 10.0)]
    wait: f64,
}

impl Joining {
    /// How long to wait for the primary.
    ///
    /// # Errors
    /// A number that is no time.
    pub fn wait(&self) -> Result<Duration, Error> {
        seconds("--wait", self.wait)
    }
}

/// A time given as the value of an option, in seconds.
///
/// # Errors
/// Below 0, or more than there are.
pub fn seconds(option: &str, value: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| Error::Usage(format!("{option} {value}: a number of seconds, 0 or more")))
}

/// Of secondaries that take commands.
#[derive(Args, Debug, Clone)]
pub struct Registering {
    /// Where secondaries register at the controller [default: what the primary announces]
    #[arg(long, value_name = "HOST:PORT", env = "SPP_CTL_SECONDARY")]
    ctl: Option<String>,
}

impl Registering {
    /// Where to register, if the command line says so.
    ///
    /// # Errors
    /// Not `HOST:PORT`.
    pub fn controller(self) -> Result<Option<String>, Error> {
        self.ctl.map(|text| endpoint("--ctl", text)).transpose()
    }
}

/// Of secondaries that can take the place of another.
#[derive(Args, Debug, Clone)]
pub struct Succeeding {
    /// Take the place of the process that has this id: its ports and patches, while packets flow. Workers run where its workers
    /// do, unless --lcores says otherwise. If it fails, that process goes on
    #[arg(long, env = TAKE_OVER_NAME)]
    pub take_over: bool,
}

/// Where the workers of a secondary run.
#[derive(Args, Debug, Clone)]
pub struct Workers {
    /// CPUs for the workers, one worker each: a list such as 1,3-5, or an EAL map such as 1@0,2@1
    /// [default: one worker on the CPU with the fewest]
    #[arg(
        long,
        value_name = "CPUS",
        env = "SPP_LCORES",
        conflicts_with = "workers"
    )]
    lcores: Option<String>,
    /// Number of workers, placed on the CPUs with the fewest
    #[arg(long, value_name = "N", env = "SPP_WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
}

impl Workers {
    /// Their CPUs, or their number.
    ///
    /// # Errors
    /// `--lcores` is no list and no map.
    pub fn placement(&self) -> Result<Placement, Error> {
        Ok(match &self.lcores {
            Some(text) => Placement::On(lcore_map(text)?),
            None => Placement::Any(usize::from(self.workers)),
        })
    }
}

/// Checks that `text`, the value of `option`, can be an address; whether anybody answers there shows later.
///
/// # Errors
/// Not `HOST:PORT` with a port of 1 to 65535.
pub fn endpoint(option: &str, text: String) -> Result<String, Error> {
    let port = |(host, port): (&str, &str)| {
        let port = port.parse::<u16>().ok().filter(|port| *port != 0);
        port.filter(|_| !host.is_empty())
    };
    match text.rsplit_once(':').and_then(port) {
        Some(_) => Ok(text),
        None => Err(Error::Usage(format!(
            "{option} {text:?}: write HOST:PORT, for instance 127.0.0.1:6666"
        ))),
    }
}

/// The main lcore as shown, and the worker lcores, of a command line in the original's form. With a single
/// lcore there are no workers beside it.
///
/// # Errors
/// No lcores are named.
pub fn original_lcores(eal: &EalOptions) -> Result<(u32, Vec<NamedLcore>), Error> {
    match eal.lcores.as_slice() {
        [] => Err(Error::Usage(
            "the lcores are missing: name them with -l, for instance -l 1,2".into(),
        )),
        [main, workers @ ..] => Ok((main.shown, workers.to_vec())),
    }
}

/// How a secondary starts whose command line has the original's form: on `workers`, with what the EAL
/// options say; idle, as the original does.
///
/// # Errors
/// As [`stall_of_environment`].
pub fn original_options(
    kind: &'static str,
    id: u32,
    eal: EalOptions,
    main: u32,
    workers: Vec<NamedLcore>,
) -> Result<Options, Error> {
    Ok(Options {
        kind,
        id,
        file_prefix: eal.file_prefix.unwrap_or_else(|| "rte".into()),
        main_lcore: Some(main),
        placement: Placement::On(workers),
        wait: Duration::from_secs(10),
        vhost_mode: VhostMode::Server,
        pcap_dir: "/tmp".into(),
        poll: panel::Poll::Adaptive,
        stall: stall_of_environment()?,
        forwarding: false,
        controller: None,
        confinement: Confinement::default(),
        take_over: std::env::var(TAKE_OVER_NAME).is_ok_and(|v| ["1", "true"].contains(&v.as_str())),
        huge_dir: eal.huge_dir,
        eal: eal.extra,
    })
}

/// When a worker counts as stuck where the command line cannot say it: in the original's form.
///
/// # Errors
/// As [`Polling::stall`].
pub fn stall_of_environment() -> Result<Duration, Error> {
    let Ok(text) = std::env::var(STALL_NAME) else {
        return Ok(STALL);
    };
    let value = text
        .parse()
        .map_err(|_| Error::Usage(format!("{STALL_NAME}={text}: a number of seconds")))?;
    checked_stall(STALL_NAME, value)
}

fn checked_stall(name: &str, value: f64) -> Result<Duration, Error> {
    let stall = seconds(name, value)?;
    if stall < SHORTEST_STALL {
        return Err(Error::Usage(format!(
            "{name} {value}: a worker may rest for 0.2 s; {} is the least",
            SHORTEST_STALL.as_secs_f64()
        )));
    }
    Ok(stall)
}

/// The words after `--` that `vf`, `mirror` and `pcap` of the original have in common.
#[derive(Args, Debug, Clone)]
pub struct OriginalClient {
    /// Id of this process
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..=127))]
    pub client_id: u32,
    #[arg(short = 's', value_name = "HOST:PORT")]
    server: String,
    /// What it gives up
    #[command(flatten)]
    pub confining: Confining,
}

impl OriginalClient {
    /// Where to register.
    ///
    /// # Errors
    /// Not `HOST:PORT`.
    pub fn controller(self) -> Result<String, Error> {
        endpoint("-s", self.server)
    }
}
