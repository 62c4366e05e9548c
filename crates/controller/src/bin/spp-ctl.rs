//! `spp-ctl`: the controller as a program.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use controller::{Config, Doors, TlsFiles, Token, confine};
use tokio::signal::unix::{SignalKind, signal};

/// Time in which a connection that a process had begun before it ended is seen to be closed.
const SETTLED: Duration = Duration::from_secs(1);

/// Controls the processes of a panel: they connect to it by TCP, everybody else uses its REST
/// interface.
#[derive(Debug, Parser)]
#[command(name = "spp-ctl", version)]
struct Options {
    /// Address of the REST interface: a loopback address, `localhost`, or with --token-file any other
    #[arg(short = 'b', long = "bind-addr", value_name = "ADDR", default_value = "127.0.0.1",
          value_parser = parse_address)]
    bind: IpAddr,
    /// Address of the ports of processes, which know no token [default: that of REST if it is a
    /// loopback address, else 127.0.0.1]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    process_bind: Option<IpAddr>,
    /// File with the secret that every REST request has to have; only its owner and group may read it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Speak TLS on the REST port, with the certificates in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
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
    /// Folder that holds the desired state [default: $STATE_DIRECTORY, else ADDRESS_PORT in
    /// /var/lib/spp (root) or in ~/.local/state/spp; none if the primary's port is 0]
    #[arg(long, value_name = "DIR", env = "SPP_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// Keep no state: processes that crashed get nothing back
    #[arg(long, env = "SPP_STATELESS", conflicts_with = "state_dir")]
    stateless: bool,
    /// Give up nothing: neither capabilities nor files nor system calls (to look for faults)
    #[arg(long, env = "SPP_NO_CONFINE")]
    no_confine: bool,
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
    sys::proc::keep_files_private();
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

/// Where the state lies if nobody says. A port that the kernel chooses is another one each time, so
/// there is nothing to come back to.
fn default_state_dir(bind: IpAddr, port: u16) -> anyhow::Result<Option<PathBuf>> {
    if let Some(folders) = std::env::var_os("STATE_DIRECTORY") {
        // Of a unit with several folders, the first is taken.
        return Ok(std::env::split_paths(&folders).next());
    }
    if port == 0 {
        return Ok(None);
    }
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let base = if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/lib")
    } else {
        absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local/state")))
            .context(
                "where the desired state is to lie is not known, because $HOME is not set: name a \
                 folder with --state-dir DIR, or keep no state: --stateless",
            )?
    };
    Ok(Some(base.join("spp").join(format!("{bind}_{port}"))))
}

fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let state = match (options.stateless, options.state_dir) {
            (true, _) => None,
            (false, Some(folder)) => Some(folder),
            (false, None) => default_state_dir(options.bind, options.primary_port)?,
        };
        let kept = match &state {
            Some(folder) => format!("in {}", folder.display()),
            None => "none is kept".to_owned(),
        };
        let token = options.token_file.as_deref().map(Token::read).transpose()?;
        let tls = options.tls_cert.zip(options.tls_key);
        let config = Config {
            state,
            bind: options.bind,
            process_bind: options.process_bind,
            token,
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            primary_port: options.primary_port,
            secondary_port: options.secondary_port,
            rest_port: options.rest_port,
            exit_when_idle: options.exit_when_idle,
            ..Config::default()
        };
        let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
        let mut farewell = signal(SignalKind::user_defined1()).context("cannot catch SIGUSR1")?;
        // A folder is made for a controller that has its ports only.
        let doors = Doors::open(config).await?;
        if options.no_confine {
            log::warn!(
                "not confined (--no-confine): who breaks into this process has all its rights"
            );
        } else {
            confine::before_serving(doors.config(), options.token_file.as_deref());
        }
        let controller = doors.serve()?;
        // A confined one could not reach its supervisor any more.
        sys::proc::sd_notify("READY=1")?;
        if !options.no_confine {
            confine::when_serving();
        }
        log::info!(
            "listening: primary {}, secondaries {}, REST {}",
            controller.primary_address(),
            controller.secondary_address(),
            controller.rest_address()
        );
        log::info!("desired state: {kept}");
        let primary_left = controller.primary_left();
        tokio::spawn(async move {
            while farewell.recv().await.is_some() {
                // What it may have begun with us fails within that time.
                tokio::time::sleep(SETTLED).await;
                primary_left();
            }
        });
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
