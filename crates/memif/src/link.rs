//! The connection of a memif port, shared by its owner, its worker and its thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use sys::eventfd::EventFd;

use crate::ring::{Fault, Receiver, Sender};

/// What a worker sees of a port. The locks are held for a burst; the port's thread takes them to connect and to
/// disconnect, so that no memory goes while a worker is at it.
pub struct Link {
    up: AtomicBool,
    connections: AtomicU64,
    receiver: Mutex<Option<Receiver>>,
    sender: Mutex<Option<Sender>>,
    fault: Mutex<Option<Fault>>,
    ending: AtomicBool,
    /// Wakes the port's thread.
    pub(crate) bell: EventFd,
    /// Called when a peer has come.
    called: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("up", &self.up)
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(crate) fn new(called: Box<dyn Fn() + Send + Sync>) -> sys::Result<Self> {
        Ok(Link {
            up: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            receiver: Mutex::new(None),
            sender: Mutex::new(None),
            fault: Mutex::new(None),
            ending: AtomicBool::new(false),
            bell: EventFd::new()?,
            called,
        })
    }

    /// Whether a peer is connected and ready.
    #[inline(always)]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn connect(&self, receiver: Receiver, sender: Sender) {
        *locked(&self.receiver) = Some(receiver);
        *locked(&self.sender) = Some(sender);
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.up.store(true, Ordering::SeqCst);
        (self.called)();
    }

    pub(crate) fn disconnect(&self) {
        self.up.store(false, Ordering::SeqCst);
        // Waits until the worker is out of its burst.
        *locked(&self.receiver) = None;
        *locked(&self.sender) = None;
    }

    #[inline(always)]
    fn side<T, R>(
        &self,
        side: &Mutex<Option<T>>,
        work: impl FnOnce(&mut T) -> Result<R, Fault>,
    ) -> Option<R> {
        if !self.is_up() {
            return None;
        }
        let mut side = match side.try_lock() {
            Ok(side) => side,
            Err(TryLockError::Poisoned(side)) => side.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        match work(side.as_mut()?) {
            Ok(result) => Some(result),
            Err(fault) => {
                self.broke(fault);
                None
            }
        }
    }

    /// Lets `work` receive; `None` if nobody is connected. A fault that it gives ends the connection.
    #[inline(always)]
    pub fn receive<R>(&self, work: impl FnOnce(&mut Receiver) -> Result<R, Fault>) -> Option<R> {
        self.side(&self.receiver, work)
    }

    /// Lets `work` send; as [`Link::receive`].
    #[inline(always)]
    pub fn send<R>(&self, work: impl FnOnce(&mut Sender) -> Result<R, Fault>) -> Option<R> {
        self.side(&self.sender, work)
    }

    #[cold]
    fn broke(&self, fault: Fault) {
        self.up.store(false, Ordering::SeqCst);
        *locked(&self.fault) = Some(fault);
        self.wake();
    }

    pub(crate) fn take_fault(&self) -> Option<Fault> {
        locked(&self.fault).take()
    }

    fn wake(&self) {
        if let Err(e) = self.bell.ring() {
            log::error!("memif: {e}");
        }
    }

    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }
}
