//! What ports and patches counted, added up.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{Area, DEVICES, FREE, LCORES, Past, PatchBlock, REASONS, RINGS};
use crate::code::{PortCode, PortKind};
use crate::moves::looked;

/// Counts that are seen while they move are looked at again so many times. A process that stands still or died while it moved some
/// keeps nobody waiting: then what is seen has to do.
const LOOKS: u32 = 10;

/// Counts of a port or patch, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets received from the port.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets that it took.
    pub tx_packets: u64,
    /// Bytes that it took.
    pub tx_bytes: u64,
    /// Packets that it refused, by reason.
    pub drops: [u64; REASONS],
}

impl Totals {
    /// Applies `f` to each pair of counts.
    fn zip(mut self, other: &Totals, f: impl Fn(u64, u64) -> u64) -> Totals {
        self.rx_packets = f(self.rx_packets, other.rx_packets);
        self.rx_bytes = f(self.rx_bytes, other.rx_bytes);
        self.tx_packets = f(self.tx_packets, other.tx_packets);
        self.tx_bytes = f(self.tx_bytes, other.tx_bytes);
        for (a, b) in self.drops.iter_mut().zip(other.drops) {
            *a = f(*a, b);
        }
        self
    }

    /// The sum.
    pub fn plus(self, other: &Totals) -> Totals {
        self.zip(other, u64::wrapping_add)
    }

    /// What has come since `base`.
    pub fn since(self, base: &Totals) -> Totals {
        self.zip(base, u64::saturating_sub)
    }

    /// Only what was received.
    pub fn received(self) -> Totals {
        Totals {
            rx_packets: self.rx_packets,
            rx_bytes: self.rx_bytes,
            ..Totals::default()
        }
    }

    /// Only what was sent and refused.
    pub fn sent(self) -> Totals {
        Totals {
            rx_packets: 0,
            rx_bytes: 0,
            ..self
        }
    }

    /// What belongs to the source of a block with this destination: drops are the destination's, if there is one.
    pub(crate) fn of_src(self, dst: Option<PortCode>) -> Totals {
        if dst.is_some() { self.received() } else { self }
    }
}

/// Source and destination of a [`PatchBlock`]; a component's ports have only one of them.
pub type BlockEnds = (Option<PortCode>, Option<PortCode>);

impl PatchBlock {
    /// What it counted.
    pub fn totals(&self) -> Totals {
        Totals {
            rx_packets: self.rx_packets.load(Relaxed),
            rx_bytes: self.rx_bytes.load(Relaxed),
            tx_packets: self.tx_packets.load(Relaxed),
            tx_bytes: self.tx_bytes.load(Relaxed),
            drops: std::array::from_fn(|i| self.drops[i].load(Relaxed)),
        }
    }

    /// Source and destination, if it is in use.
    pub fn ends(&self) -> Option<BlockEnds> {
        if self.state.load(SeqCst) == FREE {
            return None;
        }
        Some((
            PortCode::from_raw(self.src.load(Relaxed)),
            PortCode::from_raw(self.dst.load(Relaxed)),
        ))
    }

    pub(super) fn clear(&self) {
        self.state.store(FREE, SeqCst);
        for counter in [
            &self.rx_packets,
            &self.rx_bytes,
            &self.tx_packets,
            &self.tx_bytes,
        ] {
            counter.store(0, Relaxed);
        }
        self.drops.iter().for_each(|d| d.store(0, Relaxed));
    }
}

impl Past {
    pub(super) fn add(&self, t: &Totals) {
        self.rx_packets.fetch_add(t.rx_packets, Relaxed);
        self.rx_bytes.fetch_add(t.rx_bytes, Relaxed);
        self.tx_packets.fetch_add(t.tx_packets, Relaxed);
        self.tx_bytes.fetch_add(t.tx_bytes, Relaxed);
        for (to, n) in self.drops.iter().zip(t.drops) {
            to.fetch_add(n, Relaxed);
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            rx_packets: self.rx_packets.load(Relaxed),
            rx_bytes: self.rx_bytes.load(Relaxed),
            tx_packets: self.tx_packets.load(Relaxed),
            tx_bytes: self.tx_bytes.load(Relaxed),
            drops: std::array::from_fn(|i| self.drops[i].load(Relaxed)),
        }
    }
}

/// Counts of all rings and devices of a panel.
#[derive(Debug, Clone)]
pub struct PanelTotals {
    rings: Vec<Totals>,
    devices: Vec<Totals>,
}

impl Default for PanelTotals {
    fn default() -> Self {
        Self {
            rings: vec![Totals::default(); RINGS],
            devices: vec![Totals::default(); DEVICES],
        }
    }
}

impl PanelTotals {
    /// Counts of ring `number`; none if there is no such number.
    pub fn ring(&self, number: u16) -> Totals {
        let found = self.rings.get(usize::from(number));
        found.copied().unwrap_or_default()
    }

    /// Counts of all queues of device `number`; none if there is no such number.
    pub fn device(&self, number: u16) -> Totals {
        let found = self.devices.get(usize::from(number));
        found.copied().unwrap_or_default()
    }

    /// What has come since `base`.
    pub fn since(mut self, base: &PanelTotals) -> PanelTotals {
        let with = |all: &mut [Totals], base: &[Totals]| {
            for (now, before) in all.iter_mut().zip(base) {
                *now = now.since(before);
            }
        };
        with(&mut self.rings, &base.rings);
        with(&mut self.devices, &base.devices);
        self
    }

    fn add(&mut self, code: PortCode, t: &Totals) {
        let number = usize::from(code.number());
        let entry = match code.kind() {
            PortKind::Ring => self.rings.get_mut(number),
            PortKind::Phy => self.devices.get_mut(number),
            _ => None,
        };
        if let Some(entry) = entry {
            *entry = entry.plus(t);
        }
    }
}

impl Area {
    /// Blocks of the worker `lcore` that may be in use.
    fn blocks(&self, lcore: u32) -> &'static [PatchBlock] {
        let layout = self.layout();
        let lcore = lcore as usize;
        let Some((worker, blocks)) = layout.workers.get(lcore).zip(layout.patches.get(lcore))
        else {
            return &[];
        };
        &blocks[..blocks.len().min(worker.blocks.load(SeqCst) as usize)]
    }

    /// Counts of `port` in the blocks of the workers `lcores`.
    pub fn port_totals(&self, port: PortCode, lcores: impl Iterator<Item = u32>) -> Totals {
        let mut sum = Totals::default();
        for block in lcores.flat_map(|lcore| self.blocks(lcore)) {
            let Some((src, dst)) = block.ends() else {
                continue;
            };
            let totals = block.totals();
            if src == Some(port) {
                sum = sum.plus(&totals.of_src(dst));
            }
            if dst == Some(port) {
                sum = sum.plus(&totals.sent());
            }
        }
        sum
    }

    /// Counts of the blocks with these ends of the workers `lcores`.
    pub fn patch_totals(&self, ends: BlockEnds, lcores: impl Iterator<Item = u32>) -> Totals {
        lcores
            .flat_map(|lcore| self.blocks(lcore))
            .filter(|b| b.ends() == Some(ends))
            .fold(Totals::default(), |sum, b| sum.plus(&b.totals()))
    }

    /// Counts of all rings and devices over all processes, past and present.
    pub fn panel_totals(&self) -> PanelTotals {
        let workers = self.layout().workers.iter();
        let moving = workers.map(|worker| &worker.moving);
        // While a block moves to a past its counts could be seen twice or not at all.
        for _ in 1..LOOKS {
            if let (sum, true) = looked(moving.clone(), || self.seen_totals()) {
                return sum;
            }
        }
        self.seen_totals()
    }

    fn seen_totals(&self) -> PanelTotals {
        let mut sum = PanelTotals::default();
        for block in (0..LCORES as u32).flat_map(|lcore| self.blocks(lcore)) {
            let Some((src, dst)) = block.ends() else {
                continue;
            };
            let totals = block.totals();
            if let Some(src) = src {
                sum.add(src, &totals.of_src(dst));
            }
            if let Some(dst) = dst {
                sum.add(dst, &totals.sent());
            }
        }
        let layout = self.layout();
        let with = |all: &mut [Totals], pasts: &[Past]| {
            for (now, past) in all.iter_mut().zip(pasts) {
                *now = now.plus(&past.totals());
            }
        };
        with(&mut sum.rings, &layout.ring_past);
        with(&mut sum.devices, &layout.device_past);
        sum
    }
}
