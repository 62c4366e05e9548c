//! Numbers that are the same in every run.

/// A sequence of numbers that follows from its seed (a linear congruential generator, of which the upper bits are used).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number, from 0 to `end` - 1.
    ///
    /// # Panics
    /// If `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}
