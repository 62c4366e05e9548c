//! How many connections there are, and which one goes when there are too many.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::metrics::Figures;

/// Connections at the same time.
const AT_ONCE: usize = 512;

/// A connection without a request for this time has to go when there are too many.
const IDLE: Duration = Duration::from_millis(250);

/// Longest wait before looking again for one that has to go.
const GLANCE: Duration = Duration::from_millis(50);

/// All connections.
pub(crate) struct Connections {
    list: Mutex<Vec<Weak<Connection>>>,
    /// One was closed.
    room: Arc<Notify>,
    figures: Arc<Figures>,
}

/// One connection, as long as its task runs.
pub(crate) struct Connection {
    state: Mutex<State>,
    closing: Notify,
    room: Arc<Notify>,
    figures: Arc<Figures>,
}

struct State {
    /// Requests that run, or whose answers are on their way.
    running: usize,
    /// Since when none runs.
    idle: Instant,
    closing: bool,
}

impl Connections {
    pub fn new(figures: Arc<Figures>) -> Self {
        Self {
            list: Mutex::default(),
            room: Arc::default(),
            figures,
        }
    }

    /// Takes a connection in. If there are too many it waits, and closes the one that has been
    /// without a request for the longest time: nobody can keep others out by doing nothing.
    pub async fn add(&self) -> Arc<Connection> {
        while !self.has_room() {
            // Also when nothing was closed: by now another may be idle for long enough.
            let _ = timeout(GLANCE, self.room.notified()).await;
        }
        let connection = Arc::new(Connection {
            state: Mutex::new(State {
                running: 0,
                idle: Instant::now(),
                closing: false,
            }),
            closing: Notify::new(),
            room: self.room.clone(),
            figures: self.figures.clone(),
        });
        self.figures.connections.inc();
        self.list().push(Arc::downgrade(&connection));
        connection
    }

    fn list(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room; else lets an idle connection go.
    fn has_room(&self) -> bool {
        let mut list = self.list();
        if list.len() < AT_ONCE {
            return true;
        }
        list.retain(|connection| connection.strong_count() > 0);
        if list.len() < AT_ONCE {
            return true;
        }
        let open = list.iter().filter_map(Weak::upgrade);
        let idle = open.filter_map(|connection| connection.idle_since().map(|at| (at, connection)));
        if let Some((since, connection)) = idle.min_by_key(|(since, _)| *since)
            && since.elapsed() >= IDLE
        {
            self.figures.refused("rest", "idle");
            connection.close();
        }
        false
    }
}

impl Connection {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.running == 0 && !state.closing).then_some(state.idle)
    }

    fn close(&self) {
        self.state().closing = true;
        self.closing.notify_one();
    }

    /// Waits until the connection has to go.
    pub async fn closing(&self) {
        self.closing.notified().await;
    }

    /// A request runs until what this gives is dropped.
    pub fn begin(self: &Arc<Self>) -> Busy {
        self.state().running += 1;
        Busy(self.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.figures.connections.dec();
        self.room.notify_one();
    }
}

/// A request that runs.
pub(crate) struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running -= 1;
        state.idle = Instant::now();
    }
}

/// The body of an answer: the request runs until it is sent.
pub(crate) struct Guarded {
    body: Body,
    _busy: Busy,
}

impl Guarded {
    pub fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
