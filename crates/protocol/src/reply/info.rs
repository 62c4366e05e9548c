//! What `vf` and `mirror` answer to `status`.

use serde::Serialize;

use super::{ProcessKind, VfReply};
use crate::rest::{ClassifierRow, Component};

/// Most entries of the classifier's table in a status: more would be too much for readers of the original.
pub const MAX_SHOWN: usize = 256;

/// The `info` of a status. Ports are given by their numbers, those of several queues as `0 nq 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentInfo {
    /// Id of the process.
    #[serde(rename = "client-id")]
    pub client_id: u32,
    /// Physical ports.
    pub phy: Vec<String>,
    /// vhost ports that were attached once.
    pub vhost: Vec<String>,
    /// Rings that were.
    pub ring: Vec<String>,
    /// Of the kinds of ports that the original has not: only there if there are some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pcap: Vec<String>,
    /// Likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nullpmd: Vec<String>,
    /// Likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tap: Vec<String>,
    /// Likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memif: Vec<String>,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// Components by CPU, then in the order of their start; a CPU without one has the type `unuse`.
    pub core: Vec<Component>,
    /// The first entries of the classifier's table; only of a vf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier_table: Option<Vec<ClassifierRow>>,
    /// How many entries there are, if more than are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier_table_size: Option<usize>,
}

impl ComponentInfo {
    /// The whole reply.
    pub fn reply(&self) -> VfReply {
        VfReply::status(self)
    }

    /// Adds a port by its name as reported; a kind that is not known is left out.
    pub fn add_port(&mut self, name: &str) {
        let Some((kind, number)) = name.split_once(':') else {
            return;
        };
        let list = match kind {
            "phy" => &mut self.phy,
            "vhost" => &mut self.vhost,
            "ring" => &mut self.ring,
            "pcap" => &mut self.pcap,
            "nullpmd" => &mut self.nullpmd,
            "tap" => &mut self.tap,
            "memif" => &mut self.memif,
            _ => return,
        };
        list.push(number.to_owned());
    }

    /// Without ports and components.
    pub fn new(kind: ProcessKind, client_id: u32, main_lcore: u32) -> Self {
        let none = Vec::new;
        Self {
            client_id,
            phy: none(),
            vhost: none(),
            ring: none(),
            pcap: none(),
            nullpmd: none(),
            tap: none(),
            memif: none(),
            main_lcore,
            core: Vec::new(),
            classifier_table: (kind == ProcessKind::Vf).then(Vec::new),
            classifier_table_size: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::component::{ClassifierMac, Settings, VlanTag};
    use crate::rest::{ComponentPort, ComponentVlan};

    fn end(port: &str, tag: Option<VlanTag>) -> ComponentPort {
        ComponentPort {
            port: port.to_owned(),
            vlan: ComponentVlan::of(tag),
        }
    }

    fn idle(core: u32) -> Component {
        Component {
            core,
            name: None,
            kind: "unuse".to_owned(),
            rx_port: None,
            tx_port: None,
            lacks: None,
            set: Settings::default(),
        }
    }

    #[test]
    fn statuses_are_the_bytes_of_the_original() {
        let mut vf = ComponentInfo::new(ProcessKind::Vf, 2, 1);
        for port in ["phy:0", "phy:1", "ring:0"] {
            vf.add_port(port);
        }
        let fwd = Component {
            name: Some("fwd".to_owned()),
            kind: "forward".to_owned(),
            rx_port: Some(vec![end("phy:0", None)]),
            tx_port: Some(vec![end("ring:0", VlanTag::add(100, 3).ok())]),
            ..idle(2)
        };
        vf.core = vec![fwd, idle(3)];
        assert_eq!(
            vf.reply().to_json(),
            r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 2, "phy": [ "0", "1" ], "vhost": [  ], "ring": [ "0" ], "master-lcore": 1, "core": [ { "core": 2, "name": "fwd", "type": "forward", "rx_port": [ { "port": "phy:0", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:0", "vlan": { "operation": "add", "id": 100, "pcp": 3 } } ] }, { "core": 3, "type": "unuse" } ], "classifier_table": [  ] } }"#
        );
        let default = ClassifierRow::of(Some(100), ClassifierMac::Default, "vhost:0".into());
        let address = ClassifierMac::Address([0x52, 0x54, 0, 0, 0, 0x0a]);
        let mac = ClassifierRow::of(None, address, "ring:3".into());
        vf.classifier_table = Some(vec![default, mac]);
        let text = vf.reply().to_json();
        assert!(
            text.ends_with(
                r#""classifier_table": [ { "type": "vlan", "value": "100/default", "port": "vhost:0" }, { "type": "mac", "value": "52:54:00:00:00:0A", "port": "ring:3" } ] } }"#
            ),
            "{text}"
        );
        let mut mirror = ComponentInfo::new(ProcessKind::Mirror, 3, 6);
        mirror.core = vec![idle(7), idle(8)];
        assert_eq!(
            mirror.reply().to_json(),
            r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 3, "phy": [  ], "vhost": [  ], "ring": [  ], "master-lcore": 6, "core": [ { "core": 7, "type": "unuse" }, { "core": 8, "type": "unuse" } ] } }"#
        );
    }
}
