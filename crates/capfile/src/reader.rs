//! The reader of both formats.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::classic::Classic;
use crate::error::{Error, Fault};
use crate::ng::Ng;
use crate::source::Source;

pub(crate) const NANOS: u64 = 1_000_000_000;

/// A packet in the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRef<'a> {
    /// The frame from its destination address on, without FCS: as much as was captured.
    pub data: &'a [u8],
    /// How long the frame was on the wire; longer than `data` if it was cut.
    pub original_len: u32,
    /// When it was captured, in nanoseconds since 1970; `None` if the file does not say.
    pub timestamp_ns: Option<u64>,
    /// The number of its interface within its section; 0 in a classic file.
    pub interface: u32,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap.
    Pcap,
    /// pcapng.
    PcapNg,
}

enum State {
    Classic(Classic),
    Ng(Ng),
}

/// Reads a capture file packet by packet.
pub struct Reader<R> {
    source: Source<R>,
    state: State,
    stopped: bool,
}

impl Reader<File> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It cannot be opened, or is not a capture file of Ethernet frames.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error {
            path: path.to_owned(),
            offset: 0,
            fault: e.into(),
        })?;
        Self::new(file, path)
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header from `input`; `name` is what errors call it.
    ///
    /// # Errors
    /// It is not a capture file of Ethernet frames.
    pub fn new(input: R, name: impl Into<PathBuf>) -> Result<Self, Error> {
        let mut source = Source::new(input, name.into());
        if source.at_end()? {
            return Err(source.error(Fault::Empty));
        }
        let mut magic = [0; 4];
        magic.copy_from_slice(source.peek(4, "the file's first number")?);
        let state = match Classic::recognise(magic) {
            Some(classic) => State::Classic(classic.begin(&mut source)?),
            None if Ng::recognise(magic) => State::Ng(Ng::begin(&mut source)?),
            None => return Err(source.error(Fault::Magic(magic))),
        };
        Ok(Self {
            source,
            state,
            stopped: false,
        })
    }

    /// The next packet; `None` at the end of the file, from then on always.
    ///
    /// # Errors
    /// What is wrong with the file, and where. What follows cannot be found: every later call
    /// gives [`Fault::Stopped`].
    pub fn next_packet(&mut self) -> Result<Option<PacketRef<'_>>, Error> {
        if self.stopped {
            return Err(self.source.error(Fault::Stopped));
        }
        // Set before and cleared after, for the packet that is given away borrows all of self.
        self.stopped = true;
        let next = match &mut self.state {
            State::Classic(classic) => classic.next(&mut self.source),
            State::Ng(ng) => ng.next(&mut self.source),
        }?;
        self.stopped = false;
        Ok(next)
    }

    /// The file's format.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.state {
            State::Classic(_) => Format::Pcap,
            State::Ng(_) => Format::PcapNg,
        }
    }
}
