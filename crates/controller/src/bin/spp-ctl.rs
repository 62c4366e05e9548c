//! `spp-ctl`: the controller as a program.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use controller::{Config, Controller};
use tokio::signal::unix::{SignalKind, signal};

/// Controls the processes of a panel: they connect to it by TCP, everybody else uses its REST
/// interface.
#[derive(Debug, Parser)]
#[command(name = "spp-ctl", version)]
struct Options {
    /// Address of all three ports: a loopback address or `localhost`
    #[arg(short = 'b', long = "bind-addr", value_name = "ADDR", default_value = "127.0.0.1",
          value_parser = parse_address)]
    bind: IpAddr,
    /// TCP port for the primary (0: the kernel chooses)
    #[arg(short = 'p', long, value_name = "PORT", default_value_t = 5555)]
    primary_port: u16,
    /// TCP port for secondaries (0: the kernel chooses)
    #[arg(short = 's', long, value_name = "PORT", default_value_t = 6666)]
    secondary_port: u16,
    /// TCP port of the REST interface (0: the kernel chooses)
    #[arg(
        short = 'a',
        long = "api-port",
        value_name = "PORT",
        default_value_t = 7777
    )]
    rest_port: u16,
    /// End when the primary has ended cleanly and nothing is connected any more
    #[arg(long)]
    exit_when_idle: bool,
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text
            .parse()
            .map_err(|_| "no IP address: write one such as 127.0.0.1".to_owned()),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let level = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(level).init();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spp-ctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let config = Config {
            bind: options.bind,
            primary_port: options.primary_port,
            secondary_port: options.secondary_port,
            rest_port: options.rest_port,
            exit_when_idle: options.exit_when_idle,
            ..Config::default()
        };
        let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
        let controller = Controller::start(config).await?;
        log::info!(
            "listening: primary {}, secondaries {}, REST {}",
            controller.primary_address(),
            controller.secondary_address(),
            controller.rest_address()
        );
        controller
            .run(async {
                tokio::select! {
                    _ = terminate.recv() => log::info!("SIGTERM: ending"),
                    _ = interrupt.recv() => log::info!("SIGINT: ending"),
                }
            })
            .await;
        Ok(())
    })
}
