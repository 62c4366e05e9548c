//! Commands: what the controller says to a process, one grammar for all of them.

pub mod component;
mod error;
pub mod probe;
mod words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::impair::Impairment;
use crate::port::PortName;
use crate::quotable;
pub use component::{CaptureCommand, Change, ComponentCommand};
pub use error::CommandError;
use words::Words;

/// Longest command, in bytes.
pub const MAX_COMMAND: usize = 32768;

/// Who makes the socket of a vhost port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VhostMode {
    /// We create the socket and wait for the guest.
    Server,
    /// The guest creates the socket and we connect to it.
    Client,
}

impl VhostMode {
    /// The word of the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

impl FromStr for VhostMode {
    type Err = CommandError;

    fn from_str(word: &str) -> Result<Self, CommandError> {
        match word {
            "server" => Ok(Self::Server),
            "client" => Ok(Self::Client),
            _ => Err(CommandError::Mode(quotable(word))),
        }
    }
}

/// A command that both `nfv` and `primary` know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PanelCommand {
    /// `_get_client_id`: who are you?
    GetClientId,
    /// `_framing newline`: from now on commands and replies end with a newline.
    Framing,
    /// `_detail`: all about the process, see [`crate::detail::Detail`].
    Detail,
    /// `status`
    Status,
    /// `add PORT [server|client]`
    Add {
        /// Port to open.
        port: PortName,
        /// For vhost: overrides the default of the process.
        mode: Option<VhostMode>,
    },
    /// `del PORT`
    Del(PortName),
    /// `patch SRC DST [on CPU] [with …]`
    Patch {
        /// Where packets are taken.
        src: PortName,
        /// Where they go.
        dst: PortName,
        /// CPU whose worker shall run it; `None` leaves the choice to the process.
        cpu: Option<u32>,
        /// What happens to packets on the way; `None`: nothing.
        with: Option<Impairment>,
    },
    /// `patch reset`: takes all patches out.
    PatchReset,
    /// `unpatch SRC`: takes one patch out.
    Unpatch(PortName),
    /// `forward`
    Forward,
    /// `stop`
    Stop,
    /// `clear`: counters are shown from here on.
    Clear,
    /// `exit`
    Exit,
}

/// A command for `nfv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NfvCommand {
    /// One that the primary knows too.
    Panel(PanelCommand),
    /// `_set_client_id N`
    SetClientId(i64),
}

/// A command for `primary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrimaryCommand {
    /// One that `nfv` knows too.
    Panel(PanelCommand),
    /// `launch ID NAME ARGS…`: starts a secondary.
    Launch {
        /// Id of the secondary.
        id: String,
        /// Name of its program, such as `spp_nfv`.
        name: String,
        /// Its arguments, one word each.
        args: Vec<String>,
    },
    /// `unlaunch ID`: gives the supervision of a launched process up.
    Unlaunch(String),
    /// `upgrade ID`: has a newer program take the place of a launched process.
    Upgrade(String),
    /// `flow …`: the words after `flow`, separated by single blanks.
    Flow(String),
}

const NFV_COMMANDS: &str = "commands are status, add, del, patch, unpatch, forward, stop, clear, \
                            latency, trace, exit";
const PRIMARY_COMMANDS: &str = "commands are status, add, del, patch, unpatch, forward, stop, \
                                clear, latency, trace, launch, unlaunch, upgrade, flow, exit";

impl NfvCommand {
    /// Reads a command. Blanks and a newline around it do not matter; surplus words do.
    ///
    /// # Errors
    /// [`CommandError`] in words for the user.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let mut words = Words::new(text, NFV_COMMANDS)?;
        match words.first {
            "_set_client_id" => {
                words.usage("_set_client_id", "_set_client_id N");
                let word = words.next("an id")?;
                let id = word.parse().map_err(|_| words.number(word, "a process"))?;
                words.end()?;
                Ok(Self::SetClientId(id))
            }
            _ => PanelCommand::parse(&mut words).map(Self::Panel),
        }
    }
}

impl PrimaryCommand {
    /// Reads a command, as [`NfvCommand::parse`] does.
    ///
    /// # Errors
    /// [`CommandError`] in words for the user.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let mut words = Words::new(text, PRIMARY_COMMANDS)?;
        match words.first {
            "launch" => {
                words.usage("launch", "launch ID NAME ARGUMENTS…");
                let id = words.next("an id")?.to_owned();
                let name = words.next("a name")?.to_owned();
                let args = words.rest().iter().map(|&word| word.to_owned()).collect();
                Ok(Self::Launch { id, name, args })
            }
            "unlaunch" => {
                words.usage("unlaunch", "unlaunch ID");
                let id = words.next("an id")?.to_owned();
                words.end()?;
                Ok(Self::Unlaunch(id))
            }
            "upgrade" => {
                words.usage("upgrade", "upgrade ID");
                let id = words.next("an id")?.to_owned();
                words.end()?;
                Ok(Self::Upgrade(id))
            }
            "flow" => Ok(Self::Flow(words.rest().join(" "))),
            _ => PanelCommand::parse(&mut words).map(Self::Panel),
        }
    }
}

impl PanelCommand {
    fn parse(words: &mut Words<'_>) -> Result<Self, CommandError> {
        let (word, usage): (&'static str, &'static str) = match words.first {
            "_get_client_id" => ("_get_client_id", "_get_client_id"),
            "_framing" => ("_framing", "_framing newline"),
            "_detail" => ("_detail", "_detail"),
            "status" => ("status", "status"),
            "add" => ("add", "add PORT, add vhost:N server or add vhost:N client"),
            "del" => ("del", "del PORT"),
            "patch" => (
                "patch",
                "patch SRC DST, patch SRC DST on CPU, patch SRC DST with delay 100ms … or patch reset",
            ),
            "unpatch" => ("unpatch", "unpatch SRC"),
            "forward" => ("forward", "forward"),
            "stop" => ("stop", "stop"),
            "clear" => ("clear", "clear"),
            "exit" => ("exit", "exit"),
            other => {
                return Err(CommandError::Unknown {
                    word: quotable(other),
                    known: words.known,
                });
            }
        };
        words.usage(word, usage);
        let command = match word {
            "_get_client_id" => Self::GetClientId,
            "_framing" => match words.next("the word newline")? {
                "newline" => Self::Framing,
                other => return Err(CommandError::Framing(quotable(other))),
            },
            "_detail" => Self::Detail,
            "status" => Self::Status,
            "add" => {
                let port = words.port()?;
                let mode = words.optional().map(VhostMode::from_str).transpose()?;
                if mode.is_some() && !matches!(port, PortName::Vhost(_)) {
                    return Err(CommandError::ModeNotVhost(port));
                }
                Self::Add { port, mode }
            }
            "del" => Self::Del(words.port()?),
            "patch" if words.rest() == ["reset"] => {
                words.optional();
                Self::PatchReset
            }
            "patch" => {
                let src = words.port()?;
                let dst = words.port()?;
                Self::Patch {
                    src,
                    dst,
                    cpu: words.on_cpu()?,
                    with: words.with()?,
                }
            }
            "unpatch" => Self::Unpatch(words.port()?),
            "forward" => Self::Forward,
            "stop" => Self::Stop,
            "clear" => Self::Clear,
            _ => Self::Exit,
        };
        words.end()?;
        Ok(command)
    }

    /// The word that replies name as `command`: `patch reset` for [`PanelCommand::PatchReset`].
    pub fn word(&self) -> &'static str {
        match self {
            Self::GetClientId => "_get_client_id",
            Self::Framing => "_framing",
            Self::Detail => "_detail",
            Self::Status => "status",
            Self::Add { .. } => "add",
            Self::Del(_) => "del",
            Self::Patch { .. } => "patch",
            Self::PatchReset => "patch reset",
            Self::Unpatch(_) => "unpatch",
            Self::Forward => "forward",
            Self::Stop => "stop",
            Self::Clear => "clear",
            Self::Exit => "exit",
        }
    }
}

impl fmt::Display for PanelCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Framing => f.write_str(" newline"),
            Self::Add { port, mode: None } | Self::Del(port) | Self::Unpatch(port) => {
                write!(f, " {port}")
            }
            Self::Add {
                port,
                mode: Some(mode),
            } => write!(f, " {port} {}", mode.word()),
            Self::Patch {
                src,
                dst,
                cpu,
                with,
            } => {
                write!(f, " {src} {dst}")?;
                if let Some(cpu) = cpu {
                    write!(f, " on {cpu}")?;
                }
                match with {
                    Some(with) => write!(f, " with {with}"),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for NfvCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panel(command) => command.fmt(f),
            Self::SetClientId(id) => write!(f, "_set_client_id {id}"),
        }
    }
}

impl fmt::Display for PrimaryCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panel(command) => command.fmt(f),
            Self::Launch { id, name, args } => {
                write!(f, "launch {id} {name}")?;
                args.iter().try_for_each(|word| write!(f, " {word}"))
            }
            Self::Unlaunch(id) => write!(f, "unlaunch {id}"),
            Self::Upgrade(id) => write!(f, "upgrade {id}"),
            Self::Flow(words) if words.is_empty() => f.write_str("flow"),
            Self::Flow(words) => write!(f, "flow {words}"),
        }
    }
}

#[cfg(test)]
mod tests;
