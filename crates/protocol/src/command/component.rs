//! Commands of `vf`, `mirror` and `pcap`: components, their ports, the classifier's table, capture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::port::PortName;
use crate::quotable;

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
#[serde(tag = "operation", rename_all = "lowercase")]
pub enum VlanTag {
    /// One is put in, or an existing one is changed.
    Add {
        /// VLAN id, 0 to 4095.
        id: u16,
        /// Priority (PCP of IEEE 802.1Q), 0 to 7.
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

/// Destination address by which a classifier chooses; written `02:00:00:00:00:0a` or `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClassifierMac {
    /// Whatever no other entry names.
    Default,
    /// This address.
    Address([u8; 6]),
}

impl FromStr for ClassifierMac {
    type Err = ComponentError;

    /// Reads `default`, or an address in any of the usual forms (`02:00:00:00:00:0a`, `02-00-…`,
    /// `0200.0000.000a`, `02000000000a`), of which only the first is safe to send on.
    fn from_str(text: &str) -> Result<Self, ComponentError> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let wrong = || ComponentError::Mac(quotable(text));
        let groups: Vec<&str> = match text.len() {
            17 if text.contains(':') => text.split(':').collect(),
            17 => text.split('-').collect(),
            14 => text.split('.').collect(),
            12 => vec![text],
            _ => return Err(wrong()),
        };
        let width = match groups.len() {
            6 => 2,
            3 => 4,
            1 => 12,
            _ => return Err(wrong()),
        };
        if groups.iter().any(|group| group.len() != width) {
            return Err(wrong());
        }
        let digits = groups.concat();
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u64::from_str_radix(&digits, 16).map_err(|_| wrong())?;
        let [_, _, address @ ..] = number.to_be_bytes();
        match address {
            [0, 0, 0, 0, 0, 1] => Err(ComponentError::ReservedMac),
            address => Ok(Self::Address(address)),
        }
    }
}

impl fmt::Display for ClassifierMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Address([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
        }
    }
}

impl Serialize for ClassifierMac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClassifierMac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An entry of a classifier's table. A port has at most one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
            Self::AddEntry(entry) => write!(f, "classifier_table add {entry}"),
            Self::DelEntry(entry) => write!(f, "classifier_table del {entry}"),
        }
    }
}

/// A command that changes a `pcap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
mod tests {
    use super::*;

    fn name(text: &str) -> ComponentName {
        text.parse().unwrap()
    }

    fn port(text: &str) -> PortName {
        text.parse().unwrap()
    }

    #[test]
    fn commands_are_written_as_the_original_reads_them() {
        let start = ComponentCommand::Start {
            name: name("fw1"),
            core: 4,
            kind: ComponentKind::Forward,
        };
        assert_eq!(start.to_string(), "component start fw1 4 forward");
        let attach = |vlan| ComponentCommand::Attach {
            name: name("fw1"),
            port: port("phy:0 nq 1"),
            dir: Direction::Tx,
            vlan,
        };
        assert_eq!(attach(None).to_string(), "port add phy:0nq1 tx fw1");
        assert_eq!(
            attach(Some(VlanTag::Del)).to_string(),
            "port add phy:0nq1 tx fw1 del_vlantag"
        );
        assert_eq!(
            attach(VlanTag::add(100, 3).ok()).to_string(),
            "port add phy:0nq1 tx fw1 add_vlantag 100 3"
        );
        let entry = ClassifierEntry {
            vlan: None,
            mac: "02-00-00-00-00-0A".parse().unwrap(),
            port: port("ring:3"),
        };
        assert_eq!(
            ComponentCommand::AddEntry(entry.clone()).to_string(),
            "classifier_table add mac 02:00:00:00:00:0a ring:3"
        );
        let entry = ClassifierEntry {
            vlan: Some(100),
            mac: ClassifierMac::Default,
            ..entry
        };
        assert_eq!(
            ComponentCommand::DelEntry(entry).to_string(),
            "classifier_table del vlan 100 default ring:3"
        );
    }

    #[test]
    fn addresses_are_read_in_their_usual_forms() {
        let wanted = ClassifierMac::Address([0x02, 0, 0, 0, 0, 0x0a]);
        for text in [
            "02:00:00:00:00:0a",
            "02-00-00-00-00-0A",
            "0200.0000.000a",
            "02000000000a",
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        for text in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:0g",
            "02:00-00:00-00:0a",
            "2:0:0:0:0:a",
            "+2:00:00:00:00:0a",
            "é2:00:00:00:00:0",
        ] {
            assert!(text.parse::<ClassifierMac>().is_err(), "{text}");
        }
        assert_eq!(
            "00:00:00:00:00:01".parse::<ClassifierMac>(),
            Err(ComponentError::ReservedMac)
        );
    }

    #[test]
    fn names_and_tags_that_harm_the_original_are_refused() {
        for text in ["", "a b", "a\n", &"x".repeat(32)] {
            assert!(text.parse::<ComponentName>().is_err(), "{text:?}");
        }
        assert!("x".repeat(31).parse::<ComponentName>().is_ok());
        assert!(VlanTag::add(4096, 0).is_err() && VlanTag::add(0, 8).is_err());
        assert!(VlanTag::add(4095, 7).is_ok());
    }
}
