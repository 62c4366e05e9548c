//! The topology as a graph for graphviz, in the original's form: a node a port, an edge a patch.

use crate::topology::ProcessBox;

/// Types of ports in their order, with their colours.
const KINDS: [(&str, &str); 7] = [
    ("phy", "white"),
    ("ring", "yellow"),
    ("vhost", "antiquewhite"),
    ("pcap", "gold2"),
    ("memif", "lightblue"),
    ("nullpmd", "cyan"),
    ("tap", "cornsilk"),
];

/// Colours of processes, by id.
const COLOURS: [&str; 10] = [
    "blue",
    "green",
    "orange",
    "chocolate",
    "black",
    "cyan3",
    "green3",
    "indianred",
    "lawngreen",
    "limegreen",
];

/// The text of the graph, without a newline at its end.
pub fn graph(boxes: &[ProcessBox]) -> String {
    let mut lines = vec![
        "digraph spp{".to_owned(),
        "newrank=true;".to_owned(),
        "node[shape=\"rectangle\", style=\"filled\"];".to_owned(),
    ];
    let ports = ports(boxes);
    let mut ranks = Vec::new();
    for (kind, colour) in KINDS {
        let prefix = format!("{kind}:");
        let of_kind: Vec<_> = ports
            .iter()
            .filter(|port| port.starts_with(&prefix))
            .collect();
        for port in &of_kind {
            lines.push(format!(
                "{}[label=\"{port}\", fillcolor=\"{colour}\"];",
                node(port)
            ));
        }
        if !of_kind.is_empty() {
            let nodes: Vec<_> = of_kind.iter().map(|port| node(port)).collect();
            ranks.push(format!("{{rank=same; {}}}", nodes.join("; ")));
        }
    }
    lines.extend(ranks);
    let lowest = ["phy:", "vhost:"]
        .into_iter()
        .find_map(|kind| ports.iter().find(|port| port.starts_with(kind)));
    if let Some(port) = lowest {
        lines.push(format!("{{rank=max; {}}}", node(port)));
    }
    let all: Vec<_> = ports.iter().map(|port| node(port)).collect();
    lines.push(format!(
        "subgraph cluster0 {{label=\"Host\" {}}}",
        all.join("; ")
    ));
    for shown in boxes {
        let id = shown
            .name
            .rsplit(':')
            .next()
            .and_then(|id| id.parse::<usize>().ok())
            .unwrap_or(0);
        let colour = COLOURS[id % COLOURS.len()];
        let style = if shown.running { "solid" } else { "dashed" };
        for cable in &shown.cables {
            lines.push(format!(
                "{} -> {}[label=\"{}\", color=\"{colour}\", style=\"{style}\"];",
                node(&cable.src.port),
                node(&cable.dst.port),
                shown.name
            ));
        }
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

/// All ports, by type and then in the order of their appearance.
fn ports(boxes: &[ProcessBox]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for shown in boxes {
        let ends = shown
            .cables
            .iter()
            .flat_map(|cable| [&cable.src.port, &cable.dst.port]);
        for port in ends.chain(shown.loose.iter().map(|end| &end.port)) {
            if !found.iter().any(|known| known == port) {
                found.push(port.clone());
            }
        }
    }
    let rank = |port: &str| {
        KINDS
            .iter()
            .position(|(kind, _)| port.split(':').next() == Some(kind))
    };
    found.sort_by_key(|port| rank(port).unwrap_or(KINDS.len()));
    found
}

/// Name of a node. Blanks (`phy:0 nq 1`) would not be valid in it.
fn node(port: &str) -> String {
    port.replace(':', "_").replace(' ', "")
}

#[cfg(test)]
mod tests {
    use protocol::reply::PatchPorts;

    use super::*;
    use crate::topology::from_status;

    #[test]
    fn the_graph_has_the_original_form() {
        let ports = ["phy:0 nq 1", "ring:0", "vhost:1"].map(str::to_owned);
        let patches = [PatchPorts {
            src: "phy:0 nq 1".into(),
            dst: "ring:0".into(),
        }];
        assert_eq!(
            graph(&[from_status("nfv:1", "running", &ports, &patches)]),
            "digraph spp{\nnewrank=true;\nnode[shape=\"rectangle\", style=\"filled\"];\n\
             phy_0nq1[label=\"phy:0 nq 1\", fillcolor=\"white\"];\n\
             ring_0[label=\"ring:0\", fillcolor=\"yellow\"];\n\
             vhost_1[label=\"vhost:1\", fillcolor=\"antiquewhite\"];\n\
             {rank=same; phy_0nq1}\n{rank=same; ring_0}\n{rank=same; vhost_1}\n{rank=max; phy_0nq1}\n\
             subgraph cluster0 {label=\"Host\" phy_0nq1; ring_0; vhost_1}\n\
             phy_0nq1 -> ring_0[label=\"nfv:1\", color=\"green\", style=\"solid\"];\n}"
        );
        assert!(
            graph(&[from_status("nfv:12", "idling", &ports, &patches)])
                .contains("color=\"orange\", style=\"dashed\"")
        );
    }
}
