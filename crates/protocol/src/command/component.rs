//! Commands of `vf`, `mirror` and `pcap`: components, their ports, the classifier's table, capture.

mod known;
mod mac;
mod parse;
mod process;
mod setting;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::port::PortName;
use crate::quotable;
use crate::reply::ProcessKind;
pub use known::{Anything, Known, Rejection};
pub use mac::ClassifierMac;
pub use parse::{MAX_CORE, Refusal};
pub use process::{MAX_LISTED, VfCommand};
pub use setting::{CopyMode, LEARN_SECONDS, Setting, SettingError, Settings};

/// Longest name of a component, in bytes: the original's processes overflow beyond it.
pub const MAX_COMPONENT_NAME: usize = 31;

/// Why a text is none of the values of a component's command, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ComponentError {
    /// Empty, too long, or more than one word.
    #[error("'{0}' is no name of a component: one word of 1 to {MAX_COMPONENT_NAME} bytes")]
    Name(String),
    /// No MAC address.
    #[error("'{0}' is no MAC address: six bytes in hex, such as 02:00:00:00:00:0a, or default")]
    Mac(String),
    /// Reserved by the original's processes.
    #[error("00:00:00:00:00:01 stands for default inside the process: write default")]
    ReservedMac,
    /// No VLAN id.
    #[error("{0} is no VLAN id: 0 to 4095")]
    VlanId(u64),
    /// No VLAN priority.
    #[error("{0} is no VLAN priority: 0 to 7")]
    VlanPriority(u64),
}

/// Name of a component: one word of 1 to [`MAX_COMPONENT_NAME`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ComponentName(String);

impl ComponentName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ComponentName {
    type Err = ComponentError;

    fn from_str(text: &str) -> Result<Self, ComponentError> {
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if text.is_empty() || text.len() > MAX_COMPONENT_NAME || text.contains(odd) {
            return Err(ComponentError::Name(quotable(text)));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ComponentName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a component does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ComponentKind {
    /// One port to one port.
    Forward,
    /// Many ports to one port.
    Merge,
    /// One port to many, by VLAN and MAC address.
    Classifier,
    /// One port to two.
    Mirror,
}

impl ComponentKind {
    /// Those that a process of this kind has.
    pub fn of(process: ProcessKind) -> &'static [Self] {
        match process {
            ProcessKind::Vf => &[Self::Forward, Self::Merge, Self::Classifier],
            ProcessKind::Mirror => &[Self::Mirror],
            _ => &[],
        }
    }

    /// The word of the wire and of REST.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Merge => "merge",
            Self::Classifier => "classifier",
            Self::Mirror => "mirror",
        }
    }
}

/// Side of a component to which a port is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The component receives from the port.
    Rx,
    /// It sends to the port.
    Tx,
}

impl Direction {
    /// The word of the wire and of REST.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rx => "rx",
            Self::Tx => "tx",
        }
    }
}

/// What is done to the VLAN tag of packets at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "operation", rename_all = "lowercase")]
pub enum VlanTag {
    /// One is put in, or an existing one is changed.
    Add {
        /// VLAN id, 0 to 4095.
        #[cfg_attr(feature = "openapi", schema(maximum = 4095))]
        id: u16,
        /// Priority (PCP of IEEE 802.1Q), 0 to 7.
        #[cfg_attr(feature = "openapi", schema(maximum = 7))]
        pcp: u8,
    },
    /// It is taken out.
    Del,
}

impl VlanTag {
    /// A tag to be put in.
    ///
    /// # Errors
    /// [`ComponentError`] if a number is too large for its field.
    pub fn add(id: u64, pcp: u64) -> Result<Self, ComponentError> {
        let pcp = match u8::try_from(pcp) {
            Ok(small) if small <= 7 => small,
            _ => return Err(ComponentError::VlanPriority(pcp)),
        };
        Ok(Self::Add {
            id: vlan_id(id)?,
            pcp,
        })
    }
}

/// A VLAN id: 0 to 4095.
///
/// # Errors
/// [`ComponentError::VlanId`]
pub fn vlan_id(id: u64) -> Result<u16, ComponentError> {
    match u16::try_from(id) {
        Ok(small) if small <= 4095 => Ok(small),
        _ => Err(ComponentError::VlanId(id)),
    }
}

/// An entry of a classifier's table. A port has at most one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClassifierEntry {
    /// VLAN id, 0 to 4095; `None` for packets without a tag (type `mac` of the original).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Destination address.
    pub mac: ClassifierMac,
    /// Where such packets go.
    pub port: PortName,
}

impl fmt::Display for ClassifierEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vlan {
            None => write!(f, "mac {} {}", self.mac, self.port),
            Some(id) => write!(f, "vlan {id} {} {}", self.mac, self.port),
        }
    }
}

/// A command that changes a `vf` or `mirror`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ComponentCommand {
    /// `component start NAME CORE TYPE`
    Start {
        /// Its name.
        name: ComponentName,
        /// CPU on which it runs.
        core: u32,
        /// What it does.
        kind: ComponentKind,
    },
    /// `component stop NAME`
    Stop(ComponentName),
    /// `port add PORT DIR NAME [add_vlantag VID PCP|del_vlantag]`
    Attach {
        /// Component.
        name: ComponentName,
        /// Port.
        port: PortName,
        /// Side.
        dir: Direction,
        /// What is done to tags there.
        vlan: Option<VlanTag>,
    },
    /// `port del PORT DIR NAME`
    Detach {
        /// Component.
        name: ComponentName,
        /// Port.
        port: PortName,
        /// Side.
        dir: Direction,
    },
    /// `component set NAME KEY VALUE`; only of ours
    Set {
        /// Component.
        name: ComponentName,
        /// What is set.
        setting: Setting,
    },
    /// `classifier_table add …` (vf only)
    AddEntry(ClassifierEntry),
    /// `classifier_table del …` (vf only)
    DelEntry(ClassifierEntry),
}

impl fmt::Display for ComponentCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { name, core, kind } => {
                write!(f, "component start {name} {core} {}", kind.word())
            }
            Self::Stop(name) => write!(f, "component stop {name}"),
            Self::Attach {
                name,
                port,
                dir,
                vlan,
            } => {
                write!(f, "port add {port} {} {name}", dir.word())?;
                match vlan {
                    None => Ok(()),
                    Some(VlanTag::Del) => f.write_str(" del_vlantag"),
                    Some(VlanTag::Add { id, pcp }) => write!(f, " add_vlantag {id} {pcp}"),
                }
            }
            Self::Detach { name, port, dir } => {
                write!(f, "port del {port} {} {name}", dir.word())
            }
            Self::Set { name, setting } => write!(f, "component set {name} {setting}"),
            Self::AddEntry(entry) => write!(f, "classifier_table add {entry}"),
            Self::DelEntry(entry) => write!(f, "classifier_table del {entry}"),
        }
    }
}

/// A command that changes a `pcap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaptureCommand {
    /// `start`
    Start,
    /// `stop`
    Stop,
}

impl fmt::Display for CaptureCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
        })
    }
}

/// A command that changes a process of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// For `nfv` and `primary`.
    Panel(crate::command::PanelCommand),
    /// For `vf` and `mirror`.
    Component(ComponentCommand),
    /// For `pcap`.
    Capture(CaptureCommand),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panel(command) => command.fmt(f),
            Self::Component(command) => command.fmt(f),
            Self::Capture(command) => command.fmt(f),
        }
    }
}

impl From<crate::command::PanelCommand> for Change {
    fn from(command: crate::command::PanelCommand) -> Self {
        Self::Panel(command)
    }
}

impl From<ComponentCommand> for Change {
    fn from(command: ComponentCommand) -> Self {
        Self::Component(command)
    }
}

impl From<CaptureCommand> for Change {
    fn from(command: CaptureCommand) -> Self {
        Self::Capture(command)
    }
}

#[cfg(test)]
mod tests;
