//! Where packets of a network were dropped, and why: by the kernel, and by panels.

mod words;

use std::collections::HashMap;
use std::os::fd::AsFd;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::namespace;
use crate::kernel::route::Router;
use crate::panels::look;
use crate::plan::{Node, Role};
use crate::running::{Running, device};

/// Packets that were dropped for one reason, since the network came up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dropped {
    /// Number of the node.
    pub node: usize,
    /// The interface, if it happened at one; else it was in the node's stack.
    pub interface: Option<String>,
    /// How many.
    pub packets: u64,
    /// Why, in words.
    pub why: String,
    /// What the kernel, or a panel, calls the counter.
    pub counter: String,
}

/// What was dropped in a node, by interface and then, of hosts and routers, in its stack; only what is not zero.
///
/// Some packets are counted twice: by what happened to them, and by what it was part of (`UdpInErrors`). Packets that a program
/// receives by a packet socket, as a DPDK program does, are not in it: only the program is told of these. Nor is what was dropped
/// before the network was complete: an interface that comes up announces itself to its neighbour, which may not be ready for that.
///
/// # Errors
/// The network has gone.
pub fn drops(running: &Running, node: usize) -> Result<Vec<Dropped>> {
    let inside = running.inside(node)?;
    let mut found = counted(&running.nodes()[node], node, inside.network())?;
    for now in &mut found {
        let mut before = running.dropped_before().iter();
        let same = before.find(|before| {
            (before.node, &before.interface, &before.counter)
                == (now.node, &now.interface, &now.counter)
        });
        now.packets = now
            .packets
            .saturating_sub(same.map_or(0, |same| same.packets));
    }
    found.retain(|dropped| dropped.packets > 0);
    Ok(found)
}

/// What the counters of a node say, whose number and namespace these are.
///
/// # Errors
/// The namespace has gone.
pub(crate) fn counted(of: &Node, node: usize, namespace: impl AsFd + Send) -> Result<Vec<Dropped>> {
    let (texts, queues) = namespace::within(namespace, || {
        let read = |name: &str| {
            let path = format!("/proc/thread-self/net/{name}");
            match std::fs::read_to_string(&path) {
                // A kernel without IPv6 has no counters of it.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
                read => read.map_err(|e| Error::io(format!("read {path}"), e)),
            }
        };
        let names = ["dev", "snmp", "netstat", "snmp6"];
        let texts = names.map(read).into_iter().collect::<Result<Vec<_>>>()?;
        Ok((texts, Router::open(&of.name)?.queues()?))
    })?;
    let [devices, tables @ .., lines] = texts.as_slice() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut add = |interface: Option<&str>, packets: u64, why: &str, counter: &str| {
        if packets > 0 {
            found.push(Dropped {
                node,
                interface: interface.map(str::to_owned),
                packets,
                why: why.to_owned(),
                counter: counter.to_owned(),
            });
        }
    };
    for (name, numbers) in devices.lines().filter_map(device) {
        for (column, counter, why) in words::DEVICE {
            add(Some(name), numbers[column], why, counter);
        }
        let interface = of.interfaces.iter().find(|known| known.name == name);
        let ours = queues
            .iter()
            .filter(|queue| interface.is_some_and(|known| known.index == queue.interface));
        for queue in ours {
            let why = format!(
                "the queue {} had no room, or lost them on purpose",
                queue.kind
            );
            add(Some(name), queue.drops, &why, "qdisc drops");
        }
    }
    if !matches!(of.role, Role::Host | Role::Router) {
        // The stacks of the others take no part: what reaches one was for somebody else, too.
        return Ok(found);
    }
    let mut counters = HashMap::new();
    tables.iter().for_each(|text| table(text, &mut counters));
    list(lines, &mut counters);
    for (counter, why) in words::STACK {
        add(
            None,
            counters.get(*counter).copied().unwrap_or(0),
            why,
            counter,
        );
    }
    Ok(found)
}

/// What panels dropped, by node: of a panel of the file its ports, of one that carries links the interfaces that did not get it. What
/// the file wants to be lost is in it, too.
///
/// # Errors
/// A panel does not answer.
pub fn panels(running: &Running) -> Result<Vec<Dropped>> {
    let mut all: Vec<Dropped> = look::fallen(running)?
        .into_iter()
        .map(|fallen| {
            let reason = words::PANEL.iter().find(|(name, _)| *name == fallen.reason);
            let reason = reason.map_or(fallen.reason, |(_, words)| words);
            Dropped {
                node: fallen.node,
                interface: Some(fallen.place),
                packets: fallen.packets,
                why: format!("{}: {reason}", fallen.process),
                counter: fallen.reason.to_owned(),
            }
        })
        .collect();
    all.sort_by_key(|dropped| dropped.node);
    Ok(all)
}

/// Pairs of lines, `Ip: InReceives InDiscards` and `Ip: 10 2` (`/proc/net/snmp`): `IpInDiscards` is 2.
fn table(text: &str, counters: &mut HashMap<String, u64>) {
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks_exact(2) {
        let (Some((group, names)), Some((same, values))) =
            (pair[0].split_once(':'), pair[1].split_once(':'))
        else {
            continue;
        };
        if group != same {
            continue;
        }
        let pairs = names.split_whitespace().zip(values.split_whitespace());
        for (name, value) in pairs {
            // Some settings among them are below zero.
            counters.insert(format!("{group}{name}"), value.parse().unwrap_or(0));
        }
    }
}

/// Lines such as `Ip6InDiscards 2` (`/proc/net/snmp6`).
fn list(text: &str, counters: &mut HashMap<String, u64>) {
    for line in text.lines() {
        if let Some((name, value)) = line.split_once(char::is_whitespace) {
            counters.insert(name.to_owned(), value.trim().parse().unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_of_a_panel_has_words() {
        assert_eq!(
            words::PANEL.map(|(name, _)| name),
            protocol::detail::DROP_REASONS
        );
    }

    #[test]
    fn counters_are_found_in_both_forms() {
        let mut counters = HashMap::new();
        table(
            "Ip: Forwarding InDiscards\nIp: 1 2\nTcp: MaxConn InErrs\nTcp: -1 7\nodd\n",
            &mut counters,
        );
        list("Ip6InDiscards                    \t3\n\nx", &mut counters);
        for (name, value) in [("IpInDiscards", 2), ("TcpInErrs", 7), ("Ip6InDiscards", 3)] {
            assert_eq!(counters[name], value);
        }
    }
}
