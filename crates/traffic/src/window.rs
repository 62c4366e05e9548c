//! Which of a flow's numbers were seen, in bounded memory.

/// How far back a number is remembered: one that comes later than this cannot be placed.
pub const WINDOW: u64 = 65_536;

const WORDS: usize = WINDOW as usize / 64;

/// Where a number stands among those seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Beyond all before.
    Ahead,
    /// Behind another one, for the first time.
    Behind,
    /// Seen already.
    Again,
    /// So far behind that nobody knows whether it was seen.
    Unknown,
}

/// The last [`WINDOW`] numbers up to the highest one seen, a bit each.
pub(crate) struct Window {
    /// One more than the highest number seen.
    next: u64,
    seen: Box<[u64; WORDS]>,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self {
            next: 0,
            seen: Box::new([0; WORDS]),
        }
    }

    /// One more than the highest number seen; 0 if none was.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Takes in a number, below 2⁶³.
    pub(crate) fn place(&mut self, number: u64) -> Place {
        let (word, bit) = ((number % WINDOW / 64) as usize, 1 << (number % 64));
        if number >= self.next {
            self.forget(number);
            self.next = number + 1;
            self.seen[word] |= bit;
            Place::Ahead
        } else if self.next - number > WINDOW {
            Place::Unknown
        } else if self.seen[word] & bit != 0 {
            Place::Again
        } else {
            self.seen[word] |= bit;
            Place::Behind
        }
    }

    /// Clears the bits of the numbers from `next` to `last`: they stood for older ones.
    fn forget(&mut self, last: u64) {
        if last - self.next >= WINDOW {
            self.seen.fill(0);
            return;
        }
        let mut number = self.next;
        while number <= last {
            let word = &mut self.seen[(number % WINDOW / 64) as usize];
            if number.is_multiple_of(64) && number + 63 <= last {
                *word = 0;
                number += 64;
            } else {
                *word &= !(1 << (number % 64));
                number += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// Remembers everything.
    #[derive(Default)]
    struct Model {
        seen: HashSet<u64>,
        highest: Option<u64>,
    }

    impl Model {
        fn place(&mut self, number: u64) -> Place {
            let ahead = self.highest.is_none_or(|highest| number > highest);
            if ahead {
                self.highest = Some(number);
            } else if self
                .highest
                .is_some_and(|highest| number + WINDOW <= highest)
            {
                return Place::Unknown;
            }
            match (ahead, self.seen.insert(number)) {
                (true, _) => Place::Ahead,
                (false, true) => Place::Behind,
                (false, false) => Place::Again,
            }
        }
    }

    /// Steps from the number before: mostly small, some around the size of the window.
    fn steps() -> impl Strategy<Value = Vec<i64>> {
        let window = WINDOW as i64;
        let step = prop_oneof![
            6 => -70..200i64,
            1 => window - 70..window + 70,
            1 => -window - 70..-window + 70,
            1 => Just(1_000_000),
        ];
        prop::collection::vec(step, 0..400)
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_memory_without_limit(steps in steps()) {
            let (mut window, mut model) = (Window::new(), Model::default());
            let mut number = 0u64;
            for step in steps {
                number = number.saturating_add_signed(step);
                prop_assert_eq!(window.place(number), model.place(number), "at {}", number);
                prop_assert_eq!(window.next(), model.highest.map_or(0, |highest| highest + 1));
            }
        }
    }

    #[test]
    fn the_edge_of_the_window() {
        let mut window = Window::new();
        assert_eq!(window.place(WINDOW), Place::Ahead);
        assert_eq!(window.place(0), Place::Unknown);
        assert_eq!(window.place(1), Place::Behind);
        assert_eq!(window.place(1), Place::Again);
        assert_eq!(window.place(WINDOW), Place::Again);
    }
}
