//! The control side of the panel: which ports are open, which cables are plugged, who runs them.
//!
//! A change is planned first (what will be claimed, who will run it), which can fail without a trace;
//! then it is published to the workers it concerns; then what it made superfluous is given up. What can be
//! plugged is in [`crate::cables`] and [`crate::rack`].

mod error;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::{Duration, Instant};

use crate::area::{Area, BlockEnds, Direction, PatchBlock, Totals};
use crate::bell::Ringer;
use crate::classifier::Entries;
use crate::code::PortCode;
use crate::port::Port;
use crate::published::Publisher;
use crate::wiring::{Cable, Claims, Wiring};
use crate::worker::Table;
pub use error::BoardError;

/// How long a worker may take to adopt a table: far longer than a burst, even on a shared CPU.
const SETTLE: Duration = Duration::from_secs(1);

/// A worker as the control thread sees it.
pub struct Hand {
    /// Its lcore id.
    pub lcore: u32,
    /// The CPU that the user named for it.
    pub cpu: u32,
    /// Its tables.
    pub tables: Publisher<Table>,
}

/// Names the holder of an lcore id, such as `nfv:2`.
pub type HolderName = Box<dyn Fn(u32) -> String + Send>;

/// Ports, cables and workers of a process.
pub struct Board {
    area: Area,
    ringer: Ringer,
    holder: HolderName,
    hands: Vec<Hand>,
    ports: Vec<Arc<Port>>,
    wiring: Wiring,
    entries: Entries,
    editions: u64,
    forwarding: bool,
    /// Counts of patches whose blocks were needed for others.
    past: HashMap<PortCode, Totals>,
    port_base: HashMap<PortCode, Totals>,
    block_base: HashMap<BlockEnds, Totals>,
}

impl Board {
    /// A board without ports over the workers `hands` (at least one).
    pub fn new(
        area: Area,
        ringer: Ringer,
        hands: Vec<Hand>,
        forwarding: bool,
        holder: HolderName,
    ) -> Self {
        Board {
            area,
            ringer,
            holder,
            hands,
            ports: Vec::new(),
            wiring: Wiring::default(),
            entries: Entries::default(),
            editions: 0,
            forwarding,
            past: HashMap::new(),
            port_base: HashMap::new(),
            block_base: HashMap::new(),
        }
    }

    /// The port `code`, if it is open.
    pub fn port(&self, code: PortCode) -> Option<&Arc<Port>> {
        self.ports.iter().find(|p| p.code() == code)
    }

    /// The open ports, in the order of their addition.
    pub fn ports(&self) -> &[Arc<Port>] {
        &self.ports
    }

    /// The workers.
    pub fn hands(&self) -> &[Hand] {
        &self.hands
    }

    /// Whether packets are forwarded.
    pub fn forwarding(&self) -> bool {
        self.forwarding
    }

    /// Puts an open port on the board.
    pub fn add(&mut self, port: Port) -> Result<(), BoardError> {
        if self.port(port.code()).is_some() {
            return Err(BoardError::Exists(port.code()));
        }
        self.ports.push(Arc::new(port));
        Ok(())
    }

    /// Takes a port from the board and closes it, after taking its patches out, and it from components, with its
    /// entries in tables; returns the patches.
    pub fn del(&mut self, code: PortCode) -> Result<Vec<(PortCode, PortCode)>, BoardError> {
        self.required(code)?;
        let mut wiring = self.wiring.clone();
        let gone = wiring.without(code, self.next_edition());
        self.change(wiring)?;
        self.entries.forget(code);
        self.ports.retain(|p| p.code() != code);
        Ok(gone)
    }

    /// Takes out all that is plugged, patches, components and probes, at once, and gives up what it claimed. Ports and their
    /// entries in tables stay.
    ///
    /// # Errors
    /// [`BoardError::Stuck`]; then all is as it was.
    pub fn unplug(&mut self) -> Result<(), BoardError> {
        self.change(Wiring::default())
    }

    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    pub(crate) fn table_entries(&self) -> &Entries {
        &self.entries
    }

    pub(crate) fn table_entries_mut(&mut self) -> &mut Entries {
        &mut self.entries
    }

    pub(crate) fn next_edition(&mut self) -> u64 {
        self.editions += 1;
        self.editions
    }

    /// The hand with the worker of `cpu`.
    pub(crate) fn hand_on(&self, cpu: u32) -> Result<usize, BoardError> {
        let found = self.hands.iter().position(|h| h.cpu == cpu);
        found.ok_or_else(|| BoardError::NoWorker {
            cpu,
            workers: self.hands.iter().map(|h| h.cpu).collect(),
        })
    }

    pub(crate) fn required(&self, code: PortCode) -> Result<&Arc<Port>, BoardError> {
        self.port(code).ok_or(BoardError::NoPort(code))
    }

    /// Counters for something new on a worker.
    pub(crate) fn counters(
        &mut self,
        hand: usize,
        ends: BlockEnds,
    ) -> Result<&'static PatchBlock, BoardError> {
        let (lcore, cpu) = (self.hands[hand].lcore, self.hands[hand].cpu);
        let past = &mut self.past;
        let evict = |(src, dst): BlockEnds, t: Totals| {
            for (code, part) in [(src, t.of_src(dst)), (dst, t.sent())] {
                if let Some(code) = code {
                    let entry = past.entry(code).or_default();
                    *entry = entry.plus(&part);
                }
            }
        };
        self.area
            .begin_patch(lcore, ends, evict)
            .ok_or(BoardError::Full { cpu })
    }

    /// Starts or stops forwarding; patches stay.
    pub fn set_forwarding(&mut self, on: bool) -> Result<(), BoardError> {
        let before = std::mem::replace(&mut self.forwarding, on);
        let all = (0..self.hands.len()).collect();
        self.publish(&all).inspect_err(|_| self.forwarding = before)
    }

    /// Carries a planned wiring out. On failure everything is as it was.
    pub(crate) fn change(&mut self, mut wiring: Wiring) -> Result<(), BoardError> {
        self.reserve(&wiring)?;
        let edition = self.next_edition();
        let tables = self.entries.plan(&mut wiring, edition);
        let (had, wanted) = (self.wiring.claims(), wiring.claims());
        let before = self.wiring.clone();
        let planned = wiring.blocks();
        let result = match self.claim_new(&had, &wanted) {
            Ok(()) => self.replug(&had, &wanted, wiring),
            refused => refused,
        };
        if result.is_ok() {
            self.entries.settle(&self.wiring, tables);
        } else {
            self.wiring = before;
            self.end_blocks(planned);
            let all: BTreeSet<usize> = (0..self.hands.len()).collect();
            self.post(&all);
            for (end, hand) in &wanted {
                let Some(ends) = self.port(end.0).and_then(|p| p.ends()) else {
                    continue;
                };
                if had.get(end) != Some(hand) {
                    Area::release(ends, end.1, self.hands[*hand].lcore);
                }
                if let Some(old) = had.get(end) {
                    // Refused only if another process was faster: then its claim stands.
                    let _ = Area::claim(ends, end.1, self.hands[*old].lcore);
                }
            }
        }
        self.settle_reserved();
        result
    }

    /// Sees that there are mbufs for what patches are to hold back, beside what they do.
    fn reserve(&self, wiring: &Wiring) -> Result<(), BoardError> {
        for (at, hand) in self.hands.iter().enumerate() {
            let wanted = wiring.may_hold(at);
            let most = wanted.max(self.wiring.may_hold(at));
            if let Err(reserved) = self.area.reserve(hand.lcore, most) {
                self.settle_reserved();
                return Err(BoardError::Reserved {
                    wanted,
                    left: reserved.left + self.wiring.may_hold(at),
                    most: reserved.most,
                });
            }
        }
        Ok(())
    }

    /// Keeps only those mbufs for patches that they may hold back.
    fn settle_reserved(&self) {
        for (at, hand) in self.hands.iter().enumerate() {
            // Never more than before.
            let _ = self.area.reserve(hand.lcore, self.wiring.may_hold(at));
        }
    }

    /// Gives counters up that were begun for nothing.
    pub(crate) fn end_counters(&self, block: &PatchBlock) {
        self.area.end_patch(block);
    }

    /// Ends the counters of those that are no longer plugged.
    fn end_blocks(&self, blocks: Vec<&'static PatchBlock>) {
        let live = self.wiring.blocks();
        let gone = |b: &&PatchBlock| !live.iter().any(|l| std::ptr::eq(*l, *b));
        let gone = blocks.into_iter().filter(gone);
        gone.for_each(|b| self.area.end_patch(b));
    }

    /// Claims the ends that are new to this process, which is what can be refused.
    fn claim_new(&self, had: &Claims, wanted: &Claims) -> Result<(), BoardError> {
        for (end, hand) in wanted.iter().filter(|(end, _)| !had.contains_key(end)) {
            self.claim(*end, *hand)?;
            // Claimed, it cannot be removed any more.
            if !self.port(end.0).is_some_and(|p| p.is_present()) {
                return Err(BoardError::Gone(end.0));
            }
        }
        Ok(())
    }

    fn claim(
        &self,
        (port, direction): (PortCode, Direction),
        hand: usize,
    ) -> Result<(), BoardError> {
        let Some(ends) = self.port(port).and_then(|p| p.ends()) else {
            return Ok(());
        };
        Area::claim(ends, direction, self.hands[hand].lcore).map_err(|held| {
            let holder = (self.holder)(held.lcore);
            BoardError::Claimed {
                port,
                direction,
                holder,
            }
        })
    }

    fn replug(&mut self, had: &Claims, wanted: &Claims, wiring: Wiring) -> Result<(), BoardError> {
        // An end that changes its worker is first left by the old one.
        let moving: Vec<((PortCode, Direction), usize, usize)> = wanted
            .iter()
            .filter_map(|(end, new)| {
                had.get(end)
                    .filter(|old| *old != new)
                    .map(|old| (*end, *old, *new))
            })
            .collect();
        if !moving.is_empty() {
            let leaves = |src: &PortCode, cable: &Cable| {
                moving.iter().any(|((port, d), old, _)| {
                    cable.hand == *old
                        && (if *d == Direction::Rx {
                            port == src
                        } else {
                            *port == cable.dst
                        })
                })
            };
            let left: BTreeSet<usize> = moving.iter().map(|(_, old, _)| *old).collect();
            let cables = &mut self.wiring.cables;
            cables.retain(|src, cable| !leaves(src, cable));
            self.publish(&left)?;
            for ((port, direction), old, new) in &moving {
                if let Some(ends) = self.port(*port).and_then(|p| p.ends()) {
                    Area::release(ends, *direction, self.hands[*old].lcore);
                }
                // Ours a moment ago; another process may have been faster.
                self.claim((*port, *direction), *new)?;
            }
        }
        let touched: BTreeSet<usize> = (0..self.hands.len())
            .filter(|hand| self.wiring.work_of(*hand) != wiring.work_of(*hand))
            .collect();
        let old = std::mem::replace(&mut self.wiring, wiring);
        self.publish(&touched)?;
        self.end_blocks(old.blocks());
        for (end, hand) in had.iter().filter(|(end, _)| !wanted.contains_key(end)) {
            if let Some(ends) = self.port(end.0).and_then(|p| p.ends()) {
                Area::release(ends, end.1, self.hands[*hand].lcore);
            }
        }
        Ok(())
    }

    /// Gives the workers their tables without waiting.
    fn post(&mut self, hands: &BTreeSet<usize>) -> Vec<(usize, u64)> {
        let mut posted = Vec::new();
        for hand in hands {
            let lines = if self.forwarding {
                self.wiring.lines(*hand, |code| self.port(code).cloned())
            } else {
                Vec::new()
            };
            let tables = &mut self.hands[*hand].tables;
            let generation = tables.publish(Table { lines, end: false });
            self.ringer.ring(self.hands[*hand].lcore);
            posted.push((*hand, generation));
        }
        posted
    }

    /// Gives the workers their tables and waits until none uses an older one.
    fn publish(&mut self, hands: &BTreeSet<usize>) -> Result<(), BoardError> {
        let posted = self.post(hands);
        let limit = Instant::now() + SETTLE;
        for (hand, generation) in posted {
            let mut rounds = 0u32;
            while !self.hands[hand].tables.reached(generation) {
                rounds += 1;
                // A worker on a CPU of its own answers within microseconds.
                if rounds < 2000 {
                    std::hint::spin_loop();
                    continue;
                }
                if Instant::now() > limit {
                    return Err(BoardError::Stuck {
                        cpu: self.hands[hand].cpu,
                    });
                }
                std::thread::sleep(Duration::from_micros(20));
            }
            self.hands[hand].tables.collect();
        }
        Ok(())
    }

    /// Ends all workers and waits until they have given their mbufs back, for a while. False
    /// if one did not end.
    pub fn end(&mut self) -> bool {
        for hand in &mut self.hands {
            // Never more than before.
            let _ = self.area.reserve(hand.lcore, 0);
            hand.tables.publish(Table {
                lines: Vec::new(),
                end: true,
            });
            self.ringer.ring(hand.lcore);
        }
        let limit = Instant::now() + SETTLE;
        let runs = |hand: &Hand| {
            let block = &self.area.layout().workers[hand.lcore as usize];
            block.started.load(Acquire) != 0
        };
        while self.hands.iter().any(runs) && Instant::now() < limit {
            std::thread::sleep(Duration::from_micros(100));
        }
        !self.hands.iter().any(runs)
    }

    /// Counts of a port in this process since the last clear.
    pub fn port_totals(&self, code: PortCode) -> Totals {
        let sum = self.whole_port(code);
        self.port_base
            .get(&code)
            .map_or(sum, |base| sum.since(base))
    }

    fn whole_port(&self, code: PortCode) -> Totals {
        let past = self.past.get(&code).copied().unwrap_or_default();
        self.area
            .port_totals(code, self.hands.iter().map(|h| h.lcore))
            .plus(&past)
    }

    /// What runs between these ends may have been run by several workers.
    fn whole_block(&self, ends: BlockEnds) -> Totals {
        self.area
            .patch_totals(ends, self.hands.iter().map(|h| h.lcore))
    }

    pub(crate) fn block_totals(&self, ends: BlockEnds) -> Totals {
        let whole = self.whole_block(ends);
        let base = self.block_base.get(&ends);
        base.map_or(whole, |b| whole.since(b))
    }

    /// Counts of a component's port since the last clear.
    pub(crate) fn socket_totals(&self, port: PortCode, direction: Direction) -> Totals {
        self.block_totals(socket_ends(port, direction))
    }

    /// From now on counts are shown from here.
    pub fn clear(&mut self) {
        let ports = self.ports.iter().map(|p| p.code());
        self.port_base = ports.map(|code| (code, self.whole_port(code))).collect();
        let blocks = self.wiring.blocks();
        let ends = blocks.iter().filter_map(|b| b.ends());
        self.block_base = ends.map(|ends| (ends, self.whole_block(ends))).collect();
        self.entries.clear();
        let cables = self.wiring.cables.values();
        cables
            .filter_map(|c| c.impaired.as_ref())
            .for_each(|i| i.clear());
        if let Err(e) = self.measure_anew() {
            log::warn!("clear: latencies go on: {e}");
        }
    }
}

/// The ends of the counters of a component's port.
pub(crate) fn socket_ends(port: PortCode, direction: Direction) -> BlockEnds {
    match direction {
        Direction::Rx => (Some(port), None),
        Direction::Tx => (None, Some(port)),
    }
}
