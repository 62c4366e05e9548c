//! Rates: what changed between two looks at the counters.

use protocol::detail::{
    ComponentDetail, ComponentPortDetail, Counters, Detail, PatchDetail, PortDetail, ProcessDetail,
    WorkerDetail,
};
use protocol::probe::LatencyDetail;
use serde::Serialize;

use crate::render::counters::name;

/// Traffic a second in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Flow {
    /// Packets a second.
    pub packets: f64,
    /// Bits a second, without the Ethernet frame check sequence.
    pub bits: f64,
}

/// Traffic of a port a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PortRate {
    /// Name as reported.
    pub name: String,
    /// `up`, `down` or `-`.
    pub link: String,
    /// Received.
    pub rx: Flow,
    /// Sent.
    pub tx: Flow,
    /// Drops a second.
    pub drops: f64,
}

/// A way of packets through a process: a patch, or from a port of a component to another one.
pub struct Way<'a> {
    /// As if it were a patch. Of a component with several sources, what came in there; else what went out.
    pub patch: PatchDetail,
    /// The component.
    pub component: Option<&'a str>,
}

/// The ways through a process: its patches, then those of its components.
pub fn ways(detail: &Detail) -> Vec<Way<'_>> {
    let patches = detail.patches.iter().map(|patch| Way {
        patch: patch.clone(),
        component: None,
    });
    let of = |component: &ComponentDetail| {
        let merges = component.rx.len() > 1;
        let pairs = component
            .rx
            .iter()
            .flat_map(|src| component.tx.iter().map(move |dst| (src, dst)));
        let way = |(src, dst): (&ComponentPortDetail, &ComponentPortDetail)| PatchDetail {
            src: src.port.clone(),
            dst: dst.port.clone(),
            cpu: component.cpu,
            impaired: None,
            counters: match merges {
                true => Counters {
                    tx_packets: src.counters.rx_packets,
                    tx_bytes: src.counters.rx_bytes,
                    ..Counters::default()
                },
                false => dst.counters,
            },
        };
        pairs.map(way).collect::<Vec<_>>()
    };
    let components = detail.components.iter().flat_map(move |component| {
        of(component).into_iter().map(|patch| Way {
            patch,
            component: Some(component.name.as_str()),
        })
    });
    patches.chain(components).collect()
}

/// Traffic of a patch a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PatchRate {
    /// Source.
    pub src: String,
    /// Destination.
    pub dst: String,
    /// The component that it is a way of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// CPU of its worker.
    pub cpu: u32,
    /// What the destination took.
    pub flow: Flow,
    /// Drops a second.
    pub drops: f64,
}

/// What a worker did with its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Work {
    /// CPU of the worker.
    pub cpu: u32,
    /// Share of its time in rounds that moved packets, 0 to 1.
    pub busy: f64,
    /// Cycles of such rounds for a packet; `None` without packets.
    pub cycles_per_packet: Option<f64>,
    /// Packets received by a poll that found any; `None` without such polls.
    pub burst: Option<f64>,
}

/// A process between two looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessRates {
    /// `primary` or `nfv:1`.
    pub name: String,
    /// `running` or `idling`, or what the controller says of a process without details.
    pub status: String,
    /// Time between the looks, in seconds; 0 if there was no earlier one, and all rates are 0 too.
    pub seconds: f64,
    /// Ports.
    pub ports: Vec<PortRate>,
    /// Patches.
    pub patches: Vec<PatchRate>,
    /// Workers.
    pub workers: Vec<Work>,
    /// Latencies as they are: their figures are no rates.
    pub latencies: Vec<LatencyDetail>,
}

impl Work {
    /// From the start of the worker on.
    pub fn since_start(worker: &WorkerDetail) -> Self {
        Self::between(
            &WorkerDetail {
                cpu: worker.cpu,
                ..WorkerDetail::default()
            },
            worker,
        )
    }

    fn between(before: &WorkerDetail, after: &WorkerDetail) -> Self {
        let grown = |read: fn(&WorkerDetail) -> u64| growth(read(before), read(after));
        let busy = grown(|worker| worker.busy_cycles);
        let packets = grown(|worker| worker.packets);
        let hits = grown(|worker| worker.polls) - grown(|worker| worker.empty_polls);
        Self {
            cpu: after.cpu,
            busy: ratio(busy, grown(|worker| worker.total_cycles))
                .unwrap_or(0.0)
                .min(1.0),
            cycles_per_packet: ratio(busy, packets),
            burst: ratio(packets, hits),
        }
    }
}

/// Rates of all processes that are there `after`. One that was not there `before`, or has been
/// started anew since, has rates of 0 until the next look.
pub fn between(before: &[ProcessDetail], after: &[ProcessDetail]) -> Vec<ProcessRates> {
    after
        .iter()
        .map(|process| rates_of(before, process))
        .collect()
}

fn rates_of(before: &[ProcessDetail], process: &ProcessDetail) -> ProcessRates {
    let Some(now) = &process.detail else {
        return ProcessRates {
            name: name(process),
            status: process.status.clone(),
            seconds: 0.0,
            ports: Vec::new(),
            patches: Vec::new(),
            workers: Vec::new(),
            latencies: Vec::new(),
        };
    };
    let then = before
        .iter()
        .filter(|other| other.client_id == process.client_id)
        .filter_map(|other| other.detail.as_ref())
        .find(|then| then.incarnation == now.incarnation)
        .unwrap_or(now);
    let seconds = ratio(growth(then.tsc, now.tsc), now.tsc_hz as f64).unwrap_or(0.0);
    ProcessRates {
        name: name(process),
        status: now.status.clone(),
        seconds,
        ports: now
            .ports
            .iter()
            .map(|port| port_rate(then, port, seconds))
            .collect(),
        patches: {
            let before = ways(then);
            let now = ways(now);
            now.iter()
                .map(|way| patch_rate(&before, way, seconds))
                .collect()
        },
        workers: now
            .workers
            .iter()
            .map(|worker| work(then, worker))
            .collect(),
        latencies: now.latencies.clone(),
    }
}

fn port_rate(then: &Detail, port: &PortDetail, seconds: f64) -> PortRate {
    let before = then
        .ports
        .iter()
        .find(|other| other.name == port.name)
        .unwrap_or(port);
    let (before, after) = (&before.counters, &port.counters);
    PortRate {
        name: port.name.clone(),
        link: port.link.clone(),
        rx: flow(before, after, seconds, |c| c.rx_packets, |c| c.rx_bytes),
        tx: sent(before, after, seconds),
        drops: drops(before, after, seconds),
    }
}

fn patch_rate(then: &[Way<'_>], way: &Way<'_>, seconds: f64) -> PatchRate {
    let patch = &way.patch;
    let mut earlier = then.iter().map(|way| &way.patch);
    let before = earlier
        .find(|other| other.src == patch.src && other.dst == patch.dst)
        .unwrap_or(patch);
    PatchRate {
        src: patch.src.clone(),
        dst: patch.dst.clone(),
        component: way.component.map(str::to_owned),
        cpu: patch.cpu,
        flow: sent(&before.counters, &patch.counters, seconds),
        drops: drops(&before.counters, &patch.counters, seconds),
    }
}

fn work(then: &Detail, worker: &WorkerDetail) -> Work {
    let before = then
        .workers
        .iter()
        .find(|other| other.cpu == worker.cpu)
        .unwrap_or(worker);
    Work::between(before, worker)
}

fn sent(before: &Counters, after: &Counters, seconds: f64) -> Flow {
    flow(before, after, seconds, |c| c.tx_packets, |c| c.tx_bytes)
}

fn flow(
    before: &Counters,
    after: &Counters,
    seconds: f64,
    packets: fn(&Counters) -> u64,
    bytes: fn(&Counters) -> u64,
) -> Flow {
    let rate = |read: fn(&Counters) -> u64| {
        ratio(growth(read(before), read(after)), seconds).unwrap_or(0.0)
    };
    Flow {
        packets: rate(packets),
        bits: rate(bytes) * 8.0,
    }
}

fn drops(before: &Counters, after: &Counters, seconds: f64) -> f64 {
    ratio(growth(before.drops.total(), after.drops.total()), seconds).unwrap_or(0.0)
}

/// A counter that went back was cleared meanwhile: it grew from 0.
fn growth(before: u64, after: u64) -> f64 {
    (if after >= before {
        after - before
    } else {
        after
    }) as f64
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn rates_come_from_the_time_stamp_counter_of_the_process() {
        let before = testing::details();
        let rates = between(&before, &testing::later(&before));
        let nfv = &rates[1];
        assert_eq!((nfv.name.as_str(), nfv.seconds), ("nfv:1", 0.5));
        let patch = &nfv.patches[0];
        assert_eq!(
            patch.flow,
            Flow {
                packets: 2_000_000.0,
                bits: 2_000_000.0 * 64.0 * 8.0
            }
        );
        assert_eq!(patch.drops, 64.0);
        assert_eq!(nfv.ports[0].rx.packets, 2_000_064.0);
        let work = nfv.workers[0];
        assert_eq!((work.busy, work.burst), (0.5, Some(32.0)));
        assert_eq!(
            work.cycles_per_packet,
            Some(0.5 * 0.5 * 2.0e9 / 1_000_032.0)
        );
        assert_eq!(rates[3].status, "not responding");
    }

    #[test]
    fn a_process_that_was_started_anew_has_no_rates_yet() {
        let before = testing::details();
        let mut after = testing::later(&before);
        after[1].detail.as_mut().unwrap().incarnation = "other".into();
        let rates = between(&before, &after);
        assert_eq!(
            (rates[1].seconds, rates[1].patches[0].flow),
            (0.0, Flow::default())
        );
        assert_eq!(between(&[], &after)[2].patches[0].flow, Flow::default());
    }

    #[test]
    fn components_are_ways_from_each_source_to_each_destination() {
        let end = |port: &str, rx_packets, tx_packets| ComponentPortDetail {
            port: port.to_owned(),
            counters: Counters {
                rx_packets,
                tx_packets,
                ..Counters::default()
            },
        };
        let component = |name: &str, rx, tx| ComponentDetail {
            name: name.to_owned(),
            kind: "any".to_owned(),
            cpu: 2,
            lacks: None,
            rx,
            tx,
        };
        let mut detail = testing::details().remove(1).detail.unwrap();
        detail.patches.clear();
        detail.components = vec![
            component(
                "cls",
                vec![end("ring:0", 9, 0)],
                vec![end("ring:1", 0, 4), end("ring:2", 0, 5)],
            ),
            component(
                "mgr",
                vec![end("ring:1", 4, 0), end("ring:2", 5, 0)],
                vec![end("phy:0", 0, 8)],
            ),
        ];
        let shown: Vec<_> = ways(&detail)
            .iter()
            .map(|way| {
                let PatchDetail {
                    src, dst, counters, ..
                } = &way.patch;
                format!(
                    "{} {src}>{dst} {}",
                    way.component.unwrap_or("-"),
                    counters.tx_packets
                )
            })
            .collect();
        let expected = [
            "cls ring:0>ring:1 4",
            "cls ring:0>ring:2 5",
            "mgr ring:1>phy:0 4",
            "mgr ring:2>phy:0 5",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn cleared_counters_count_from_zero() {
        assert_eq!((growth(10, 12), growth(12, 5)), (2.0, 5.0));
        assert_eq!(ratio(1.0, 0.0), None);
    }
}
