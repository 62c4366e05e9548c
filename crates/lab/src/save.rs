//! From a plan back to a file: what [`Plan::of`] makes the same plan of.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::file::{Character, Destination, Driver, Switching};
use crate::plan::{Cable, Node, Plan, Role, made_mac};

/// The file of a network. What it expects is not in it: that is no part of a plan.
#[must_use]
pub fn document(plan: &Plan) -> Value {
    let mut file = Map::new();
    file.insert("name".into(), json!(plan.name));
    for (key, word) in [
        ("hosts", "host"),
        ("switches", "switch"),
        ("routers", "router"),
        ("nodes", "dpdk"),
        ("spp", "spp"),
    ] {
        let nodes = plan.nodes.iter().filter(|node| node.role.word() == word);
        let nodes: Map<String, Value> = nodes
            .map(|node| (node.name.clone(), body(plan, node)))
            .collect();
        if !nodes.is_empty() {
            file.insert(key.into(), nodes.into());
        }
    }
    if !plan.links.is_empty() {
        let links = plan.links.iter().map(|cable| link(plan, cable));
        file.insert("links".into(), links.collect());
    }
    file.into()
}

/// What stands behind a node's name.
fn body(plan: &Plan, node: &Node) -> Value {
    match &node.role {
        Role::Host | Role::Router => host(plan, node),
        Role::Switch { stp, via } => {
            let mut body = Map::new();
            if *stp {
                body.insert("stp".into(), true.into());
            }
            if *via != Switching::default() {
                body.insert("via".into(), json!(via));
            }
            body.into()
        }
        Role::Dpdk(program) => without_nothing(json!(program)),
        Role::Panel(panel) => without_nothing(json!(panel)),
    }
}

fn host(plan: &Plan, node: &Node) -> Value {
    let first = node.interfaces.first();
    let addresses = first.filter(|_| is_host(node));
    // Those of the first routes that a gateway can stand for, one of each family.
    let mut gateways: Vec<IpAddr> = Vec::new();
    for (to, via) in &node.routes {
        let known = gateways
            .iter()
            .any(|known| known.is_ipv4() == via.is_ipv4());
        if *to != Destination::Default || known {
            break;
        }
        gateways.push(*via);
    }
    let routes: Vec<Value> = node.routes[gateways.len()..]
        .iter()
        .map(|(to, via)| json!({"to": to, "via": via}))
        .collect();
    let shared = node.loopback.iter().any(|address| {
        let others = plan.nodes.iter().filter(|other| other.name != node.name);
        others
            .flat_map(Node::addresses)
            .any(|other| other == address.0.addr())
    });
    without_nothing(json!({
        "image": node.image,
        "address": addresses.map(|interface| &interface.addresses),
        "loopback": node.loopback,
        "anycast": shared.then_some(true),
        "gateway": gateways,
        "routes": routes,
        "run": node.run,
        "start": node.start,
        "cores": node.cores.then_some(true),
    }))
}

/// Addresses of its first interface stand at its name; those of a router stand at the link, as of its others.
fn is_host(node: &Node) -> bool {
    matches!(node.role, Role::Host)
}

fn link(plan: &Plan, cable: &Cable) -> Value {
    let ends = cable.ends.map(|at| end(plan, at));
    let (node, interface) = cable.ends[0];
    let mtu = plan.nodes[node].interfaces[interface].mtu;
    if mtu.is_none() && cable.character == Character::default() {
        return json!(ends);
    }
    let mut long = Map::new();
    long.insert("link".into(), json!(ends));
    if let Value::Object(character) = json!(cable.character) {
        long.extend(character);
    }
    // What is not said is this.
    if cable.character.via == Character::default().via {
        long.remove("via");
    }
    long.insert("mtu".into(), json!(mtu));
    without_nothing(long.into())
}

/// An end of a link: a name, if the rest is what it would be without being said.
fn end(plan: &Plan, (at, number): (usize, usize)) -> Value {
    let node = &plan.nodes[at];
    let interface = &node.interfaces[number];
    let usual = (0..)
        .zip(&node.interfaces)
        .all(|(n, interface): (usize, _)| interface.name == format!("eth{n}"));
    let at_its_name = number == 0 && is_host(node);
    let long = without_nothing(json!({
        "node": node.name,
        "interface": (!usual).then_some(&interface.name),
        "address": (!at_its_name).then_some(&interface.addresses),
        "driver": interface.driver.filter(|driver| *driver != usual_driver(node)),
        "mac": (interface.mac != made_mac(&plan.name, at, number)).then_some(interface.mac),
    }));
    match long.as_object() {
        Some(object) if object.len() == 1 => json!(node.name),
        _ => long,
    }
}

/// The driver of a DPDK program's ports of which nothing else is said.
fn usual_driver(node: &Node) -> Driver {
    match &node.role {
        Role::Dpdk(program) => program.driver,
        _ => Driver::default(),
    }
}

/// Without keys that say nothing, and without a list around one address or command.
fn without_nothing(value: Value) -> Value {
    let Value::Object(object) = value else {
        return value;
    };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    let short = |(key, value): (String, Value)| match value {
        Value::Array(list) if list.len() == 1 && list[0].is_string() => {
            (key, list.into_iter().next().unwrap_or_default())
        }
        value => (key, value),
    };
    let said = object.into_iter().filter(|(_, value)| says(value));
    said.map(short).collect::<Map<_, _>>().into()
}
