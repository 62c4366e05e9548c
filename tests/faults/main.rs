//! Whatever dies, lies or runs out: the panel stays (docs/faults.md).

#![allow(clippy::expect_used, clippy::panic)]

mod exhausted;
mod guest;
#[path = "../common/hand.rs"]
mod hand;
mod peers;
mod scene;
mod surroundings;
