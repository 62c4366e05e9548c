//! Options of the program.

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::address::Address;
use crate::commands;

/// What the exit status says; part of `--help`.
pub const EXIT_STATUS: &str = "\
Exit status:
  0  everything took effect
  1  refused or failed
  2  the command line or a command could not be understood; nothing was done
  3  the controller cannot be reached
With several commands (-f, piped input) the highest of them.";

/// `0.1.0 (commit 1a2b3c4, DPDK 22.11.11)`.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("SPP_GIT_COMMIT"),
    ", DPDK ",
    env!("SPP_DPDK_VERSION"),
    ")"
);

/// The operator's command of SPP, a patch panel in software for DPDK.
///
/// Without COMMAND it is a shell; lines may also be piped in.
#[derive(Debug, Parser)]
#[command(name = "spp", version = VERSION)]
pub struct Options {
    /// Where the controller (spp-ctl) listens; port 7777 if none is given. More than one: commands
    /// go to the first, `server` switches
    #[arg(
        short,
        long,
        env = "SPP_CTL",
        value_name = "ADDR[:PORT]",
        default_value = "127.0.0.1:7777"
    )]
    pub bind_addr: Vec<Address>,

    /// Wait until the primary is registered, at most 20 s
    #[arg(long)]
    pub wait_pri: bool,

    /// Read the configuration (`config` shows it) from this YAML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// File with the token that the controller wants (its --token-file)
    #[arg(long, env = "SPP_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Speak TLS with the controller, and believe the certificates that those in this PEM file signed
    #[arg(long, env = "SPP_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Run the commands in FILE (- is standard input); stop at the first that fails
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub file: Option<String>,

    /// Go on after a command of FILE failed
    #[arg(short, long, requires = "file")]
    pub keep_going: bool,

    /// Write results as JSON, one document a line
    #[arg(long)]
    pub json: bool,

    /// Run this one command: spp status, spp 'nfv 1; add vhost:1', spp nfv 1 add vhost:1
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub command: Vec<String>,
}

impl Options {
    /// Reads the program's arguments. Errors are clap's: `--help` and `--version` among them.
    pub fn read<I: IntoIterator<Item = std::ffi::OsString>>(
        arguments: I,
    ) -> Result<Self, clap::Error> {
        let after = format!("{}\n{EXIT_STATUS}", commands::overview());
        let command = Self::command().after_help(after);
        Self::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }
}
