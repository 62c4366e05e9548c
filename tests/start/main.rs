//! How processes start and end: who waits for whom, who is refused and why, who outlives whom, and
//! that nothing is left.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod controller;
mod end;
#[path = "../common/hand.rs"]
mod hand;
mod original;
mod refused;
mod secondary;

use hand::LIMIT;

/// The description of a panel that takes 256 MB.
fn small() -> testbed::panel::Builder {
    testbed::Panel::builder().memory(256)
}
