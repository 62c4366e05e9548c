//! What passes interfaces of a network that is up, of many nodes at once, in the order of time.

mod file;
mod kept;
mod places;
mod recorded;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sys::epoll::Epoll;
use sys::packets::Socket;

use crate::error::{Error, Result};
use crate::running::Running;

pub use file::{Count, Limits, PROGRAM};
pub use kept::{Keeping, Kept};
pub use places::{Place, all, places};
pub(crate) use recorded::recorded;

/// Longest frame that is kept whole, in bytes: more than any has, those of the kernel's own segmentation too.
const LONGEST: usize = 128 * 1024;

/// Longest wait for a frame, after which is looked whether to go on.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a frame may be under way from its time to our socket. Others that are older may come until then.
const LATE: Duration = Duration::from_millis(20);

/// Frames that are read of one interface before the next one has its turn.
const TURN: usize = 256;

/// How long the kernel may take to begin with times.
const TIMES_LIMIT: Duration = Duration::from_secs(5);

/// Sockets at interfaces of nodes. The kernel keeps frames for it from when it is opened.
pub struct Capture<'a> {
    running: &'a Running,
    places: Vec<Place>,
    sockets: Vec<Socket>,
    /// Frames that were read and not yet given, by time and in the order of reading.
    waiting: BTreeMap<(u64, u64), Seen>,
    read: u64,
    buffer: Vec<u8>,
}

/// A frame at an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which of the capture's [places](Capture::places).
    pub place: usize,
    /// When it was there, in nanoseconds from 1970.
    pub timestamp_ns: u64,
    /// It left by the interface; the others arrived.
    pub sent: bool,
    /// How many bytes it had.
    pub original: u32,
    /// Its bytes, from Ethernet's header on; at most 128 KiB.
    pub data: Vec<u8>,
}

impl<'a> Capture<'a> {
    /// Opens a socket at each place. It takes CAP_NET_RAW in the nodes.
    ///
    /// # Errors
    /// The network has gone, no descriptor is free, or the kernel does not tell times.
    pub fn open(running: &'a Running, places: Vec<Place>) -> Result<Self> {
        let mut sockets: Vec<Socket> = Vec::new();
        for place in &places {
            let index = running.nodes()[place.node].interfaces[place.interface].index;
            let first = sockets.is_empty();
            let socket = running.within(place.node, || {
                let socket = Socket::open(index)?;
                if first && !Socket::wait_for_times(TIMES_LIMIT)? {
                    return Err(Error::Refused(format!(
                        "the kernel has not begun to tell the times of packets within {} s",
                        TIMES_LIMIT.as_secs()
                    )));
                }
                Ok(socket)
            })?;
            sockets.push(socket);
        }
        Ok(Self {
            running,
            places,
            sockets,
            waiting: BTreeMap::new(),
            read: 0,
            buffer: vec![0; LONGEST],
        })
    }

    /// Where it looks.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Gives frames to `each` in the order of their times, until it gives `false`, `stop` is set, or `end` has come. Then those
    /// are given that were there before, and whatever was read is forgotten. `pause` is called when there is nothing more for
    /// now.
    ///
    /// # Errors
    /// The network is taken down; or what `each` or `pause` say.
    pub fn frames(
        &mut self,
        stop: &AtomicBool,
        end: Option<Instant>,
        each: &mut dyn FnMut(&Seen) -> Result<bool>,
        pause: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let result = self.give(stop, end, each, pause);
        self.waiting.clear();
        result
    }

    fn give(
        &mut self,
        stop: &AtomicBool,
        end: Option<Instant>,
        each: &mut dyn FnMut(&Seen) -> Result<bool>,
        pause: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut ready = Vec::new();
        let mut epoll = Epoll::new()?;
        for (number, socket) in (0..).zip(&self.sockets) {
            epoll.add(socket, number)?;
        }
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let gone = !self.running.is_alive();
            let over =
                gone || stop.load(Ordering::Relaxed) || left.is_some_and(|left| left.is_zero());
            // What is under way at the end is waited for; what begins after it is not ours.
            let last = over.then(|| {
                let last = now_ns();
                std::thread::sleep(LATE);
                last
            });
            let limit = if over { Duration::ZERO } else { PAUSE };
            epoll.wait(&mut ready, Some(limit.min(left.unwrap_or(limit))))?;
            let mut complete = match last {
                Some(last) => last,
                None => now_ns().saturating_sub(LATE.as_nanos() as u64),
            };
            let numbers: Vec<usize> = match over {
                true => (0..self.sockets.len()).collect(),
                false => ready
                    .iter()
                    .filter_map(|&n| usize::try_from(n).ok())
                    .collect(),
            };
            for number in numbers {
                loop {
                    match self.turn(number)? {
                        // Of this one older frames are still to come.
                        Some(newest) if !over => complete = complete.min(newest),
                        Some(newest) if newest <= complete => continue,
                        _ => {}
                    }
                    break;
                }
            }
            let later = self.waiting.split_off(&(complete.saturating_add(1), 0));
            for seen in std::mem::replace(&mut self.waiting, later).values() {
                if !each(seen)? {
                    return Ok(());
                }
            }
            match (over, gone) {
                (false, _) => pause()?,
                (true, false) => return Ok(()),
                (true, true) => {
                    return Err(Error::Refused(format!(
                        "the network '{}' has been taken down",
                        self.running.name()
                    )));
                }
            }
        }
    }

    /// Reads frames of one interface; the time of the newest, if there may be more.
    fn turn(&mut self, number: usize) -> Result<Option<u64>> {
        let mut newest = 0;
        for _ in 0..TURN {
            let Some(frame) = self.sockets[number].read(&mut self.buffer)? else {
                return Ok(None);
            };
            newest = frame.timestamp_ns.unwrap_or_else(now_ns);
            let seen = Seen {
                place: number,
                timestamp_ns: newest,
                sent: frame.sent,
                original: u32::try_from(frame.original).unwrap_or(u32::MAX),
                data: self.buffer[..frame.length].to_vec(),
            };
            self.waiting.insert((newest, self.read), seen);
            self.read += 1;
        }
        Ok(Some(newest))
    }

    /// For each place, how many frames the kernel had for us since the last question, and how many of them were lost because we
    /// read too slowly.
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn counts(&self) -> Result<Vec<(u64, u64)>> {
        let counts = self.sockets.iter().map(|socket| Ok(socket.counts()?));
        counts.collect()
    }
}

/// Nanoseconds from 1970.
#[must_use]
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
