//! The topology as a graph for graphviz, in the original's form: a node a port, an edge a patch.

use crate::render::names;
use crate::topology::{Cable, ProcessBox, Subgraph};

/// Types of ports in their order, with their colours.
pub const KINDS: [(&str, &str); 8] = [
    ("phy", "white"),
    ("ring", "yellow"),
    ("vhost", "antiquewhite"),
    ("pcap", "gold2"),
    ("memif", "lightblue"),
    ("nullpmd", "cyan"),
    ("spppcap", "gold2"),
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
pub fn graph(boxes: &[ProcessBox], subgraphs: &[Subgraph]) -> String {
    let mut lines = vec![
        "digraph spp{".to_owned(),
        "newrank=true;".to_owned(),
        "node[shape=\"rectangle\", style=\"filled\"];".to_owned(),
    ];
    let ports = names::ports(boxes);
    for port in &ports {
        let known = KINDS.iter().find(|(kind, _)| *kind == names::kind(port));
        let colour = known.map_or("white", |(_, colour)| colour);
        let label = quoted(port);
        lines.push(format!(
            "{}[label={label}, fillcolor=\"{colour}\"];",
            node(port)
        ));
    }
    for (kind, _) in KINDS {
        let of_kind = ports.iter().filter(|port| names::kind(port) == kind);
        let nodes: Vec<_> = of_kind.map(|port| node(port)).collect();
        if !nodes.is_empty() {
            lines.push(format!("{{rank=same; {}}}", nodes.join("; ")));
        }
    }
    let lowest = ["phy", "vhost"]
        .into_iter()
        .find_map(|kind| ports.iter().find(|port| names::kind(port) == kind));
    if let Some(port) = lowest {
        lines.push(format!("{{rank=max; {}}}", node(port)));
    }
    let mut inside: Vec<_> = ports.iter().map(|port| node(port)).collect();
    inside.extend(subgraphs.iter().enumerate().map(|(index, subgraph)| {
        let nodes: Vec<_> = subgraph.ports.iter().map(|port| node(port)).collect();
        let (number, label) = (index + 1, quoted(&subgraph.label));
        format!(
            "subgraph cluster{number} {{label={label} {}}}",
            nodes.join("; ")
        )
    }));
    lines.push(format!(
        "subgraph cluster0 {{label=\"Host\" {}}}",
        inside.join("; ")
    ));
    for shown in boxes {
        lines.extend(shown.cables.iter().map(|cable| edge(shown, cable)));
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

fn edge(shown: &ProcessBox, cable: &Cable) -> String {
    let id: Option<usize> = names::id(&shown.name);
    let colour = COLOURS[id.unwrap_or(0) % COLOURS.len()];
    let style = if shown.running { "solid" } else { "dashed" };
    // The original calls mirrors so; who reads its text expects it.
    let mut label = match cable.edge.strip_prefix("mirror:") {
        Some(id) => format!("vf:{id}"),
        None => cable.edge.clone(),
    };
    if !cable.label.is_empty() {
        label = format!("{label}\n{}", cable.label);
    }
    format!(
        "{} -> {}[label={}, color=\"{colour}\", style=\"{style}\"];",
        node(&cable.src.port),
        node(&cable.dst.port),
        quoted(&label)
    )
}

/// Name of a node: as the original writes it, or quoted if it is no name of a port that we know.
fn node(port: &str) -> String {
    // Blanks (`phy:0 nq 1`) would not be valid in it.
    let plain = port.replace(':', "_").replace(' ', "");
    if names::is_port(port) {
        plain
    } else {
        quoted(port)
    }
}

/// A text in quotes, with nothing in it that ends them.
fn quoted(text: &str) -> String {
    let mut inside = String::new();
    for character in names::printable(text).chars() {
        match character {
            '"' | '\\' => inside.extend(['\\', character]),
            '\n' => inside.push_str("\\n"),
            other => inside.push(other),
        }
    }
    format!("\"{inside}\"")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;
    use protocol::reply::PatchPorts;

    use super::*;
    use crate::topology::from_status;

    fn one(name: &str, status: &str, ports: &[&str], src: &str, dst: &str) -> ProcessBox {
        let ports: Vec<_> = ports.iter().map(|port| (*port).to_owned()).collect();
        let (src, dst) = (src.to_owned(), dst.to_owned());
        from_status(
            name,
            status,
            &ports,
            &[PatchPorts {
                src,
                dst,
                with: None,
            }],
        )
    }

    /// What graphviz reads in a graph: `None` if it is not valid, else nodes and edges.
    fn read(text: &str) -> Option<(usize, usize)> {
        let mut child = Command::new("dot")
            .arg("-Tplain")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("graphviz is installed (scripts/setup.sh --tests)");
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = |word: &str| shown.lines().filter(|line| line.starts_with(word)).count();
        let fine = output.status.success() && output.stderr.is_empty();
        fine.then(|| (lines("node "), lines("edge ")))
    }

    #[test]
    fn the_graph_has_the_original_form() {
        let ports = ["phy:0 nq 1", "ring:0", "vhost:1"];
        let shown = one("nfv:1", "running", &ports, "phy:0 nq 1", "ring:0");
        let guest = Subgraph::read("guest", "vhost:1,vhost:7").unwrap();
        let other = Subgraph::read("b", "phy:0nq1").unwrap();
        let text = graph(std::slice::from_ref(&shown), &[]);
        assert_eq!(
            text,
            "digraph spp{\nnewrank=true;\nnode[shape=\"rectangle\", style=\"filled\"];\n\
             phy_0nq1[label=\"phy:0 nq 1\", fillcolor=\"white\"];\n\
             ring_0[label=\"ring:0\", fillcolor=\"yellow\"];\n\
             vhost_1[label=\"vhost:1\", fillcolor=\"antiquewhite\"];\n\
             {rank=same; phy_0nq1}\n{rank=same; ring_0}\n{rank=same; vhost_1}\n{rank=max; phy_0nq1}\n\
             subgraph cluster0 {label=\"Host\" phy_0nq1; ring_0; vhost_1}\n\
             phy_0nq1 -> ring_0[label=\"nfv:1\", color=\"green\", style=\"solid\"];\n}"
        );
        assert_eq!(read(&text), Some((3, 1)));
        let text = graph(&[shown], &[guest, other]);
        let line = "subgraph cluster0 {label=\"Host\" phy_0nq1; ring_0; vhost_1; \
                    subgraph cluster1 {label=\"guest\" vhost_1; vhost_7}; \
                    subgraph cluster2 {label=\"b\" phy_0nq1}}\n";
        assert!(text.contains(line), "{text}");
        assert_eq!(read(&text), Some((4, 1)));
    }

    #[test]
    fn every_kind_and_every_id_has_a_colour() {
        let ports = ["memif:0", "pcap:1", "tap:2", "spppcap:3", "zap:4"];
        let text = graph(&[one("nfv:12", "idling", &ports, "phy:0", "phy:1")], &[]);
        for part in [
            "memif_0[label=\"memif:0\", fillcolor=\"lightblue\"]",
            "pcap_1[label=\"pcap:1\", fillcolor=\"gold2\"]",
            "tap_2[label=\"tap:2\", fillcolor=\"cornsilk\"]",
            "spppcap_3[label=\"spppcap:3\", fillcolor=\"gold2\"]",
            "\"zap:4\"[label=\"zap:4\", fillcolor=\"white\"]",
            "color=\"orange\", style=\"dashed\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(read(&text), Some((7, 1)));
        let mut mirror = one("mirror:3", "running", &[], "ring:2", "ring:4");
        assert!(graph(std::slice::from_ref(&mirror), &[]).contains("[label=\"vf:3\", "));
        mirror.cables[0].edge = "vf:2:c".to_owned();
        mirror.cables[0].label = "1.23 Mpps".to_owned();
        assert!(graph(&[mirror], &[]).contains("[label=\"vf:2:c\\n1.23 Mpps\", "));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// Names come from processes: whatever they are, the graph has these nodes and no others.
        #[test]
        fn names_cannot_add_to_the_graph(src in "[ -~\n\\\\\"\\];{}<>]{1,12}", dst in ".{1,12}", label in "[^,;]{1,9}") {
            prop_assume!(names::printable(&src) != names::printable(&dst));
            let shown = one("nfv:1", "running", &[], &src, &dst);
            let subgraph = Subgraph { label, ports: vec![src.clone()] };
            let text = graph(&[shown], &[subgraph]);
            prop_assert_eq!(read(&text), Some((2, 1)), "{}", text);
        }
    }
}
