//! Every metric: its name, kind, labels and meaning. `docs/metrics.md` is checked against it.

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows, but for a restart or `clear`; its sample ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Always 1: its labels are what it tells; its sample ends with `_info`.
    Info,
    /// Counts by size: samples end with `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// As the library calls it.
    pub fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Info => MetricType::Info,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

/// A metric.
#[derive(Debug)]
pub(crate) struct Metric {
    /// Its name, with its unit at the end.
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    /// One sentence, without the dot.
    pub help: &'static str,
}

impl Metric {
    /// Its name without the unit, and the unit, for those whose unit the standard knows.
    pub fn parts(&self) -> (&'static str, Option<Unit>) {
        let units = [("_seconds", Unit::Seconds), ("_bytes", Unit::Bytes)];
        let split = |(end, unit)| Some((self.name.strip_suffix(end)?, Some(unit)));
        units
            .into_iter()
            .find_map(split)
            .unwrap_or((self.name, None))
    }
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

use Kind::{Counter, Gauge, Histogram, Info};

const PROCESS: &[&str] = &["process"];
const WORKER: &[&str] = &["process", "cpu"];
const PORT: &[&str] = &["process", "port"];
const PORT_DROPS: &[&str] = &["process", "port", "reason"];
const PATCH: &[&str] = &["process", "src", "dst"];
const PATCH_DROPS: &[&str] = &["process", "src", "dst", "reason"];
const LATENCY_QUANTILES: &[&str] = &["process", "src", "dst", "quantile"];
const RING: &[&str] = &["ring"];
const POOL: &[&str] = &["pool"];

/// Declares each metric as a constant and all of them as [`ALL`], in the order of the exposition.
macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:expr, $labels:expr, $help:literal;)*) => {
        $(pub(crate) const $constant: Metric = metric($name, $kind, $labels, $help);)*
        /// All metrics.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    CONTROLLER = "spp_controller", Info, &["version"],
        "The controller and its version";
    HTTP_REQUESTS = "spp_http_requests", Counter, &["method", "route", "status"],
        "Requests answered; route is the pattern of the path, or other";
    HTTP_DURATION = "spp_http_request_duration_seconds", Histogram, &["method", "route"],
        "Time from a request's head until its answer was ready";
    HTTP_CONNECTIONS = "spp_http_connections", Gauge, &[],
        "HTTP connections that are open";
    REFUSED = "spp_connections_refused", Counter, &["door", "reason"],
        "Connections refused or closed early, by the port they came to and why";
    JOURNAL_FSYNC = "spp_controller_journal_fsync_seconds", Histogram, &[],
        "Time that the disk took for each fsync of what was added to the journal; absent with --stateless";
    EVENTS = "spp_events", Counter, &[],
        "Events since the controller started";
    EVENTS_LOST = "spp_events_lost", Counter, &[],
        "Events that a reader of /v1/events missed, and was told so";
    EVENT_READERS = "spp_event_readers", Gauge, &[],
        "Readers of /v1/events";
    PROCESS_UP = "spp_process_up", Gauge, PROCESS,
        "1 if the process is connected, 0 for a minute after it went";
    PROCESS_RESPONDING = "spp_process_responding", Gauge, PROCESS,
        "1 if the process answered when it was last asked";
    PROCESS_INFO = "spp_process", Info, &["process", "kind", "version", "dpdk", "incarnation"],
        "What the process is; without version, dpdk and incarnation one of the original";
    PROCESS_FORWARDING = "spp_process_forwarding", Gauge, PROCESS,
        "1 if the process forwards packets";
    COMMAND_DURATION = "spp_process_command_duration_seconds", Histogram, &["process", "class"],
        "Time from a command to its answer since the process connected; class is change or question";
    WORKER_SECONDS = "spp_worker_seconds", Counter, WORKER,
        "Time since the worker started";
    WORKER_BUSY = "spp_worker_busy_seconds", Counter, WORKER,
        "Time that the worker spent in rounds that moved packets";
    WORKER_POLLS = "spp_worker_polls", Counter, WORKER,
        "Polls of ports";
    WORKER_EMPTY_POLLS = "spp_worker_empty_polls", Counter, WORKER,
        "Polls that found nothing";
    WORKER_PACKETS = "spp_worker_packets", Counter, WORKER,
        "Packets received in all polls";
    WORKER_RESTS = "spp_worker_rests", Counter, WORKER,
        "Times that the worker went to rest";
    WORKER_STUCK = "spp_worker_stuck_seconds", Gauge, WORKER,
        "Time for which the worker has not gone on, once it counts as stuck; 0 if it does not";
    PORT_UP = "spp_port_up", Gauge, PORT,
        "1 if the link of the port is up; absent where its kind has none";
    PORT_RX_PACKETS = "spp_port_receive_packets", Counter, PORT,
        "Packets received from the port";
    PORT_RX_BYTES = "spp_port_receive_bytes", Counter, PORT,
        "Bytes received from the port, without checksums of frames";
    PORT_TX_PACKETS = "spp_port_transmit_packets", Counter, PORT,
        "Packets that the port took";
    PORT_TX_BYTES = "spp_port_transmit_bytes", Counter, PORT,
        "Bytes that the port took";
    PORT_DROPPED = "spp_port_dropped_packets", Counter, PORT_DROPS,
        "Packets dropped on their way to the port, by reason";
    PATCH_RX_PACKETS = "spp_patch_receive_packets", Counter, PATCH,
        "Packets taken from the source of the patch";
    PATCH_RX_BYTES = "spp_patch_receive_bytes", Counter, PATCH,
        "Bytes taken from the source of the patch";
    PATCH_TX_PACKETS = "spp_patch_transmit_packets", Counter, PATCH,
        "Packets that the destination of the patch took";
    PATCH_TX_BYTES = "spp_patch_transmit_bytes", Counter, PATCH,
        "Bytes that the destination of the patch took";
    PATCH_DROPPED = "spp_patch_dropped_packets", Counter, PATCH_DROPS,
        "Packets of the patch that were dropped, by reason";
    LATENCY = "spp_latency_seconds", Histogram, PATCH,
        "Time from reception at src to sending at dst, of the packets that were timed; told by the process that sends";
    LATENCY_QUANTILE = "spp_latency_quantile_seconds", Gauge, LATENCY_QUANTILES,
        "Time that the share quantile of the packets that were timed did not exceed; 1 is the longest of all";
    LATENCY_STAMPED = "spp_latency_stamped_packets", Counter, PATCH,
        "Packets that were stamped at src to be timed; told by the process that receives";
    RING_CAPACITY = "spp_ring_capacity_packets", Gauge, RING,
        "Packets that fit into the ring";
    RING_USED = "spp_ring_used_packets", Gauge, RING,
        "Packets that are in the ring";
    POOL_SIZE = "spp_pool_mbufs", Gauge, POOL,
        "mbufs of the pool";
    POOL_FREE = "spp_pool_free_mbufs", Gauge, POOL,
        "mbufs that nobody holds, apart from those in workers' caches";
    POOL_RECOVERED = "spp_pool_recovered_mbufs", Counter, POOL,
        "mbufs recovered from workers that died";
    POOL_AUDITS = "spp_pool_audits", Counter, POOL,
        "Audits of the pool, made whenever no worker runs any more";
    POOL_MISSING = "spp_pool_missing_mbufs", Gauge, POOL,
        "mbufs that the last audit found neither in the pool nor in a ring; absent before the first";
    POOL_TWICE = "spp_pool_twice_mbufs", Gauge, POOL,
        "mbufs that the last audit found in two places, which has to be 0; absent before the first";
    HEAP_ALLOCATED = "spp_heap_allocated_bytes", Gauge, &[],
        "Bytes of DPDK's shared heap that are in use";
    HEAP_FREE = "spp_heap_free_bytes", Gauge, &[],
        "Bytes of DPDK's shared heap that are free";
}
