//! Tests that cannot run here.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Tells who counts (`scripts/test.sh`, by the file that `SPP_SKIPPED` names) that a test, or a part of it, was skipped, and why: of the
/// reason the first line.
///
/// # Panics
/// If the file cannot be written.
pub fn skipped(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    let Some(path) = std::env::var_os("SPP_SKIPPED") else {
        return;
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let reason = reason.lines().next().unwrap_or_default();
    writeln!(file.expect("the file of skipped tests"), "{test}: {reason}").expect("written");
}
