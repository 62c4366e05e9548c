//! The document that a process gives of itself (`_detail`), read by `spp status`, `spp top`
//! and the topology.

use serde::{Deserialize, Serialize};

use crate::impair::Impairment;

/// Why packets were dropped. The set is fixed; the order is that of the counters in shared memory.
pub const DROP_REASONS: [&str; 10] = [
    "full",
    "link-down",
    "no-mbuf",
    "too-big",
    "removed",
    "io-error",
    "unknown",
    "filtered",
    "lost",
    "limit",
];

/// Packet counters since the process started or since the last `clear`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Counters {
    /// Packets received from the port (for a patch: taken from its source).
    pub rx_packets: u64,
    /// Bytes received, without the Ethernet frame check sequence.
    pub rx_bytes: u64,
    /// Packets that the port took (for a patch: that its destination took).
    pub tx_packets: u64,
    /// Bytes taken.
    pub tx_bytes: u64,
    /// Packets dropped, by reason, under the destination's name.
    #[serde(default)]
    pub drops: Drops,
}

/// Dropped packets by reason; see [`DROP_REASONS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Drops {
    /// The destination had no room.
    pub full: u64,
    /// Nobody is connected to the destination.
    pub link_down: u64,
    /// No mbuf was left in the pool.
    pub no_mbuf: u64,
    /// The frame is larger than the destination takes.
    pub too_big: u64,
    /// The packet was on its way when its port or patch went.
    pub removed: u64,
    /// A file or driver refused it.
    pub io_error: u64,
    /// No entry of a table says where it should go.
    #[serde(default)]
    pub unknown: u64,
    /// It is of a kind that the component does not let through.
    #[serde(default)]
    pub filtered: u64,
    /// The patch was told to lose it (`with loss`).
    #[serde(default)]
    pub lost: u64,
    /// The patch held as many mbufs as it may (`with limit`).
    #[serde(default)]
    pub limit: u64,
}

impl Drops {
    /// Each reason with its packets, in the order of [`DROP_REASONS`].
    pub fn by_reason(&self) -> [(&'static str, u64); DROP_REASONS.len()] {
        let counts = [
            self.full,
            self.link_down,
            self.no_mbuf,
            self.too_big,
            self.removed,
            self.io_error,
            self.unknown,
            self.filtered,
            self.lost,
            self.limit,
        ];
        std::array::from_fn(|i| (DROP_REASONS[i], counts[i]))
    }

    /// All reasons together.
    pub fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, packets)| packets).sum()
    }
}

/// A port of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct PortDetail {
    /// Name as reported: `ring:0`, `phy:0 nq 1`.
    pub name: String,
    /// `up`, `down`, or `-` where the kind has no link.
    pub link: String,
    /// What an operator needs to reach the other end: socket path, file, ring size; may be empty.
    #[serde(default)]
    pub info: String,
    /// Packets are taken from it in this process now.
    #[serde(default)]
    pub source: bool,
    /// Packets are sent to it in this process now.
    #[serde(default)]
    pub destination: bool,
    /// Traffic of this port in this process.
    #[serde(flatten)]
    pub counters: Counters,
}

/// A patch that holds packets back, and what it did since the process started or since the last `clear`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct ImpairedDetail {
    /// What is asked of it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::impair::Properties))]
    pub with: Impairment,
    /// Why it cannot do what is asked, or only sometimes; `None` if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// mbufs that it holds now.
    pub held: u32,
    /// Packets that left more than 50 µs and more than 1 % of the delay too late: the worker, or the machine, was busy.
    pub late: u64,
    /// Packets that overtook others.
    pub reordered: u64,
    /// Packets that left twice.
    pub duplicated: u64,
    /// Packets that left with a wrong bit.
    pub corrupted: u64,
}

/// A patch of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct PatchDetail {
    /// Source port.
    pub src: String,
    /// Destination port.
    pub dst: String,
    /// CPU of the worker that runs it.
    pub cpu: u32,
    /// What happens to packets on the way, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impaired: Option<ImpairedDetail>,
    /// Traffic of this patch.
    #[serde(flatten)]
    pub counters: Counters,
}

/// A worker (polling lcore) of a process. Cycles are those of the time stamp counter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct WorkerDetail {
    /// CPU that the user named for it.
    pub cpu: u32,
    /// Cycles spent in rounds that moved at least one packet.
    pub busy_cycles: u64,
    /// Cycles since the worker started.
    pub total_cycles: u64,
    /// Polls of ports.
    pub polls: u64,
    /// Polls that found nothing.
    pub empty_polls: u64,
    /// Packets received in all polls.
    pub packets: u64,
    /// Times that it went to rest.
    pub rests: u64,
    /// Milliseconds for which it has not gone on, since it counts as stuck; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_ms: Option<u64>,
}

/// A ring of the primary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct RingDetail {
    /// `ring:0`.
    pub name: String,
    /// Packets that fit.
    pub capacity: u32,
    /// Packets in it now.
    pub used: u32,
    /// Who claimed the producer's end, such as `nfv:1`; empty if nobody.
    pub producer: String,
    /// Who claimed the consumer's end.
    pub consumer: String,
}

/// The mbuf pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct PoolDetail {
    /// Name of the pool.
    pub name: String,
    /// mbufs in all.
    pub size: u32,
    /// mbufs that nobody holds, apart from those in workers' caches.
    pub free: u32,
    /// mbufs recovered from workers that died.
    pub recovered: u64,
    /// What the last audit found, which is made whenever no worker runs any more; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<PoolAudit>,
}

/// What an audit of a pool found while no worker ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct PoolAudit {
    /// Audits so far.
    pub number: u64,
    /// mbufs that lie neither in the pool nor in a ring: in a device's queues, with a foreign process, or lost.
    pub missing: u32,
    /// mbufs that are in two places: must be 0.
    pub twice: u32,
}

/// A component of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct ComponentDetail {
    /// Its name.
    pub name: String,
    /// `forward`, `merge`, `classifier` or `mirror`.
    #[serde(rename = "type")]
    pub kind: String,
    /// CPU of the worker that runs it.
    pub cpu: u32,
    /// What it needs before it moves packets; `None` if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// Ports that it receives from.
    pub rx: Vec<ComponentPortDetail>,
    /// Ports that it sends to.
    pub tx: Vec<ComponentPortDetail>,
}

/// A port of a component, and what came in or went out there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct ComponentPortDetail {
    /// Name as reported.
    pub port: String,
    /// What the component dropped stands with the port that it came from, what a port refused with that port.
    #[serde(flatten)]
    pub counters: Counters,
}

/// DPDK's heap in shared memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct HeapDetail {
    /// Bytes in use.
    pub allocated: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// A process that the primary launched, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct LaunchedDetail {
    /// Its id, 1 to 127.
    pub client_id: u32,
    /// `nfv`, `vf`, `mirror` or `pcap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Process id of its last start; `None` if the program could not be started.
    pub pid: Option<u32>,
    /// `running`, `exited`, or `restarting`: ended, and waiting for its next start.
    pub state: String,
    /// When it came into this state, by the clock of the primary's machine: `2026-01-31T23:59:59Z`.
    pub since: String,
    /// How it last ended: `exit status 1`, `killed by signal 9 (SIGKILL)`, `not started`; `None` before it first did.
    pub exit: Option<String>,
    /// After a failure, the last lines of its log, or why it could not be started.
    #[serde(default)]
    pub last_words: Vec<String>,
    /// `never`, `on-failure` or `always`.
    pub restart: String,
    /// How often it was started again.
    pub restarts: u64,
    /// What became of the last newer program that was to take its place: `running` while it is about to, `done`, or `failed: ` and
    /// why; `None` before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<String>,
    /// Path of its log.
    pub log: String,
}

/// A writer of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct CaptureFile {
    /// CPU that it runs on; `None`: any.
    pub cpu: Option<u32>,
    /// The file that it writes, by the name that it will have; empty if none.
    pub file: String,
}

/// A capture. Counts are those of the run that goes on, or of the last one:
/// received = filtered + written + waiting + lost-full + lost-error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct CaptureDetail {
    /// The captured port.
    pub port: String,
    /// The folder of the files, the file or pipe that is written to, or `-`.
    pub target: String,
    /// `pcap` or `pcapng`.
    pub format: String,
    /// `none`, `lz4` or `zstd`.
    pub compress: String,
    /// The filter; empty: everything is captured.
    pub filter: String,
    /// Most bytes kept of a packet.
    pub snaplen: u32,
    /// Whether a run goes on.
    pub running: bool,
    /// Packets received.
    pub received: u64,
    /// Packets that the filter did not let through.
    pub filtered: u64,
    /// Packets in files, also in those that were removed because only so many are kept.
    pub written: u64,
    /// Packets on their way to a file.
    pub waiting: u64,
    /// Packets lost because the writers had no room: the disk, or the compression, is too slow.
    pub lost_full: u64,
    /// Packets lost because a file could not be written or was taken away.
    pub lost_error: u64,
    /// Bytes of the written packets with their headers, before compression.
    pub bytes: u64,
    /// Files completed.
    pub files: u64,
    /// Of those, files removed because only so many are kept.
    pub removed_files: u64,
    /// Packets in them.
    pub removed_packets: u64,
    /// The last error.
    pub error: Option<String>,
    /// How far the packets' times had run off from the time of day at the last comparison, in nanoseconds.
    pub clock_off_ns: u64,
    /// The writers.
    pub writers: Vec<CaptureFile>,
}

/// A process about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Detail {
    /// `primary`, `nfv`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Id; 0 for the primary.
    pub client_id: u32,
    /// Process id in its own namespace.
    pub pid: u32,
    /// Version of SPP.
    pub version: String,
    /// Version of DPDK.
    pub dpdk: String,
    /// Changes with every start of the process: 16 hex digits.
    pub incarnation: String,
    /// `running` or `idling`.
    pub status: String,
    /// Cycles of the time stamp counter in a second.
    pub tsc_hz: u64,
    /// Time stamp counter when this was written.
    pub tsc: u64,
    /// Ports, in order of their addition.
    pub ports: Vec<PortDetail>,
    /// Patches, in order of their sources.
    pub patches: Vec<PatchDetail>,
    /// Components in the order of their start (vf and mirror only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<ComponentDetail>,
    /// Workers, by CPU.
    pub workers: Vec<WorkerDetail>,
    /// Rings (primary only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<RingDetail>,
    /// Pools (primary only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolDetail>,
    /// DPDK's heap (primary only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap: Option<HeapDetail>,
    /// Latencies that it measures, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies: Vec<crate::probe::LatencyDetail>,
    /// Processes that it launched, by id (primary only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launched: Vec<LaunchedDetail>,
    /// What it captures (pcap only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureDetail>,
}

/// A process as the controller sees it (`GET /v1/details`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct ProcessDetail {
    /// `primary`, `nfv`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Id; 0 for the primary.
    pub client_id: u32,
    /// `ok`, `not responding` or `gone`.
    pub status: String,
    /// What it said of itself; `None` if it did not answer or is not one of ours.
    pub detail: Option<Detail>,
    /// Why there is no detail.
    pub error: Option<String>,
    /// When it last answered, or was last connected, by the clock of the controller's machine: `2026-01-31T23:59:59Z`;
    /// `None` if its status is `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_drops_are_the_members_of_their_document() {
        let drops = Drops {
            filtered: 3,
            full: 1,
            ..Drops::default()
        };
        let document = serde_json::to_value(drops).unwrap();
        for (reason, packets) in drops.by_reason() {
            assert_eq!(document[reason], packets, "{reason}");
        }
        assert_eq!(document.as_object().unwrap().len(), DROP_REASONS.len());
        assert_eq!(drops.total(), 4);
    }
}
