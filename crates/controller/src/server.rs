//! The controller as a whole: listeners, REST, and its end.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::listener::{Door, accept};
use crate::rest::{self, Guard, Shared};
use crate::state::{State, StateError};
use crate::table::Table;
use crate::tls::{self, TlsError};

/// Why a controller does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Off loopback there has to be a token.
    #[error(
        "will not listen on {0}: off loopback everybody on the network could control the panel; \
         give --token-file FILE with a secret to keep them out (and --tls-cert, --tls-key), or use \
         a loopback address (-b 127.0.0.1) and, from elsewhere, a tunnel"
    )]
    NeedsToken(IpAddr),
    /// TLS is wanted and cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The folder of the desired state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A listener cannot be opened.
    #[error(
        "cannot listen on {address} ({what}): {error}; if another spp-ctl runs there, use or stop \
         it, else choose another port with {option}"
    )]
    Listen {
        /// Address and port.
        address: SocketAddr,
        /// What the port is for.
        what: &'static str,
        /// The option that sets it.
        option: &'static str,
        /// What the kernel says.
        error: io::Error,
    },
}

/// A controller whose listeners are open.
pub struct Controller {
    config: Config,
    table: Arc<Table>,
    primary: SocketAddr,
    secondary: SocketAddr,
    rest: SocketAddr,
    /// Dropping it ends the tasks.
    tasks: JoinSet<()>,
    stop_rest: oneshot::Sender<()>,
}

/// Checks that nobody uninvited can reach the panel; gives the address for processes.
fn check_addresses(config: &Config) -> Result<IpAddr, StartError> {
    let bind = config.bind;
    if !bind.is_loopback() {
        if config.token.is_none() {
            return Err(StartError::NeedsToken(bind));
        }
        if config.tls.is_none() {
            log::warn!(
                "REST on {bind} without TLS: whoever can listen on the network reads the token \
                 (--tls-cert FILE --tls-key FILE)"
            );
        }
    }
    let local = if bind.is_loopback() {
        bind
    } else {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    };
    match config.process_bind {
        Some(address) if !address.is_loopback() => {
            log::warn!(
                "processes connect to {address}: everybody who reaches these ports can pretend to \
                 be a process, for processes have no token; keep others out by a firewall"
            );
            Ok(address)
        }
        Some(address) => Ok(address),
        None => Ok(local),
    }
}

/// A listener, and the address that it has.
type Bound = (TcpListener, SocketAddr);

/// A controller whose listeners are open, and that serves nobody yet.
pub struct Doors {
    config: Config,
    tls: Option<TlsAcceptor>,
    primaries: Bound,
    secondaries: Bound,
    requests: Bound,
}

impl Doors {
    /// Opens the listeners. Nothing is made on disk.
    ///
    /// # Errors
    /// [`StartError`] if the address needs a token, TLS cannot be spoken, or a port is in use.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let process_bind = check_addresses(&config)?;
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let listen = async |bind, port, what, option| {
            let address = SocketAddr::new(bind, port);
            let failed = |error| StartError::Listen {
                address,
                what,
                option,
                error,
            };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            Ok::<_, StartError>((listener, bound))
        };
        let primary = listen(process_bind, config.primary_port, "for the primary", "-p");
        let primaries = primary.await?;
        let secondary = listen(process_bind, config.secondary_port, "for secondaries", "-s");
        let secondaries = secondary.await?;
        let requests = listen(config.bind, config.rest_port, "for REST", "-a").await?;
        Ok(Self {
            config,
            tls,
            primaries,
            secondaries,
            requests,
        })
    }

    /// As it was told.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Serves from now on, in tasks of the current runtime.
    ///
    /// # Errors
    /// [`StartError`] if the state cannot be used.
    pub fn serve(self) -> Result<Controller, StartError> {
        let Self {
            config,
            tls,
            primaries: (primaries, primary),
            secondaries: (secondaries, secondary),
            requests: (requests, rest),
        } = self;
        let state = State::open(config.state.as_deref())?;
        let table = Arc::new(Table::default());
        let limits = config.limits;
        let mut tasks = JoinSet::new();
        let shared = Shared {
            table: table.clone(),
            state: Arc::new(state),
            limits,
            cpu_dir: config.cpu_dir.as_path().into(),
            figures: Arc::default(),
            rounds: Arc::default(),
            guard: Arc::new(Guard::new(config.bind, config.token.clone())),
        };
        tasks.spawn(accept(primaries, Door::Primary, shared.clone()));
        tasks.spawn(accept(secondaries, Door::Secondary, shared.clone()));
        let (stop_rest, stopped) = oneshot::channel::<()>();
        let settings = rest::Settings {
            figures: shared.figures.clone(),
            router: rest::router(shared),
            limits,
            tls,
        };
        tasks.spawn(rest::serve(requests, settings, async {
            // A dropped sender means the same as one that sends.
            let _ = stopped.await;
        }));
        Ok(Controller {
            config,
            table,
            primary,
            secondary,
            rest,
            tasks,
            stop_rest,
        })
    }
}

impl Controller {
    /// Opens the listeners and serves from now on, in tasks of the current runtime.
    ///
    /// # Errors
    /// As of [`Doors::open`] and [`Doors::serve`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Doors::open(config).await?.serve()
    }

    /// Where the primary connects.
    pub fn primary_address(&self) -> SocketAddr {
        self.primary
    }

    /// Where secondaries connect.
    pub fn secondary_address(&self) -> SocketAddr {
        self.secondary
    }

    /// Where REST is served.
    pub fn rest_address(&self) -> SocketAddr {
        self.rest
    }

    /// To be called when the primary that started this controller has ended by its own will, which it may have done before it was
    /// registered.
    pub fn primary_left(&self) -> impl Fn() + Send + use<> {
        let table = self.table.clone();
        move || table.primary_left()
    }

    /// Serves until `stop` is ready, or with `exit_when_idle` until the panel is over; then lets
    /// running requests end and closes everything.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.over() => log::info!("the primary has ended and nothing is connected: ending"),
        }
        // Who follows the events would never end by itself.
        self.table.events.close();
        // The receiver is gone only if REST has ended already.
        let _ = self.stop_rest.send(());
        // The listeners never end: the first task that does is REST, which has its own limit.
        if let Some(Err(error)) = self.tasks.join_next().await {
            log::error!("REST: {error}");
        }
        self.tasks.shutdown().await;
        for peer in self.table.all() {
            peer.close();
        }
    }

    async fn over(&self) {
        if !self.config.exit_when_idle {
            std::future::pending::<()>().await;
        }
        let grace = self.config.limits.idle_grace;
        while !self.table.is_over(grace) {
            sleep(grace / 8).await;
        }
    }
}
