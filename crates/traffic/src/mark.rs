//! The mark: the last bytes of a crafted frame, by which it is accounted for.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | a magic number |
//! | 2 | the flow |
//! | 6 | the sequence number within the flow |
//! | 6 | when it was made, in nanoseconds of the generator's clock, modulo 2⁴⁸ |
//! | 2 | a check value over the 14 bytes between |
//!
//! All big-endian. It is at the end, so that a path that adds or takes headers does not move it.

use crate::frame::Stamp;

/// Bytes of a mark.
pub const MARK: usize = 18;

const MAGIC: [u8; 2] = [0x9e, 0x5c];
/// The largest prime below 2¹⁶: no single bit, and no two swapped words, leave the sum as it was.
const PRIME: u64 = 65_521;

/// The mark of this frame of this flow.
#[must_use]
pub fn write(flow: u16, stamp: Stamp) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..2].copy_from_slice(&MAGIC);
    mark[2..4].copy_from_slice(&flow.to_be_bytes());
    mark[4..16].copy_from_slice(&stamp.to_bytes());
    let check = check(&mark);
    mark[16..].copy_from_slice(&check);
    mark
}

/// The flow that a frame claims to be of; `None` if it has no mark.
#[must_use]
pub fn flow_of(frame: &[u8]) -> Option<u16> {
    let mark: &[u8; MARK] = frame.last_chunk()?;
    (mark[..2] == MAGIC).then(|| u16::from_be_bytes([mark[2], mark[3]]))
}

/// What a frame's mark says; `None` without a mark, or with a damaged one.
#[must_use]
pub fn read(frame: &[u8]) -> Option<Stamp> {
    let mark: &[u8; MARK] = frame.last_chunk()?;
    let sound = mark[..2] == MAGIC && mark[16..] == check(mark);
    let stamp = mark[4..].first_chunk()?;
    sound.then(|| Stamp::of_bytes(stamp))
}

/// The weighted sum of what lies between magic number and check value.
fn check(mark: &[u8; MARK]) -> [u8; 2] {
    let sum: u64 = mark[2..16]
        .chunks_exact(2)
        .zip(3..)
        .map(|(word, weight)| u64::from(u16::from_be_bytes([word[0], word[1]])) * weight)
        .sum();
    ((sum % PRIME) as u16).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MODULUS;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mark_is_read_as_it_was_written_and_no_damaged_bit_hides(
            flow in any::<u16>(), sequence in 0..MODULUS, time_ns in 0..MODULUS, bit in 0..MARK * 8,
        ) {
            let stamp = Stamp { sequence, time_ns };
            let mut frame = write(flow, stamp);
            prop_assert_eq!((flow_of(&frame), read(&frame)), (Some(flow), Some(stamp)));
            frame[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(read(&frame), None);
        }
    }
}
