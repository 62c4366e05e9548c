//! The writer of classic pcap.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::classic::{RECORD, file_header, record_header};

/// Written in pieces of about this size.
const BUFFER: usize = 256 * 1024;
/// What the header promises as the longest packet.
const SNAPLEN: u32 = crate::MAX_PACKET as u32;

/// Packets that did not reach the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {} ({lost} packets lost): {source}", path.display())]
pub struct WriteError {
    /// Which file.
    pub path: PathBuf,
    /// How many packets this call and earlier ones had handed over in vain.
    pub lost: u64,
    /// The kernel's reason.
    pub source: io::Error,
}

/// Where a writer writes: something that can be cut back to what was whole.
trait Output: Write {
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Output for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// Writes Ethernet frames into a classic pcap file with timestamps of a microsecond. At every
/// moment, even on a full disk, the file holds whole packets only (unless the process is killed
/// in the middle of a write).
pub struct Writer(Buffered<File>);

impl Writer {
    /// Makes the file, or empties the one that is there, and writes the header: with no packet
    /// it is a valid file of 24 bytes.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let failed = |source| WriteError {
            path: path.to_owned(),
            lost: 0,
            source,
        };
        Self::create_in(File::create(path).map_err(failed)?, path)
    }

    /// The same in an open, empty file; `path` is its name in errors.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create_in(file: File, path: &Path) -> Result<Self, WriteError> {
        Buffered::new(file, path.to_owned()).map(Self)
    }

    /// Goes on at the end of a file that another writer has made; `path` is its name in errors. An empty one gets its
    /// header.
    ///
    /// # Errors
    /// The file cannot be read or written, or begins in another way.
    pub fn go_on_in(mut file: File, path: &Path) -> Result<Self, WriteError> {
        let failed = |source| WriteError {
            path: path.to_owned(),
            lost: 0,
            source,
        };
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        if length == 0 {
            return Self::create_in(file, path);
        }
        let wanted = file_header(SNAPLEN);
        let mut header = [0; 24];
        let read = file.read_exact_at(&mut header, 0);
        if read.is_err() || header != wanted {
            let words = "it does not begin as a file that was written here does";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, words)));
        }
        Ok(Self(Buffered {
            output: file,
            path: path.to_owned(),
            buffer: Vec::with_capacity(BUFFER + RECORD + crate::MAX_PACKET),
            waiting: 0,
            written: 0,
            length,
        }))
    }

    /// Adds a packet in one or more pieces. It reaches the file when enough has gathered, or by
    /// [`Writer::flush`].
    ///
    /// `timestamp_ns` counts from 1970. The packet is refused whole if it is longer than
    /// [`crate::MAX_PACKET`].
    ///
    /// # Errors
    /// What had gathered could not be written and is lost, with this packet. Later calls try
    /// again: the disk may have room then.
    pub fn write_packet(&mut self, timestamp_ns: u64, pieces: &[&[u8]]) -> Result<(), WriteError> {
        self.0.write_packet(timestamp_ns, pieces)
    }

    /// Writes what has gathered.
    ///
    /// # Errors
    /// It could not be written and is lost.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.0.flush()
    }

    /// Packets in the file and on their way to it.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.0.written + self.0.waiting
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to know calls flush first.
        let _ = self.0.flush();
    }
}

struct Buffered<W> {
    output: W,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Packets in the buffer.
    waiting: u64,
    /// Packets and bytes in the file.
    written: u64,
    length: u64,
}

impl<W: Output> Buffered<W> {
    fn new(output: W, path: PathBuf) -> Result<Self, WriteError> {
        let mut buffer = Vec::with_capacity(BUFFER + RECORD + crate::MAX_PACKET);
        buffer.extend_from_slice(&file_header(SNAPLEN));
        let mut new = Self {
            output,
            path,
            buffer,
            waiting: 0,
            written: 0,
            length: 0,
        };
        new.flush()?;
        Ok(new)
    }

    fn write_packet(&mut self, timestamp_ns: u64, pieces: &[&[u8]]) -> Result<(), WriteError> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length > crate::MAX_PACKET {
            let source = io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a packet of {length} bytes: at most {} fit",
                    crate::MAX_PACKET
                ),
            );
            return Err(WriteError {
                path: self.path.clone(),
                lost: 1,
                source,
            });
        }
        let header = record_header(timestamp_ns, length as u32, length as u32);
        self.buffer.extend_from_slice(&header);
        for piece in pieces {
            self.buffer.extend_from_slice(piece);
        }
        self.waiting += 1;
        if self.buffer.len() >= BUFFER {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let result = self.output.write_all(&self.buffer);
        let packets = std::mem::take(&mut self.waiting);
        match result {
            Ok(()) => {
                self.length += self.buffer.len() as u64;
                self.written += packets;
                self.buffer.clear();
                Ok(())
            }
            Err(source) => {
                self.buffer.clear();
                // A device or a pipe cannot be cut; then the first reason is still the one to tell.
                let _ = self.output.cut(self.length);
                Err(WriteError {
                    path: self.path.clone(),
                    lost: packets,
                    source,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;

    /// A disk with room for so many bytes.
    struct Disk {
        content: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room - self.content.len());
            if fits == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.content.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Disk {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.content.truncate(length as usize);
            Ok(())
        }
    }

    fn count(content: &[u8]) -> u64 {
        let mut reader = Reader::new(content, "disk").unwrap();
        let mut packets = 0;
        while reader.next_packet().unwrap().is_some() {
            packets += 1;
        }
        packets
    }

    #[test]
    fn a_full_disk_loses_what_it_says_and_leaves_a_valid_file() {
        let disk = Disk {
            content: Vec::new(),
            room: 700_000,
        };
        let mut writer = Buffered::new(disk, "disk".into()).unwrap();
        let (mut lost, mut handed) = (0, 0);
        for _ in 0..2000 {
            handed += 1;
            if let Err(e) = writer.write_packet(1, &[&[7; 1000], &[8; 500]]) {
                assert_eq!(e.source.kind(), io::ErrorKind::StorageFull);
                assert!(
                    e.to_string()
                        .contains(&format!("({} packets lost)", e.lost)),
                    "{e}"
                );
                lost += e.lost;
            }
        }
        lost += writer.flush().map_or_else(|e| e.lost, |()| 0);
        let kept = count(&writer.output.content);
        assert!(lost > 0 && kept > 0);
        assert_eq!((kept + lost, kept), (handed, writer.written));

        // Room again: it goes on.
        writer.output.room = 10_000_000;
        writer.write_packet(2, &[&[9; 60]]).unwrap();
        writer.flush().unwrap();
        assert_eq!(count(&writer.output.content), kept + 1);
    }

    #[test]
    fn a_file_goes_on_where_another_writer_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let open = || {
            let mut options = File::options();
            options.read(true).write(true).create(true);
            options.truncate(false).open(&path).unwrap()
        };
        for round in 1..=3 {
            let mut writer = Writer::go_on_in(open(), &path).unwrap();
            writer.write_packet(1, &[&[7; 60]]).unwrap();
            drop(writer);
            assert_eq!(count(&std::fs::read(&path).unwrap()), round);
        }
        std::fs::write(&path, b"something else, long enough for a header").unwrap();
        let told = Writer::go_on_in(open(), &path).err().unwrap().to_string();
        assert!(told.contains("does not begin"), "{told}");
    }

    #[test]
    fn a_disk_without_room_for_the_header_is_refused() {
        let disk = Disk {
            content: Vec::new(),
            room: 10,
        };
        assert!(Buffered::new(disk, "disk".into()).is_err());
        assert!(Writer::create(Path::new("/dev/full")).is_err());
    }

    #[test]
    fn a_packet_too_long_is_refused_alone() {
        let disk = Disk {
            content: Vec::new(),
            room: 1_000_000,
        };
        let mut writer = Buffered::new(disk, "disk".into()).unwrap();
        writer.write_packet(0, &[&[1; 60]]).unwrap();
        let long = vec![0; crate::MAX_PACKET];
        assert_eq!(writer.write_packet(0, &[&long, &[1]]).unwrap_err().lost, 1);
        writer.write_packet(0, &[&long]).unwrap();
        writer.flush().unwrap();
        assert_eq!(count(&writer.output.content), 2);
    }
}
