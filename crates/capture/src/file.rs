//! One file of a capture: it holds whole records only, at every moment.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use capfile::Format;

use crate::codec::{Codec, Compress};
use crate::lane::CHUNK;

/// What a file's name ends with until it is complete.
const UNFINISHED: &str = ".tmp";
/// `O_NOFOLLOW`: the names are predictable, and the folder may be open to others.
const NO_LINKS: i32 = 0o400_000;

/// A file being written.
pub struct Output {
    file: File,
    path: PathBuf,
    unfinished: PathBuf,
    codec: Codec,
    compress: Compress,
    format: Format,
    /// Where the next block goes: over the mark that ends the last one.
    end: u64,
    block: Vec<u8>,
    /// Packets in it.
    pub packets: u64,
    /// Bytes of its content before compression.
    pub bytes: u64,
}

/// Records that did not get into a file.
#[derive(Debug)]
pub struct Refused {
    /// Bytes of whole records, from the first on, that are in the file nevertheless.
    pub kept: usize,
    /// Why the others are not.
    pub source: io::Error,
}

/// The name of a file until it is complete.
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Bytes of the whole records at the beginning of `records`, and their number.
pub fn whole(format: Format, records: &[u8]) -> (usize, u64) {
    let (mut length, mut packets) = (0, 0);
    while let Some(record) = format.first(&records[length..]) {
        length += record.length;
        packets += 1;
    }
    (length, packets)
}

impl Output {
    /// Makes the file, under its unfinished name, with what it begins with. Neither that name nor its own
    /// may be there.
    ///
    /// # Errors
    /// The kernel's; then there is no file.
    pub fn create(
        path: PathBuf,
        format: Format,
        compress: Compress,
        beginning: &[u8],
    ) -> io::Result<Self> {
        let unfinished = unfinished(&path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(NO_LINKS)
            .open(&unfinished)?;
        let mut output = Output {
            file,
            path,
            unfinished,
            codec: Codec::new(compress)?,
            compress,
            format,
            end: 0,
            block: Vec::with_capacity(CHUNK + 4096),
            packets: 0,
            bytes: 0,
        };
        match output.put(beginning) {
            Ok(()) => Ok(output),
            Err(refused) => {
                // Nothing is in it: it would be no capture file.
                let _ = std::fs::remove_file(&output.unfinished);
                Err(refused.source)
            }
        }
    }

    /// The name that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `packets` whole records, at most [`CHUNK`] bytes.
    ///
    /// # Errors
    /// They do not fit on the disk, or it failed. The file holds what it held before and the records that `kept`
    /// tells; it should be closed.
    pub fn append(&mut self, records: &[u8], packets: u64) -> Result<(), Refused> {
        self.put(records).map(|()| self.packets += packets)
    }

    fn put(&mut self, records: &[u8]) -> Result<(), Refused> {
        if self.compress == Compress::None {
            return self.put_plain(records);
        }
        let mark = self.compress.mark();
        let refused = |source| Refused { kept: 0, source };
        self.block.clear();
        self.codec
            .block(records, &mut self.block)
            .map_err(refused)?;
        let length = self.block.len() as u64;
        self.block.extend_from_slice(mark);
        match self.file.write_all_at(&self.block, self.end) {
            Ok(()) => {
                self.end += length;
                self.bytes += records.len() as u64;
                Ok(())
            }
            Err(source) => {
                // Its place on the disk is there: the mark stood here before, or nothing did.
                let restored = match self.end {
                    0 => self.file.set_len(0),
                    end => self
                        .file
                        .set_len(end + mark.len() as u64)
                        .and_then(|()| self.file.write_all_at(mark, end)),
                };
                if let Err(e) = restored {
                    log::error!("{}: cannot be cut: {e}", self.unfinished.display());
                }
                Err(refused(source))
            }
        }
    }

    fn put_plain(&mut self, records: &[u8]) -> Result<(), Refused> {
        let mut written = 0;
        while written < records.len() {
            let at = self.end + written as u64;
            let source = match self.file.write_at(&records[written..], at) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(n) => {
                    written += n;
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => e,
            };
            // In the beginning of a file there are no records, and all of it is needed.
            let (kept, packets) = match self.end {
                0 => (0, 0),
                _ => whole(self.format, &records[..written]),
            };
            self.end += kept as u64;
            self.bytes += kept as u64;
            self.packets += packets;
            if let Err(e) = self.file.set_len(self.end) {
                log::error!("{}: cannot be cut: {e}", self.unfinished.display());
            }
            return Err(Refused { kept, source });
        }
        self.end += written as u64;
        self.bytes += written as u64;
        Ok(())
    }

    /// Whether the file is still where it was made: writing into a removed one does not fail.
    pub fn is_there(&self) -> bool {
        let ours = self.file.metadata().map(|m| (m.dev(), m.ino()));
        let there = std::fs::symlink_metadata(&self.unfinished).map(|m| (m.dev(), m.ino()));
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// Adds what the file ends with, if there is room, and gives it its name.
    ///
    /// # Errors
    /// It keeps its unfinished name, or is gone.
    pub fn close(mut self, ending: &[u8]) -> io::Result<PathBuf> {
        if !ending.is_empty()
            && let Err(refused) = self.put(ending)
        {
            log::warn!(
                "{}: without statistics at its end: {}",
                self.path.display(),
                refused.source
            );
        }
        if !self.is_there() {
            return Err(io::ErrorKind::NotFound.into());
        }
        std::fs::rename(&self.unfinished, &self.path)?;
        Ok(self.path)
    }

    /// Removes it.
    pub fn discard(self) {
        if self.is_there()
            && let Err(e) = std::fs::remove_file(&self.unfinished)
        {
            log::warn!("{} stays: {e}", self.unfinished.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capfile::{Interface, Reader};

    fn beginning(format: Format) -> Vec<u8> {
        format.beginning(&Interface {
            name: "ring:0",
            program: "test",
            filter: "",
            snaplen: 65_535,
        })
    }

    fn records(format: Format, from: u64, count: u64) -> Vec<u8> {
        let mut records = Vec::new();
        for i in from..from + count {
            format.push(&mut records, i * 1000, 60, &[i as u8; 60]);
        }
        records
    }

    fn count(content: &[u8]) -> u64 {
        let mut reader = Reader::new(content, "file").unwrap();
        let mut packets = 0;
        while let Some(packet) = reader.next_packet().unwrap() {
            assert_eq!(packet.timestamp_ns, Some(packets * 1000));
            assert_eq!(packet.data, [packets as u8; 60]);
            packets += 1;
        }
        packets
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        let format = Format::Pcap;
        let mut file =
            Output::create(path.clone(), format, Compress::None, &beginning(format)).unwrap();
        file.append(&records(format, 0, 5), 5).unwrap();
        assert!(!path.exists() && unfinished(&path).exists() && file.is_there());
        assert!(Output::create(path.clone(), format, Compress::None, b"x").is_err());
        assert_eq!(file.close(&[]).unwrap(), path);
        assert!(path.exists() && !unfinished(&path).exists());
        assert_eq!(count(&std::fs::read(&path).unwrap()), 5);
    }

    #[test]
    fn a_file_that_was_removed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        let format = Format::PcapNg;
        let new = || Output::create(path.clone(), format, Compress::Lz4, &beginning(format));
        let mut file = new().unwrap();
        std::fs::remove_file(unfinished(&path)).unwrap();
        file.append(&records(format, 0, 5), 5).unwrap();
        assert!(!file.is_there());
        let other = new().unwrap();
        assert!(!file.is_there(), "another file of that name");
        assert!(file.close(&[]).is_err());
        other.discard();
        assert!(!unfinished(&path).exists());
    }

    #[test]
    fn whole_records_are_told_from_cut_ones() {
        for format in [Format::Pcap, Format::PcapNg] {
            let all = records(format, 0, 3);
            let one = all.len() / 3;
            assert_eq!(whole(format, &all), (all.len(), 3));
            assert_eq!(whole(format, &all[..2 * one + one / 2]), (2 * one, 2));
            assert_eq!(whole(format, &all[..10]), (0, 0));
        }
    }
}
