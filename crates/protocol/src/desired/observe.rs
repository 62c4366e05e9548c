//! What a process has, read from its `status`.

use serde::Deserialize;
use serde_json::Value;

use super::{Attached, Desired, DesiredComponent, DesiredPatch, DesiredPort};
use crate::command::component::{
    ClassifierEntry, ComponentKind, ComponentName, Settings, VlanTag, vlan_id,
};
use crate::port::PortName;
use crate::reply::{ForwarderStatus, PatchPorts, ProcessKind};
use crate::rest::ClassifierRow;

/// What the `status` of an `nfv`, and the forwarder of a primary, have in common.
#[derive(Deserialize)]
struct Panel {
    status: String,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    patches: Vec<PatchPorts>,
}

#[derive(Deserialize)]
struct Primary {
    forwarder: Option<ForwarderStatus>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    status: String,
    #[serde(default)]
    core: Vec<Core>,
    #[serde(default)]
    classifier_table: Vec<ClassifierRow>,
}

#[derive(Deserialize)]
struct Core {
    core: u32,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    rx_port: Vec<End>,
    #[serde(default)]
    tx_port: Vec<End>,
    #[serde(flatten)]
    set: Settings,
}

#[derive(Deserialize)]
struct End {
    port: String,
    vlan: Option<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    operation: String,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    pcp: i64,
}

/// Reads what a process of `kind` has from its reply to `status`. Physical ports are not listed.
/// Ports that have no name any more (`udf` in the original) are left out.
///
/// # Errors
/// In words, when it has not the form of a status.
pub fn observe(kind: ProcessKind, status: &Value) -> Result<Desired, String> {
    let wrong = |error: serde_json::Error| format!("its status cannot be read: {error}");
    match kind {
        ProcessKind::Nfv => {
            let Panel {
                status,
                ports,
                patches,
            } = Deserialize::deserialize(status).map_err(wrong)?;
            Ok(panel(&status, &ports, &patches))
        }
        ProcessKind::Primary => {
            let primary = Primary::deserialize(status).map_err(wrong)?;
            Ok(primary
                .forwarder
                .map_or_else(Desired::default, |forwarder| {
                    panel(&forwarder.status, &forwarder.ports, &forwarder.patches)
                }))
        }
        ProcessKind::Vf | ProcessKind::Mirror | ProcessKind::Pcap => {
            let info = status.get("info").unwrap_or(&Value::Null);
            let info = Info::deserialize(info).map_err(wrong)?;
            if kind == ProcessKind::Pcap {
                return Ok(Desired {
                    capture: Some(info.status == "running"),
                    ..Desired::default()
                });
            }
            Ok(Desired {
                components: info.core.iter().filter_map(component).collect(),
                classifier: info.classifier_table.iter().filter_map(entry_of).collect(),
                ..Desired::default()
            })
        }
    }
}

fn panel(status: &str, ports: &[String], patches: &[PatchPorts]) -> Desired {
    let ports = ports.iter().filter_map(|name| name.parse().ok());
    let ports = ports.filter(|port| !matches!(port, PortName::Phy { .. }));
    let patch = |patch: &PatchPorts| {
        Some(DesiredPatch {
            src: patch.src.parse().ok()?,
            dst: patch.dst.parse().ok()?,
            cpu: None,
            with: patch.with,
        })
    };
    Desired {
        forwarding: Some(status == "running"),
        ports: ports.map(|port| DesiredPort { port, mode: None }).collect(),
        patches: patches.iter().filter_map(patch).collect(),
        ..Desired::default()
    }
}

fn component(core: &Core) -> Option<DesiredComponent> {
    let name: ComponentName = core.name.as_deref()?.parse().ok()?;
    let kind = match core.kind.as_deref()? {
        "forward" => ComponentKind::Forward,
        "merge" => ComponentKind::Merge,
        "classifier" => ComponentKind::Classifier,
        "mirror" => ComponentKind::Mirror,
        _ => return None,
    };
    let side = |ends: &[End]| ends.iter().filter_map(attached).collect();
    Some(DesiredComponent {
        name,
        core: core.core,
        kind,
        rx: side(&core.rx_port),
        tx: side(&core.tx_port),
        set: core.set.clone(),
    })
}

fn attached(end: &End) -> Option<Attached> {
    let vlan = match &end.vlan {
        Some(tag) if tag.operation == "add" => {
            Some(VlanTag::add(tag.id, u64::try_from(tag.pcp).unwrap_or(0)).ok()?)
        }
        Some(tag) if tag.operation == "del" => Some(VlanTag::Del),
        _ => None,
    };
    let port = end.port.parse().ok()?;
    Some(Attached { port, vlan })
}

/// An entry of a classifier's table, as a process shows it; `None` if it has a form that nothing has.
pub fn entry_of(entry: &ClassifierRow) -> Option<ClassifierEntry> {
    let (vlan, mac) = match entry.kind.as_str() {
        "vlan" => {
            let (id, mac) = entry.value.split_once('/')?;
            (Some(vlan_id(id.parse().ok()?).ok()?), mac)
        }
        _ => (None, entry.value.as_str()),
    };
    Some(ClassifierEntry {
        vlan,
        mac: mac.parse().ok()?,
        port: entry.port.parse().ok()?,
    })
}
