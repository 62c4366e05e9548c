//! Frames of a capture file.

use std::path::Path;

use capfile::Reader;

use crate::error::{Error, Result};

/// Most frames that are read of a file.
const MOST: usize = 65_536;

/// Most bytes of all of them.
const MOST_BYTES: usize = 64 << 20;

/// Reads all frames of a capture file.
///
/// # Errors
/// It cannot be read, has none or too many, or one of them is not whole.
pub(crate) fn recorded(path: &Path) -> Result<Vec<Vec<u8>>> {
    let refused = |text: String| Error::Refused(format!("{}: {text}", path.display()));
    let failed = |error: capfile::Error| Error::Refused(error.to_string());
    let mut reader = Reader::open(path).map_err(failed)?;
    let (mut frames, mut bytes) = (Vec::new(), 0);
    while let Some(packet) = reader.next_packet().map_err(failed)? {
        let number = frames.len() + 1;
        bytes += packet.data.len();
        if packet.original_len as usize > packet.data.len() {
            return Err(refused(format!(
                "packet {number} was cut when it was captured: {} of {} bytes are there (capture whole packets)",
                packet.data.len(),
                packet.original_len
            )));
        }
        if number > MOST || bytes > MOST_BYTES {
            return Err(refused(format!(
                "more than {MOST} packets or {} MiB are too many for a test: take a part of it",
                MOST_BYTES >> 20
            )));
        }
        frames.push(packet.data.to_vec());
    }
    if frames.is_empty() {
        return Err(refused("there is no packet in it".into()));
    }
    Ok(frames)
}
