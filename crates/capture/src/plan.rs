//! What is captured, and where it goes.

use std::path::PathBuf;
use std::time::Duration;

use capfile::Format;

use crate::codec::Compress;

/// Most bytes kept of a packet, unless told otherwise: as many as the original keeps.
pub const SNAPLEN: u32 = 65_535;
/// Bytes of a file's content, unless told otherwise: as many as in the original.
pub const FILE_SIZE: u64 = 1 << 30;

/// What happens when a file cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The capture stops.
    Stop,
    /// Packets are counted as lost until a new file can be made, which is tried every second.
    Continue,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into files of a folder.
    Folder {
        /// The folder, which has to be there.
        dir: PathBuf,
        /// Most bytes of a file's content before compression.
        size: u64,
        /// Longest time covered by a file.
        time: Option<Duration>,
        /// Most files kept of a writer in a run, with the one being written; older ones are removed.
        keep: Option<usize>,
    },
    /// Into one file or pipe that is there already.
    Stream(PathBuf),
    /// To standard output.
    Output,
}

/// What is captured, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the port as shown: `ring:0`, `phy:0 nq 1`.
    pub port: String,
    /// The port in file names: `ring0`, `phy0nq1`.
    pub port_in_names: String,
    /// Where records go.
    pub target: Target,
    /// Their form.
    pub format: Format,
    /// Compression of files.
    pub compress: Compress,
    /// Most bytes kept of a packet: 1 to 131,072.
    pub snaplen: u32,
    /// What is captured, in tcpdump's language; empty: everything.
    pub filter: String,
    /// What happens when a file cannot be written.
    pub on_error: OnError,
    /// One writer each: the CPU to run on, or `None` for any.
    pub writers: Vec<Option<u32>>,
    /// Megabytes of records that may wait for each writer.
    pub buffer_mb: usize,
}

impl Plan {
    /// What a file's name ends with.
    pub fn suffix(&self) -> String {
        let format = match self.format {
            Format::Pcap => ".pcap",
            Format::PcapNg => ".pcapng",
        };
        format!("{format}{}", self.compress.suffix())
    }
}
