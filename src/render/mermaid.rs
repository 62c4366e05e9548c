//! The topology as a Mermaid flowchart, which many wikis and code hosts draw.

use crate::render::names;
use crate::topology::{Cable, ProcessBox, Subgraph};

/// Fill of each type of port, in the order of [`super::dot::KINDS`].
const FILLS: [(&str, &str); 8] = [
    ("phy", "#ffffff"),
    ("ring", "#fde68a"),
    ("vhost", "#faebd7"),
    ("pcap", "#eec900"),
    ("memif", "#add8e6"),
    ("nullpmd", "#a5f3fc"),
    ("spppcap", "#eec900"),
    ("tap", "#fff8dc"),
];

/// The text of the flowchart. Names stand in labels only; nodes are numbered.
pub fn chart(boxes: &[ProcessBox], subgraphs: &[Subgraph]) -> String {
    let mut ports = names::ports(boxes);
    // As in dot, a subgraph shows ports that are not there yet.
    for port in subgraphs.iter().flat_map(|subgraph| &subgraph.ports) {
        if !ports.contains(port) {
            ports.push(port.clone());
        }
    }
    let node = |port: &str| {
        let at = ports.iter().position(|other| other == port);
        format!("p{}", at.unwrap_or(ports.len()))
    };
    let declared = |port: &String| format!("{}[\"{}\"]", node(port), label(port));
    let mut lines = vec![
        "flowchart LR".to_owned(),
        "  subgraph host[\"Host\"]".to_owned(),
    ];
    // A node belongs to the first subgraph that names it.
    let mut placed: Vec<&String> = Vec::new();
    for (index, subgraph) in subgraphs.iter().enumerate() {
        let text = label(&subgraph.label);
        lines.push(format!("    subgraph g{index}[\"{text}\"]"));
        for port in &subgraph.ports {
            if !placed.contains(&port) {
                lines.push(format!("      {}", declared(port)));
                placed.push(port);
            }
        }
        lines.push("    end".to_owned());
    }
    let outside = ports.iter().filter(|port| !placed.contains(port));
    lines.extend(outside.map(|port| format!("    {}", declared(port))));
    lines.push("  end".to_owned());
    for shown in boxes {
        let line = if shown.running { "-->" } else { "-.->" };
        lines.extend(shown.cables.iter().map(|cable| {
            let (src, dst) = (node(&cable.src.port), node(&cable.dst.port));
            format!("  {src} {line}|\"{}\"| {dst}", edge(cable))
        }));
    }
    for (kind, fill) in FILLS {
        let of_kind = ports.iter().filter(|port| names::kind(port) == kind);
        let nodes: Vec<_> = of_kind.map(|port| node(port)).collect();
        if !nodes.is_empty() {
            lines.push(format!(
                "  classDef {kind} fill:{fill},stroke:#555,color:#111"
            ));
            lines.push(format!("  class {} {kind}", nodes.join(",")));
        }
    }
    lines.join("\n") + "\n"
}

fn edge(cable: &Cable) -> String {
    match cable.label.is_empty() {
        true => label(&cable.edge),
        false => format!("{}<br>{}", label(&cable.edge), label(&cable.label)),
    }
}

/// A text for a quoted label: all that has a meaning there, or in HTML, becomes a character code.
fn label(text: &str) -> String {
    let mut shown = String::new();
    for c in names::printable(text).chars() {
        let plain = c.is_alphanumeric() || " :.,_-/()+=".contains(c);
        match plain {
            true => shown.push(c),
            false => shown.push_str(&format!("#{};", u32::from(c))),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::reply::PatchPorts;

    use super::*;
    use crate::topology::from_status;

    fn one(status: &str, src: &str, dst: &str) -> ProcessBox {
        let (src, dst) = (src.to_owned(), dst.to_owned());
        from_status(
            "nfv:1",
            status,
            &["vhost:1".into()],
            &[PatchPorts {
                src,
                dst,
                with: None,
            }],
        )
    }

    #[test]
    fn the_flowchart_has_nodes_edges_subgraphs_and_colours() {
        let mut shown = one("idling", "phy:0 nq 1", "ring:0");
        shown.cables[0].label = "5 pps".to_owned();
        let guest = Subgraph::read("guest", "vhost:1,vhost:7").unwrap();
        assert_eq!(
            chart(&[shown], &[guest]),
            "flowchart LR\n  subgraph host[\"Host\"]\n    subgraph g0[\"guest\"]\n      p2[\"vhost:1\"]\n      \
             p3[\"vhost:7\"]\n    end\n    p0[\"phy:0 nq 1\"]\n    p1[\"ring:0\"]\n  end\n  \
             p0 -.->|\"nfv:1<br>5 pps\"| p1\n  classDef phy fill:#ffffff,stroke:#555,color:#111\n  class p0 phy\n  \
             classDef ring fill:#fde68a,stroke:#555,color:#111\n  class p1 ring\n  \
             classDef vhost fill:#faebd7,stroke:#555,color:#111\n  class p2,p3 vhost\n"
        );
    }

    proptest! {
        /// Every line keeps its shape, and nothing of a name is outside of a label.
        #[test]
        fn names_cannot_add_to_the_flowchart(src in ".{1,12}", dst in "[\"\\]|#;<>&`\n ]{1,12}", name in "[^,;]{1,9}") {
            prop_assume!(src != dst);
            let subgraph = Subgraph { label: name, ports: vec!["vhost:1".into()] };
            let text = chart(&[one("running", &src, &dst)], &[subgraph]);
            // Outside of labels only what this module writes is left.
            let mut outside = String::new();
            for line in text.lines() {
                let parts: Vec<_> = line.split('"').collect();
                prop_assert!(parts.len() == 1 || parts.len() == 3, "{}", line);
                outside.push_str(parts[0]);
                outside.push_str(parts.get(2).copied().unwrap_or_default());
                if let Some(inside) = parts.get(1) {
                    let safe = inside.chars().all(|c| c.is_alphanumeric() || " :.,_-/()+=#;".contains(c));
                    prop_assert!(safe, "{}", line);
                }
            }
            prop_assert_eq!(outside.matches("-->").count(), 1);
            prop_assert_eq!(outside.matches("subgraph").count(), 2);
            prop_assert_eq!(outside.matches("end").count(), 2);
        }
    }
}
