//! The desired state of processes: what shall be there when they return, and what a file asks for.
//!
//! [`Desired::take`] is what a command that succeeded does to it, [`observe`] reads what a process
//! has from its `status`, and [`plan`] gives the commands from the one to the other.

mod observe;
mod plan;
mod system;
mod take;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::command::VhostMode;
use crate::command::component::{
    ClassifierEntry, ComponentKind, ComponentName, Direction, Settings, VlanTag,
};
use crate::impair::Impairment;
use crate::port::PortName;
use crate::quotable;
use crate::reply::ProcessKind;
pub use observe::{entry_of, observe};
pub use plan::{Form, Plan, plan};
pub use system::{Processes, System, SystemError, VERSION};

/// Which process: written `primary` or `nfv:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessName {
    /// What it is.
    pub kind: ProcessKind,
    /// Its id; 0 for the primary.
    pub id: u32,
}

/// Why a text is no name of a process.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is no process: write primary, or kind and id such as nfv:1 (nfv, vf, mirror, pcap)")]
pub struct ProcessNameError(String);

impl ProcessName {
    /// How the shell addresses it: `pri` or `nfv 1`.
    pub fn prompt(self) -> String {
        match self.kind {
            ProcessKind::Primary => "pri".to_owned(),
            kind => format!("{kind} {}", self.id),
        }
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ProcessKind::Primary => self.kind.fmt(f),
            kind => write!(f, "{kind}:{}", self.id),
        }
    }
}

impl FromStr for ProcessName {
    type Err = ProcessNameError;

    fn from_str(text: &str) -> Result<Self, ProcessNameError> {
        let wrong = || ProcessNameError(quotable(text));
        if text == "primary" {
            let kind = ProcessKind::Primary;
            return Ok(Self { kind, id: 0 });
        }
        let (word, digits) = text.split_once(':').ok_or_else(wrong)?;
        let kind = match word {
            "nfv" => ProcessKind::Nfv,
            "vf" => ProcessKind::Vf,
            "mirror" => ProcessKind::Mirror,
            "pcap" => ProcessKind::Pcap,
            _ => return Err(wrong()),
        };
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let id = digits.parse().map_err(|_| wrong())?;
        if plain {
            Ok(Self { kind, id })
        } else {
            Err(wrong())
        }
    }
}

/// Written and read as text, by `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(ProcessName);
serde_as_text!(DesiredPort);

/// A port that was added: written `ring:0`, `vhost:1 client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DesiredPort {
    /// Its name.
    pub port: PortName,
    /// For vhost: who makes the socket; `None` is the default of the process, or not known.
    pub mode: Option<VhostMode>,
}

impl fmt::Display for DesiredPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            None => self.port.fmt(f),
            Some(mode) => write!(f, "{} {}", self.port, mode.word()),
        }
    }
}

impl FromStr for DesiredPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (port, mode) = match text.trim_end().rsplit_once(' ') {
            Some((port, word @ ("server" | "client"))) => (port, word.parse().ok()),
            _ => (text, None),
        };
        let port: PortName = port.parse().map_err(|error| format!("{error}"))?;
        if mode.is_some() && !matches!(port, PortName::Vhost(_)) {
            return Err(format!(
                "{port} takes no server or client: only vhost ports do"
            ));
        }
        Ok(Self { port, mode })
    }
}

/// A patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DesiredPatch {
    /// Where packets are taken.
    pub src: PortName,
    /// Where they go.
    pub dst: PortName,
    /// CPU whose worker shall run it; `None` leaves the choice to the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// What happens to packets on the way; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::impair::Properties>))]
    pub with: Option<Impairment>,
}

/// A port of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Attached {
    /// Its name.
    pub port: PortName,
    /// What is done to tags there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanTag>,
}

/// A component of a `vf` or `mirror`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DesiredComponent {
    /// Its name.
    pub name: ComponentName,
    /// CPU on which it runs.
    pub core: u32,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: ComponentKind,
    /// Ports from which it receives, in the order of their addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rx: Vec<Attached>,
    /// Ports to which it sends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tx: Vec<Attached>,
    /// What is set of it.
    #[serde(
        default,
        skip_serializing_if = "is_default",
        deserialize_with = "known_settings"
    )]
    pub set: Settings,
}

/// Settings, and nothing else.
fn known_settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
    let members = serde_json::Map::deserialize(deserializer)?;
    if let Some(key) = members
        .keys()
        .find(|key| !Settings::KEYS.contains(&key.as_str()))
    {
        let key = quotable(key);
        return Err(serde::de::Error::custom(format!("'{key}' cannot be set")));
    }
    serde_json::from_value(members.into()).map_err(serde::de::Error::custom)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl DesiredComponent {
    fn side(&self, dir: Direction) -> &[Attached] {
        match dir {
            Direction::Rx => &self.rx,
            Direction::Tx => &self.tx,
        }
    }

    fn side_mut(&mut self, dir: Direction) -> &mut Vec<Attached> {
        match dir {
            Direction::Rx => &mut self.rx,
            Direction::Tx => &mut self.tx,
        }
    }
}

/// The desired state of one process, or what one has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Desired {
    /// Whether it forwards; `None`: nobody ever asked.
    #[serde(rename = "forward", default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<bool>,
    /// Ports that were added, in that order. Physical ports are always there and not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub ports: Vec<DesiredPort>,
    /// Patches, one a source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<DesiredPatch>,
    /// Components in the order of their start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<DesiredComponent>,
    /// The classifier's table, one entry a port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classifier: Vec<ClassifierEntry>,
    /// Whether it captures; `None`: nobody ever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<bool>,
}

impl Desired {
    /// Nothing was added, nothing is patched and nothing forwards: a process that has just started
    /// in the original's form.
    pub fn is_pristine(&self) -> bool {
        let idle = Self {
            forwarding: None,
            capture: None,
            ..self.clone()
        };
        idle == Self::default() && self.forwarding != Some(true) && self.capture != Some(true)
    }

    /// With the rings that patches name among the ports: a patch cannot be without them.
    pub fn complete(mut self) -> Self {
        self.ports
            .retain(|added| !matches!(added.port, PortName::Phy { .. }));
        for patch in self.patches.clone() {
            take::attach_rings(&mut self.ports, patch.src, patch.dst);
        }
        self
    }

    /// What a process has, with what its status does not tell taken from `memory`: modes of
    /// vhost ports and CPUs of patches that are in both, and entries of the classifier that wait
    /// for their port.
    pub fn remembering(mut self, memory: &Self) -> Self {
        for added in &mut self.ports {
            let known = memory.ports.iter().find(|known| known.port == added.port);
            added.mode = added.mode.or(known.and_then(|known| known.mode));
        }
        for patch in &mut self.patches {
            let known = memory
                .patches
                .iter()
                .find(|known| same_port(known.src, patch.src) && same_port(known.dst, patch.dst));
            patch.cpu = patch.cpu.or(known.and_then(|known| known.cpu));
        }
        for entry in &memory.classifier {
            if !plan::is_shown(&self, entry.port) {
                self.classifier.push(entry.clone());
            }
        }
        self
    }
}

/// Whether two names mean one port: a queue that is not named is queue 0.
pub fn same_port(a: PortName, b: PortName) -> bool {
    a.kind() == b.kind()
        && a.number() == b.number()
        && a.queue().unwrap_or(0) == b.queue().unwrap_or(0)
}

#[cfg(test)]
mod tests;
