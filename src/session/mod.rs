//! What the shell itself remembers between commands.

pub mod config;
pub mod history;
pub mod plugins;
pub mod record;
pub mod servers;

use crate::session::config::Config;
use crate::session::history::History;
use crate::session::plugins::Plugins;
use crate::session::record::{Queue, Record};
use crate::session::servers::Servers;

/// Everything that outlives a command and is nobody else's.
#[derive(Debug, Default)]
pub struct Session {
    /// How the shell works.
    pub config: Config,
    /// Controllers that commands may go to.
    pub servers: Servers,
    /// The file into which lines are written, while there is one.
    pub record: Option<Record>,
    /// Lines of a playback that are still to be run.
    pub queue: Queue,
    /// Plugins that were loaded.
    pub plugins: Plugins,
    /// Earlier lines.
    pub history: History,
    /// The network that commands of `lab` are about if they name none: that of the shell in which they are typed.
    pub network: Option<String>,
}
