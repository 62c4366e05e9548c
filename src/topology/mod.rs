//! What a drawing of the panel shows: processes, their ports and patches, and rings between them.

mod components;
mod subgraph;

use protocol::detail::{Detail, ProcessDetail};
use protocol::reply::PatchPorts;

use crate::rates::{ProcessRates, Way, ways};
use crate::render::counters::name;
use crate::render::units::{count, packet_rate, percent};

pub use components::from_components;
pub use subgraph::Subgraph;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessBox {
    /// Name and state.
    pub title: String,
    /// Name alone: `nfv:1`.
    pub name: String,
    /// It forwards.
    pub running: bool,
    /// Its patches.
    pub cables: Vec<Cable>,
    /// Its ports that no patch touches.
    pub loose: Vec<End>,
    /// Why nothing more is known of it; empty otherwise.
    pub note: String,
}

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cable {
    /// Source.
    pub src: End,
    /// Destination.
    pub dst: End,
    /// Who moves the packets: `nfv:1`, `vf:2:f` (the first letter of the component's type).
    pub edge: String,
    /// Rate, packets and drops; empty if nothing is known.
    pub label: String,
}

/// An end of a patch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    /// Port as reported.
    pub port: String,
    /// Nobody is connected to it.
    pub down: bool,
}

impl End {
    /// An end of which nothing more is known.
    pub fn of(port: &str) -> Self {
        Self {
            port: port.to_owned(),
            down: false,
        }
    }
}

/// From what processes say of themselves; `rates` are of the same processes, in the same order.
/// Left out are the primary, if it has no ports of its own, and processes that have gone.
pub fn from_details(details: &[ProcessDetail], rates: &[ProcessRates]) -> Vec<ProcessBox> {
    details
        .iter()
        .zip(rates)
        .filter(|(process, _)| process.status != "gone")
        .filter(|(process, _)| {
            process.client_id != 0
                || process
                    .detail
                    .as_ref()
                    .is_some_and(|detail| !detail.ports.is_empty())
        })
        .map(|(process, rates)| match &process.detail {
            Some(detail) => from_detail(process, detail, rates),
            None => ProcessBox {
                title: format!("{}  {}", name(process), process.status),
                name: name(process),
                note: process.error.clone().unwrap_or_default(),
                ..ProcessBox::default()
            },
        })
        .collect()
}

fn from_detail(process: &ProcessDetail, detail: &Detail, rates: &ProcessRates) -> ProcessBox {
    let end = |port: &String| End {
        port: port.clone(),
        down: detail
            .ports
            .iter()
            .any(|other| other.name == *port && other.link == "down"),
    };
    let ways = ways(detail);
    let cables = ways
        .iter()
        .zip(&rates.patches)
        .map(|(Way { patch, component }, rate)| {
            let mut label = component.map_or(String::new(), |name| format!("{name}: "));
            label += &format!(
                "{}, {}",
                packet_rate(rate.flow.packets),
                count(patch.counters.tx_packets, "packet")
            );
            let drops = patch.counters.drops.total();
            if drops > 0 {
                label.push_str(&format!(", {}", count(drops, "drop")));
            }
            Cable {
                src: end(&patch.src),
                dst: end(&patch.dst),
                edge: name(process),
                label,
            }
        })
        .collect();
    let mut title = format!("{}  {}", name(process), detail.status);
    for work in &rates.workers {
        title.push_str(&format!("  CPU {} busy {}", work.cpu, percent(work.busy)));
    }
    let touched = |port: &str| {
        ways.iter()
            .any(|Way { patch, .. }| patch.src == port || patch.dst == port)
    };
    let loose = detail.ports.iter().filter(|port| !touched(&port.name));
    ProcessBox {
        title,
        name: name(process),
        running: detail.status == "running",
        cables,
        loose: loose.map(|port| end(&port.name)).collect(),
        note: String::new(),
    }
}

/// From the original's status, which has no counters.
pub fn from_status(
    name: &str,
    status: &str,
    ports: &[String],
    patches: &[PatchPorts],
) -> ProcessBox {
    let cables: Vec<Cable> = patches
        .iter()
        .map(|patch| Cable {
            src: End::of(&patch.src),
            dst: End::of(&patch.dst),
            edge: name.to_owned(),
            label: String::new(),
        })
        .collect();
    ProcessBox {
        title: format!("{name}  {status}"),
        name: name.to_owned(),
        running: status == "running",
        loose: loose(ports, &cables),
        cables,
        note: String::new(),
    }
}

/// The ports that no cable touches.
fn loose(ports: &[String], cables: &[Cable]) -> Vec<End> {
    let touched = |port: &str| {
        cables
            .iter()
            .any(|cable| cable.src.port == port || cable.dst.port == port)
    };
    let left = ports.iter().filter(|port| !touched(port));
    left.map(|port| End::of(port)).collect()
}
