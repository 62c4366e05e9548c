//! What a process has written.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What a process has written so far, standard output and error in the order of arrival.
#[derive(Default)]
pub(super) struct Output {
    text: Mutex<String>,
    pub(super) more: Condvar,
    open: AtomicUsize,
}

impl Output {
    pub(super) fn text(&self) -> MutexGuard<'_, String> {
        self.text
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether all pipes have come to their end.
    pub(super) fn closed(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    /// Reads `pipe` to its end on a thread of its own.
    pub(super) fn follow(self: &Arc<Self>, mut pipe: impl Read + Send + 'static) {
        let this = Arc::clone(self);
        this.open.fetch_add(1, Ordering::SeqCst);
        std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            // Bytes of a character that has not arrived as a whole.
            let mut rest = Vec::new();
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                rest.extend_from_slice(&chunk[..count]);
                let whole = match std::str::from_utf8(&rest) {
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => rest.len(),
                };
                let bytes: Vec<u8> = rest.drain(..whole).collect();
                this.text().push_str(&String::from_utf8_lossy(&bytes));
                this.more.notify_all();
            }
            this.open.fetch_sub(1, Ordering::SeqCst);
            this.more.notify_all();
        });
    }
}
