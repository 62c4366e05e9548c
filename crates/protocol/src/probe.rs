//! What processes say of latencies and traces.

use serde::{Deserialize, Serialize};

use crate::json;

/// Bounds of the histogram that is told of a latency, in nanoseconds.
pub const LATENCY_BOUNDS_NS: [u64; 20] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
];

/// A latency as one process measures it: a path may begin in one and end in another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct LatencyDetail {
    /// Where packets are received.
    pub src: String,
    /// Where they are sent.
    pub dst: String,
    /// If packets are stamped in this process: one of so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// Packets stamped in this process so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamped: Option<u64>,
    /// If stamps are read in this process: what was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<LatencyTimes>,
    /// Whether the CPUs' time stamp counters run alike (`constant_tsc`, `nonstop_tsc`): if not, figures of
    /// paths over two CPUs mean nothing.
    pub even_clock: bool,
}

/// Times from reception to sending, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct LatencyTimes {
    /// How many were measured.
    pub samples: u64,
    /// All of them together.
    pub sum_ns: u64,
    /// Half of them are at most this long.
    pub p50_ns: u64,
    /// 90 % are.
    pub p90_ns: u64,
    /// 99 % are.
    pub p99_ns: u64,
    /// 99.9 % are.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Stamps that lay in the future, which are in no other figure: the CPUs' counters do not agree.
    pub backward: u64,
    /// How many are at most as long as each of [`LATENCY_BOUNDS_NS`].
    pub within: Vec<u64>,
}

/// Answer to `trace start`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceStarted {
    /// `succeeded`.
    pub result: String,
    /// `trace start`.
    pub command: String,
    /// Id of the trace, for `trace read` and `trace stop`.
    pub trace: u64,
}

/// Answer to `trace read`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracePart {
    /// `succeeded`.
    pub result: String,
    /// `trace read`.
    pub command: String,
    /// The packets since the last time, in order.
    pub packets: Vec<TracedPacket>,
    /// Nothing more will come: the process has forgotten the trace.
    pub done: bool,
}

/// A packet that was traced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct TracedPacket {
    /// When it was received: seconds since 1970 (UTC).
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    /// Its length in bytes, without the Ethernet frame check sequence.
    pub length: u32,
    /// Its first bytes as they were received, in hex.
    pub data: String,
    /// What became of it: one a destination, so that a copied packet has several. Empty if a component took it
    /// in and does not count what it takes.
    pub decisions: Vec<Decision>,
    /// Destinations beyond those in `decisions`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// The port that it went to or was meant for; `None` if it was dropped before that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Why it was dropped, in the words of the counters; `None` if the port took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.port, &self.dropped) {
            (Some(port), None) => write!(f, "-> {port}"),
            (Some(port), Some(reason)) => write!(f, "-> {port}: dropped, {reason}"),
            (None, Some(reason)) => write!(f, "dropped, {reason}"),
            (None, None) => f.write_str("not known"),
        }
    }
}

impl TracedPacket {
    /// What became of it, in words.
    pub fn fate(&self) -> String {
        if self.decisions.is_empty() {
            return "taken, not counted".to_owned();
        }
        let words: Vec<String> = self.decisions.iter().map(ToString::to_string).collect();
        match self.more {
            0 => words.join("; "),
            more => format!("{}; and {more} more", words.join("; ")),
        }
    }

    /// Its first bytes; what is no hex is left out.
    pub fn bytes(&self) -> Vec<u8> {
        let digits = self.data.as_bytes();
        let pairs = digits.chunks_exact(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.filter_map(byte).collect()
    }
}

impl TraceStarted {
    /// The bytes of the wire, without a newline.
    pub fn to_json(&self) -> String {
        json::compact(self)
    }
}

impl TracePart {
    /// The bytes of the wire, without a newline.
    pub fn to_json(&self) -> String {
        json::compact(self)
    }
}

/// A finished trace (`POST /v1/processes/{id}/trace`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Trace {
    /// Who took the packets: `primary` or `nfv:1`.
    pub process: String,
    /// Where they were received.
    pub src: String,
    /// In the order of arrival; fewer than asked for if no more came in time.
    pub packets: Vec<TracedPacket>,
}

/// Body of `POST /v1/processes/{id}/trace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceRequest {
    /// Where packets are received.
    pub src: crate::PortName,
    /// How many, 1 to 10000; at most 1000 whole ones.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10000))]
    pub count: u32,
    /// For how long at most, 1 to 3600 seconds; 10 if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 3600))]
    pub seconds: Option<u32>,
    /// All bytes are kept, not only the first 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
}

/// Body of `PUT /v1/latency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LatencyRequest {
    /// `on` or `off`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(on|off)$"))]
    pub action: String,
    /// Where packets are received.
    pub src: crate::PortName,
    /// Where they are sent.
    pub dst: crate::PortName,
    /// One packet of so many is timed; 1000 if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub every: Option<u32>,
}

/// An element of `GET /v1/latency`: a path over one process or two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Latency {
    /// Where packets are received.
    pub src: String,
    /// Where they are sent.
    pub dst: String,
    /// Who stamps packets, `primary` or `nfv:1`; `None` if nobody does any more.
    pub from: Option<String>,
    /// Who reads the stamps; `None` if nobody does any more.
    pub to: Option<String>,
    /// One packet of so many is timed; 0 if none.
    pub every: u32,
    /// Packets stamped so far. Those that are in no figure of `times` are on their way, were dropped, went
    /// elsewhere, or were stamped by another path that they came along.
    pub stamped: u64,
    /// What was found.
    pub times: LatencyTimes,
    /// Whether the CPUs' time stamp counters run alike.
    pub even_clock: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_packet_is_said_in_a_line() {
        let decision = |port: Option<&str>, dropped: Option<&str>| Decision {
            port: port.map(str::to_owned),
            dropped: dropped.map(str::to_owned),
        };
        let mut packet = TracedPacket {
            seconds: 1,
            nanoseconds: 2,
            length: 64,
            data: "00ff7g".to_owned(),
            decisions: vec![
                decision(Some("ring:1"), None),
                decision(Some("ring:2"), Some("full")),
            ],
            more: 3,
        };
        assert_eq!(
            packet.fate(),
            "-> ring:1; -> ring:2: dropped, full; and 3 more"
        );
        assert_eq!(packet.bytes(), [0, 255]);
        packet.decisions = vec![decision(None, Some("unknown"))];
        packet.more = 0;
        assert_eq!(packet.fate(), "dropped, unknown");
        packet.decisions.clear();
        assert_eq!(packet.fate(), "taken, not counted");
        assert!(LATENCY_BOUNDS_NS.is_sorted());
    }
}
