//! How processes start and end: who waits for whom, who is refused and why, who outlives whom, and
//! that nothing is left.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod controller;
mod end;
mod hand;
mod original;
mod refused;
mod secondary;

use std::time::Duration;

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The description of a panel that takes 256 MB.
fn small() -> testbed::panel::Builder {
    testbed::Panel::builder().memory(256)
}

/// What is left of a file prefix: hugepages and the runtime folder.
fn remains(prefix: &str) -> Vec<std::path::PathBuf> {
    let folder = testbed::huge::runtime_dir(prefix);
    let mut left = testbed::huge::files_of(prefix);
    left.extend(folder.exists().then_some(folder));
    left
}
