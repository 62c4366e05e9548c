//! The control side of the panel: which ports are open, which cables are plugged, who runs them.
//!
//! A change is planned first (what will be claimed, who will run it), which can fail without a trace;
//! then it is published to the workers it concerns; then what it made superfluous is given up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::area::{Area, Direction, PatchBlock, Totals};
use crate::bell::Ringer;
use crate::code::PortCode;
use crate::port::Port;
use crate::published::Publisher;
use crate::worker::{Running, Table};

/// How long a worker may take to adopt a table: far longer than a burst, even on a shared CPU.
const SETTLE: Duration = Duration::from_secs(1);

/// Why a change was refused. Nothing was changed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BoardError {
    /// The port is not open in this process.
    #[error("{0} is not added: add it first (add {0})")]
    NoPort(PortCode),
    /// The port is open already.
    #[error("{0} is added already")]
    Exists(PortCode),
    /// The device behind the port was removed.
    #[error("{0} is gone: its device was removed from the panel")]
    Gone(PortCode),
    /// Nothing to take out.
    #[error("{0} is not patched as a source")]
    NotPatched(PortCode),
    /// Another process claims an end.
    #[error("{port} is claimed as {} by {holder}: unpatch it there first", side(*.direction))]
    Claimed {
        /// The port.
        port: PortCode,
        /// Which of its ends.
        direction: Direction,
        /// Who holds it.
        holder: String,
    },
    /// No worker runs on this CPU.
    #[error(
        "no worker of this process runs on CPU {cpu}: it has workers on {}",
        list(workers)
    )]
    NoWorker {
        /// The CPU that was asked for.
        cpu: u32,
        /// CPUs that have a worker.
        workers: Vec<u32>,
    },
    /// A worker did not adopt its table in time.
    #[error("the worker on CPU {cpu} did not answer within 1 s: nothing was changed")]
    Stuck {
        /// Its CPU.
        cpu: u32,
    },
    /// All counters of a worker are taken.
    #[error(
        "the worker on CPU {cpu} runs {} patches, more are not possible: start a further process",
        crate::area::SLOTS
    )]
    Full {
        /// Its CPU.
        cpu: u32,
    },
}

fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Rx => "a source",
        Direction::Tx => "a destination",
    }
}

fn list(cpus: &[u32]) -> String {
    cpus.iter()
        .map(|c| format!("CPU {c}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A worker as the control thread sees it.
pub struct Hand {
    /// Its lcore id.
    pub lcore: u32,
    /// The CPU that the user named for it.
    pub cpu: u32,
    /// Its tables.
    pub tables: Publisher<Table>,
}

#[derive(Clone)]
struct Cable {
    dst: PortCode,
    hand: usize,
    block: &'static PatchBlock,
}

/// A patch as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct PatchView {
    /// Source.
    pub src: PortCode,
    /// Destination.
    pub dst: PortCode,
    /// CPU of its worker.
    pub cpu: u32,
    /// Its counts since the last clear.
    pub totals: Totals,
}

/// The ends that patches use, and the worker that uses them.
type Claims = BTreeMap<(PortCode, Direction), usize>;

/// Names the holder of an lcore id, such as `nfv:2`.
pub type HolderName = Box<dyn Fn(u32) -> String + Send>;

/// Ports, cables and workers of a process.
pub struct Board {
    area: Area,
    ringer: Ringer,
    holder: HolderName,
    hands: Vec<Hand>,
    ports: Vec<Arc<Port>>,
    cables: BTreeMap<PortCode, Cable>,
    forwarding: bool,
    /// Counts of patches whose blocks were needed for others.
    past: HashMap<PortCode, Totals>,
    port_base: HashMap<PortCode, Totals>,
    patch_base: HashMap<(PortCode, PortCode), Totals>,
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
            cables: BTreeMap::new(),
            forwarding,
            past: HashMap::new(),
            port_base: HashMap::new(),
            patch_base: HashMap::new(),
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

    /// Takes a port from the board and closes it, after taking its patches out; returns these.
    pub fn del(&mut self, code: PortCode) -> Result<Vec<(PortCode, PortCode)>, BoardError> {
        self.required(code)?;
        let gone: Vec<(PortCode, PortCode)> = self
            .cables
            .iter()
            .filter(|(s, c)| **s == code || c.dst == code)
            .map(|(s, c)| (*s, c.dst))
            .collect();
        let mut cables = self.cables.clone();
        cables.retain(|src, cable| *src != code && cable.dst != code);
        self.change(cables)?;
        self.ports.retain(|p| p.code() != code);
        Ok(gone)
    }

    fn required(&self, code: PortCode) -> Result<&Arc<Port>, BoardError> {
        self.port(code).ok_or(BoardError::NoPort(code))
    }

    /// Patches `src` to `dst`, replacing the former patch of `src`. All patches into one destination are
    /// run by one worker: `on` (a CPU) names it and moves the others along; without it a new destination goes
    /// to the worker with the fewest patches.
    pub fn patch(
        &mut self,
        src: PortCode,
        dst: PortCode,
        on: Option<u32>,
    ) -> Result<(), BoardError> {
        self.required(src)?;
        self.required(dst)?;
        let mates: Vec<PortCode> = self
            .cables
            .iter()
            .filter(|(s, c)| c.dst == dst && **s != src)
            .map(|(s, _)| *s)
            .collect();
        let hand = match on {
            Some(cpu) => self
                .hands
                .iter()
                .position(|h| h.cpu == cpu)
                .ok_or_else(|| BoardError::NoWorker {
                    cpu,
                    workers: self.hands.iter().map(|h| h.cpu).collect(),
                })?,
            None => match mates
                .first()
                .or(Some(&src))
                .and_then(|s| self.cables.get(s))
            {
                Some(cable) => cable.hand,
                None => self.least_loaded(),
            },
        };
        let mut cables = self.cables.clone();
        let mut begun: Vec<&'static PatchBlock> = Vec::new();
        for mate in mates.into_iter().chain([src]) {
            let same = self
                .cables
                .get(&mate)
                .filter(|c| c.hand == hand && c.dst == dst);
            let block = match same.map(|cable| cable.block) {
                Some(block) => block,
                None => match self.counters(hand, mate, dst) {
                    Ok(block) => {
                        begun.push(block);
                        block
                    }
                    Err(e) => {
                        begun.into_iter().for_each(|b| self.area.end_patch(b));
                        return Err(e);
                    }
                },
            };
            cables.insert(mate, Cable { dst, hand, block });
        }
        self.change(cables)
    }

    fn least_loaded(&self) -> usize {
        let load = |hand: usize| self.cables.values().filter(|c| c.hand == hand).count();
        (0..self.hands.len()).min_by_key(|h| load(*h)).unwrap_or(0)
    }

    fn counters(
        &mut self,
        hand: usize,
        src: PortCode,
        dst: PortCode,
    ) -> Result<&'static PatchBlock, BoardError> {
        let (lcore, cpu) = (self.hands[hand].lcore, self.hands[hand].cpu);
        let past = &mut self.past;
        let evict = |from: PortCode, to: PortCode, t: Totals| {
            let entry = past.entry(from).or_default();
            *entry = entry.plus(&t.received());
            let entry = past.entry(to).or_default();
            *entry = entry.plus(&t.sent());
        };
        self.area
            .begin_patch(lcore, src, dst, evict)
            .ok_or(BoardError::Full { cpu })
    }

    /// Takes the patch of `src` out.
    pub fn unpatch(&mut self, src: PortCode) -> Result<(), BoardError> {
        self.required(src)?;
        let mut cables = self.cables.clone();
        if cables.remove(&src).is_none() {
            return Err(BoardError::NotPatched(src));
        }
        self.change(cables)
    }

    /// Takes all patches out.
    pub fn reset(&mut self) -> Result<(), BoardError> {
        self.change(BTreeMap::new())
    }

    /// Starts or stops forwarding; patches stay.
    pub fn set_forwarding(&mut self, on: bool) -> Result<(), BoardError> {
        let before = std::mem::replace(&mut self.forwarding, on);
        let all = (0..self.hands.len()).collect();
        self.publish(&all).inspect_err(|_| self.forwarding = before)
    }

    /// Ends all that a worker wants of an end: claimed, by which worker.
    fn claims(&self, cables: &BTreeMap<PortCode, Cable>) -> Claims {
        let mut wanted = BTreeMap::new();
        for (src, cable) in cables {
            wanted.insert((*src, Direction::Rx), cable.hand);
            wanted.insert((cable.dst, Direction::Tx), cable.hand);
        }
        wanted
    }

    /// Carries a planned state of the cables out. On failure everything is as it was.
    fn change(&mut self, cables: BTreeMap<PortCode, Cable>) -> Result<(), BoardError> {
        let (had, wanted) = (self.claims(&self.cables), self.claims(&cables));
        let before = self.cables.clone();
        let planned: Vec<&'static PatchBlock> = cables.values().map(|c| c.block).collect();
        let result = match self.claim_new(&had, &wanted) {
            Ok(()) => self.replug(&had, &wanted, cables),
            refused => refused,
        };
        if result.is_err() {
            self.cables = before;
            let live = |b: &PatchBlock| self.cables.values().any(|c| std::ptr::eq(c.block, b));
            planned
                .into_iter()
                .filter(|b| !live(b))
                .for_each(|b| self.area.end_patch(b));
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
        result
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

    fn replug(
        &mut self,
        had: &Claims,
        wanted: &Claims,
        cables: BTreeMap<PortCode, Cable>,
    ) -> Result<(), BoardError> {
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
            self.cables.retain(|src, cable| !leaves(src, cable));
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
            .filter(|h| {
                let of = |cables: &BTreeMap<PortCode, Cable>| {
                    cables
                        .iter()
                        .filter(|(_, c)| c.hand == *h)
                        .map(|(s, c)| (*s, c.dst))
                        .collect::<Vec<_>>()
                };
                of(&self.cables) != of(&cables)
            })
            .collect();
        let old = std::mem::replace(&mut self.cables, cables);
        self.publish(&touched)?;
        for cable in old.values() {
            if !self
                .cables
                .values()
                .any(|c| std::ptr::eq(c.block, cable.block))
            {
                self.area.end_patch(cable.block);
            }
        }
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
            let running = |(src, cable): (&PortCode, &Cable)| {
                Some(Running {
                    src: self.port(*src)?.clone(),
                    dst: self.port(cable.dst)?.clone(),
                    counters: cable.block,
                })
            };
            let patches = if self.forwarding {
                self.cables
                    .iter()
                    .filter(|(_, c)| c.hand == *hand)
                    .filter_map(running)
                    .collect()
            } else {
                Vec::new()
            };
            let generation = self.hands[*hand].tables.publish(Table {
                patches,
                end: false,
            });
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
            hand.tables.publish(Table {
                patches: Vec::new(),
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

    /// A patch may have been run by several workers.
    fn whole_patch(&self, src: PortCode, dst: PortCode) -> Totals {
        self.area
            .patch_totals(src, dst, self.hands.iter().map(|h| h.lcore))
    }

    /// The patches, by source.
    pub fn patches(&self) -> Vec<PatchView> {
        self.cables
            .iter()
            .map(|(src, cable)| {
                let whole = self.whole_patch(*src, cable.dst);
                let base = self.patch_base.get(&(*src, cable.dst));
                PatchView {
                    src: *src,
                    dst: cable.dst,
                    cpu: self.hands[cable.hand].cpu,
                    totals: base.map_or(whole, |b| whole.since(b)),
                }
            })
            .collect()
    }

    /// From now on counts are shown from here.
    pub fn clear(&mut self) {
        self.port_base = self
            .ports
            .iter()
            .map(|p| (p.code(), self.whole_port(p.code())))
            .collect();
        self.patch_base = self
            .cables
            .iter()
            .map(|(s, c)| ((*s, c.dst), self.whole_patch(*s, c.dst)))
            .collect();
    }
}
