//! The receiving side of a run.

use std::sync::Arc;

use dpdk::{BURST, Burst};
use panel::Port;
use panel::port::Context;

use super::age::Ages;
use super::buffers::{Buffer, Shown};
use crate::replay::Matcher;
use crate::{Checker, Verdict};

/// How frames are accounted for.
pub(super) enum Judge {
    /// By flow and number.
    Numbers(Checker),
    /// By their bytes.
    Content(Matcher),
}

/// The receiving side.
pub(super) struct Receiving {
    port: Arc<Port>,
    pub(super) judge: Judge,
    frame: Vec<u8>,
    /// Frames of ours, whatever became of them.
    pub(super) arrived: u64,
    pub(super) received: u64,
    /// Bytes of all that came.
    pub(super) bytes: u64,
    pub(super) ages: Ages,
    pub(super) shown: Shown,
}

impl Receiving {
    /// Of the first `show` frames the mbufs are noted.
    pub(super) fn new(port: Arc<Port>, judge: Judge, show: usize) -> Self {
        Self {
            port,
            judge,
            frame: vec![0; 65_536],
            arrived: 0,
            received: 0,
            bytes: 0,
            ages: Ages::default(),
            shown: Shown::first(show),
        }
    }

    /// Checks a burst; returns how many packets came.
    pub(super) fn receive(&mut self, cx: &mut Context, burst: &mut Burst, now_ns: u64) -> usize {
        // Chains of 64 kB have 32 segments: six of them are fewer than a worker has at hand.
        let most = if burst.segments() as usize > 3 * BURST {
            6
        } else {
            BURST
        };
        let count = self.port.receive(cx, burst, most);
        self.bytes += burst.bytes();
        let whole = burst.segments() as usize == count;
        let frame = &mut self.frame;
        match &mut self.judge {
            Judge::Numbers(checker) => {
                for i in 0..count {
                    let bytes = packet(burst, i, whole, frame);
                    let verdict = checker.check(bytes, now_ns);
                    if self.shown.wanted() > 0
                        && let Some((flow, sequence)) = checker.number(bytes)
                        && let Some(address) = burst.address(i)
                    {
                        self.shown.note(Buffer {
                            flow,
                            sequence,
                            address,
                        });
                    }
                    if let Verdict::Received { age_ns } | Verdict::Reordered { age_ns } = verdict {
                        self.received += 1;
                        self.ages.add(age_ns);
                    }
                    self.arrived += u64::from(verdict != Verdict::Foreign);
                }
            }
            Judge::Content(matcher) => {
                for i in 0..count {
                    let known = u64::from(matcher.take(packet(burst, i, whole, frame)));
                    self.received += known;
                    self.arrived += known;
                }
            }
        }
        burst.clear(&mut cx.cache);
        count
    }

    /// Frames that are missing before the last that came, as far as that is known.
    pub(super) fn missing(&self) -> Option<u64> {
        match &self.judge {
            Judge::Numbers(checker) => Some(checker.missing()),
            Judge::Content(_) => None,
        }
    }

    /// Packets that are not ours.
    pub(super) fn foreign(&self) -> u64 {
        match &self.judge {
            Judge::Numbers(checker) => checker.foreign(),
            Judge::Content(matcher) => matcher.foreign(),
        }
    }
}

/// Packet `i` of a burst; `whole`: each is in one mbuf, else it is copied into `room`.
#[inline]
fn packet<'a>(burst: &'a Burst, i: usize, whole: bool, room: &'a mut [u8]) -> &'a [u8] {
    match burst.packet(i) {
        Some(first) if whole => first,
        _ => {
            let length = burst.copy_packet(i, room).unwrap_or(0);
            &room[..length.min(room.len())]
        }
    }
}
