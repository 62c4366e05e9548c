//! Our other programs, which this one starts.

use std::path::PathBuf;

/// Where a program of ours is: beside this one, or where programs are.
pub fn find(name: &str) -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .map(|exe| exe.with_file_name(name))
        .filter(|path| path.exists());
    beside.unwrap_or_else(|| name.into())
}
