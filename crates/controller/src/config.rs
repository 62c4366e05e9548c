//! What the controller is told at start.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use protocol::token::Token;

use crate::tls::TlsFiles;

/// Addresses and behaviour of a controller.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of REST. One that is not loopback is taken only with a token.
    pub bind: IpAddr,
    /// Address of the ports of processes. `None`: that of REST if it is loopback, else 127.0.0.1:
    /// processes know no token, so that everybody who reaches these ports is believed.
    pub process_bind: Option<IpAddr>,
    /// The secret that every request of REST has to have.
    pub token: Option<Token>,
    /// Speaks TLS on the port of REST.
    pub tls: Option<TlsFiles>,
    /// TCP port for the primary; 0 lets the kernel choose.
    pub primary_port: u16,
    /// TCP port for secondaries; 0 lets the kernel choose.
    pub secondary_port: u16,
    /// TCP port of REST; 0 lets the kernel choose.
    pub rest_port: u16,
    /// End once the primary has ended cleanly and nothing is connected any more.
    pub exit_when_idle: bool,
    /// Where the kernel describes CPUs.
    pub cpu_dir: PathBuf,
    /// Folder that holds the desired state; `None`: nothing is kept.
    pub state: Option<PathBuf>,
    /// Time limits.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            process_bind: None,
            token: None,
            tls: None,
            primary_port: 5555,
            secondary_port: 6666,
            rest_port: 7777,
            exit_when_idle: false,
            cpu_dir: PathBuf::from("/sys/devices/system/cpu"),
            state: None,
            limits: Limits::default(),
        }
    }
}

/// How long the controller waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A new connection has to say who it is.
    pub handshake: Duration,
    /// An answer to `status`, `_detail` and the question whether an older connection lives.
    pub status: Duration,
    /// An answer to any other command.
    pub command: Duration,
    /// A process is asked for its status after this time without a command.
    pub probe_every: Duration,
    /// With `exit_when_idle`: time without any connection before the end.
    pub idle_grace: Duration,
    /// A process whose connection closed is shown as gone for this time.
    pub remember_gone: Duration,
    /// The head of a REST request has to arrive; connections without a request are closed, too.
    pub head: Duration,
    /// The body of a REST request has to arrive.
    pub body: Duration,
    /// A client that takes nothing of its answer for this time is given up.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_millis(500),
            status: Duration::from_millis(500),
            command: Duration::from_secs(5),
            probe_every: Duration::from_secs(1),
            idle_grace: Duration::from_secs(2),
            remember_gone: Duration::from_secs(60),
            head: Duration::from_secs(30),
            body: Duration::from_secs(5),
            write: Duration::from_secs(30),
        }
    }
}
