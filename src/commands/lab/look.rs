//! What looks at networks and changes nothing: `ps`, `ping`, `pingall`, `graph`, `check`, `schema`.

use std::path::Path;
use std::time::Duration;

use lab::{File, Plan, Running};
use serde_json::{Value, json};

use super::options::Taken;
use super::{CHECK, GRAPH, PING, PINGALL, PS, warn};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::columns::{self, Align};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Requests of one `ping` at most.
const MOST_REQUESTS: u64 = 1000;

/// `lab ps [-n NAME]`
pub fn ps(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "ps", PS, &["-n"], &[])?;
    taken.nothing()?;
    let networks: Vec<Running> = match taken.value("-n") {
        Some(name) => vec![Running::find(name)?],
        None => lab::state::names()?
            .iter()
            .filter_map(|name| Running::find(name).ok())
            .collect(),
    };
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for network in &networks {
        let processes = network.processes()?;
        let mut nodes: Vec<Value> = Vec::new();
        for (number, node) in network.nodes().iter().enumerate() {
            let addresses: Vec<String> = node
                .addresses()
                .map(|address| address.to_string())
                .collect();
            let own: Vec<_> = processes
                .iter()
                .filter(|process| process.node == number)
                .collect();
            let mut shown: Vec<String> = own
                .iter()
                .map(|p| format!("{} {}", p.pid, short(&p.command)))
                .collect();
            let container = network.container(number);
            if let Some(ended) = container.filter(|container| !container.is_alive()) {
                shown.push(format!("container {} has ended", ended.name));
            }
            let ended = network.ended(number, &own);
            shown.extend(ended.iter().map(|name| format!("{name} has ended")));
            rows.push(vec![
                network.name().to_owned(),
                node.name.clone(),
                node.role.word().to_owned(),
                addresses.join(","),
                shown.join("; "),
            ]);
            let documented: Vec<Value> = own
                .iter()
                .map(|process| json!({"pid": process.pid, "command": process.command}))
                .collect();
            let container = container.map(|of| json!({"name": of.name, "running": of.is_alive()}));
            nodes.push(json!({
                "name": node.name, "kind": node.role.word(), "addresses": addresses, "processes": documented,
                "container": container, "ended": ended,
            }));
        }
        documents.push(json!({
            "network": network.name(), "pid": network.keeper(), "plain": network.is_plain(), "nodes": nodes,
        }));
    }
    if networks.is_empty() {
        return Ok(Report::new("No network is up.", json!(documents)));
    }
    let header =
        ["NETWORK", "NODE", "KIND", "ADDRESSES", "PROCESSES"].map(|name| (name, Align::Left));
    Ok(Report::new(
        columns::lines(0, &header, &rows),
        json!(documents),
    ))
}

fn short(command: &str) -> String {
    const MOST: usize = 40;
    match command.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}

/// `lab ping [-n NAME] NODE NODE|ADDRESS [-c N]`
pub fn ping(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "ping", PING, &["-n", "-c"], &[])?;
    let [from, to] = taken.words.as_slice() else {
        return Err(taken.refuse("From which node to which?"));
    };
    let count = taken.number("-c", 1..=MOST_REQUESTS)?.unwrap_or(3);
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let network = taken.network()?;
    let number = network.node(from)?;
    let address = lab::ping::target(&network, number, to)?;
    let answers = lab::ping::ping(&network, number, address, count, LIMIT)?;
    let mut times: Vec<f64> = answers
        .iter()
        .flatten()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    let came = times.len();
    if came < answers.len() {
        return Err(Failure::refused(format!(
            "{from} → {to} ({address}): {came} of {} requests were answered within {} s each",
            answers.len(),
            LIMIT.as_secs()
        )));
    }
    let (least, middle, most) = (times[0], times[came / 2], times[came - 1]);
    Ok(Report::new(
        format!(
            "{from} → {to} ({address}): {came} of {came} answered, {least:.3} / {middle:.3} / {most:.3} ms (least, median, most)"
        ),
        json!({"from": from, "to": to, "address": address, "answers": came, "milliseconds": times}),
    ))
}

/// `lab pingall [-n NAME]`
pub fn pingall(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "pingall", PINGALL, &["-n"], &[])?;
    taken.nothing()?;
    let network = taken.network()?;
    let pairs = lab::ping::all(&network, LIMIT)?;
    let name = |number: usize| network.nodes()[number].name.as_str();
    let mut lines: Vec<String> = Vec::new();
    for (number, node) in network.nodes().iter().enumerate() {
        let asked: Vec<String> = pairs
            .iter()
            .filter(|pair| pair.from == number)
            .map(|pair| {
                if pair.answer.is_some() {
                    name(pair.to).to_owned()
                } else {
                    format!("no {}", name(pair.to))
                }
            })
            .collect();
        if !asked.is_empty() {
            lines.push(format!("{} → {}", node.name, asked.join(", ")));
        }
    }
    let came = pairs.iter().filter(|pair| pair.answer.is_some()).count();
    lines.push(format!("{came} of {} reached", pairs.len()));
    if came < pairs.len() {
        return Err(Failure::refused(lines.join("\n")));
    }
    let documents: Vec<Value> = pairs
        .iter()
        .map(|pair| json!({"from": name(pair.from), "to": name(pair.to)}))
        .collect();
    Ok(Report::new(lines.join("\n"), json!({"reached": documents})))
}

/// `lab graph [FILE | -n NAME] [--dot]`
pub fn graph(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "graph", GRAPH, &["-n"], &["--dot"])?;
    let plan = if taken.words.is_empty() {
        taken.network()?.plan().clone()
    } else {
        Plan::of(&File::read(Path::new(taken.file()?))?.file)
    };
    let text = if taken.flag("--dot") {
        lab::graph::dot(&plan)
    } else {
        lab::graph::text(&plan)
    };
    Ok(Report::new(text, json!(plan)))
}

/// `lab check FILE`
pub fn check(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "check", CHECK, &[], &[])?;
    let path = taken.file()?;
    let checked = File::read(Path::new(path))?;
    warn(context, path, &checked.warnings)?;
    let plan = Plan::of(&checked.file);
    let (nodes, links) = (plan.nodes.len(), plan.links.len());
    Ok(Report::new(
        format!(
            "{path} is right: {nodes} nodes, {links} links, {} expectations.",
            checked.file.expect.len()
        ),
        json!({"network": plan.name, "nodes": nodes, "links": links, "warnings": checked.warnings.len()}),
    ))
}

/// `lab schema`
pub fn schema(_: &mut Context, _: &Args) -> Outcome {
    let schema = lab::file::schema();
    Ok(Report::new(format!("{schema:#}"), schema))
}
