//! A capture as a file: pcapng, with an interface for each place.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use capfile::blocks::{self, Direction};
use capfile::{Interface, Statistics};
use sys::bpf::Filter;

use super::{Capture, LONGEST, Seen, now_ns};
use crate::error::{Error, Result};

/// What the file says of the program that wrote it.
pub const PROGRAM: &str = concat!("spp lab ", env!("CARGO_PKG_VERSION"));

/// Blocks are written in pieces of about this size.
const PIECE: usize = 256 * 1024;

/// Until when, and what.
pub struct Limits<'a> {
    /// From when on, in nanoseconds from 1970: now, or when the capture was opened at the earliest.
    pub start_ns: u64,
    /// Set from outside, it ends the capture.
    pub stop: &'a AtomicBool,
    /// When it ends.
    pub end: Option<Instant>,
    /// After how many frames it ends.
    pub count: Option<u64>,
    /// What is wanted, in tcpdump's language; nothing means all.
    pub filter: &'a str,
}

/// What became of frames at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The place.
    pub name: String,
    /// Frames that the kernel had for us.
    pub received: u64,
    /// Frames in the file.
    pub written: u64,
    /// Frames that were lost because we read too slowly.
    pub dropped: u64,
}

impl Capture<'_> {
    /// Writes what passes, and at the end what became of it. What is written can be read at every moment, up to the
    /// last whole block.
    ///
    /// # Errors
    /// The filter is none; `out` takes no more; the network is taken down (what was seen before is written).
    pub fn write(&mut self, out: &mut dyn Write, limits: &Limits<'_>) -> Result<Vec<Count>> {
        let filter = Filter::compile(limits.filter, LONGEST as u32)
            .map_err(|text| Error::Refused(format!("the filter '{}': {text}", limits.filter)))?;
        let mut written = vec![0; self.places.len()];
        let mut blocks = Vec::new();
        blocks::section(&mut blocks, PROGRAM);
        for place in &self.places {
            let interface = Interface {
                name: &place.name,
                program: PROGRAM,
                filter: limits.filter,
                snaplen: LONGEST as u32,
            };
            blocks::interface(&mut blocks, &interface);
        }
        let mut left = limits.count.unwrap_or(u64::MAX);
        let pending = std::cell::RefCell::new((blocks, out));
        let flush = || {
            let (blocks, out) = &mut *pending.borrow_mut();
            let done = out.write_all(blocks).and_then(|()| out.flush());
            blocks.clear();
            done.map_err(|e| Error::io("write the capture", e))
        };
        flush()?;
        let mut each = |seen: &Seen| {
            // The sockets were open before.
            if seen.timestamp_ns < limits.start_ns || !filter.passes(&seen.data, seen.original) {
                return Ok(true);
            }
            let full = {
                let (blocks, _) = &mut *pending.borrow_mut();
                blocks::packet(blocks, &packet(seen));
                blocks.len() >= PIECE
            };
            written[seen.place] += 1;
            left -= 1;
            if full {
                flush()?;
            }
            Ok(left > 0)
        };
        let ended = self.frames(limits.stop, limits.end, &mut each, &mut || flush());
        let counts = self.counts()?;
        let end_ns = now_ns();
        let mut told = Vec::new();
        for (number, place) in (0..).zip(&self.places) {
            let (received, dropped) = counts[told.len()];
            let accepted = written[told.len()];
            let statistics = Statistics {
                start_ns: limits.start_ns,
                end_ns,
                received,
                accepted,
                dropped,
            };
            blocks::statistics(&mut pending.borrow_mut().0, number, &statistics);
            told.push(Count {
                name: place.name.clone(),
                received,
                written: accepted,
                dropped,
            });
        }
        flush()?;
        ended.map(|()| told)
    }
}

fn packet(seen: &Seen) -> blocks::Packet<'_> {
    blocks::Packet {
        interface: u32::try_from(seen.place).unwrap_or(u32::MAX),
        timestamp_ns: seen.timestamp_ns,
        original: seen.original,
        data: &seen.data,
        direction: Some(if seen.sent {
            Direction::Out
        } else {
            Direction::In
        }),
    }
}
