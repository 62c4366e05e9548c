//! What a process of a panel needs of the machine beside hugepages.

/// Kilobytes that EAL's files and ours take in the runtime folder for one process, with a reserve: tables of memory that
/// are made without their pages, whose absence is SIGBUS.
pub const RUNTIME_KILOBYTES: u64 = 4096;
/// Descriptors that a process has open, beside one for each hugepage.
pub const OPEN_FILES: u64 = 128;
