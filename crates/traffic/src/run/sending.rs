//! The sending side of a run.

use std::sync::Arc;

use dpdk::{BURST, Burst};
use panel::Port;
use panel::port::Context;

use super::buffers::{Buffer, Shown};
use crate::Generator;
use crate::frame::MAX_SIZE;
use crate::frames::Frames;
use crate::replay::Player;

/// Bytes of a frame in the first mbuf; the rest is in chained ones.
const ROOM: usize = 2048;
/// mbufs that may be taken between two burst boundaries: fewer than a worker keeps at hand.
const AT_ONCE: usize = 160;

/// Where frames come from.
enum Source {
    /// Flows that take turns.
    Flows {
        flows: Vec<Generator>,
        /// The flow whose turn it is.
        turn: usize,
        frame: Vec<u8>,
    },
    /// A capture.
    Replay(Player),
}

/// The sending side.
pub(super) struct Sending {
    port: Arc<Port>,
    source: Source,
    /// Most frames in a burst.
    most: usize,
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) refused: u64,
    pub(super) shown: Shown,
}

impl Sending {
    /// Flows that take turns; of the first `show` frames the mbufs are noted.
    pub(super) fn flows(port: Arc<Port>, flows: Vec<Frames>, show: usize) -> Self {
        let longest = flows.iter().map(Frames::largest).max().unwrap_or(ROOM);
        let source = Source::Flows {
            flows: flows.into_iter().map(Generator::new).collect(),
            turn: 0,
            frame: vec![0; MAX_SIZE],
        };
        Self {
            shown: Shown::first(show),
            ..Self::new(port, source, longest)
        }
    }

    pub(super) fn replay(port: Arc<Port>, player: Player) -> Self {
        let longest = player.longest();
        Self::new(port, Source::Replay(player), longest)
    }

    fn new(port: Arc<Port>, source: Source, longest: usize) -> Self {
        Self {
            port,
            source,
            most: (AT_ONCE / longest.div_ceil(ROOM)).clamp(1, BURST),
            sent: 0,
            sent_bytes: 0,
            refused: 0,
            shown: Shown::default(),
        }
    }

    /// How many of the next `wanted` frames are due, so long after the start.
    pub(super) fn due(&self, now_ns: u64, wanted: usize) -> usize {
        match &self.source {
            Source::Flows { .. } => wanted,
            Source::Replay(player) => player.due(now_ns, wanted),
        }
    }

    /// Sends up to `wanted` frames; returns how many the port took. What it refused is taken back.
    pub(super) fn send(
        &mut self,
        cx: &mut Context,
        burst: &mut Burst,
        wanted: usize,
        now_ns: u64,
    ) -> usize {
        let wanted = wanted.min(self.most);
        if !cx.stocked || cx.cache.alloc(burst, wanted) != wanted {
            return 0;
        }
        let lying = match self.shown.wanted() {
            0 => Vec::new(),
            _ => self.source.buffers(burst, wanted),
        };
        let made = self.source.fill(cx, burst, wanted, now_ns);
        if made < wanted {
            // No mbuf for the chain, or a pool of small buffers: nothing of this burst goes.
            self.source.settle(made, 0);
            burst.clear(&mut cx.cache);
            return 0;
        }
        let (taken, bytes) = self.port.send(cx, burst);
        self.source.settle(wanted, taken);
        lying
            .into_iter()
            .take(taken)
            .for_each(|buffer| self.shown.note(buffer));
        self.sent += taken as u64;
        self.sent_bytes += bytes;
        self.refused += (wanted - taken) as u64;
        burst.clear(&mut cx.cache);
        taken
    }

    /// How many frames of a flow were sent; `None` if there is none.
    pub(super) fn sent_of(&self, flow: u16) -> Option<u64> {
        match &self.source {
            Source::Flows { flows, .. } => Some(flows.get(usize::from(flow))?.sent()),
            Source::Replay(_) => None,
        }
    }
}

impl Source {
    /// Makes the next `wanted` frames in the mbufs of a burst; fewer if there is no room for one.
    #[inline]
    fn fill(&mut self, cx: &mut Context, burst: &mut Burst, wanted: usize, now_ns: u64) -> usize {
        let cache = &mut cx.cache;
        match self {
            Self::Flows { flows, turn, frame } => {
                let count = flows.len();
                let made = |i: &usize| {
                    let flow = &mut flows[(*turn + i) % count];
                    let size = flow.next_size();
                    if size <= ROOM {
                        let room = burst.write_packet(*i, size);
                        return room.is_some_and(|room| flow.next_into(room, now_ns).is_ok());
                    }
                    // Room for the longest frame.
                    let made = flow.next_into(frame, now_ns).is_ok();
                    let written = made && burst.write_frame(*i, &frame[..size], cache, ROOM);
                    flow.take_back(u64::from(made && !written));
                    written
                };
                (0..wanted).take_while(made).count()
            }
            Self::Replay(player) => {
                let made = |i: &usize| burst.write_frame(*i, player.packet(*i), cache, ROOM);
                (0..wanted).take_while(made).count()
            }
        }
    }

    /// The next `wanted` frames with the mbufs of this burst, in which they will be made.
    fn buffers(&self, burst: &Burst, wanted: usize) -> Vec<Buffer> {
        let Self::Flows { flows, turn, .. } = self else {
            return Vec::new();
        };
        let count = flows.len();
        let buffer = |i: usize| {
            let flow = &flows[(*turn + i) % count];
            Some(Buffer {
                flow: flow.flow(),
                sequence: flow.sent() + (i / count) as u64,
                address: burst.address(i)?,
            })
        };
        (0..wanted).filter_map(buffer).collect()
    }

    /// Of the `made` frames the first `taken` were sent; the others come again.
    fn settle(&mut self, made: usize, taken: usize) {
        match self {
            Self::Flows { flows, turn, .. } => {
                let count = flows.len();
                for i in taken..made {
                    flows[(*turn + i) % count].take_back(1);
                }
                *turn = (*turn + taken) % count;
            }
            Self::Replay(player) => player.pass(taken),
        }
    }
}
