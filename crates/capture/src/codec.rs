//! Compression of a file's content, block by block.
//!
//! A block holds whole records and is whole itself, and behind the last one stands the mark that ends
//! the compressed stream; the next block goes over it. So a file can be read at any moment up to its last block, even
//! one whose writer was killed, and a block that did not fit on the disk can be taken back.

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

/// Level of zstd: fast.
const ZSTD_LEVEL: i32 = 1;

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Not at all.
    None,
    /// One LZ4 frame a file.
    Lz4,
    /// One zstd frame a file.
    Zstd,
}

impl Compress {
    /// What is added to a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Compress::None => "",
            Compress::Lz4 => ".lz4",
            Compress::Zstd => ".zst",
        }
    }

    /// The word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Compress::None => "none",
            Compress::Lz4 => "lz4",
            Compress::Zstd => "zstd",
        }
    }

    /// What stands behind the last block.
    pub fn mark(self) -> &'static [u8] {
        match self {
            Compress::None => &[],
            // A block of size 0; there is no checksum of the content behind it.
            Compress::Lz4 => &[0; 4],
            // The header of a raw block of size 0 that is the last one.
            Compress::Zstd => &[1, 0, 0],
        }
    }
}

/// The state of compressing one file.
pub enum Codec {
    /// Not at all.
    None,
    /// Blocks of at most 256 KB that refer to the ones before, no checksum of the content.
    Lz4(Box<FrameEncoder<Vec<u8>>>),
    /// One frame.
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Codec {
    /// For a new file.
    ///
    /// # Errors
    /// zstd has no memory.
    pub fn new(compress: Compress) -> io::Result<Self> {
        Ok(match compress {
            Compress::None => Codec::None,
            Compress::Lz4 => {
                let info = FrameInfo::new()
                    .block_size(BlockSize::Max256KB)
                    .block_mode(BlockMode::Linked);
                Codec::Lz4(Box::new(FrameEncoder::with_frame_info(info, Vec::new())))
            }
            Compress::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                Codec::Zstd(Box::new(encoder))
            }
        })
    }

    /// Puts the block of `bytes`, at most 256 KB, in `out`, with what has to stand before the first one.
    ///
    /// # Errors
    /// The library's.
    pub fn block(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Codec::None => out.extend_from_slice(bytes),
            Codec::Lz4(encoder) => {
                encoder.write_all(bytes)?;
                encoder.flush()?;
                out.append(encoder.get_mut());
            }
            Codec::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                encoder.flush()?;
                out.append(encoder.get_mut());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn unpacked(compress: Compress, file: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        match compress {
            Compress::None => out.extend_from_slice(file),
            Compress::Lz4 => {
                lz4_flex::frame::FrameDecoder::new(file).read_to_end(&mut out)?;
            }
            Compress::Zstd => {
                zstd::stream::read::Decoder::new(file)?.read_to_end(&mut out)?;
            }
        }
        Ok(out)
    }

    #[test]
    fn after_every_block_the_file_is_whole() {
        for compress in [Compress::None, Compress::Lz4, Compress::Zstd] {
            let mut codec = Codec::new(compress).unwrap();
            let (mut plain, mut packed) = (Vec::new(), Vec::new());
            for length in [24, 1, 100_000, 256 * 1024, 7] {
                let block: Vec<u8> = (0..length)
                    .map(|i: u32| (i.wrapping_mul(i) >> 7) as u8)
                    .collect();
                codec.block(&block, &mut packed).unwrap();
                plain.extend_from_slice(&block);
                let file = [&packed[..], compress.mark()].concat();
                assert_eq!(
                    unpacked(compress, &file).unwrap(),
                    plain,
                    "{compress:?} {length}"
                );
            }
        }
    }
}
