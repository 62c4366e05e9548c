//! A whole system as a document: what `GET /v1/system` gives and a file for `apply` holds.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::{Desired, ProcessName};
use crate::command::component::{ClassifierEntry, Setting, Settings, VlanTag, vlan_id};
use crate::reply::ProcessKind;

/// Version of the document's form.
pub const VERSION: u32 = 1;

/// Processes by name.
pub type Processes = BTreeMap<ProcessName, Desired>;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct System {
    /// [`VERSION`].
    #[serde(deserialize_with = "version")]
    spp: u32,
    /// Processes that are to be in this state; others are left alone.
    #[serde(deserialize_with = "once_each")]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::HashMap<String, Desired>))]
    pub processes: Processes,
}

/// What a document cannot ask for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SystemError {
    /// The process has no such thing.
    #[error("{process}: {what} in a process that has none: {remedy}")]
    NotThere {
        /// Process.
        process: ProcessName,
        /// Member of the document.
        what: &'static str,
        /// What it has.
        remedy: &'static str,
    },
    /// Something is named twice that there is once.
    #[error("{process}: {what} is there twice: leave one")]
    Twice {
        /// Process.
        process: ProcessName,
        /// What, by its name.
        what: String,
    },
    /// A number is too large.
    #[error("{process}: {words}")]
    Number {
        /// Process.
        process: ProcessName,
        /// Which, and its range.
        words: String,
    },
}

impl System {
    /// A document of these processes.
    pub fn new(processes: Processes) -> Self {
        let spp = VERSION;
        Self { spp, processes }
    }

    /// Checks what the form alone does not say.
    ///
    /// # Errors
    /// [`SystemError`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), SystemError> {
        let mut processes = self.processes.iter();
        processes.try_for_each(|(process, desired)| check(*process, desired))
    }
}

fn check(process: ProcessName, desired: &Desired) -> Result<(), SystemError> {
    use ProcessKind::{Mirror, Nfv, Pcap, Primary, Vf};
    let member = |there: bool, what, kinds: &[ProcessKind]| {
        if !there || kinds.contains(&process.kind) {
            return Ok(());
        }
        let remedy = match process.kind {
            Primary | Nfv => "it has forward, ports and patches",
            Vf => "it has components and classifier",
            Mirror => "it has components",
            Pcap => "it has capture",
        };
        Err(SystemError::NotThere {
            process,
            what,
            remedy,
        })
    };
    member(desired.forwarding.is_some(), "forward", &[Primary, Nfv])?;
    member(!desired.ports.is_empty(), "ports", &[Primary, Nfv])?;
    member(!desired.patches.is_empty(), "patches", &[Primary, Nfv])?;
    member(!desired.components.is_empty(), "components", &[Vf, Mirror])?;
    member(!desired.classifier.is_empty(), "classifier", &[Vf])?;
    member(desired.capture.is_some(), "capture", &[Pcap])?;

    let mut seen = HashSet::new();
    let mut once = |what: String| match seen.insert(what.clone()) {
        true => Ok(()),
        false => Err(SystemError::Twice { process, what }),
    };
    for added in &desired.ports {
        once(format!("port {}", added.port))?;
    }
    for patch in &desired.patches {
        once(format!("a patch from {}", super::plan::plain(patch.src)))?;
    }
    for entry in &desired.classifier {
        once(format!("the entry {entry} of the classifier"))?;
    }
    for component in &desired.components {
        once(format!("component {}", component.name))?;
        for (side, ends) in [("rx", &component.rx), ("tx", &component.tx)] {
            for end in ends {
                once(format!("{side} port {} of {}", end.port, component.name))?;
            }
        }
    }
    numbers(desired).map_err(|words| SystemError::Number { process, words })
}

/// Checks VLAN tags, whose types can hold more than the wire.
fn numbers(desired: &Desired) -> Result<(), String> {
    let ends = desired.components.iter();
    for end in ends.flat_map(|component| component.rx.iter().chain(&component.tx)) {
        if let Some(VlanTag::Add { id, pcp }) = end.vlan {
            VlanTag::add(id.into(), pcp.into()).map_err(|error| error.to_string())?;
        }
    }
    for component in &desired.components {
        for setting in component.set.since(&Settings::default()) {
            let checked = setting.check(component.kind).and_then(|()| {
                let text = setting.to_string();
                Setting::parse(&text.split(' ').collect::<Vec<_>>())
            });
            checked.map_err(|error| format!("component {}: {error}", component.name))?;
        }
    }
    for ClassifierEntry { vlan, .. } in &desired.classifier {
        vlan.map_or(Ok(0), |id| vlan_id(id.into()))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        VERSION => Ok(VERSION),
        other => Err(D::Error::custom(format!(
            "version {other} of the form is not known: write spp: {VERSION}"
        ))),
    }
}

/// A map in which no process is named twice.
fn once_each<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Processes, D::Error> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = Processes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("processes by name, such as nfv:1")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Processes, A::Error> {
            let mut processes = Processes::new();
            while let Some(name) = map.next_key::<ProcessName>()? {
                // A name alone is a process that has nothing.
                let desired: Option<Desired> = map.next_value()?;
                if processes
                    .insert(name, desired.unwrap_or_default())
                    .is_some()
                {
                    return Err(A::Error::custom(format!(
                        "{name} is there twice: leave one"
                    )));
                }
            }
            Ok(processes)
        }
    }

    deserializer.deserialize_map(Once)
}
