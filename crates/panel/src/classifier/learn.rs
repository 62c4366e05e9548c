//! Learning where addresses are.
//!
//! What comes in from a port teaches that its sender is behind that port. So a component that learns has its ports
//! observed where this process receives from them, by whatever component that does. The worker there keeps in mind whom it has reported
//! lately and puts the others into a queue; the control thread empties it now and then and changes the table.
//!
//! A ring carries packets one way: what comes out of it was put in by the component itself, or goes to somewhere else. So
//! nothing is learned from rings.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use dpdk::Burst;

use crate::area::PatchBlock;
use crate::board::{Board, BoardError};
use crate::code::{PortCode, PortKind};
use crate::line::Stage;
use crate::port::Context;
use crate::wiring::{Function, Wiring};

use super::desk::Desk;
use super::entries::{Entry, Event, Events, Known};
use super::key::Key;
use super::{EntryError, MOST, header};

/// Reports that wait for the control thread at most; a sender that finds no room is reported with a later packet.
const QUEUE: usize = 1024;
/// Senders that a worker keeps in mind, a power of two.
const RECENT: usize = 1024;
/// Reports of a sender that goes on sending, in its ageing time.
const REPORTS: u64 = 4;
/// Longest ageing time, in seconds.
const LONGEST: u64 = 1_000_000;

/// A sender and when it was reported.
#[derive(Default)]
struct Recent {
    key: AtomicU64,
    period: AtomicU64,
}

/// What observes a port.
pub(super) struct Learner {
    queue: ArrayQueue<Key>,
    recent: Box<[Recent]>,
    /// Random: guests must not be able to choose addresses that take one place.
    factor: u64,
    /// Counts on several times in the ageing time: then all senders are to be reported again.
    period: AtomicU64,
}

impl Learner {
    fn new() -> Self {
        Learner {
            queue: ArrayQueue::new(QUEUE),
            recent: (0..RECENT).map(|_| Recent::default()).collect(),
            factor: RandomState::new().hash_one(RECENT) | 1,
            period: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    fn recent(&self, key: Key) -> &Recent {
        let at = key.raw().wrapping_mul(self.factor) >> (64 - RECENT.ilog2());
        &self.recent[at as usize & (RECENT - 1)]
    }

    /// Has a sender reported again with its next packet. Should the worker note it down at this moment, it has just
    /// reported it.
    fn forget(&self, key: Key) {
        let recent = self.recent(key);
        if recent.key.load(Relaxed) == key.raw() {
            recent.key.store(0, Relaxed);
        }
    }
}

impl Stage for Learner {
    fn run(&self, _: &mut Context, burst: &mut Burst, _: &PatchBlock) {
        let period = self.period.load(Relaxed);
        for i in 0..burst.len() {
            let Some(head) = header(burst, i) else {
                continue;
            };
            let key = Key::of_sender(&head);
            let recent = self.recent(key);
            let known = recent.key.load(Relaxed) == key.raw();
            if known && recent.period.load(Relaxed) == period {
                continue;
            }
            if !key.is_group() && self.queue.push(key).is_ok() {
                recent.period.store(period, Relaxed);
                recent.key.store(key.raw(), Relaxed);
            }
        }
    }
}

/// Who learns, and what was learned.
#[derive(Default)]
pub(crate) struct Learning {
    /// Ageing times of the components that learn, in seconds.
    ageing: BTreeMap<String, u64>,
    /// The ports of these components.
    learners: BTreeMap<PortCode, Arc<Learner>>,
    /// Learned entries by when they are forgotten, in seconds of the board's clock.
    deadlines: BTreeSet<(u64, Key, PortCode)>,
    /// When the clock began.
    began: Option<Instant>,
}

impl Learning {
    /// Ports that are observed: those of components that learn, but rings.
    fn ports(&self, wiring: &Wiring) -> BTreeSet<PortCode> {
        let learns = |name: &str| self.ageing.contains_key(name);
        let rigs = wiring.rigs.iter().filter(|r| learns(&r.name));
        let ports = rigs.flat_map(|r| r.tx.iter().map(|s| s.port));
        ports.filter(|p| p.kind() != PortKind::Ring).collect()
    }

    /// Has the ports of a planned wiring observed that are to be.
    pub(super) fn plan(&mut self, wiring: &mut Wiring, edition: u64) {
        let ports = self.ports(wiring);
        for rig in &mut wiring.rigs {
            for socket in &mut rig.rx {
                let wanted = ports.contains(&socket.port);
                if wanted == socket.learner.is_some() {
                    continue;
                }
                let mut learner = || {
                    let learner = self.learners.entry(socket.port);
                    learner.or_insert_with(|| Arc::new(Learner::new())).clone()
                };
                socket.learner = wanted.then(|| learner() as Arc<dyn Stage>);
                rig.edition = edition;
            }
        }
    }

    /// Takes note that a wiring was carried out, and forgets what was learned of ports that are no longer observed.
    pub(super) fn settle(&mut self, wiring: &Wiring, known: &mut Known) {
        self.ageing
            .retain(|name, _| wiring.rigs.iter().any(|r| r.name == *name));
        let ports = self.ports(wiring);
        self.learners.retain(|port, _| ports.contains(port));
        self.deadlines.retain(|(_, key, port)| {
            let kept = ports.contains(port);
            if !kept {
                known.remove(&(*key, *port));
            }
            kept
        });
    }

    /// Takes note that an entry is no longer there, or no longer one that was learned.
    pub(super) fn forget(&mut self, key: Key, port: PortCode, entry: Entry) {
        if let Some(until) = entry.until {
            self.deadlines.remove(&(until, key, port));
        }
        if let Some(learner) = self.learners.get(&port) {
            learner.forget(key);
        }
    }

    /// The learned entry that is forgotten next.
    pub(super) fn oldest(&self) -> Option<(Key, PortCode)> {
        self.deadlines.first().map(|(_, key, port)| (*key, *port))
    }

    /// Learns for one component what its ports have reported.
    fn learn(&mut self, desk: &mut Desk, known: &mut Known, now: u64, ageing: u64) {
        let period = now * REPORTS / ageing + 1;
        let mut reports = Vec::new();
        for (port, learner) in self.learners.iter().filter(|(p, _)| desk.has(**p)) {
            learner.period.store(period, Relaxed);
            let queued = std::iter::from_fn(|| learner.queue.pop());
            reports.extend(queued.take(QUEUE).map(|key| (key, *port)));
        }
        let ours: BTreeSet<PortCode> = desk.ports().iter().copied().collect();
        let late = self
            .deadlines
            .iter()
            .take_while(|(until, ..)| *until <= now);
        let late: Vec<(Key, PortCode)> = late
            .map(|(_, key, port)| (*key, *port))
            .filter(|(_, port)| ours.contains(port))
            .collect();
        if reports.is_empty() && late.is_empty() {
            return;
        }
        let until = now + ageing;
        // If the worker is stuck the senders are reported again.
        desk.revise(known, |known| {
            let mut events = Events::new();
            for (key, port) in reports {
                self.report(known, &ours, (key, port), until, &mut events);
            }
            for (key, port) in late {
                let late = |e: &Entry| e.until.is_some_and(|until| until <= now);
                if known.get(&(key, port)).is_some_and(late) {
                    self.drop_learned(known, key, port, &mut events);
                }
            }
            events
        });
    }

    /// Forgets all that was learned for a component; false if its worker is stuck.
    fn unlearn(&mut self, desk: &mut Desk, known: &mut Known) -> bool {
        let ours = self.deadlines.iter().filter(|(.., p)| desk.has(*p));
        let ours: Vec<(Key, PortCode)> = ours.map(|(_, key, port)| (*key, *port)).collect();
        desk.revise(known, |known| {
            let mut events = Events::new();
            for (key, port) in ours {
                self.drop_learned(known, key, port, &mut events);
            }
            events
        })
    }

    /// Learns one report.
    fn report(
        &mut self,
        known: &mut Known,
        ours: &BTreeSet<PortCode>,
        (key, port): (Key, PortCode),
        until: u64,
        events: &mut Events,
    ) {
        let all = known.range((key, PortCode::LEAST)..=(key, PortCode::MOST));
        let all: Vec<(PortCode, Entry)> = all
            .filter(|((_, p), _)| ours.contains(p))
            .map(|((_, p), e)| (*p, *e))
            .collect();
        if all.iter().any(|(_, e)| e.until.is_none()) {
            return;
        }
        // A station that moved is behind one port only.
        for (old, _) in all.iter().filter(|(p, _)| *p != port) {
            self.drop_learned(known, key, *old, events);
        }
        let had = all.iter().find(|(p, _)| *p == port).map(|(_, e)| *e);
        if let Some(old) = had.and_then(|e| e.until) {
            self.deadlines.remove(&(old, key, port));
        } else if known.len() >= MOST {
            return;
        } else {
            events.push((key, port, Event::Came));
        }
        self.deadlines.insert((until, key, port));
        let hits = had.map_or(0, |e| e.hits);
        let until = Some(until);
        known.insert((key, port), Entry { hits, until });
    }

    fn drop_learned(&mut self, known: &mut Known, key: Key, port: PortCode, events: &mut Events) {
        if let Some(entry) = known.remove(&(key, port)) {
            self.forget(key, port, entry);
            events.push((key, port, Event::Went));
        }
    }
}

impl Board {
    /// Has a classifier learn from what comes in from its ports who is behind them, and forget who has not sent anything
    /// for `ageing` (whole seconds, 1 to 1,000,000); with `None` it learns nothing and forgets all that it learned. Entries that were
    /// given to its ports win over learned ones. What is learned takes effect with [`Board::learn`].
    ///
    /// # Errors
    /// [`EntryError::NoClassifier`], [`EntryError::Ageing`], [`BoardError::NoComponent`], [`BoardError::Stuck`]
    pub fn set_learning(&mut self, name: &str, ageing: Option<Duration>) -> Result<(), EntryError> {
        let rig = self.wiring().rigs.iter().find(|r| r.name == name);
        let rig = rig.ok_or_else(|| BoardError::NoComponent(name.into()))?;
        if !matches!(rig.function, Function::Classifier(_)) {
            return Err(EntryError::NoClassifier(name.into()));
        }
        let seconds = ageing.map(|a| a.as_secs());
        if let Some(seconds) = seconds.filter(|s| !(1..=LONGEST).contains(s)) {
            return Err(EntryError::Ageing(seconds));
        }
        let (wiring, cpu) = (self.wiring().clone(), self.hands()[rig.hand].cpu);
        let entries = self.table_entries_mut();
        if seconds.is_none()
            && let Some(desk) = entries.desks.get_mut(name)
            && !entries.learning.unlearn(desk, &mut entries.known)
        {
            return Err(BoardError::Stuck { cpu }.into());
        }
        let ageing = &mut entries.learning.ageing;
        let before = ageing.get(name).copied();
        match seconds {
            Some(seconds) => ageing.insert(name.into(), seconds),
            None => ageing.remove(name),
        };
        self.change(wiring).inspect_err(|_| {
            let ageing = &mut self.table_entries_mut().learning.ageing;
            match before {
                Some(before) => ageing.insert(name.into(), before),
                None => ageing.remove(name),
            };
        })?;
        Ok(())
    }

    /// The ageing time of a component that learns.
    pub fn learning(&self, name: &str) -> Option<Duration> {
        let seconds = self.table_entries().learning.ageing.get(name);
        seconds.map(|s| Duration::from_secs(*s))
    }

    /// Takes in what workers have learned and forgets what is too old. To be called by the control thread several times a
    /// second; `now` never goes back. Without a component that learns it does nothing.
    ///
    /// # Errors
    /// [`BoardError::Stuck`]: it is tried again with the next call
    pub fn learn(&mut self, now: Instant) -> Result<(), BoardError> {
        let entries = self.table_entries_mut();
        let began = *entries.learning.began.get_or_insert(now);
        let now = now.saturating_duration_since(began).as_secs();
        let mut anew = false;
        for (name, ageing) in entries.learning.ageing.clone() {
            if let Some(desk) = entries.desks.get_mut(&name) {
                entries
                    .learning
                    .learn(desk, &mut entries.known, now, ageing);
                anew |= desk.wants_anew();
            }
        }
        match anew {
            true => self.change(self.wiring().clone()),
            false => Ok(()),
        }
    }
}
