//! What changed in the panel, in order, for everybody who wants to know.
//!
//! Events are kept in a backlog of fixed length, and each reader has a place in it. Nothing waits
//! for a reader: one that is too slow finds its place gone, is told so, and cut off.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::event::{Change, Event, Hello, Resync};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::look::{Look, differences};
use crate::peer::Peer;

/// Events that are kept for readers that are behind or come back.
const BACKLOG: usize = 4096;

/// Readers at the same time.
pub(crate) const READERS: usize = 64;

/// An event as it is sent.
#[derive(Debug)]
pub(crate) struct Entry {
    pub seq: u64,
    pub name: &'static str,
    /// The event as JSON.
    pub data: String,
}

/// A process that is connected.
struct Known {
    serial: u64,
    process: String,
    look: Look,
    silent: bool,
}

#[derive(Default)]
struct State {
    /// Number of the last event.
    last: u64,
    backlog: VecDeque<Arc<Entry>>,
    known: Vec<Known>,
}

/// All events of this run of the controller. Its lock is never held across an await.
pub(crate) struct Events {
    controller: String,
    state: Mutex<State>,
    /// Number of the last event, for those who wait; `None` once the controller ends.
    latest: watch::Sender<Option<u64>>,
    places: Arc<Semaphore>,
    missed: AtomicU64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            // Seeded by the system's random numbers: differs from that of any other run.
            controller: format!("{:016x}", RandomState::new().hash_one(0)),
            state: Mutex::default(),
            latest: watch::Sender::new(Some(0)),
            places: Arc::new(Semaphore::new(READERS)),
            missed: AtomicU64::new(0),
        }
    }
}

/// `primary` or `nfv:1`.
pub(crate) fn process_label(kind: impl std::fmt::Display, id: u32) -> String {
    match id {
        0 => kind.to_string(),
        id => format!("{kind}:{id}"),
    }
}

impl Events {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `peer` is connected.
    pub fn joined(&self, peer: &Peer) {
        let process = process_label(peer.kind, peer.id);
        let hello = peer.hello.as_ref();
        let joined = Change::ProcessJoined {
            process: process.clone(),
            version: hello.map(|hello| hello.version.clone()),
            incarnation: hello.map(|hello| hello.incarnation.clone()),
        };
        let mut state = self.state();
        state.known.push(Known {
            serial: peer.serial,
            process,
            look: Look::default(),
            silent: false,
        });
        self.add(&mut state, vec![joined]);
    }

    /// The connection of `peer` is gone.
    pub fn left(&self, peer: &Peer, reason: &str, clean: bool) {
        let mut state = self.state();
        let Some(at) = state.known.iter().position(|k| k.serial == peer.serial) else {
            return;
        };
        let known = state.known.remove(at);
        let left = Change::ProcessLeft {
            process: known.process,
            reason: reason.to_owned(),
            clean,
        };
        self.add(&mut state, vec![left]);
    }

    /// What `peer` has now; `None` if it does not answer.
    pub fn looked(&self, peer: &Peer, look: Option<Look>) {
        let mut state = self.state();
        // What was asked before the connection closed may be answered after.
        let Some(known) = state.known.iter_mut().find(|k| k.serial == peer.serial) else {
            return;
        };
        let process = known.process.clone();
        let was_silent = std::mem::replace(&mut known.silent, look.is_none());
        let mut changes = Vec::new();
        match look {
            None if was_silent => {}
            None => changes.push(Change::ProcessSilent { process }),
            Some(look) => {
                if was_silent {
                    changes.push(Change::ProcessBack {
                        process: process.clone(),
                    });
                }
                changes.extend(differences(&process, &known.look, &look));
                known.look = look;
            }
        }
        self.add(&mut state, changes);
    }

    fn add(&self, state: &mut State, changes: Vec<Change>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_ms = since.map_or(0, |since| since.as_millis() as u64);
        for change in changes {
            state.last += 1;
            let name = change.name();
            let event = Event {
                seq: state.last,
                time_ms,
                change,
            };
            log::debug!("event {}: {name}", event.seq);
            if state.backlog.len() == BACKLOG {
                state.backlog.pop_front();
            }
            state.backlog.push_back(Arc::new(Entry {
                seq: event.seq,
                name,
                data: protocol::json::compact(&event),
            }));
        }
        let last = state.last;
        self.latest.send_if_modified(|latest| match latest {
            Some(seen) if *seen != last => {
                *seen = last;
                true
            }
            _ => false,
        });
    }

    /// Lets all readers end, now and from now on.
    pub fn close(&self) {
        self.latest.send_replace(None);
    }

    /// Events so far, those that readers missed, and readers now.
    pub fn figures(&self) -> (u64, u64, usize) {
        let readers = READERS - self.places.available_permits();
        (
            self.state().last,
            self.missed.load(Ordering::Relaxed),
            readers,
        )
    }

    /// A new reader, which goes on after the event with the id `after` if it still can. `None` if
    /// there are too many.
    pub fn read(self: &Arc<Self>, after: Option<&str>) -> Option<Reader> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let state = self.state();
        let oldest = state.backlog.front().map_or(1, |entry| entry.seq);
        let resumed = match after {
            None => Ok(None),
            Some(id) => self.place_of(id, oldest, state.last).map(Some),
        };
        let snapshot = *resumed
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .unwrap_or(&state.last);
        let hello = Hello {
            controller: self.controller.clone(),
            snapshot,
        };
        let mut first = VecDeque::from([Item::Hello(hello)]);
        if let Err(reason) = resumed {
            first.push_back(self.resync(reason, snapshot));
        }
        Some(Reader {
            first,
            next: snapshot + 1,
            latest: self.latest.subscribe(),
            cut: false,
            events: self.clone(),
            _place: place,
        })
    }

    /// The number in `id`, if all events after it are still there.
    fn place_of(&self, id: &str, oldest: u64, last: u64) -> Result<u64, String> {
        let (controller, number) = id.split_once('-').unwrap_or((id, ""));
        let Ok(number) = number.parse::<u64>() else {
            return Err("the id in Last-Event-ID is none of this controller's".to_owned());
        };
        if controller != self.controller || number > last {
            return Err("the controller was started anew".to_owned());
        }
        if number + 1 < oldest {
            self.missed
                .fetch_add(oldest - number - 1, Ordering::Relaxed);
            return Err(format!(
                "{} events were missed: only the last {BACKLOG} are kept",
                oldest - number - 1
            ));
        }
        Ok(number)
    }

    fn resync(&self, reason: String, seq: u64) -> Item {
        Item::Resync(self.id(seq), Resync { reason })
    }

    /// The id of an event: that of another run of the controller differs.
    pub fn id(&self, seq: u64) -> String {
        format!("{}-{seq}", self.controller)
    }
}

/// What a reader is told.
#[derive(Debug)]
pub(crate) enum Item {
    /// The first.
    Hello(Hello),
    /// Something changed.
    Event(Arc<Entry>),
    /// Events were missed. The id is that of the last event until now.
    Resync(String, Resync),
}

/// One reader's place.
pub(crate) struct Reader {
    first: VecDeque<Item>,
    /// Number of the event that it is told next.
    next: u64,
    latest: watch::Receiver<Option<u64>>,
    /// It was told that it was too slow, and nothing more.
    cut: bool,
    events: Arc<Events>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// What comes next; waits for it. `None` at the end.
    pub async fn next(&mut self) -> Option<Item> {
        if let Some(item) = self.first.pop_front() {
            return Some(item);
        }
        if self.cut {
            return None;
        }
        let next = self.next;
        let there = |latest: &Option<u64>| latest.is_none_or(|last| last >= next);
        // None: the controller ends. The sender lives as long as we do.
        (*self.latest.wait_for(there).await.ok()?)?;
        let state = self.events.state();
        let oldest = state.backlog.front().map_or(1, |entry| entry.seq);
        let place = next.checked_sub(oldest).map(|at| at as usize);
        match place.and_then(|at| state.backlog.get(at)) {
            Some(entry) => {
                self.next += 1;
                Some(Item::Event(entry.clone()))
            }
            None => {
                self.cut = true;
                let missed = oldest.saturating_sub(next);
                self.events.missed.fetch_add(missed, Ordering::Relaxed);
                let reason = format!("{missed} events were missed: this reader is too slow");
                Some(self.events.resync(reason, state.last))
            }
        }
    }

    /// The id of the event `seq`.
    pub fn id(&self, seq: u64) -> String {
        self.events.id(seq)
    }
}

#[cfg(test)]
mod tests;
