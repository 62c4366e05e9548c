//! vf and mirror: components on real processes, with packets in from files and out into files.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod bench;
mod carry;
#[path = "../common/fake.rs"]
mod fake;
#[path = "../common/frames.rs"]
mod frames;
#[path = "../common/hand.rs"]
mod hand;
mod load;
#[path = "../common/runs.rs"]
mod runs;
mod shared;
mod wire;

use std::time::Duration;

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
