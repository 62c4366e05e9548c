//! Whether all that was sent is accounted for, and which packets kept their buffers.

use std::collections::BTreeMap;

use protocol::detail::ProcessDetail;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Where a packet lay, as spp-traffic says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Buffer {
    flow: u16,
    sequence: u64,
    address: String,
}

/// The totals of spp-traffic, as far as they are looked at here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Totals {
    /// Packets that the port took.
    pub sent: u64,
    /// Different packets that arrived.
    pub received: u64,
    duplicated: u64,
    bad: u64,
    unplaced: u64,
    /// Packets that are not of this run.
    foreign: u64,
    #[serde(default)]
    buffers_sent: Option<Vec<Buffer>>,
    #[serde(default)]
    buffers_received: Option<Vec<Buffer>>,
}

impl Totals {
    /// Finds them in what spp-traffic wrote: a document on a line of its own.
    pub fn read(log: &str) -> Result<Self, Failure> {
        let line = log.lines().rfind(|line| line.starts_with("{\"size\""));
        let line = line.ok_or_else(|| {
            Failure::refused(format!(
                "the generator ended without totals. It said:\n{}",
                log.trim_end()
            ))
        })?;
        serde_json::from_str(line).map_err(|error| {
            Failure::refused(format!("the generator's totals have another form: {error}"))
        })
    }

    /// Of two runs: what one sent, and the other received.
    pub fn joined(sender: Self, receiver: Self) -> Self {
        Self {
            sent: sender.sent,
            buffers_sent: sender.buffers_sent,
            ..receiver
        }
    }

    /// What arrived as it should not: twice, damaged, or so late that nobody knows.
    pub fn faults(&self) -> u64 {
        self.duplicated + self.bad + self.unplaced + self.foreign
    }

    /// The packets that were noted when they were sent, and when they came.
    pub fn buffers(&self) -> Compared {
        let of = |buffers: &Option<Vec<Buffer>>| -> BTreeMap<(u16, u64), String> {
            let all = buffers.iter().flatten();
            all.map(|b| ((b.flow, b.sequence), b.address.clone()))
                .collect()
        };
        Compared {
            sent: of(&self.buffers_sent),
            received: of(&self.buffers_received),
        }
    }
}

/// Which packets lay where, by flow and number, at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    sent: BTreeMap<(u16, u64), String>,
    received: BTreeMap<(u16, u64), String>,
}

impl Compared {
    /// So many were looked at.
    pub fn looked_at(&self) -> usize {
        self.sent.len()
    }

    /// So many of them came in the buffer that they were sent in.
    pub fn same(&self) -> usize {
        let kept = |(packet, address): &(&(u16, u64), &String)| {
            self.received.get(*packet) == Some(*address)
        };
        self.sent.iter().filter(kept).count()
    }

    /// The same packets in the same buffers at both ends, and some at all: the proof that none was copied.
    pub fn proves_no_copy(&self) -> bool {
        !self.sent.is_empty() && self.sent == self.received
    }

    /// The first few, side by side.
    pub fn lines(&self, most: usize) -> String {
        let mut text = String::new();
        for ((flow, sequence), address) in self.sent.iter().take(most) {
            let came = self.received.get(&(*flow, *sequence));
            let came = came.map_or("(not among the first that came)", String::as_str);
            text.push_str(&format!(
                "  packet {sequence:>3}  sent in {address}  received in {came}\n"
            ));
        }
        text
    }
}

/// Packets that were dropped somewhere, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// Which patch, or which application.
    pub place: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub packets: u64,
}

/// What the patches of these processes dropped.
pub fn drops(details: &[ProcessDetail]) -> Result<Vec<Drop>, Failure> {
    let mut drops = Vec::new();
    for process in details {
        let name = format!("{} {}", process.kind, process.client_id);
        let Some(detail) = &process.detail else {
            let why = process.error.as_deref().unwrap_or("no answer");
            return Err(Failure::refused(format!(
                "{name} does not say what it dropped: {why}"
            )));
        };
        for patch in &detail.patches {
            for (reason, packets) in patch.counters.drops.by_reason() {
                if packets > 0 {
                    drops.push(Drop {
                        place: format!("{name}, {} -> {}", patch.src, patch.dst),
                        reason: reason.to_owned(),
                        packets,
                    });
                }
            }
        }
    }
    Ok(drops)
}

/// What l2fwd dropped, by the last statistics that it wrote.
pub fn dropped_by_l2fwd(log: &str) -> Option<u64> {
    let last = log
        .lines()
        .rfind(|line| line.contains("Total packets dropped:"))?;
    last.rsplit(':').next()?.trim().parse().ok()
}

/// The account of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Packets that arrived as they should not.
    pub faults: u64,
    /// Packets dropped.
    pub drops: Vec<Drop>,
}

impl Account {
    /// All that were dropped.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().map(|drop| drop.packets).sum()
    }

    /// Whether each packet that was sent is accounted for, and some arrived.
    pub fn agrees(&self) -> bool {
        self.received > 0 && self.faults == 0 && self.sent == self.received + self.dropped()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("  sent      {}\n  received  {}\n", self.sent, self.received);
        for Drop {
            place,
            reason,
            packets,
        } in &self.drops
        {
            text.push_str(&format!("  dropped   {packets} by {place} ({reason})\n"));
        }
        if self.faults > 0 {
            text.push_str(&format!(
                "  faulty    {} (twice, damaged, or not of this run)\n",
                self.faults
            ));
        }
        let (dropped, verdict) = (
            self.dropped(),
            if self.agrees() {
                "they agree"
            } else {
                "they do not agree"
            },
        );
        text.push_str(&format!(
            "{} sent = {} received + {dropped} dropped: {verdict}",
            self.sent, self.received
        ));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let drops = self.drops.iter().map(
            |drop| json!({"place": drop.place, "reason": drop.reason, "packets": drop.packets}),
        );
        json!({
            "sent": self.sent, "received": self.received, "dropped": self.dropped(), "faults": self.faults,
            "drops": drops.collect::<Vec<_>>(), "agrees": self.agrees(),
        })
    }
}
