//! Ports and patches.

use std::fmt;

use protocol::detail::{Counters, Detail};

use super::super::Labels;
use super::super::list::{self, Metric};
use super::{Number, Writer};

type Details<'a> = [(String, &'a Detail)];

/// Metrics of received packets and bytes, sent ones, and of drops.
struct Metrics([&'static Metric; 4], &'static Metric);

fn counters(writer: &mut Writer<'_>, metrics: Metrics, all: &[(Labels, &Counters)]) -> fmt::Result {
    let values: [fn(&Counters) -> u64; 4] = [
        |c| c.rx_packets,
        |c| c.rx_bytes,
        |c| c.tx_packets,
        |c| c.tx_bytes,
    ];
    for (metric, value) in metrics.0.into_iter().zip(values) {
        writer.each(metric, all, |(labels, counters)| {
            (labels.clone(), value(counters))
        })?;
    }
    let drops = all.iter().flat_map(|(labels, counters)| {
        let reasons = counters.drops.by_reason();
        reasons.map(|(reason, packets)| (labels, reason, packets))
    });
    writer.each(metrics.1, drops, |(labels, reason, packets)| {
        let mut labels = labels.clone();
        labels.push(("reason", reason.to_owned()));
        (labels, packets)
    })
}

pub(super) fn ports(writer: &mut Writer<'_>, details: &Details<'_>) -> fmt::Result {
    let each = || {
        details.iter().flat_map(|(process, detail)| {
            detail.ports.iter().map(move |port| {
                let labels = vec![("process", process.clone()), ("port", port.name.clone())];
                (labels, port)
            })
        })
    };
    let linked = each().filter(|(_, port)| port.link != "-");
    writer.each(&list::PORT_UP, linked, |(labels, port)| {
        (labels, Number::from(port.link == "up"))
    })?;
    let all: Vec<_> = each()
        .map(|(labels, port)| (labels, &port.counters))
        .collect();
    let metrics = Metrics(
        [
            &list::PORT_RX_PACKETS,
            &list::PORT_RX_BYTES,
            &list::PORT_TX_PACKETS,
            &list::PORT_TX_BYTES,
        ],
        &list::PORT_DROPPED,
    );
    counters(writer, metrics, &all)
}

pub(super) fn patches(writer: &mut Writer<'_>, details: &Details<'_>) -> fmt::Result {
    let each = details.iter().flat_map(|(process, detail)| {
        detail.patches.iter().map(move |patch| {
            let labels = vec![
                ("process", process.clone()),
                ("src", patch.src.clone()),
                ("dst", patch.dst.clone()),
            ];
            (labels, &patch.counters)
        })
    });
    let all: Vec<_> = each.collect();
    let metrics = Metrics(
        [
            &list::PATCH_RX_PACKETS,
            &list::PATCH_RX_BYTES,
            &list::PATCH_TX_PACKETS,
            &list::PATCH_TX_BYTES,
        ],
        &list::PATCH_DROPPED,
    );
    counters(writer, metrics, &all)
}
