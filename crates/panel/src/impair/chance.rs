//! Numbers that look like chance and are the same every time.

/// What a number decides. Each has a sequence of its own, so that asking for one thing does not change another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Whether the packet is lost.
    Loss = 1,
    /// Whether a bit of it is turned round.
    Corrupt = 2,
    /// Which one.
    Bit = 3,
    /// Whether it leaves twice.
    Duplicate = 4,
    /// Whether it overtakes others.
    Reorder = 5,
    /// How much longer or shorter it takes.
    Jitter = 6,
}

/// The sequences of a seed: a number for every packet, by the packet's own number.
#[derive(Debug, Clone, Copy)]
pub struct Chance(u64);

impl Chance {
    /// Those of `seed`.
    pub fn new(seed: u64) -> Self {
        Chance(mixed(seed))
    }

    /// The number for packet `number`, any 64 bits with equal likelihood.
    #[inline]
    pub fn draw(self, stream: Stream, number: u64) -> u64 {
        mixed(self.0 ^ mixed(((stream as u64) << 56) ^ number))
    }

    /// Whether packet `number` belongs to a share of all, in billionths.
    #[inline]
    pub fn hits(self, share: u32, stream: Stream, number: u64) -> bool {
        let billionth = (u128::from(self.draw(stream, number)) * 1_000_000_000) >> 64;
        billionth < u128::from(share)
    }
}

/// Spreads the differences of numbers over all their bits (the finalizer of SplitMix64: Steele, Lea, Flood 2014).
fn mixed(n: u64) -> u64 {
    let mut n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
