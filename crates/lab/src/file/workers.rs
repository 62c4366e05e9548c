//! The processes of a panel: those of files for `spp apply`, and captures, of which such files say too little to start them.

use std::collections::BTreeMap;
use std::fmt;

use protocol::desired::{Desired, ProcessName, Processes};
use protocol::reply::ProcessKind;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::panel::Recorder;

/// Processes of a panel, written as one mapping.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workers {
    /// Those that capture.
    pub recorders: BTreeMap<ProcessName, Recorder>,
    /// The others, and what each is to have.
    pub others: Processes,
}

impl Workers {
    /// What all of them are to have, as a file for `spp apply` says it.
    pub(crate) fn desired(&self) -> Processes {
        let recorders = self.recorders.iter().map(|(name, recorder)| {
            let desired = Desired {
                capture: Some(recorder.capture),
                ..Desired::default()
            };
            (*name, desired)
        });
        self.others.clone().into_iter().chain(recorders).collect()
    }
}

impl Serialize for Workers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.recorders.len() + self.others.len()))?;
        for (name, desired) in &self.others {
            map.serialize_entry(name, desired)?;
        }
        for (name, recorder) in &self.recorders {
            map.serialize_entry(name, recorder)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Mapping;
        impl<'de> Visitor<'de> for Mapping {
            type Value = Workers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of processes, such as nfv:1, to what each is to have")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Workers, A::Error> {
                let mut workers = Workers::default();
                while let Some(name) = map.next_key::<ProcessName>()? {
                    if name.kind == ProcessKind::Pcap {
                        workers.recorders.insert(name, map.next_value()?);
                    } else {
                        workers.others.insert(name, map.next_value()?);
                    }
                }
                Ok(workers)
            }
        }
        from.deserialize_any(Mapping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_stand_among_the_others() {
        let text = r#"{"nfv:1":{"forward":true},"pcap:2":{"port":"ring:1","filter":"tcp","capture":true}}"#;
        let workers: Workers = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&workers).unwrap(), text);
        let desired = workers.desired();
        let names: Vec<_> = desired.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["nfv:1", "pcap:2"]);
        let bare = serde_json::from_str::<Workers>(r#"{"pcap:2":{"capture":true}}"#);
        assert!(
            bare.unwrap_err()
                .to_string()
                .contains("missing field `port`")
        );
    }
}
