//! Boxes of processes that have components or a capture instead of patches: vf, mirror, pcap.

use protocol::reply::ProcessKind;
use serde_json::Value;

use super::{Cable, End, ProcessBox, loose};

/// A box from the answer to `GET vfs/ID`, `mirrors/ID` or `pcaps/ID`, and what is wrong with it, in
/// the original's words.
pub fn from_components(kind: ProcessKind, id: u32, status: &Value) -> (ProcessBox, Vec<String>) {
    let name = format!("{kind}:{id}");
    let mut shown = ProcessBox {
        title: name.clone(),
        name: name.clone(),
        // Components have no state of their own: what is attached is moved.
        running: true,
        ..ProcessBox::default()
    };
    let mut wrong = Vec::new();
    if kind == ProcessKind::Pcap {
        let running = status["status"].as_str().unwrap_or("idle");
        shown.title = format!("{name}  {running}");
        let sources: Vec<_> = members(status, "core")
            .filter(|core| core["role"] == "receive")
            .flat_map(|core| ports(core, "rx_port").unwrap_or_default())
            .collect();
        if sources.is_empty() {
            wrong.push(format!("Error: No rx port in {name}."));
        }
        let file = format!("spppcap:{id}");
        shown.cables = sources.iter().map(|src| cable(src, &file, &name)).collect();
    } else {
        for component in members(status, "components") {
            let part = component["type"].as_str().unwrap_or_default();
            let ends = (ports(component, "rx_port"), ports(component, "tx_port"));
            match (part, ends) {
                ("unuse", _) => {}
                ("forward" | "merge" | "classifier" | "mirror", (Some(rx), Some(tx))) => {
                    let edge = match kind {
                        ProcessKind::Vf => format!("{name}:{}", &part[..1]),
                        _ => name.clone(),
                    };
                    let pairs = rx
                        .iter()
                        .flat_map(|src| tx.iter().map(move |dst| (src, dst)));
                    shown
                        .cables
                        .extend(pairs.map(|(src, dst)| cable(src, dst, &edge)));
                }
                // Misspelt as the original does.
                _ => wrong.push(format!("Error: Falied to parse links in {name} {part}")),
            }
        }
    }
    let names: Vec<String> = members(status, "ports")
        .filter_map(|port| port.as_str().map(str::to_owned))
        .collect();
    shown.loose = loose(&names, &shown.cables);
    (shown, wrong)
}

fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// Names of attached ports; `None` if there is no such list.
fn ports(component: &Value, key: &str) -> Option<Vec<String>> {
    component[key]
        .as_array()?
        .iter()
        .map(|end| end["port"].as_str().map(str::to_owned))
        .collect()
}

fn cable(src: &str, dst: &str, edge: &str) -> Cable {
    Cable {
        src: End::of(src),
        dst: End::of(dst),
        edge: edge.to_owned(),
        label: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edges(shown: &ProcessBox) -> Vec<String> {
        let edge = |cable: &Cable| format!("{}>{} {}", cable.src.port, cable.dst.port, cable.edge);
        shown.cables.iter().map(edge).collect()
    }

    #[test]
    fn components_lead_from_each_source_to_each_destination() {
        let status = json!({"client-id": 2, "ports": ["phy:0", "phy:1", "vhost:9"], "components": [
            {"core": 4, "name": "f", "type": "forward", "rx_port": [{"port": "phy:0"}], "tx_port": [{"port": "ring:1"}]},
            {"core": 5, "name": "c", "type": "classifier", "rx_port": [{"port": "ring:1"}],
             "tx_port": [{"port": "ring:2"}, {"port": "ring:3"}]},
            {"core": 6, "type": "unuse"},
            {"core": 7, "name": "b", "type": "merge", "rx_port": []}]});
        let (shown, wrong) = from_components(ProcessKind::Vf, 2, &status);
        let expected = [
            "phy:0>ring:1 vf:2:f",
            "ring:1>ring:2 vf:2:c",
            "ring:1>ring:3 vf:2:c",
        ];
        assert_eq!(edges(&shown), expected);
        assert_eq!(wrong, ["Error: Falied to parse links in vf:2 merge"]);
        let left: Vec<_> = shown.loose.iter().map(|end| end.port.as_str()).collect();
        assert_eq!(left, ["phy:1", "vhost:9"]);
    }

    #[test]
    fn a_mirror_and_a_capture_have_edges_too() {
        let status = json!({"components": [{"core": 7, "type": "mirror", "rx_port": [{"port": "ring:2"}],
            "tx_port": [{"port": "ring:4"}, {"port": "ring:5"}]}, {"core": 8, "type": "unuse"}]});
        let (shown, wrong) = from_components(ProcessKind::Mirror, 3, &status);
        assert_eq!(
            edges(&shown),
            ["ring:2>ring:4 mirror:3", "ring:2>ring:5 mirror:3"]
        );
        assert!(wrong.is_empty());

        let status = json!({"status": "running", "core": [{"core": 10, "role": "receive", "rx_port": [{"port": "phy:1"}]},
            {"core": 11, "role": "write", "filename": "x"}]});
        let (shown, wrong) = from_components(ProcessKind::Pcap, 4, &status);
        assert_eq!(edges(&shown), ["phy:1>spppcap:4 pcap:4"]);
        assert!(wrong.is_empty());
        let (_, wrong) = from_components(ProcessKind::Pcap, 4, &json!({"core": []}));
        assert_eq!(wrong, ["Error: No rx port in pcap:4."]);
    }
}
