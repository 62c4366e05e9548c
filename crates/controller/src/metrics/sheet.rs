//! One exposition: what the controller counted, and what the processes said.

mod latency;
mod traffic;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use protocol::detail::{Detail, PoolDetail, ProcessDetail, RingDetail, WorkerDetail};

use super::list::{self, Kind, Metric};
use super::text::{Form, older};
use super::{Figures, Labels, Round};
use crate::events::process_label;
use crate::peer::Peer;
use crate::rest::Shared;

/// The page and its media type, for a client that accepts `accept`.
///
/// # Errors
/// Never, as far as is known: text takes everything that is written to it.
pub(crate) async fn page(
    shared: &Shared,
    accept: &str,
) -> Result<(&'static str, String), fmt::Error> {
    let round = shared.rounds.next(shared).await;
    let sheet = Sheet {
        figures: shared.figures.clone(),
        syncs: shared.state.syncs(),
        events: shared.table.events.figures(),
        peers: shared.table.all(),
        round,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(sheet));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    let form = Form::for_client(accept);
    let text = match form {
        Form::OpenMetrics => text,
        Form::Prometheus => older(&text),
    };
    Ok((form.media_type(), text))
}

/// Everything that is told in one exposition.
struct Sheet {
    figures: Arc<Figures>,
    syncs: Option<Histogram>,
    events: (u64, u64, usize),
    peers: Vec<Arc<Peer>>,
    round: Round,
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sheet({} processes)", self.round.len())
    }
}

/// A number as it is written.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

/// One metric on its way out.
struct Out<'a> {
    encoder: MetricEncoder<'a>,
    metric: &'static Metric,
    seen: HashSet<Labels>,
}

impl Out<'_> {
    /// Writes a sample. A second one with the same labels would spoil the whole page, so a process
    /// that names something twice is believed once.
    fn put(&mut self, labels: Labels, value: impl Into<Number>) -> fmt::Result {
        if self.seen.contains(&labels) {
            return Ok(());
        }
        let Metric {
            kind,
            labels: known,
            ..
        } = *self.metric;
        debug_assert!(labels.iter().all(|(name, _)| known.contains(name)));
        if labels.is_empty() || kind == Kind::Info {
            write_value(&mut self.encoder, kind, &labels, value.into())?;
        } else {
            let mut encoder = self.encoder.encode_family(&labels)?;
            write_value(&mut encoder, kind, &labels, value.into())?;
        }
        self.seen.insert(labels);
        Ok(())
    }
}

fn write_value(
    encoder: &mut MetricEncoder<'_>,
    kind: Kind,
    labels: &Labels,
    value: Number,
) -> fmt::Result {
    match (kind, value) {
        (Kind::Info, _) => encoder.encode_info(labels),
        (Kind::Counter, Number::Whole(value)) => {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        }
        (Kind::Counter, Number::Real(value)) => {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        }
        (_, Number::Whole(value)) => encoder.encode_gauge(&value),
        (_, Number::Real(value)) => encoder.encode_gauge(&value),
    }
}

/// All metrics, one after the other.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn describe(
        &mut self,
        metric: &'static Metric,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let (name, unit) = metric.parts();
        let encoder = self.0.encode_descriptor(
            name,
            &format!("{}.", metric.help),
            unit.as_ref(),
            metric.kind.metric_type(),
        )?;
        write(encoder)
    }

    /// Samples that `write` puts.
    fn samples(
        &mut self,
        metric: &'static Metric,
        write: impl FnOnce(&mut Out<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.describe(metric, |encoder| {
            write(&mut Out {
                encoder,
                metric,
                seen: HashSet::new(),
            })
        })
    }

    /// One sample without labels.
    fn one(&mut self, metric: &'static Metric, value: impl Into<Number>) -> fmt::Result {
        self.samples(metric, |out| out.put(Labels::new(), value))
    }

    /// A sample for each of `items`.
    fn each<T, N: Into<Number>>(
        &mut self,
        metric: &'static Metric,
        items: impl IntoIterator<Item = T>,
        sample: impl Fn(T) -> (Labels, N),
    ) -> fmt::Result {
        self.samples(metric, |out| {
            for item in items {
                let (labels, value) = sample(item);
                out.put(labels, value)?;
            }
            Ok(())
        })
    }
}

impl Collector for Sheet {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.controller(&mut writer)?;
        self.processes(&mut writer)?;
        self.workers(&mut writer)?;
        traffic::ports(&mut writer, &self.details())?;
        traffic::patches(&mut writer, &self.details())?;
        latency::latencies(&mut writer, &self.details())?;
        self.memory(&mut writer)
    }
}

impl Sheet {
    /// What the processes say of themselves, by their labels.
    fn details(&self) -> Vec<(String, &Detail)> {
        let told = self.round.iter();
        told.filter_map(|process| Some((label(process), process.detail.as_ref()?)))
            .collect()
    }

    fn controller(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        writer.each(&list::CONTROLLER, [version], |version| {
            (vec![("version", version)], true)
        })?;
        let figures = &self.figures;
        writer.describe(&list::HTTP_REQUESTS, |out| figures.requests.encode(out))?;
        writer.describe(&list::HTTP_DURATION, |out| figures.durations.encode(out))?;
        writer.describe(&list::HTTP_CONNECTIONS, |out| {
            figures.connections.encode(out)
        })?;
        writer.describe(&list::REFUSED, |out| figures.refused.encode(out))?;
        if let Some(syncs) = &self.syncs {
            writer.describe(&list::JOURNAL_FSYNC, |out| syncs.encode(out))?;
        }
        let (events, lost, readers) = self.events;
        writer.one(&list::EVENTS, events)?;
        writer.one(&list::EVENTS_LOST, lost)?;
        writer.one(&list::EVENT_READERS, readers as u64)
    }

    fn processes(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let all = || self.round.iter();
        let process = |process: &ProcessDetail| vec![("process", label(process))];
        writer.each(&list::PROCESS_UP, all(), |p| {
            (process(p), p.status != "gone")
        })?;
        writer.each(&list::PROCESS_RESPONDING, all(), |p| {
            (process(p), p.status == "ok")
        })?;
        writer.each(
            &list::PROCESS_INFO,
            all().filter(|p| p.status == "ok"),
            |p| {
                let mut labels = process(p);
                labels.push(("kind", p.kind.clone()));
                if let Some(detail) = &p.detail {
                    labels.push(("version", detail.version.clone()));
                    labels.push(("dpdk", detail.dpdk.clone()));
                    labels.push(("incarnation", detail.incarnation.clone()));
                }
                (labels, true)
            },
        )?;
        writer.each(
            &list::PROCESS_FORWARDING,
            self.details(),
            |(process, detail)| (vec![("process", process)], detail.status == "running"),
        )?;
        writer.describe(&list::COMMAND_DURATION, |mut encoder| {
            for peer in &self.peers {
                let process = process_label(peer.kind, peer.id);
                for (class, times) in peer.times.by_class() {
                    let labels = [("process", process.as_str()), ("class", class)];
                    times.encode(encoder.encode_family(&labels)?)?;
                }
            }
            Ok(())
        })
    }

    fn workers(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let details = self.details();
        let mut each = |metric: &'static Metric, value: fn(&WorkerDetail, f64) -> Number| {
            let workers = details.iter().flat_map(|(process, detail)| {
                let hz = detail.tsc_hz.max(1) as f64;
                detail
                    .workers
                    .iter()
                    .map(move |worker| (process, worker, hz))
            });
            writer.each(metric, workers, |(process, worker, hz)| {
                let cpu = worker.cpu.to_string();
                let labels = vec![("process", process.clone()), ("cpu", cpu)];
                (labels, value(worker, hz))
            })
        };
        each(&list::WORKER_SECONDS, |w, hz| {
            Number::Real(w.total_cycles as f64 / hz)
        })?;
        each(&list::WORKER_BUSY, |w, hz| {
            Number::Real(w.busy_cycles as f64 / hz)
        })?;
        each(&list::WORKER_POLLS, |w, _| w.polls.into())?;
        each(&list::WORKER_EMPTY_POLLS, |w, _| w.empty_polls.into())?;
        each(&list::WORKER_PACKETS, |w, _| w.packets.into())?;
        each(&list::WORKER_RESTS, |w, _| w.rests.into())?;
        each(&list::WORKER_STUCK, |w, _| {
            Number::Real(w.stuck_ms.unwrap_or(0) as f64 / 1000.0)
        })
    }

    /// Rings, pools and the heap, which the primary tells of.
    fn memory(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let primary = self
            .round
            .iter()
            .filter(|process| process.kind == "primary");
        let primary: Vec<&Detail> = primary.filter_map(|p| p.detail.as_ref()).collect();
        let rings = || primary.iter().flat_map(|detail| &detail.rings);
        let ring = |ring: &RingDetail| vec![("ring", ring.name.clone())];
        writer.each(&list::RING_CAPACITY, rings(), |r| (ring(r), r.capacity))?;
        writer.each(&list::RING_USED, rings(), |r| (ring(r), r.used))?;
        let pools = || primary.iter().flat_map(|detail| &detail.pools);
        let pool = |pool: &PoolDetail| vec![("pool", pool.name.clone())];
        writer.each(&list::POOL_SIZE, pools(), |p| (pool(p), p.size))?;
        writer.each(&list::POOL_FREE, pools(), |p| (pool(p), p.free))?;
        writer.each(&list::POOL_RECOVERED, pools(), |p| (pool(p), p.recovered))?;
        let audits = || pools().filter_map(|p| Some((pool(p), p.audit?)));
        writer.each(&list::POOL_AUDITS, audits(), |(pool, audit)| {
            (pool, audit.number)
        })?;
        writer.each(&list::POOL_MISSING, audits(), |(pool, audit)| {
            (pool, audit.missing)
        })?;
        writer.each(&list::POOL_TWICE, audits(), |(pool, audit)| {
            (pool, audit.twice)
        })?;
        let heap = || primary.iter().filter_map(|detail| detail.heap);
        writer.each(&list::HEAP_ALLOCATED, heap(), |h| {
            (Labels::new(), h.allocated)
        })?;
        writer.each(&list::HEAP_FREE, heap(), |h| (Labels::new(), h.free))
    }
}

fn label(process: &ProcessDetail) -> String {
    process_label(&process.kind, process.client_id)
}
