//! A network drawn: as lines of text, and for Graphviz.

use crate::plan::{Cable, Interface, Node, Plan};

/// The nodes and what is connected to each, a line a link end.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for (number, node) in plan.nodes.iter().enumerate() {
        text.push_str(&format!("{} ({})", node.name, node.words()));
        for address in &node.loopback {
            text.push_str(&format!("  lo {address}"));
        }
        text.push('\n');
        for (at, interface) in node.interfaces.iter().enumerate() {
            let Some((cable, far, near)) = far_end(plan, (number, at)) else {
                continue;
            };
            let addresses: Vec<String> = interface
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect();
            let own = [vec![interface.name.clone()], addresses].concat().join(" ");
            let character = cable.character.words();
            let line = if character.is_empty() {
                "──".to_owned()
            } else {
                format!("── {character} ──")
            };
            text.push_str(&format!("  {own} {line} {}:{}\n", far.name, near.name));
        }
    }
    text
}

/// The other end of a link's end.
fn far_end(plan: &Plan, end: (usize, usize)) -> Option<(&Cable, &Node, &Interface)> {
    plan.links.iter().find_map(|cable| {
        let side = cable.ends.iter().position(|near| *near == end)?;
        let (node, interface) = cable.ends[1 - side];
        let node = &plan.nodes[node];
        Some((cable, node, &node.interfaces[interface]))
    })
}

/// The network in Graphviz's language (`dot -Tsvg`).
#[must_use]
pub fn dot(plan: &Plan) -> String {
    // Names, those of images too, have no quotes or backslashes: they were checked.
    let mut text = format!("graph \"{}\" {{\n", plan.name);
    for node in &plan.nodes {
        let shape = match node.role.word() {
            "host" => "box",
            "switch" => "ellipse",
            "router" => "diamond",
            _ => "component",
        };
        let addresses: String = node
            .addresses()
            .map(|address| format!("\\n{address}"))
            .collect();
        let inside = match node.is_container() {
            true => format!("\\n{}", node.words()),
            false => String::new(),
        };
        text.push_str(&format!(
            "  \"{0}\" [shape={shape}, label=\"{0}{inside}{addresses}\"];\n",
            node.name
        ));
    }
    for cable in &plan.links {
        let [(one, near), (other, far)] = cable.ends;
        let (one, other) = (&plan.nodes[one], &plan.nodes[other]);
        text.push_str(&format!(
            "  \"{}\" -- \"{}\" [taillabel=\"{}\", headlabel=\"{}\", label=\"{}\"];\n",
            one.name,
            other.name,
            one.interfaces[near].name,
            other.interfaces[far].name,
            cable.character.words()
        ));
    }
    text.push_str("}\n");
    text
}
