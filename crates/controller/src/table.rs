//! Who is connected.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::reply::ProcessKind;

use crate::events::Events;
use crate::peer::Peer;

/// A process whose connection closed.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    pub kind: ProcessKind,
    pub id: u32,
    pub since: Instant,
    pub reason: String,
}

/// Who is connected, and who was. Its lock is never held across an await.
#[derive(Default)]
pub(crate) struct Table {
    state: Mutex<State>,
    /// What changes is told here, in the order in which it changes.
    pub events: Arc<Events>,
}

struct State {
    /// In the order of registration; one process an id.
    peers: Vec<Arc<Peer>>,
    gone: Vec<Gone>,
    had_peer: bool,
    /// The last primary announced its end before it closed.
    primary_ended: bool,
    changed: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self {
            peers: Vec::new(),
            gone: Vec::new(),
            had_peer: false,
            primary_ended: false,
            changed: Instant::now(),
        }
    }
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process with this id.
    pub fn find(&self, id: u32) -> Option<Arc<Peer>> {
        self.state()
            .peers
            .iter()
            .find(|peer| peer.id == id)
            .cloned()
    }

    /// All processes: the primary, then the others in the order of their registration.
    pub fn all(&self) -> Vec<Arc<Peer>> {
        let mut peers = self.state().peers.clone();
        peers.sort_by_key(|peer| peer.kind != ProcessKind::Primary);
        peers
    }

    /// Processes that closed their connection less than `within` ago and did not return.
    pub fn gone(&self, within: Duration) -> Vec<Gone> {
        let mut state = self.state();
        state.gone.retain(|gone| gone.since.elapsed() < within);
        state.gone.clone()
    }

    /// Puts `peer` in, also in place of the connection whose serial is `replace`.
    ///
    /// Gives the connection that was replaced.
    ///
    /// # Errors
    /// The connection that has the id now, if it is another one. Nothing has changed then.
    pub fn register(
        &self,
        peer: &Arc<Peer>,
        replace: Option<u64>,
    ) -> Result<Option<Arc<Peer>>, Arc<Peer>> {
        let mut state = self.state();
        let same_id = state.peers.iter_mut().find(|old| old.id == peer.id);
        let old = match same_id {
            Some(old) if Some(old.serial) == replace => Some(std::mem::replace(old, peer.clone())),
            Some(old) => return Err(old.clone()),
            None => {
                state.peers.push(peer.clone());
                None
            }
        };
        state.gone.retain(|gone| gone.id != peer.id);
        if let Some(old) = &old {
            self.events.left(old, "another took its place", false);
        }
        self.events.joined(peer);
        state.had_peer = true;
        state.primary_ended &= peer.kind != ProcessKind::Primary;
        state.changed = Instant::now();
        Ok(old)
    }

    /// Takes `peer` out because its connection closed, or because it acknowledged `exit`.
    /// `clean` says that it ended on purpose. Does nothing if it is not in (any more).
    pub fn closed(&self, peer: &Peer, reason: &str, clean: bool) {
        let mut state = self.state();
        let before = state.peers.len();
        state.peers.retain(|other| other.serial != peer.serial);
        if state.peers.len() == before {
            return;
        }
        self.events.left(peer, reason, clean);
        state.gone.retain(|gone| gone.id != peer.id);
        state.gone.push(Gone {
            kind: peer.kind,
            id: peer.id,
            since: Instant::now(),
            reason: reason.to_owned(),
        });
        if peer.kind == ProcessKind::Primary {
            state.primary_ended = clean;
        }
        state.changed = Instant::now();
    }

    /// A primary has ended by its own will without having been registered; if one is, its connection tells more.
    pub fn primary_left(&self) {
        let mut state = self.state();
        if !state.peers.iter().any(|p| p.kind == ProcessKind::Primary) {
            (state.had_peer, state.primary_ended) = (true, true);
            state.changed = Instant::now();
        }
    }

    /// Whether the primary has ended cleanly and nothing was connected for `grace`.
    pub fn is_over(&self, grace: Duration) -> bool {
        let state = self.state();
        state.had_peer
            && state.primary_ended
            && state.peers.is_empty()
            && state.changed.elapsed() >= grace
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::config::Limits;
    use crate::peer::Link;

    async fn peer(kind: ProcessKind, id: u32) -> Arc<Peer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        Peer::new(kind, id, None, Link::new(stream), Limits::default()).0
    }

    #[tokio::test]
    async fn it_is_over_only_after_a_clean_end_of_the_primary() {
        let table = Table::default();
        let primary = peer(ProcessKind::Primary, 0).await;
        let nfv = peer(ProcessKind::Nfv, 1).await;
        let over = || table.is_over(Duration::ZERO);
        assert!(!over(), "nothing was connected");
        table.register(&primary, None).ok().unwrap();
        table.closed(&primary, "killed", false);
        assert!(!over(), "the primary did not end cleanly");
        table.register(&primary, None).ok().unwrap();
        table.register(&nfv, None).ok().unwrap();
        table.closed(&primary, "ended", true);
        assert!(!over(), "nfv 1 is connected");
        table.closed(&nfv, "killed", false);
        assert!(over());
        assert!(
            !table.is_over(Duration::from_secs(600)),
            "not for long enough"
        );
        table.register(&primary, None).ok().unwrap();
        table.closed(&primary, "killed", false);
        assert!(!over(), "the next primary did not end cleanly");
    }

    #[tokio::test]
    async fn it_is_over_when_the_primary_left_before_it_was_registered() {
        let primary = peer(ProcessKind::Primary, 0).await;
        let table = Table::default();
        table.primary_left();
        assert!(
            table.is_over(Duration::ZERO),
            "it ended before it was registered"
        );
        table.register(&primary, None).ok().unwrap();
        table.primary_left();
        table.closed(&primary, "killed", false);
        assert!(!table.is_over(Duration::ZERO), "that was another one");
    }

    #[tokio::test]
    async fn an_id_has_one_connection() {
        let table = Table::default();
        let (old, new) = (
            peer(ProcessKind::Nfv, 1).await,
            peer(ProcessKind::Vf, 1).await,
        );
        table.register(&old, None).ok().unwrap();
        assert_eq!(table.register(&new, None).err().unwrap().serial, old.serial);
        let replaced = table.register(&new, Some(old.serial)).ok().unwrap();
        assert_eq!(replaced.unwrap().serial, old.serial);
        // The end of the replaced connection comes later and changes nothing.
        table.closed(&old, "replaced", false);
        assert_eq!(table.find(1).unwrap().serial, new.serial);
        assert!(table.gone(Duration::from_secs(600)).is_empty());
    }
}
