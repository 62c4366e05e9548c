//! The layouts of the original's `status` of vf, mirror and pcap, to the letter.

use protocol::command::component::Settings;
use serde::Deserialize;

/// What is done to VLAN tags at a port.
#[derive(Debug, Default, Deserialize)]
pub struct Vlan {
    /// `none`, `add` or `del`.
    pub operation: String,
    /// VLAN id, for `add`.
    #[serde(default)]
    pub id: u16,
    /// Priority, for `add`; the original's vf gives -1 for one that was left out.
    #[serde(default)]
    pub pcp: i16,
}

/// A port that a component is attached to.
#[derive(Debug, Deserialize)]
pub struct AttachedPort {
    /// Its name as reported.
    pub port: String,
    /// What is done to VLAN tags there.
    #[serde(default)]
    pub vlan: Option<Vlan>,
}

/// A component, or a CPU without one (of type `unuse`).
#[derive(Debug, Deserialize)]
pub struct Component {
    /// CPU.
    pub core: u32,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Ports that it receives from.
    #[serde(default)]
    pub rx_port: Vec<AttachedPort>,
    /// Ports that it sends to.
    #[serde(default)]
    pub tx_port: Vec<AttachedPort>,
    /// What it needs before it moves packets; only said by processes of ours.
    #[serde(default)]
    pub lacks: Option<String>,
    /// What is set of it; likewise.
    #[serde(flatten)]
    pub set: Settings,
}

/// An entry of a classifier's table.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// `MAC`, `default`, `VID/MAC` or `VID/default`.
    pub value: String,
    /// Where such packets go.
    pub port: String,
}

/// `GET /v1/vfs/{id}` and `GET /v1/mirrors/{id}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComponentStatus {
    /// Id of the process.
    pub client_id: u32,
    /// Ports as reported.
    pub ports: Vec<String>,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// Components, and CPUs without one.
    pub components: Vec<Component>,
    /// The classifier's table; vf only.
    #[serde(default, rename = "classifier_table")]
    pub table: Vec<Entry>,
    /// Its entries in all, if not all of them are shown.
    #[serde(default, rename = "classifier_table_size")]
    pub table_size: Option<usize>,
}

/// A CPU of a pcap process.
#[derive(Debug, Deserialize)]
pub struct CaptureCore {
    /// CPU.
    pub core: u32,
    /// `receive` or `write`.
    pub role: String,
    /// What is captured, for `receive`.
    #[serde(default)]
    pub rx_port: Vec<AttachedPort>,
    /// The file, for `write`; empty while nothing is captured.
    #[serde(default)]
    pub filename: String,
}

/// `GET /v1/pcaps/{id}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaptureStatus {
    /// Id of the process.
    pub client_id: u32,
    /// `running` or `idle`.
    pub status: String,
    /// CPU of the main thread.
    #[serde(rename = "master-lcore")]
    pub main_lcore: u32,
    /// What its other CPUs do.
    pub core: Vec<CaptureCore>,
}

/// `vf ID; status`
pub fn vf(status: &ComponentStatus) -> String {
    let mut text = basic(status);
    text.push_str("Classifier Table:\n");
    if status.table.is_empty() {
        text.push_str("  No entries.\n");
    }
    for Entry { value, port } in &status.table {
        text.push_str(&format!("  - {value}, {port}\n"));
    }
    if let Some(size) = status.table_size {
        let shown = status.table.len();
        text.push_str(&format!(
            "  ({shown} of {size} entries; all: classifier_table list)\n"
        ));
    }
    text.push_str("Components:\n");
    for component in &status.components {
        text.push_str(&head(component));
        for (side, ports) in [("rx", &component.rx_port), ("tx", &component.tx_port)] {
            for port in ports {
                text.push_str(&format!("    - {side}: {}\n", with_vlan(port)));
            }
        }
        text.push_str(&ours(component));
    }
    text
}

/// `mirror ID; status`
pub fn mirror(status: &ComponentStatus) -> String {
    let mut text = basic(status);
    text.push_str("Components:\n");
    for component in &status.components {
        text.push_str(&head(component));
        if component.kind == "unuse" {
            continue;
        }
        let rx = names(&component.rx_port);
        let tx = match component.tx_port.as_slice() {
            [] => String::new(),
            ports => format!("[{}]", names(ports)),
        };
        text.push_str(&format!("    - rx: {rx}\n    - tx: {tx}\n"));
        text.push_str(&ours(component));
    }
    text
}

/// `pcap ID; status`
pub fn pcap(status: &CaptureStatus) -> String {
    let cores: Vec<u32> = status.core.iter().map(|core| core.core).collect();
    let mut text = format!(
        "Basic Information:\n  - client-id: {}\n  - status: {}\n",
        status.client_id, status.status
    );
    text.push_str(&lcores(status.main_lcore, &cores));
    text.push_str("Components:\n");
    for core in &status.core {
        text.push_str(&format!("  - core:{} {}\n", core.core, core.role));
        match core.role.as_str() {
            "receive" => text.push_str(&format!("    - rx: {}\n", names(&core.rx_port))),
            _ => text.push_str(&format!("    - filename: {}\n", core.filename)),
        }
    }
    text
}

fn basic(status: &ComponentStatus) -> String {
    let cores: Vec<u32> = status.components.iter().map(|c| c.core).collect();
    format!(
        "Basic Information:\n  - client-id: {}\n  - ports: [{}]\n{}",
        status.client_id,
        status.ports.join(", "),
        lcores(status.main_lcore, &cores)
    )
}

fn lcores(main: u32, workers: &[u32]) -> String {
    let mut text = format!("  - lcore_ids:\n    - master: {main}\n");
    match workers {
        [] => {}
        [one] => text.push_str(&format!("    - slave: {one}\n")),
        many => text.push_str(&format!("    - slaves: {many:?}\n")),
    }
    text
}

fn head(component: &Component) -> String {
    let Component {
        core, name, kind, ..
    } = component;
    format!("  - core:{core} '{name}' (type: {kind})\n")
}

/// What only processes of ours say of a component.
fn ours(component: &Component) -> String {
    let settings = component.set.since(&Settings::default());
    let mut lines: Vec<String> = settings.iter().map(ToString::to_string).collect();
    lines.extend(
        component
            .lacks
            .iter()
            .map(|lacks| format!("lacks: {lacks}")),
    );
    lines.iter().map(|line| format!("    - {line}\n")).collect()
}

fn names(ports: &[AttachedPort]) -> String {
    let names: Vec<&str> = ports.iter().map(|port| port.port.as_str()).collect();
    names.join(", ")
}

fn with_vlan(port: &AttachedPort) -> String {
    let name = &port.port;
    match &port.vlan {
        Some(Vlan { operation, id, pcp }) if operation == "add" => {
            format!("{name} (vlan operation: add, id: {id}, pcp: {pcp})")
        }
        Some(Vlan { operation, .. }) if operation == "del" => {
            format!("{name} (vlan operation: del)")
        }
        _ => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vf_status_is_laid_out_as_the_original_did() {
        let status: ComponentStatus = serde_json::from_str(
            r#"{"client-id": 2, "ports": ["phy:0", "phy:1 nq 0", "phy:1 nq 1", "vhost:0", "ring:1", "ring:2", "ring:3"],
            "master-lcore": 3, "components": [
              {"core": 4, "name": "fw1", "type": "forward",
               "rx_port": [{"port": "phy:1 nq 0", "vlan": {"operation": "none", "id": 0, "pcp": 0}}],
               "tx_port": [{"port": "ring:1", "vlan": {"operation": "add", "id": 100, "pcp": 3}}]},
              {"core": 5, "name": "cls", "type": "classifier",
               "rx_port": [{"port": "ring:1", "vlan": {"operation": "del", "id": 0, "pcp": 0}}],
               "tx_port": [{"port": "ring:2", "vlan": {"operation": "none", "id": 0, "pcp": 0}},
                           {"port": "vhost:0", "vlan": {"operation": "none", "id": 0, "pcp": 0}}]},
              {"core": 5, "name": "mg", "type": "merge",
               "rx_port": [{"port": "phy:1 nq 1", "vlan": {"operation": "none", "id": 0, "pcp": 0}},
                           {"port": "ring:3", "vlan": {"operation": "none", "id": 0, "pcp": 0}}],
               "tx_port": [{"port": "phy:1 nq 1", "vlan": {"operation": "none", "id": 0, "pcp": 0}}]}],
            "classifier_table": [{"type": "vlan", "value": "100/default", "port": "vhost:0"},
                                 {"type": "mac", "value": "02:00:00:00:00:0A", "port": "ring:2"}]}"#,
        )
        .unwrap();
        assert_eq!(
            vf(&status),
            "Basic Information:
  - client-id: 2
  - ports: [phy:0, phy:1 nq 0, phy:1 nq 1, vhost:0, ring:1, ring:2, ring:3]
  - lcore_ids:
    - master: 3
    - slaves: [4, 5, 5]
Classifier Table:
  - 100/default, vhost:0
  - 02:00:00:00:00:0A, ring:2
Components:
  - core:4 'fw1' (type: forward)
    - rx: phy:1 nq 0
    - tx: ring:1 (vlan operation: add, id: 100, pcp: 3)
  - core:5 'cls' (type: classifier)
    - rx: ring:1 (vlan operation: del)
    - tx: ring:2
    - tx: vhost:0
  - core:5 'mg' (type: merge)
    - rx: phy:1 nq 1
    - rx: ring:3
    - tx: phy:1 nq 1
"
        );
        let idle: ComponentStatus = serde_json::from_str(
            r#"{"client-id": 2, "ports": [], "master-lcore": 1,
                "components": [{"core": 4, "type": "unuse"}], "classifier_table": []}"#,
        )
        .unwrap();
        assert_eq!(
            vf(&idle),
            "Basic Information:\n  - client-id: 2\n  - ports: []\n  - lcore_ids:\n    - master: 1\n    \
             - slave: 4\nClassifier Table:\n  No entries.\nComponents:\n  - core:4 '' (type: unuse)\n"
        );
    }

    #[test]
    fn mirror_status_is_laid_out_as_the_original_did() {
        let status: ComponentStatus = serde_json::from_str(
            r#"{"client-id": 3, "ports": ["phy:0 nq 0", "phy:0 nq 1", "phy:1", "ring:6", "ring:7", "ring:8"],
            "master-lcore": 6, "components": [
              {"core": 7, "name": "m", "type": "mirror",
               "rx_port": [{"port": "phy:0 nq 1", "vlan": {"operation": "none", "id": 0, "pcp": 0}}],
               "tx_port": [{"port": "ring:6"}, {"port": "ring:7"}]},
              {"core": 8, "type": "unuse"}]}"#,
        )
        .unwrap();
        assert_eq!(
            mirror(&status),
            "Basic Information:
  - client-id: 3
  - ports: [phy:0 nq 0, phy:0 nq 1, phy:1, ring:6, ring:7, ring:8]
  - lcore_ids:
    - master: 6
    - slaves: [7, 8]
Components:
  - core:7 'm' (type: mirror)
    - rx: phy:0 nq 1
    - tx: [ring:6, ring:7]
  - core:8 '' (type: unuse)
"
        );
        let bare: ComponentStatus = serde_json::from_str(
            r#"{"client-id": 3, "ports": [], "master-lcore": 6,
                "components": [{"core": 7, "name": "m", "type": "mirror", "rx_port": [], "tx_port": []}]}"#,
        )
        .unwrap();
        assert!(mirror(&bare).ends_with("  - core:7 'm' (type: mirror)\n    - rx: \n    - tx: \n"));
    }

    #[test]
    fn pcap_status_is_laid_out_as_the_original_did() {
        let status = |name: &str| -> CaptureStatus {
            serde_json::from_value(serde_json::json!({
                "client-id": 4, "status": if name.is_empty() { "idle" } else { "running" },
                "master-lcore": 9, "core": [
                {"core": 10, "role": "receive", "rx_port": [{"port": "ring:0"}]},
                {"core": 11, "role": "write", "filename": name},
                {"core": 13, "role": "write", "filename": name}]}))
            .unwrap()
        };
        assert_eq!(
            pcap(&status("/tmp/a.pcap.lz4")),
            "Basic Information:
  - client-id: 4
  - status: running
  - lcore_ids:
    - master: 9
    - slaves: [10, 11, 13]
Components:
  - core:10 receive
    - rx: ring:0
  - core:11 write
    - filename: /tmp/a.pcap.lz4
  - core:13 write
    - filename: /tmp/a.pcap.lz4
"
        );
        assert!(pcap(&status("")).ends_with("  - core:13 write\n    - filename: \n"));
    }
}
