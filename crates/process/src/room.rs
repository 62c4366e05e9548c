//! What a process needs of the machine beside hugepages, looked at before EAL starts: where that runs out of it, it
//! is a bus error, or a message of nobody knows what.

use std::path::Path;

use sys::proc::{fs_free_bytes, open_files_limit};

use crate::Error;

/// Kilobytes that EAL's files and ours take in the runtime folder for one process, with a reserve: tables of memory that
/// are made without their pages, whose absence is SIGBUS.
const KILOBYTES: u64 = 4096;
/// Descriptors that a process has open, beside one for each hugepage.
const FILES: u64 = 128;

/// Refuses to start where there is too little.
///
/// # Errors
/// What there is too little of, and how to have more.
pub fn check(runtime: &Path) -> Result<(), Error> {
    let free = fs_free_bytes(runtime)? / 1024;
    if free < KILOBYTES {
        return Err(Error::Refused(format!(
            "{} has {free} kB free, a process needs {KILOBYTES}: make room there, or mount a larger file system",
            runtime.display()
        )));
    }
    let files = open_files_limit();
    if files < FILES {
        return Err(Error::Refused(format!(
            "this process may have {files} files open, {FILES} and one for each hugepage are needed: raise the limit (ulimit -n, LimitNOFILE=)"
        )));
    }
    Ok(())
}
