//! The form of the journal's file: bytes in, entries out, and nothing else.
//!
//! A header of 16 bytes (the magic, the version, and a checksum of both), then records. A record
//! is its length, the checksum of its payload, a checksum of these two, and the payload. Numbers
//! are little-endian, checksums are CRC-32. Since a length has a checksum of its own, a flipped
//! bit in it is not taken for the end of the file.

use thiserror::Error;

use super::memory::{Entry, Memory};

const MAGIC: &[u8; 8] = b"SPPSTATE";

/// Version of the form; a later program may know more than one.
const VERSION: u32 = 1;

/// Bytes of the file's header.
const HEADER: usize = 16;

/// Bytes before a payload.
const HEAD: usize = 12;

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Damage {
    #[error("it is no journal of SPP")]
    Foreign,
    #[error("it has version {0} of the form, and this program knows version {VERSION}")]
    Version(u32),
    #[error("its header is damaged")]
    Header,
    #[error("it is damaged at byte {0}")]
    Record(usize),
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// All entries that were written as a whole.
    pub entries: Vec<Entry>,
    /// Bytes up to the end of the last of them; what follows is a torn tail.
    pub good: usize,
}

/// The header of a new file.
pub(super) fn header() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Appends the record of `entry` to `bytes`.
///
/// # Errors
/// In words; types of this crate always serialize.
pub(super) fn record(bytes: &mut Vec<u8>, entry: &Entry) -> Result<(), String> {
    let payload = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
    let length = u32::try_from(payload.len()).map_err(|error| error.to_string())?;
    let mut head = length.to_le_bytes().to_vec();
    head.extend(crc32fast::hash(&payload).to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    bytes.extend(head);
    bytes.extend(payload);
    Ok(())
}

/// Reads a whole file. A file that ends within a record, or in zeros, was being written when the
/// power went: that tail is left out. Everything else that is wrong is damage.
///
/// # Errors
/// [`Damage`]; then nothing of the file is to be believed.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, Damage> {
    // No record ends with a zero, so these were never written.
    let written = bytes.iter().rposition(|byte| *byte != 0);
    let bytes = &bytes[..written.map_or(0, |last| last + 1)];
    let expected = header();
    let Some(header) = bytes.get(..HEADER) else {
        return match expected.starts_with(bytes) {
            true => Ok(Contents::default()),
            false => Err(Damage::Foreign),
        };
    };
    if !header.starts_with(MAGIC) {
        return Err(Damage::Foreign);
    }
    if number(header, 12) != crc32fast::hash(&header[..12]) {
        return Err(Damage::Header);
    }
    if number(header, 8) != VERSION {
        return Err(Damage::Version(number(header, 8)));
    }
    let mut contents = Contents {
        entries: Vec::new(),
        good: HEADER,
    };
    loop {
        let at = contents.good;
        let rest = &bytes[at..];
        let Some(head) = rest.get(..HEAD) else {
            return Ok(contents);
        };
        if number(head, 8) != crc32fast::hash(&head[..8]) {
            return Err(Damage::Record(at));
        }
        let length = number(head, 0) as usize;
        let Some(payload) = rest[HEAD..].get(..length) else {
            return Ok(contents);
        };
        if number(head, 4) != crc32fast::hash(payload) {
            return Err(Damage::Record(at));
        }
        let entry = serde_json::from_slice(payload).map_err(|_| Damage::Record(at))?;
        contents.entries.push(entry);
        contents.good = at + HEAD + length;
    }
}

/// What a controller finds in a journal, for those who test it with any bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalContents {
    /// Number of entries.
    pub entries: usize,
    /// Bytes up to the end of the last of them; the rest would be cut off.
    pub good: usize,
    /// A file with the same entries, as they are written.
    pub again: Vec<u8>,
    /// The smallest file with the same state.
    pub compact: Vec<u8>,
}

/// Reads the bytes of a journal as a controller does at its start.
///
/// # Errors
/// In words, why it would be refused.
pub fn read_journal(bytes: &[u8]) -> Result<JournalContents, String> {
    let contents = read(bytes).map_err(|damage| damage.to_string())?;
    let file = |entries: &[Entry]| {
        let mut file = header();
        let mut entries = entries.iter();
        entries.try_for_each(|entry| record(&mut file, entry))?;
        Ok::<_, String>(file)
    };
    let mut memory = Memory::default();
    let entries = contents.entries.iter().cloned();
    entries.for_each(|entry| memory.apply(entry));
    Ok(JournalContents {
        entries: contents.entries.len(),
        good: contents.good,
        again: file(&contents.entries)?,
        compact: file(&memory.entries())?,
    })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::memory::tests::{any_entries, replayed};
    use super::*;

    /// A file, and where its records end.
    fn file(entries: &[Entry]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = header();
        let mut ends = vec![bytes.len()];
        for entry in entries {
            record(&mut bytes, entry).unwrap();
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_was_written_is_read(entries in any_entries()) {
            let (bytes, _) = file(&entries);
            let contents = read(&bytes).unwrap();
            prop_assert_eq!(contents.good, bytes.len());
            prop_assert_eq!(contents.entries, entries);
        }

        #[test]
        fn a_file_cut_at_any_byte_holds_what_was_whole(entries in any_entries()) {
            let (bytes, ends) = file(&entries);
            for cut in 0..bytes.len() {
                let contents = read(&bytes[..cut]).unwrap();
                let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
                prop_assert_eq!(&contents.entries, &entries[..whole], "cut at {}", cut);
                prop_assert!(replayed(&contents.entries) == replayed(&entries[..whole]));
                // The same with zeros for what was lost.
                let mut zeros = bytes[..cut].to_vec();
                zeros.resize(bytes.len(), 0);
                let contents = read(&zeros).unwrap();
                prop_assert_eq!(&contents.entries, &entries[..whole], "zeros from {}", cut);
            }
        }

        #[test]
        fn a_flipped_bit_is_never_believed(entries in any_entries(), bit in 0..8) {
            let (bytes, _) = file(&entries);
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1u8 << bit;
                prop_assert!(read(&flipped).is_err(), "bit {} of byte {}", bit, at);
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let mut after = header();
            after.extend(bytes);
            let _ = read(&after);
        }
    }

    #[test]
    fn foreign_files_are_told_from_damaged_ones() {
        assert_eq!(read(b"#!/bin/sh\nexit 0\n").unwrap_err(), Damage::Foreign);
        assert_eq!(read(b"x").unwrap_err(), Damage::Foreign);
        let mut later = MAGIC.to_vec();
        later.extend(7u32.to_le_bytes());
        later.extend(crc32fast::hash(&later).to_le_bytes());
        assert_eq!(read(&later).unwrap_err(), Damage::Version(7));
        let mut bytes = header();
        bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(read(&bytes).unwrap_err(), Damage::Record(16));
        assert!(read(b"").unwrap().entries.is_empty());
    }
}
