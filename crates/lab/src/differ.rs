//! What is different between two plans of a network.

use std::collections::BTreeMap;

use crate::plan::{Plan, Role};

/// Something that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: `h1`, `address of h1:eth0`, `link h1:eth0 ── s1:eth0`.
    pub what: String,
    /// What the first plan has; nothing, if it is not in it.
    pub first: Option<String>,
    /// What the second plan has.
    pub second: Option<String>,
}

/// What the first and the second plan have differently, sorted. Their names are not compared. Of a node that one of them does not
/// have only that is told.
#[must_use]
pub fn differences(first: &Plan, second: &Plan) -> Vec<Difference> {
    let (facts, others) = (facts(first, second), self::facts(second, first));
    let names: std::collections::BTreeSet<&String> = facts.keys().chain(others.keys()).collect();
    names
        .into_iter()
        .filter(|name| facts.get(*name) != others.get(*name))
        .map(|name| Difference {
            what: name.clone(),
            first: facts.get(name).cloned(),
            second: others.get(name).cloned(),
        })
        .collect()
}

/// All that is said of a network, by what it is said of; of nodes that `other` does not have, what they are.
fn facts(plan: &Plan, other: &Plan) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut add = |what: String, value: String| {
        if !value.is_empty() {
            facts.insert(what, value);
        }
    };
    for node in &plan.nodes {
        let name = &node.name;
        add(name.clone(), node.role.word().to_owned());
        if other.find(name).is_none() {
            continue;
        }
        let settings = match &node.role {
            Role::Host | Role::Router => String::new(),
            Role::Switch { stp, via } => {
                let stp = if *stp { " with stp" } else { "" };
                format!("via {}{stp}", serde_json::json!(via)).replace('"', "")
            }
            // As in the file, in one line.
            Role::Dpdk(program) => serde_json::json!(program).to_string(),
            Role::Panel(panel) => serde_json::json!(panel).to_string(),
        };
        add(format!("settings of {name}"), settings);
        add(format!("image of {name}"), joined(&node.image));
        add(format!("loopback of {name}"), joined(&node.loopback));
        let routes = node
            .routes
            .iter()
            .map(|(to, via)| format!("{to} via {via}"));
        add(format!("routes of {name}"), joined(routes));
        add(format!("run of {name}"), node.run.join("; "));
        add(format!("start of {name}"), node.start.join("; "));
        for interface in &node.interfaces {
            let place = format!("{name}:{}", interface.name);
            add(format!("address of {place}"), joined(&interface.addresses));
            add(format!("mac of {place}"), interface.mac.to_string());
            add(format!("mtu of {place}"), joined(interface.mtu));
            let driver = interface.driver.map(|driver| serde_json::json!(driver));
            add(
                format!("driver of {place}"),
                joined(driver).replace('"', ""),
            );
        }
    }
    for cable in &plan.links {
        // Which end stands first means nothing.
        let mut ends = cable.ends.map(|(node, interface)| {
            let node = &plan.nodes[node];
            format!("{}:{}", node.name, node.interfaces[interface].name)
        });
        ends.sort();
        let character = match (cable.character.words(), cable.character.via) {
            (words, _) if words.is_empty() => "there".to_owned(),
            (words, via) => format!(
                "{words} by {}",
                joined([serde_json::json!(via)]).replace('"', "")
            ),
        };
        facts.insert(format!("link {}", ends.join(" ── ")), character);
    }
    facts
}

fn joined(parts: impl IntoIterator<Item = impl ToString>) -> String {
    let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::File;

    fn plan(text: &str) -> Plan {
        Plan::of(&File::parse(text, "", Some("n")).unwrap().file)
    }

    #[test]
    fn only_what_is_different_is_told() {
        let one = "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24}\nlinks: [[h1, h2]]\n";
        let same = "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24}\nlinks: [[h2, h1]]\n";
        let other = "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.3/24, h3: {}}\nlinks: [{link: [h1, h2], delay: 5ms}]\n";
        assert_eq!(differences(&plan(one), &plan(same)), []);
        let found = differences(&plan(one), &plan(other));
        let found: Vec<_> = found
            .iter()
            .map(|one| {
                (
                    one.what.as_str(),
                    one.first.as_deref(),
                    one.second.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (
                    "address of h2:eth0",
                    Some("10.0.0.2/24"),
                    Some("10.0.0.3/24")
                ),
                ("h3", None, Some("host")),
                (
                    "link h1:eth0 ── h2:eth0",
                    Some("there"),
                    Some("delay 5ms by panel")
                ),
            ]
        );
    }
}
