//! What a process needs of the machine beside hugepages, looked at before EAL starts: where that runs out of it, it
//! is a bus error, or a message of nobody knows what.

use std::path::Path;

use registry::needs::{OPEN_FILES, RUNTIME_KILOBYTES};
use sys::proc::{fs_free_bytes, open_files_limit};

use crate::Error;

/// Refuses to start where there is too little.
///
/// # Errors
/// What there is too little of, and how to have more.
pub fn check(runtime: &Path) -> Result<(), Error> {
    let free = fs_free_bytes(runtime)? / 1024;
    if free < RUNTIME_KILOBYTES {
        return Err(Error::Refused(format!(
            "{} has {free} kB free, a process needs {RUNTIME_KILOBYTES}: make room there, or mount a larger file system",
            runtime.display()
        )));
    }
    let files = open_files_limit();
    if files < OPEN_FILES {
        return Err(Error::Refused(format!(
            "this process may have {files} files open, {OPEN_FILES} and one for each hugepage are needed: raise the limit (ulimit -n, LimitNOFILE=)"
        )));
    }
    Ok(())
}
