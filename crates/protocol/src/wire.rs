//! Bytes of the wire become commands (in processes) and replies (in the controller).
//!
//! The original has no framing: a command is what one `recv` gave, a reply ends where its JSON
//! ends or after 32768 padded bytes. Ours end with a newline once both sides know it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thiserror::Error;

pub use crate::command::MAX_COMMAND;

/// Quiet time that ends a command of the original's controller.
pub const QUIET: Duration = Duration::from_millis(1);

/// Largest reply that the controller takes, in bytes.
pub const MAX_REPLY: usize = 4 << 20;

/// Size to which the original's `nfv` and `primary` pad their replies, in bytes.
pub const PADDED_REPLY: usize = 32768;

/// What a process of ours sends on its own (in newline framing, with the newline) just before it
/// closes the connection because it ends cleanly.
pub const BYE: &str = "_bye";

/// How messages are told from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// As in the original.
    #[default]
    Legacy,
    /// One line each.
    Newline,
}

/// What [`CommandFramer::poll`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// A command, without its newline. Bytes that are no UTF-8 are replaced by `U+FFFD`.
    Command(String),
    /// A command longer than [`MAX_COMMAND`], of which nothing is kept; it comes when the command
    /// is over, so that what the peer sends after the answer is a command again. To be answered
    /// by a refusal, since the peer waits for an answer.
    TooLong,
}

/// Finds commands in what a process receives.
#[derive(Debug, Default)]
pub struct CommandFramer {
    framing: Framing,
    buffer: Vec<u8>,
    discarding: bool,
    last: Option<Instant>,
    ready: VecDeque<Framed>,
}

impl CommandFramer {
    /// For a new connection, in the original's framing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the framing. Bytes that no command was made of yet are read in the new one.
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
        self.discarding = false;
        let bytes = std::mem::take(&mut self.buffer);
        if let Some(last) = self.last.take().filter(|_| !bytes.is_empty()) {
            self.push(&bytes, last);
        }
    }

    /// Takes what was received at `now`.
    pub fn push(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        self.last = Some(now);
        match self.framing {
            Framing::Legacy => self.take_part(bytes),
            Framing::Newline => {
                let mut lines = bytes.split(|&b| b == b'\n');
                let tail = lines.next_back().unwrap_or_default();
                for line in lines {
                    self.take_part(line);
                    self.finish();
                }
                self.take_part(tail);
            }
        }
    }

    /// Gives the next command that is complete at `now`.
    ///
    /// In the original's framing, call it only when the socket has nothing more to read: the
    /// quiet time counts from the last [`Self::push`].
    pub fn poll(&mut self, now: Instant) -> Option<Framed> {
        if self.framing == Framing::Legacy && self.deadline().is_some_and(|end| now >= end) {
            self.finish();
        }
        self.ready.pop_front()
    }

    /// When [`Self::poll`] has to be called again even if nothing is received.
    pub fn deadline(&self) -> Option<Instant> {
        match self.framing {
            Framing::Legacy => self.last.map(|last| last + QUIET),
            Framing::Newline => None,
        }
    }

    fn take_part(&mut self, bytes: &[u8]) {
        if self.discarding {
            return;
        }
        if self.buffer.len() + bytes.len() > MAX_COMMAND {
            self.buffer = Vec::new();
            self.discarding = true;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self) {
        self.last = None;
        if std::mem::take(&mut self.discarding) {
            self.ready.push_back(Framed::TooLong);
            return;
        }
        let command = String::from_utf8_lossy(&self.buffer);
        let command = command.strip_suffix('\r').unwrap_or(&command).to_owned();
        self.buffer.clear();
        self.ready.push_back(Framed::Command(command));
    }
}

/// Why the bytes of a peer cannot be read as replies any more. The connection is of no use then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// More than [`MAX_REPLY`] without an end.
    #[error("a reply of more than {MAX_REPLY} bytes")]
    TooLong,
}

/// Finds replies in what the controller receives from one process.
#[derive(Debug, Default)]
pub struct ReplyReader {
    framing: Framing,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were looked at.
    seen: usize,
    /// Open brackets of the JSON value at the start of `buffer`.
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl ReplyReader {
    /// For a new connection, in the original's framing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the framing for what comes next.
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
        self.restart();
    }

    /// Takes what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the next complete reply. Padding is gone; NULs within an echo are left.
    ///
    /// # Errors
    /// [`ReplyError`] if no end is in sight: close the connection.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, ReplyError> {
        if self.seen == 0 {
            // Padding of the reply before, and newlines between the framings.
            let padding = |b: &u8| *b == 0 || b.is_ascii_whitespace();
            let start = self.buffer.iter().position(|b| !padding(b));
            self.buffer.drain(..start.unwrap_or(self.buffer.len()));
        }
        let end = match self.framing {
            Framing::Newline => self.line_end(),
            Framing::Legacy if self.buffer.first() == Some(&b'{') => self.json_end(),
            Framing::Legacy => (self.buffer.len() >= PADDED_REPLY).then_some(PADDED_REPLY),
        };
        match end {
            Some(end) => {
                let mut reply: Vec<u8> = self.buffer.drain(..end).collect();
                let padding = |b: &u8| *b == 0 || b.is_ascii_whitespace();
                let text = reply
                    .iter()
                    .rposition(|b| !padding(b))
                    .map_or(0, |last| last + 1);
                reply.truncate(text);
                self.restart();
                Ok(Some(reply))
            }
            None if self.buffer.len() > MAX_REPLY => Err(ReplyError::TooLong),
            None => Ok(None),
        }
    }

    fn restart(&mut self) {
        self.seen = 0;
        self.depth = 0;
        self.in_string = false;
        self.escaped = false;
    }

    fn line_end(&mut self) -> Option<usize> {
        let found = self.buffer[self.seen..].iter().position(|&b| b == b'\n');
        let end = found.map(|at| self.seen + at + 1);
        self.seen = self.buffer.len();
        end
    }

    /// Where the JSON value ends whose first byte is the first of the buffer.
    fn json_end(&mut self) -> Option<usize> {
        for (at, &byte) in self.buffer.iter().enumerate().skip(self.seen) {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        self.seen = self.buffer.len();
        None
    }
}

#[cfg(test)]
mod tests;
