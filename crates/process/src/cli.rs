//! Options that processes have in common: groups for `#[command(flatten)]`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::command::VhostMode;

use crate::Error;

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
