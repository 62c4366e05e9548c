//! Bytes from a file through a buffer of fixed size, with the place in the file.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use crate::MAX_PACKET;
use crate::error::{Error, Fault};

/// Room for the longest packet with its padding, and for reading ahead of short ones.
const BUFFER: usize = MAX_PACKET + 64 * 1024;

pub(crate) struct Source<R> {
    input: R,
    path: PathBuf,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The place in the file of `buffer[start]`.
    offset: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R, path: PathBuf) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self {
            input,
            path,
            buffer,
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// Where the next byte is in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// A fault at this place.
    pub(crate) fn error_at(&self, offset: u64, fault: impl Into<Fault>) -> Error {
        Error {
            path: self.path.clone(),
            offset,
            fault: fault.into(),
        }
    }

    /// A fault at the next byte.
    pub(crate) fn error(&self, fault: impl Into<Fault>) -> Error {
        self.error_at(self.offset, fault)
    }

    /// Whether the file has no further byte.
    pub(crate) fn at_end(&mut self) -> Result<bool, Error> {
        Ok(self.fill(1)? == 0)
    }

    /// The next `length` bytes, which stay the next ones.
    pub(crate) fn peek(&mut self, length: usize, what: &'static str) -> Result<&[u8], Error> {
        let present = self.fill(length)?;
        if present < length {
            return Err(self.error(Fault::Truncated {
                what,
                needed: length - present,
                present,
            }));
        }
        Ok(&self.buffer[self.start..self.start + length])
    }

    /// The next `length` bytes, at most [`MAX_PACKET`] with padding; valid until the next call.
    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<&[u8], Error> {
        self.peek(length, what)?;
        let from = self.start;
        self.start += length;
        self.offset += length as u64;
        Ok(&self.buffer[from..from + length])
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N, what)?);
        Ok(bytes)
    }

    /// Leaves out this many bytes.
    pub(crate) fn skip(&mut self, length: u64, what: &'static str) -> Result<(), Error> {
        let mut left = length;
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
            self.take(step, what)?;
            left -= step as u64;
        }
        Ok(())
    }

    /// Reads until `length` bytes are in the buffer or the file ends; how many there are then,
    /// at most `length`.
    fn fill(&mut self, length: usize) -> Result<usize, Error> {
        if self.end - self.start >= length {
            return Ok(length);
        }
        if self.start + length > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < length {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(e)),
            }
        }
        Ok((self.end - self.start).min(length))
    }
}

/// The byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// Cuts `N` numbers out of four times as many bytes; what is missing is 0.
    pub(crate) fn u32s<const N: usize>(self, bytes: &[u8]) -> [u32; N] {
        let mut numbers = [0; N];
        for (number, chunk) in numbers.iter_mut().zip(bytes.chunks_exact(4)) {
            *number = self.u32([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        numbers
    }
}
