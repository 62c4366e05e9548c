//! What the fuzzers run, one function a target. Each takes any bytes and panics if what has to hold for any
//! bytes does not hold. The fuzzers themselves are in `fuzz/`; the stored inputs are replayed by this crate's tests.

#![forbid(unsafe_code)]
// A target says what it found by a panic; there is no other way.
#![allow(clippy::panic, clippy::expect_used)]

mod commands;
mod files;
mod filters;
mod journal;
mod ports;
mod wire;

pub use commands::commands;
pub use files::{configurations, documents, lines};
pub use filters::filters;
pub use journal::journal;
pub use ports::ports;
pub use wire::{framer, replies};

/// A target: its name, which is that of its folder in `fuzz/corpus`, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 9] = [
    ("commands", commands),
    ("configurations", configurations),
    ("documents", documents),
    ("filters", filters),
    ("framer", framer),
    ("journal", journal),
    ("lines", lines),
    ("ports", ports),
    ("replies", replies),
];

/// Checks what a user reads of a refusal: there is something to read, it is short, and it does nothing to a terminal.
pub fn check_words(words: &str) {
    assert!(words.len() > 10, "a refusal without a reason: {words:?}");
    assert!(
        words.len() < 2000,
        "a refusal of {} bytes: {:?}…",
        words.len(),
        words.chars().take(200).collect::<String>()
    );
    assert!(
        !words.contains(|c: char| c.is_control() && c != '\n'),
        "control characters: {words:?}"
    );
}

/// Bytes that the first ones of an input cut into pieces: the number of cuts, then two bytes for each.
fn cut(input: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let Some((&count, rest)) = input.split_first() else {
        return (Vec::new(), input);
    };
    let count = usize::from(count % 8).min(rest.len() / 2);
    let (cuts, body) = rest.split_at(2 * count);
    let mut ends: Vec<usize> = cuts
        .chunks_exact(2)
        .map(|pair| usize::from(u16::from_le_bytes([pair[0], pair[1]])) % (body.len() + 1))
        .chain([0, body.len()])
        .collect();
    ends.sort_unstable();
    let pieces = ends.windows(2).map(|pair| &body[pair[0]..pair[1]]);
    (pieces.collect(), body)
}
