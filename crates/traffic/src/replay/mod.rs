//! Replaying a capture, and recognising its packets by their content where they arrive.

mod matcher;
mod player;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use matcher::{ContentTotals, Matcher};
pub use player::Pace;
pub(crate) use player::Player;

/// Most bytes of packets that are kept in memory.
const MOST_BYTES: usize = 1 << 30;
/// The longest packet: what a port can receive.
const LONGEST: usize = 65_535;

/// Why a capture cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file.
    #[error(transparent)]
    File(#[from] capfile::Error),
    /// There is nothing in it.
    #[error("{}: no packets in it", .0.display())]
    Empty(PathBuf),
    /// A packet that was not captured as a whole.
    #[error(
        "{}: packet {number} was cut to {kept} of its {whole} bytes when it was captured: what is missing cannot be sent (capture with a larger snap length)",
        path.display()
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// Which packet, from 1.
        number: usize,
        /// Bytes that are there.
        kept: usize,
        /// Bytes that it had.
        whole: u32,
    },
    /// A packet that no port takes.
    #[error("{}: packet {number} has {length} bytes: 14 to {LONGEST} can be sent", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Which packet, from 1.
        number: usize,
        /// Its length.
        length: usize,
    },
    /// More than fits.
    #[error("{}: more than {} MB of packets: cut it into parts (editcap -c)", .0.display(), MOST_BYTES >> 20)]
    TooLarge(PathBuf),
    /// Packets without times cannot be replayed at their speed.
    #[error("{}: packet {number} has no time: give a speed, such as --speed max", path.display())]
    NoTime {
        /// The file.
        path: PathBuf,
        /// Which packet, from 1.
        number: usize,
    },
}

/// The packets of a capture file, in memory; such with the same bytes are there once.
#[derive(Debug)]
pub struct Capture {
    /// For each packet, in the order of the file, which content it has.
    order: Vec<u32>,
    contents: Vec<Arc<[u8]>>,
    /// For each content its number.
    known: HashMap<Arc<[u8]>, u32>,
    /// For each packet when it was captured, in nanoseconds from the first on; never falling. `None` if one has no time.
    times: Option<Vec<u64>>,
    bytes: u64,
    longest: usize,
}

impl Capture {
    /// Reads a file. `timed`: each packet has to say when it was captured.
    ///
    /// # Errors
    /// It is no capture, or one that cannot be replayed.
    pub fn read(path: &Path, timed: bool) -> Result<Self, ReplayError> {
        let mut reader = capfile::Reader::open(path)?;
        let mut capture = Self {
            order: Vec::new(),
            contents: Vec::new(),
            known: HashMap::new(),
            times: timed.then(Vec::new),
            bytes: 0,
            longest: 0,
        };
        let mut kept = 0;
        let mut first = None;
        while let Some(packet) = reader.next_packet()? {
            let (number, length) = (capture.order.len() + 1, packet.data.len());
            let path = || path.to_owned();
            if packet.original_len as usize > length {
                let whole = packet.original_len;
                return Err(ReplayError::Cut {
                    path: path(),
                    number,
                    kept: length,
                    whole,
                });
            }
            if !(14..=LONGEST).contains(&length) {
                return Err(ReplayError::Length {
                    path: path(),
                    number,
                    length,
                });
            }
            if let Some(times) = &mut capture.times {
                let time = packet.timestamp_ns.ok_or_else(|| ReplayError::NoTime {
                    path: path(),
                    number,
                })?;
                let since = time.saturating_sub(*first.get_or_insert(time));
                // A clock that was set back does not turn the order round.
                times.push(times.last().map_or(since, |last| since.max(*last)));
            }
            let content = match capture.known.get(packet.data) {
                Some(content) => *content,
                None => {
                    kept += length;
                    if kept > MOST_BYTES || capture.order.len() as u64 >= u64::from(u32::MAX) {
                        return Err(ReplayError::TooLarge(path()));
                    }
                    let content = capture.contents.len() as u32;
                    let bytes: Arc<[u8]> = packet.data.into();
                    capture.contents.push(bytes.clone());
                    capture.known.insert(bytes, content);
                    content
                }
            };
            capture.order.push(content);
            capture.bytes += length as u64;
            capture.longest = capture.longest.max(length);
        }
        match capture.order.is_empty() {
            true => Err(ReplayError::Empty(path.to_owned())),
            false => Ok(capture),
        }
    }

    /// How many packets it has.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.order.len() as u64
    }

    /// Bytes of a packet on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.bytes as f64 / self.order.len().max(1) as f64
    }

    /// Bytes of the longest packet.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Packet `position` of the capture played again and again.
    fn packet(&self, position: u64) -> &[u8] {
        &self.contents[self.order[self.place(position)] as usize]
    }

    fn place(&self, position: u64) -> usize {
        (position % self.packets()) as usize
    }

    /// When packet `position` is due, in nanoseconds after the first one; `None` without times.
    fn due_ns(&self, position: u64) -> Option<u64> {
        let times = self.times.as_ref()?;
        let last = times.last().copied().unwrap_or_default();
        // From the last packet to the first one again it takes as long as from one to the next on average.
        let gap = last / (self.packets() - 1).max(1);
        let round = position / self.packets();
        Some(
            round
                .saturating_mul(last + gap)
                .saturating_add(times[self.place(position)]),
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use capfile::{Format, Interface};

    /// A file with these packets at these times, in nanoseconds.
    pub(crate) fn file(packets: &[(u64, &[u8])]) -> Vec<u8> {
        let interface = Interface {
            name: "x",
            program: "x",
            filter: "",
            snaplen: 65_535,
        };
        let mut file = Format::PcapNg.beginning(&interface);
        for (time, data) in packets {
            Format::PcapNg.push(&mut file, *time, data.len() as u32, data);
        }
        file
    }

    /// What is read from a file of these bytes.
    pub(crate) fn read(bytes: &[u8], timed: bool) -> Result<Capture, ReplayError> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("spp-replay-{}-{number}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let capture = Capture::read(&path, timed);
        std::fs::remove_file(&path).unwrap();
        capture
    }

    #[test]
    fn packets_are_due_as_they_were_captured_round_after_round() {
        let (a, b) = ([1; 60], [2; 70]);
        let capture = read(
            &file(&[(5000, &a), (5400, &b), (5300, &a), (6000, &b)]),
            true,
        )
        .unwrap();
        let due: Vec<_> = (0..6).map(|at| capture.due_ns(at).unwrap()).collect();
        // The clock was set back once; a round takes 1,000 ns and a third of that.
        assert_eq!(due, [0, 400, 400, 1000, 1333, 1733]);
        assert_eq!(
            (capture.packets(), capture.mean(), capture.longest()),
            (4, 65.0, 70)
        );
        assert_eq!((capture.contents.len(), capture.packet(6)), (2, &a[..]));
    }

    #[test]
    fn what_cannot_be_replayed_is_refused_with_the_packet() {
        let refused = |bytes: &[u8]| read(bytes, true).unwrap_err().to_string();
        assert!(refused(&file(&[])).contains("no packets"));
        assert!(refused(&file(&[(0, &[1; 60]), (0, &[1; 13])])).contains("packet 2 has 13 bytes"));
        assert!(refused(b"neither").contains("not a pcap"));
        let interface = Interface {
            name: "x",
            program: "x",
            filter: "",
            snaplen: 40,
        };
        let mut cut = Format::Pcap.beginning(&interface);
        Format::Pcap.push(&mut cut, 0, 60, &[1; 40]);
        assert!(refused(&cut).contains("packet 1 was cut to 40 of its 60 bytes"));
    }
}
